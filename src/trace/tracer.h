/* SPDX-License-Identifier: MIT */
/*
 * The tracer's own state: what the files of trace/ share. Nothing outside of trace/ includes this,
 * but for tests.
 */
#ifndef WEFT_TRACE_TRACER_H
#define WEFT_TRACE_TRACER_H

#include "base/futex.h"
#include "base/lock.h"
#include "trace/arena.h"
#include "trace/buffer.h"
#include "trace/cpu_samples.h"
#include "trace/intern.h"
#include "trace/status.h"

#include <weft/trace.h>
#include <weft/trace_host.h>

#include <pthread.h>

/* What belongs to one generation; there are two, indexed by generation mod 2: one is drained while
 * the other is written (INV-3: a generation is drained before the next but one begins). */
typedef struct trace_slot {
    trace_queue full;    /* lock: tracer.lock */
    trace_queue opening; /* owner: drainer; the sync batch, delivered first */
    size_t full_chunks;  /* atomic, written under tracer.lock: queued in full */
    uint64_t lost_bytes; /* lock: tracer.lock */
    bool lost;           /* atomic, written under tracer.lock: given up */
    uint64_t lost_ticks; /* owner: drainer; CPU samples that found no room */
    uint64_t began;      /* owner: drainer; when the generation was opened */
    trace_map stacks;
    trace_map strings;
    trace_map types; /* of the AllocFree experiment */
} trace_slot;

struct trace_command;
struct trace_note;
struct trace_symbols;

struct weft_tracer {
    struct weft_tracer_hint hint; /* first; atomic, see section.c */
    unsigned format;              /* owner: drainer; constant while tracing is on */
    uint64_t generation;      /* atomic: 0 off; pairs with sections through the asymmetric fence */
    uint64_t last_generation; /* owner: drainer; ended last, never 0 once there was one */
    weft_trace_host host;
    weft_trace_heap heap; /* constant; page_size 0: objects are not reported */
    uint64_t gc_seq;      /* the collector's number; with the world stopped or held */

    uint32_t refs; /* atomic: the owner, and each recorder */

    trace_arena arena;
    size_t sealed_bytes; /* atomic: of the arena's chunks that sealed generations have */
    size_t large;        /* atomic: bytes of full buffers at which a generation is ended */
    size_t working;      /* atomic: bytes that generations may take before they are sealed */
    base_lock lock;      /* rank TRACE: the slots' queues */
    trace_slot slot[2];
    trace_cpu cpu;

    base_lock ms_lock; /* rank TRACE_MS */
    weft_trace_m *ms;  /* lock: ms_lock */

    /* The drainer, see drainer.c. */
    base_lock commands_lock;                        /* rank COMMANDS */
    struct trace_command *commands, **commands_end; /* lock: commands_lock */
    bool thread_running;                            /* lock: commands_lock */
    bool closed;                                    /* lock: commands_lock; no more starts */
    pthread_t thread;                               /* lock: commands_lock */
    weft_trace_stream *orphans; /* lock: commands_lock; ended by stop_all, handles still valid */
    base_note wake;
    uint32_t asked;        /* atomic: end the generation early */
    uint32_t dying;        /* atomic: the open generation is the last (weft_tracer_dying) */
    uint32_t drainer_died; /* atomic: there is nobody to serve requests */
    uint64_t frozen;       /* atomic: a generation whose writers have been given up (enroll.c) */

    /* owner: drainer */
    weft_trace_m *m; /* its own, from the host */
    bool enrolled;   /* m is registered */
    struct trace_subscriber *subscribers;
    uint64_t period_ns;
    uint64_t next_tick;
    struct trace_symbols *symbols;
    struct trace_note *notes; /* census.c */
    /* Atomic elements, owner: as the G; constant while tracing is on, NULL: memory was refused. By
     * the G's index and the generation mod 2, as n is still asked about while n+1 is written: the
     * latest generation in which the status was written (census.c). */
    uint64_t *stamps;
    size_t notes_count, notes_room;
    bool wipe_marks; /* after a fork */
};

static inline trace_slot *trace_slot_of(weft_tracer *tracer, uint64_t n)
{
    return &tracer->slot[n % 2];
}

/* For readers of a flight file: generation n is that far (WIRE_FLIGHT_…). */
static inline void trace_generation_reaches(weft_tracer *tracer, uint64_t n, uint64_t state)
{
    if (tracer->arena.flight)
        trace_flight_advance(tracer->arena.flight, n, state);
}

/* The open generation has grown so large that it should end: its full buffers alone, or everything
 * that is not sealed, half full buffers and tables included. */
static inline bool trace_generation_is_large(const weft_tracer *tracer)
{
    const trace_slot *open = &tracer->slot[atomic_load_relaxed(&tracer->generation) % 2];
    if (atomic_load_relaxed(&open->full_chunks) * TRACE_CHUNK_SIZE >
        atomic_load_relaxed(&tracer->large))
        return true;
    size_t sealed = atomic_load_relaxed(&tracer->sealed_bytes);
    size_t used = trace_arena_used(&tracer->arena);
    return used > sealed && used - sealed > atomic_load_relaxed(&tracer->working) / 2;
}

/* Gives one reference back; the last one frees the tracer. */
void trace_tracer_unref(weft_tracer *tracer);

/* Makes the drainer end the generation soon. Any thread, also in a section; at most one wake-up for
 * each request. */
void trace_drainer_ask(weft_tracer *tracer);

/* The hint, and the host's copies of it (INV-15, see section.c). */
static inline void trace_set_enabled(weft_tracer *tracer, uint32_t enabled)
{
    atomic_store_relaxed(&tracer->hint.enabled, enabled);
    if (tracer->host.enabled)
        atomic_store_relaxed(tracer->host.enabled, enabled);
    if (tracer->host.user_enabled)
        atomic_store_relaxed(tracer->host.user_enabled, enabled);
}

#endif
