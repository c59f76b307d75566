/* SPDX-License-Identifier: MIT */
/*
 * Execution tracing: start, advance and stop of traces. The format is Go's execution trace format
 * v2, so that `weft`, `go tool trace` and every other tool for it opens what is written here.
 *
 * A trace is cut into generations (one a second by default, or on weft_trace_advance()), which are
 * kept in memory until they have ended. A *stream* receives each of them and writes it out. A
 * *recorder* keeps the latest ones in memory, for a snapshot when something has gone wrong. Both
 * can be started and stopped at any time, any number of them at once; tracing is on while at least
 * one is active. All that are active together share one format version. None copies the data.
 *
 * Who is slow or fails is alone with it. Each stream writes on a thread of its own, snapshots are
 * written by their callers: a receiver that hangs delays neither the program nor another receiver.
 * Memory is bounded (weft_trace_options, weft_trace_recorder_options); what does not fit is lost,
 * counted, and written down in the trace that follows.
 *
 * Every function here may be called from any thread, goroutines included, but not from a signal
 * handler. Those that wait for something wait for the tracer's threads, never for a goroutine. From
 * a stream's callbacks only the status functions may be called; the others return -EDEADLK. A NULL
 * where an object is needed (weft_tracer_default() is NULL outside weft_run) is -EINVAL.
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

/* Receives SIZE bytes at DATA, in order, on the stream's thread, or in weft_trace_snapshot_callback
 * itself. Returns 0, or a negative errno value: that is a failure of the receiver. The data is
 * valid during the call only.
 */
typedef int (*weft_trace_write_fn)(void *context, const void *data, size_t size);

/* After a loss a new trace begins, segment `number` (1, 2, …), with the next call of the write
 * callback, on the same thread. Of the segment before, the first `whole` bytes are a valid trace
 * (none if it is 0: then the number is that of the segment which failed); what a failing receiver
 * was given behind them has to be cut off. Returns 0 to go on, or a negative errno value to end the
 * stream. */
typedef int (*weft_trace_segment_fn)(void *context, unsigned number, uint64_t whole);

typedef struct weft_trace_options {
    size_t size;                   /* sizeof(weft_trace_options) */
    unsigned format;               /* 22, 23, 25 or 26 for "go 1.22" … "go 1.26"; 0: 26 */
    uint64_t generation_ns;        /* length of a generation; 0: 1 s; UINT64_MAX: only on request */
    size_t memory_budget;          /* bytes of trace buffers; 0: 256 MiB, at least 1 MiB */
    weft_trace_segment_fn segment; /* for weft_trace_start_callback; NULL: a loss ends the stream */
    unsigned
        cpu_hz; /* CPU samples for each second of a thread's CPU time, at most 10000; 0: none */
} weft_trace_options;

/*
 * Half of a stream's memory_budget is for generations that have ended and wait for the receiver,
 * the other half for those that have not. A generation that takes half of the latter is ended
 * early, whatever generation_ns says. Streams and recorders that are active together share the
 * shortest generation_ns, the largest of the latter halves and the highest cpu_hz.
 *
 * CPU samples say what the threads of the host execute, each with its goroutine, proc, thread and
 * stack: also where no event tells of it, such as a goroutine that computes on after its lease was
 * taken (such a sample has no proc). See weft/profile.h for how they are taken and what that asks
 * of the program.
 *
 * A generation is lost to one stream when its receiver is so slow that the former half does not
 * hold it, or when the receiver fails. It is lost to all when even the latter half is full, as the
 * tracer's thread got no CPU for long. The program goes on without delay each time. As no reader
 * could go on behind the gap, what the stream wrote stays a valid trace up to there, and a new one,
 * a *segment*, begins as soon as the receiver has taken everything that waited for it:
 *
 *   path        FILE is followed by FILE.1, FILE.2, … A generation that was written in part is cut
 *               off again. If FILE is not a regular file the stream ends, as for a descriptor.
 *   descriptor  the stream ends. After a failed write its output may end within a generation.
 *   callback    the segment callback is called; without one the stream ends.
 *
 * What was lost is in weft_trace_stream_status(), and in the first generation of the new segment: a
 * log event of the category "weft.loss", "WHO: N generations, N bytes: WHY".
 */

