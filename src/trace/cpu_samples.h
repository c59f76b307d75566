/* SPDX-License-Identifier: MIT */
/* A tracer's CPU samples: from the rings of its generations into the batches of the trace. */
#ifndef WEFT_TRACE_CPU_SAMPLES_H
#define WEFT_TRACE_CPU_SAMPLES_H

#include "trace/buffer.h"
#include "trace/cpu_threads.h"

typedef struct trace_cpu {
    trace_cpu_ring *rings;  /* atomic: both, by generation mod 2; NULL: no samples are wanted. Pairs
                               with put_into_trace() */
    trace_cpu_ring made[2]; /* owner: drainer */
    trace_cpu_want want;    /* owner: drainer */
    trace_writer writer;    /* owner: drainer; a batch of generation `open`, 0: none */
    uint64_t open;
} trace_cpu;

/* All below: on the drainer. */

/* Makes the rings, unless they are there. Returns 0 or -ENOMEM. */
int trace_cpu_prepare(weft_tracer *tracer, size_t budget);

/* How many samples a second are wanted, of the rings prepared; 0: none. */
int trace_cpu_set_rate(weft_tracer *tracer, unsigned hz);

/* Tracing has ended and the last generation was collected. */
void trace_cpu_release(weft_tracer *tracer);

/* While generation n is written: makes room in its ring, if that is getting full. False: there
 * was nothing to move. */
bool trace_cpu_make_room(weft_tracer *tracer);

/* All samples of generation n, which has ended, into its batches; waits for the handlers that may
 * still write to it. Before the stacks are dumped. Returns how many ticks were lost. */
uint64_t trace_cpu_collect(weft_tracer *tracer, uint64_t n);

#endif
