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
    uint64_t lost_bytes; /* lock: tracer.lock */
    bool lost;           /* atomic, written under tracer.lock: given up */
    uint64_t lost_ticks; /* owner: drainer; CPU samples that found no room */
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

    trace_arena arena;
    base_lock lock; /* rank TRACE: the slots' queues */
    trace_slot slot[2];
    trace_cpu cpu;

    base_lock ms_lock; /* rank TRACE_MS */
    weft_trace_m *ms;  /* lock: ms_lock */

    /* The drainer, see drainer.c. */
    base_lock commands_lock;                        /* rank COMMANDS */
    struct trace_command *commands, **commands_end; /* lock: commands_lock */
    bool thread_running;                            /* lock: commands_lock */
    pthread_t thread;                               /* lock: commands_lock */
    base_note wake;
    uint32_t asked; /* atomic: end the generation early */

    /* owner: drainer */
    weft_trace_m *m; /* its own, from the host */
    bool enrolled;   /* m is registered */
    weft_trace_stream *streams;
    uint64_t period_ns;
    uint64_t next_tick;
    struct trace_symbols *symbols;
    struct trace_note *notes; /* census.c */
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
