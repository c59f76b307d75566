/* SPDX-License-Identifier: MIT */
/*
 * Where the bytes of a trace go: a file, a descriptor or a callback. What is written is counted,
 * and how much of it ends with a whole generation, so that a file can be cut back to a valid trace
 * after a failure. Used by one thread at a time.
 */
#ifndef WEFT_TRACE_SINK_H
#define WEFT_TRACE_SINK_H

#include "trace/sealed.h"

#include <weft/trace.h>

typedef struct trace_sink {
    int fd; /* -1: the callback */
    bool owns_fd;
    bool is_file; /* a regular file of our own: can be cut back, and be followed by others */
    weft_trace_write_fn write;
    void *context;
    uint64_t bytes; /* written */
    uint64_t whole; /* of them, up to the end of the last whole generation */
} trace_sink;

/* Creates or truncates a file. Returns 0 or what open() said. */
int trace_sink_open(trace_sink *sink, const char *path);
trace_sink trace_sink_of_fd(int fd);
trace_sink trace_sink_of_callback(weft_trace_write_fn write, void *context);
void trace_sink_close(trace_sink *sink);

/* Both return 0 or a negative errno value. The thread does not die of SIGPIPE or SIGXFSZ only if
 * they are blocked. */
int trace_sink_header(trace_sink *sink, unsigned format);
int trace_sink_generation(trace_sink *sink, unsigned format, const trace_sealed *sealed);

/* Takes back what was written behind the last whole generation, if this is a regular file. */
void trace_sink_cut(trace_sink *sink);

#endif