typedef enum weft_trace_loss {
    WEFT_TRACE_LOSS_NONE,
    WEFT_TRACE_LOSS_SLOW,   /* too much waited for the receiver */
    WEFT_TRACE_LOSS_FAILED, /* the receiver failed */
    WEFT_TRACE_LOSS_MEMORY  /* no memory, or none within the budget, while it was recorded */
} weft_trace_loss;

/* How a stream fares. */
typedef struct weft_trace_result {
    size_t size;          /* sizeof(weft_trace_result), set by the caller */
    uint64_t bytes;       /* written to the receiver, and not cut off again */
    uint64_t generations; /* written whole */
    uint64_t lost_generations;
    uint64_t lost_bytes;
    int error;             /* 0, or the negative errno value with which the receiver failed first */
    uint64_t lost_samples; /* CPU samples that found no room while the tracer was held up */
    weft_trace_loss loss;  /* why the latest of the lost generations was lost */
    uint64_t segments;     /* begun after losses */
    uint64_t pending_bytes; /* of memory, in generations that wait for the receiver */
    int ended;              /* 1: nothing more is written to it */
} weft_trace_result;

/*
 * Starts a stream. Tracing begins, or a generation boundary is made, before the call returns: what
 * happens afterwards is recorded. `options` may be NULL. The path is created or truncated (mode
 * 0644); a descriptor stays the caller's and must not be written to by anyone else until the stream
 * is stopped.
 *
 * Return 0 and *stream, or: -EINVAL bad option, -EBUSY another format is in use, -ENOMEM, -EAGAIN
 * no thread, -ESHUTDOWN the runtime is ending, or what open() said.
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
 * call has been given to every stream, but for what is lost: it waits for slow receivers. (Start,
 * stop and snapshots do not wait for those of others.) Returns 0, also when tracing is off.
 */
WEFT_API int weft_trace_advance(weft_tracer *tracer);

/* How the stream fares at this moment. Returns 0 or -EINVAL. */
WEFT_API int weft_trace_stream_status(weft_trace_stream *stream, weft_trace_result *result);

/*
 * Ends a stream: its receiver is given everything up to here, which this waits for, and the last
 * segment is a complete trace. The handle is gone afterwards. `result` may be NULL. Tracing ends
 * with the last stream and recorder. Returns 0 or the negative errno value of the receiver's first
 * failure.
 */
WEFT_API int weft_trace_stop(weft_trace_stream *stream, weft_trace_result *result);

/* ---- The flight recorder ---- */

/* Keeps the latest generations in memory. */
typedef struct weft_trace_recorder weft_trace_recorder;

typedef struct weft_trace_recorder_options {
    size_t size;            /* sizeof(weft_trace_recorder_options) */
    unsigned format;        /* as for streams */
    uint64_t generation_ns; /* as for streams */
    uint64_t window_ns;     /* a generation is kept at least that long; 0: 10 s */
    size_t window_bytes;    /* memory for the generations that are kept; 0: 10 MiB */
    size_t
        memory_budget; /* memory for generations that have not ended; 0: 64 MiB, at least 1 MiB */
    unsigned cpu_hz;   /* as for streams */
} weft_trace_recorder_options;

/*
 * The window. When a generation has ended, the oldest are dropped until the others fit into
 * window_bytes, and as long as those that stay still reach back window_ns. The newest is always
 * kept. A generation is ended early when it takes half of window_bytes, or half of memory_budget.
 * Buffers are counted, not the bytes in them: 64 KiB is the least for a generation.
 *
 * A snapshot that is being written keeps what it writes in memory. That counts: what the window
 * drops meanwhile, but cannot be freed, leaves it less room.
 *
 * A generation that memory_budget did not hold is lost. The older ones can be had until the next
 * one has ended, which begins a new window with a log event of the category "weft.loss".
 */

