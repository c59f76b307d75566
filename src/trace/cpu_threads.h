/* SPDX-License-Identifier: MIT */
/*
 * The threads that are sampled: every registered M's, with a timer of its CPU time while somebody
 * wants samples. Process-wide, as the signal is; tracers and the CPU profile share it.
 */
#ifndef WEFT_TRACE_CPU_THREADS_H
#define WEFT_TRACE_CPU_THREADS_H

#include "base/futex.h"
#include "trace/cpu_ring.h"

#include <weft/trace_host.h>

/* More makes no sense: kernels look at the timers every few milliseconds. */
#define TRACE_CPU_HZ_MAX 10000

/* Somebody who wants samples. Zero-initialised. All get what the highest rate yields. */
typedef struct trace_cpu_want {
    unsigned hz;                 /* lock */
    struct trace_cpu_want *next; /* lock */
} trace_cpu_want;

/* The calling thread begins, or ends, to be sampled for m. Where one thread registers several Ms,
 * it is sampled for the first. leave: any thread; afterwards no handler uses m or its tracer.
 * Returns 0 or -ENOMEM. */
int trace_cpu_thread_enter(weft_tracer *tracer, weft_trace_m *m);
void trace_cpu_thread_leave(weft_trace_m *m);

/* hz 0: no more. Returns 0, or what refused the signal handler. Threads for which the kernel has no
 * timer are counted. Any thread. */
int trace_cpu_want_set(trace_cpu_want *want, unsigned hz);
uint64_t trace_cpu_timers_refused(void);

/* Where the samples of the profile go; NULL: nowhere. `wake` is posted when it is half full. */
void trace_cpu_profile_set(trace_cpu_ring *ring, base_note *wake);

/* Waits until every handler that is under way has ended. */
void trace_cpu_settle(void);

/* After fork(): timers are gone and nobody wants anything. */
void trace_cpu_forget(void);

#endif
