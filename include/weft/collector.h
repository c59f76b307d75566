/* SPDX-License-Identifier: MIT */
#ifndef WEFT_COLLECTOR_H
#define WEFT_COLLECTOR_H

/*
 * Stops of the world and the garbage collector: pauses, cycles, and the minimum mutator
 * utilisation. For traces of Go programs; weft has stops of the world only. Each analysis is an
 * object that is given every event of a reader in turn, as those of analysis.h.
 *
 * Memory grows with the number of pauses, of cycles, and of changes of the utilisation.
 *
 * Invariants
 *  1. Times are in nanoseconds; points in time are on the clock of the trace.
 *  2. Texts are valid until the analysis is freed.
 *
 * Threads: an analysis belongs to the thread of its reader. Functions that return int give 0 or
 * -ENOMEM unless they say otherwise; after -ENOMEM an analysis may only be freed.
 */

#include <weft/analysis.h>

WEFT_BEGIN_DECLS

/* -------- pauses and cycles -------- */

/* A stop of the world: from the request until all goes on. */
typedef struct weft_pause {
    int64_t begin, end;
    uint64_t goroutine; /* that asked for it */
    uint32_t stack;     /* where; for weft_collector_place */
    weft_text name;     /* "stop-the-world (GC mark termination)" */
} weft_pause;

/* Stops with one name. */
typedef struct weft_pause_group {
    weft_text name;
    const weft_histogram *lengths;
} weft_pause_group;

/*
 * One collection, from the begin of its mark phase, as the trace has it: the stop for sweep
 * termination falls behind that. What sweeps later is counted for it up to the next cycle. Values
 * of the heap are 0 where the trace does not tell.
 */
typedef struct weft_cycle {
    int64_t begin, end;   /* of the mark phase */
    int seen_begin;       /* 0: was under way when the trace began, which is `begin` then */
    int seen_end;         /* 0: was under way when the trace ended, which is `end` then */
    uint64_t heap_before; /* bytes of objects, last reported before the begin */
    uint64_t heap_most;   /* largest reported within the phase */
    uint64_t heap_after;  /* last reported at the end: what is alive */
    uint64_t goal;        /* that was to be reached when it began */
    uint64_t pauses;      /* stops of the world for it */
    int64_t pause_time, pause_most;
    uint64_t assists, sweeps; /* by goroutines that allocate */
    int64_t assist_time, sweep_time;
    int64_t worker_time; /* running of background workers, idle ones left out */
    int64_t idle_time;   /* running of idle workers */
    uint64_t bytes_swept, bytes_reclaimed;
} weft_cycle;

typedef struct weft_collector weft_collector;

/* The reader must outlive the analysis. */
WEFT_API WEFT_MUST_USE int weft_collector_new(weft_collector **collector,
                                              const weft_reader *reader);
WEFT_API WEFT_MUST_USE int weft_collector_event(weft_collector *collector, const weft_event *event);

/* Ends all that is still under way, at the last event. Once, before asking for results. */
WEFT_API WEFT_MUST_USE int weft_collector_finish(weft_collector *collector);

/* From the first event to the last. */
WEFT_API void weft_collector_span(const weft_collector *collector, int64_t *begin, int64_t *end);

/* In order of their ends. */
WEFT_API const weft_pause *weft_collector_pauses(const weft_collector *collector, size_t *count);
/* In order of first occurrence. 0, or -ERANGE. */
WEFT_API int weft_collector_pause_group(const weft_collector *collector, size_t index,
                                        weft_pause_group *group);
/* In order of time. */
WEFT_API const weft_cycle *weft_collector_cycles(const weft_collector *collector, size_t *count);

/* A frame of a stack, 0 being the innermost: 0, or -ERANGE. */
WEFT_API int weft_collector_place(const weft_collector *collector, uint32_t stack, size_t index,
                                  weft_place *place);

/* NULL accepted. */
WEFT_API void weft_collector_free(weft_collector *collector);

/* -------- minimum mutator utilisation -------- */

/*
 * The utilisation at a moment is the share of procs that the program has to itself; the collector
 * takes the others. The minimum mutator utilisation for a length of time is the least mean of all
 * windows of that length within the trace (Cheng and Blelloch, 2001). What counts for the collector
 * is as in Go's tool, whose figures these are.
 */
#define WEFT_MMU_STW        1u  /* stops of the world for collections: all procs */
#define WEFT_MMU_BACKGROUND 2u  /* background workers */
#define WEFT_MMU_ASSIST     4u  /* assists by goroutines that allocate */
#define WEFT_MMU_SWEEP      8u  /* sweeps */
#define WEFT_MMU_PER_PROC   16u /* the least of any proc, in place of the mean of all */

typedef struct weft_mmu weft_mmu;

/* flags: WEFT_MMU_…, what counts for the collector. The reader must outlive it. */
WEFT_API WEFT_MUST_USE int weft_mmu_new(weft_mmu **mmu, const weft_reader *reader, unsigned flags);
/* The next event of the reader. */
WEFT_API WEFT_MUST_USE int weft_mmu_event(weft_mmu *mmu, const weft_event *event);
/* At the end of the trace, once, before asking for results. */
WEFT_API WEFT_MUST_USE int weft_mmu_finish(weft_mmu *mmu);

/* The longest window that there can be; 0 if the trace does not tell the number of procs. */
WEFT_API int64_t weft_mmu_longest(const weft_mmu *mmu);

/*
 * The minimum for windows of a length, which is cut to the longest, from 0 to 1; 0 for a length
 * that is not positive. *at, where given, is where the first such window begins.
 */
WEFT_API double weft_mmu_minimum(const weft_mmu *mmu, int64_t window, int64_t *at);

/* NULL accepted. */
WEFT_API void weft_mmu_free(weft_mmu *mmu);

WEFT_END_DECLS

#endif