/* Makes a recorder that is not active. `options` may be NULL. Returns 0 and *recorder, -EINVAL, or
 * -ENOMEM. */
WEFT_API int weft_trace_recorder_new(weft_tracer *tracer,
                                     const weft_trace_recorder_options *options,
                                     weft_trace_recorder **recorder);

/* Starts recording, with an empty window. Returns 0, -EALREADY if it is active, or as the start of
 * a stream. */
WEFT_API int weft_trace_recorder_start(weft_trace_recorder *recorder);

/* Ends recording and drops the window; snapshots that are being written are completed. Tracing ends
 * with the last stream and recorder. Returns 0, also if it is not active. */
WEFT_API int weft_trace_recorder_stop(weft_trace_recorder *recorder);

/* Stops the recorder, and frees it when the last running snapshot is done. NULL is allowed. Returns
 * 0 or -EDEADLK, and then nothing has happened. */
WEFT_API int weft_trace_recorder_free(weft_trace_recorder *recorder);

/* 1 while it is active. A hint, as it may change at once. */
WEFT_API int weft_trace_recorder_enabled(const weft_trace_recorder *recorder);

/* How a recorder fares. */
typedef struct weft_trace_recorder_result {
    size_t size;               /* sizeof(weft_trace_recorder_result), set by the caller */
    uint64_t generations;      /* in the window */
    uint64_t bytes;            /* of trace data in it */
    uint64_t window_bytes;     /* of memory in it */
    uint64_t memory;           /* the same, and what only running snapshots hold */
    uint64_t span_ns;          /* from the begin of the oldest generation in it until now */
    uint64_t lost_generations; /* since the start */
    uint64_t lost_bytes;
} weft_trace_recorder_result;

/* Returns 0 or -EINVAL. Also while it is not active: all is 0 but the losses. */
WEFT_API int weft_trace_recorder_status(weft_trace_recorder *recorder,
                                        weft_trace_recorder_result *result);

/* What a snapshot holds. */
typedef struct weft_trace_snapshot_result {
    size_t size;               /* sizeof(weft_trace_snapshot_result), set by the caller */
    uint64_t bytes;            /* written */
    uint64_t generations;      /* written whole */
    uint64_t lost_generations; /* ended after these and before the call, and were lost */
} weft_trace_snapshot_result;

/*
 * Ends the current generation and writes the window, a valid trace which holds everything emitted
 * before the call. Removes nothing: successive snapshots overlap. Any number may run at once, on
 * their callers' threads; a receiver that is slow delays nobody else. The callback may call
 * everything in this header. A file that could not be written whole is cut back to the generations
 * that are whole. `result` may be NULL.
 *
 * Return 0, or: -EINVAL the recorder is not active, -ENODATA it holds no generation, as the first
 * one was lost, -EBUSY running snapshots hold more memory than the window may have, -ENOMEM, or
 * what open() or the receiver said.
 */
WEFT_API int weft_trace_snapshot_path(weft_trace_recorder *recorder, const char *path,
                                      weft_trace_snapshot_result *result);
WEFT_API int weft_trace_snapshot_fd(weft_trace_recorder *recorder, int fd,
                                    weft_trace_snapshot_result *result);
WEFT_API int weft_trace_snapshot_callback(weft_trace_recorder *recorder, weft_trace_write_fn write,
                                          void *context, weft_trace_snapshot_result *result);

/* ---- State ---- */

/* 1 while tracing is on. A hint, as it may change at once. 0 for NULL. */
WEFT_API int weft_trace_enabled(const weft_tracer *tracer);

/* The generation being written, 0 when tracing is off, and for NULL. */
WEFT_API uint64_t weft_trace_generation(const weft_tracer *tracer);

WEFT_END_DECLS

#endif
