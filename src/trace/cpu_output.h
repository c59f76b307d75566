/* SPDX-License-Identifier: MIT */
/*
 * Where a CPU profile is written: a descriptor or a callback, through gzip where the library was
 * built with zlib. The first failure sticks; what comes after it is dropped. One thread at a time.
 */
#ifndef WEFT_TRACE_CPU_OUTPUT_H
#define WEFT_TRACE_CPU_OUTPUT_H

#include <weft/trace.h>

#include <stdbool.h>

typedef struct trace_cpu_output {
    int fd; /* -1: the callback */
    bool owns_fd;
    weft_trace_write_fn write;
    void *context;
    uint64_t bytes; /* given to the receiver */
    int error;      /* 0 or a negative errno value */
    void *stream;   /* zlib's, or NULL */
    size_t used;
    uint8_t buffer[16384]; /* not compressed yet */
} trace_cpu_output;

/* Before the first byte. */
void trace_cpu_output_start(trace_cpu_output *output);
/* context: the output. */
void trace_cpu_output_put(void *context, const void *data, size_t size);
/* After the last. Returns output->error. */
int trace_cpu_output_finish(trace_cpu_output *output);

#endif
