/* SPDX-License-Identifier: MIT */
/*
 * Streams: the receivers of a trace. All functions but the constructors and trace_stream_free run
 * on the drainer.
 */
#ifndef WEFT_TRACE_STREAMS_H
#define WEFT_TRACE_STREAMS_H

#include "trace/buffer.h"

#include <weft/trace.h>

struct weft_trace_stream {
    weft_trace_stream *next; /* owner: drainer */
    weft_tracer *tracer;
    weft_trace_options options; /* complete, with the defaults filled in */
    weft_trace_write_fn write;
    void *context;
    int fd; /* -1: a callback */
    bool owns_fd;
    bool ended; /* nothing more is given to it: its receiver failed, or a generation was lost */
    weft_trace_result result;
};

/* Checks the options and makes a stream that no tracer knows yet. Returns 0, -EINVAL or -ENOMEM. */
int trace_stream_new(weft_tracer *tracer, const weft_trace_options *options,
                     weft_trace_stream **stream);
void trace_stream_free(weft_trace_stream *stream);

/* Gives the stream its header. */
void trace_stream_open(weft_trace_stream *stream);

/* Gives the stream a whole generation, or takes note that it is lost. */
void trace_stream_deliver(weft_trace_stream *stream, const trace_queue *opening,
                          const trace_queue *batches);
void trace_stream_lose(weft_trace_stream *stream, uint64_t bytes);

#endif
