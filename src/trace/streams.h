/* SPDX-License-Identifier: MIT */
/*
 * Streams: subscribers that write every generation out, each on a thread of its own.
 */
#ifndef WEFT_TRACE_STREAMS_H
#define WEFT_TRACE_STREAMS_H

#include "base/futex.h"
#include "base/lock.h"
#include "trace/sink.h"
#include "trace/subscriber.h"

#include <weft/trace.h>

#include <pthread.h>

/* Generations and bytes that are missing between two segments. */
typedef struct trace_gap {
    uint64_t generations;
    uint64_t bytes;
} trace_gap;

/* A generation that waits for the stream's writer. */
typedef struct trace_item {
    struct trace_item *next;
    trace_sealed *sealed;
    bool begins;    /* a new segment */
    trace_gap told; /* the loss that is written down in it */
} trace_item;

struct weft_trace_stream {
    trace_subscriber sub;          /* first */
    weft_trace_segment_fn segment; /* constant */
    char *path;                    /* constant; NULL: not a path */
    char who[32];                  /* constant; what messages call it if it has no path */
    bool can_begin_anew;           /* constant; else its first loss ends it */

    uint32_t refs;                  /* lock: tracer.commands_lock; the handle, and who ends it */
    weft_trace_stream *next_orphan; /* lock: tracer.commands_lock */

    pthread_t thread;
    uint32_t joining;  /* atomic: somebody waits for the thread's end */
    uint32_t finished; /* atomic: there is no thread; slept on */
    base_note wake;    /* the writer */

    /* owner: the writer */
    trace_sink sink;
    unsigned number;       /* of the segment */
    bool header_written;   /* of the segment */
    bool broken;           /* the receiver failed: a new segment or nothing */
    uint64_t bytes_before; /* of the segments before */

    base_lock lock; /* rank LEAF; for everything below */
    trace_item *first, **end;
    bool closing;  /* nothing comes behind what is in the queue */
    bool served;   /* it has been active for a generation: its output has at least a header */
    bool losing;   /* a generation was lost: nothing is taken but a new segment's first */
    bool resuming; /* the generation that is being ended shall be that */
    trace_gap gap;
    trace_gap told; /* of the gap, in the log event of the generation that is being ended */
    weft_trace_result result;
};

/* Checks the options and makes a stream that no tracer knows yet, and that owns the sink. Returns
 * 0, -EINVAL or -ENOMEM; then the sink stays the caller's. */
int trace_stream_new(weft_tracer *tracer, const weft_trace_options *options, const char *path,
                     const trace_sink *sink, weft_trace_stream **stream);
void trace_stream_free(weft_trace_stream *stream);

/* It has joined: the header is written at once, so that whatever becomes of the process, its output
 * is a trace. */
void trace_stream_serve(weft_trace_stream *stream);

/* The process is about to die. On the thread that has crashed: if that writes a stream, nobody
 * waits for it. Async-signal-safe. */
void trace_stream_dying(void);

/* It has left: waits until the writer has written everything and is gone. Any thread but it, and
 * several at once. */
void trace_stream_finish(weft_trace_stream *stream);

/* It was given a generation. Any thread. */
bool trace_stream_has_any(weft_trace_stream *stream);

/* How it fares. Any thread. */
void trace_stream_result(weft_trace_stream *stream, weft_trace_result *result);

/* If the subscriber is a stream. */
weft_trace_stream *trace_stream_of(trace_subscriber *subscriber);

/* Between the drainer's side, streams.c, and the writer's, stream_writer.c. */
int trace_stream_start_writer(weft_trace_stream *stream);
/* lock held. A generation is lost; NONE: for the same reason as the one before. */
void trace_stream_lose_locked(weft_trace_stream *stream, uint64_t bytes, weft_trace_loss why);

#endif
