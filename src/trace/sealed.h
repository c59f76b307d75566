/* SPDX-License-Identifier: MIT */
/*
 * A generation that has ended: the buffers with its batches, which nobody changes any more, and
 * what there is to know about it. Streams, recorders and running snapshots share it by references;
 * its chunks go back to the arena with the last one. No data is copied.
 */
#ifndef WEFT_TRACE_SEALED_H
#define WEFT_TRACE_SEALED_H

#include "trace/buffer.h"

#include <weft/trace.h>

typedef struct trace_sealed {
    uint32_t refs;      /* atomic */
    uint32_t unwritten; /* atomic: streams that have still to write it; slept on */
    weft_tracer *tracer;
    uint64_t number;
    uint64_t began; /* base_clock_now() when it was opened */
    size_t bytes;   /* of its batches */
    size_t memory;  /* of its chunks */
    uint64_t lost_samples;
    trace_queue batches; /* constant; the first one has the clock data */
} trace_sealed;

/*
 * Takes the buffers of generation n, which was flushed and not given up, and packs those that are
 * filled in part. Returns one reference, or NULL when memory is refused: the buffers stay where
 * they are. On the drainer.
 */
trace_sealed *trace_sealed_new(weft_tracer *tracer, uint64_t n);

/* Any thread that holds a reference. */
trace_sealed *trace_sealed_ref(trace_sealed *sealed);
/* NULL is allowed. Any thread; with the last reference the tracer must still be there. */
void trace_sealed_unref(trace_sealed *sealed);

/* One more stream has to write it; one has, or has lost it. */
void trace_sealed_expect(trace_sealed *sealed);
void trace_sealed_written(trace_sealed *sealed);
/* Waits until no stream has to write it any more. */
void trace_sealed_wait(trace_sealed *sealed);

#endif
