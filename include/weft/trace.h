/* SPDX-License-Identifier: MIT */
/*
 * Execution tracing: start, advance and stop of traces. The format is Go's execution trace format
 * v2, so that `weft`, `go tool trace` and every other tool for it opens what is written here.
 *
 * A trace is cut into generations (one a second by default, or on weft_tracer_advance()). A
 * *stream* receives whole generations: it can be started and stopped at any time, and any number of
 * streams may be active at once. Tracing is on while at least one stream is. All streams that are
 * active together share one format version.
 *
 * Every function here may be called from any thread; those that wait (start, advance, stop) wait
 * for the tracer's own thread, never for a goroutine. None may be called from a stream's write
 * callback or from a signal handler.
 */
#ifndef WEFT_TRACE_H
#define WEFT_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <weft/config.h>

WEFT_BEGIN_DECLS

/* The object that traces one host. A program on weft's own runtime uses weft_tracer_default(). */
typedef struct weft_tracer weft_tracer;

/* One receiver of trace data. */
typedef struct weft_trace_stream weft_trace_stream;

/* Receives SIZE bytes at DATA, in order, on the tracer's thread. Returns 0, or a negative errno
 * value, after which this stream is given nothing any more. The data is valid during the call only.
 */
typedef int (*weft_trace_write_fn)(void *context, const void *data, size_t size);

typedef struct weft_trace_options {
    size_t size;            /* sizeof(weft_trace_options) */
    unsigned format;        /* 22, 23, 25 or 26 for "go 1.22" … "go 1.26"; 0: 26 */
    uint64_t generation_ns; /* length of a generation; 0: 1 s; UINT64_MAX: only on request */
    size_t memory_budget;   /* bytes of trace buffers that may wait for slow streams; 0: 256 MiB, at
                               least 1 MiB */
    unsigned
        cpu_hz; /* CPU samples for each second of a thread's CPU time, at most 10000; 0: none */
} weft_trace_options;

/*
 * A generation is kept in memory until it has ended, and then given to the streams one after the
 * other. When half of the budget is taken, it is ended early, whatever generation_ns says. When all
 * of it is taken (a stream hangs), the generation is given up: what happens goes on without delay,
 * but is not recorded until the next one begins. A stream from which a generation is missing could
 * not be read on, so it ends there: its output is complete up to the loss and nothing is added to
 * it any more. A stream that is started later is complete in itself. Streams that are active
 * together share the shortest generation_ns, the largest memory_budget and the highest cpu_hz
 * among them.
 *
 * CPU samples say what the threads of the host execute, each with its goroutine, proc, thread and
 * stack: also where no event tells of it, such as a goroutine that computes on after its lease was
 * taken (such a sample has no proc). See weft/profile.h for how they are taken and what that asks
 * of the program.
 */

/* How a stream fared. Loss is counted when the memory budget was exceeded or the receiver failed.
 */
typedef struct weft_trace_result {
    size_t size;          /* sizeof(weft_trace_result), set by the caller */
    uint64_t bytes;       /* written to the receiver */
    uint64_t generations; /* delivered whole */
    uint64_t lost_generations;
    uint64_t lost_bytes;
    int error;             /* 0, or the negative errno value with which the receiver failed first */
    uint64_t lost_samples; /* CPU samples that found no room while the tracer was held up */
} weft_trace_result;

/*
 * Starts a stream. Tracing begins, or a generation boundary is made, before the call returns: what
 * happens afterwards is recorded. `options` may be NULL. The path is created or truncated (mode
 * 0644); a descriptor stays the caller's and must not be written to by anyone else until the stream
 * is stopped.
 *
 * Return 0 and *stream, or: -EINVAL bad option, -EBUSY another format is in use, -ENOMEM, or what
 * open() said.
 */
WEFT_API int weft_trace_start_path(weft_tracer *tracer, const char *path,
                                   const weft_trace_options *options, weft_trace_stream **stream);
WEFT_API int weft_trace_start_fd(weft_tracer *tracer, int fd, const weft_trace_options *options,
                                 weft_trace_stream **stream);
WEFT_API int weft_trace_start_callback(weft_tracer *tracer, weft_trace_write_fn write,
                                       void *context, const weft_trace_options *options,
                                       weft_trace_stream **stream);

/*
 * Ends the current generation and begins the next. When it returns, everything emitted before the
 * call has been given to every stream. Returns 0 (also when tracing is off).
 */
WEFT_API int weft_trace_advance(weft_tracer *tracer);

/*
 * Ends a stream: it has received everything up to here and is a complete trace. The handle is gone
 * afterwards. `result` may be NULL. Tracing ends with the last stream. Returns 0 or the negative
 * errno value of the receiver's first failure.
 */
WEFT_API int weft_trace_stop(weft_trace_stream *stream, weft_trace_result *result);

/* 1 while tracing is on. Any thread; a hint, as it may change at once. */
WEFT_API int weft_trace_enabled(const weft_tracer *tracer);

/* The generation being written, 0 when tracing is off. */
WEFT_API uint64_t weft_trace_generation(const weft_tracer *tracer);

WEFT_END_DECLS

#endif
