/* SPDX-License-Identifier: MIT */
/* The CPU profile of the process while it is taken: what cpu_profile.c gathers and cpu_pprof.c
 * writes. */
#ifndef WEFT_TRACE_CPU_PROFILE_H
#define WEFT_TRACE_CPU_PROFILE_H

#include "base/futex.h"
#include "trace/cpu_output.h"
#include "trace/cpu_threads.h"
#include "trace/intern.h"

#include <weft/profile.h>

#include <pthread.h>

/* What the samples of one stack and label add up to. */
typedef struct trace_cpu_total {
    uint64_t ticks, ns;
} trace_cpu_total;

/* Everything but `quit` and `wake`: owner: the profile's thread, from its start to its end. */
typedef struct trace_cpu_profile {
    trace_cpu_want want;
    trace_cpu_ring ring;
    base_note wake;
    uint32_t quit; /* atomic */
    pthread_t thread;
    unsigned hz;
    uint64_t begun, wall_ns, duration_ns;
    trace_arena arena;
    trace_map stacks;        /* keys: the shape of a sample and its data */
    trace_cpu_total *totals; /* by the stack's id */
    size_t totals_room;
    trace_cpu_output output;
    weft_cpu_profile_result result;
} trace_cpu_profile;

/* Writes the profile in pprof's format. Returns 0, -ENOMEM or what the output said. */
int trace_cpu_pprof_write(trace_cpu_profile *profile);

/* After fork(): there is no profile. */
void trace_cpu_profile_forget(void);

#endif
