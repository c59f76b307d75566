/* SPDX-License-Identifier: MIT */
/*
 * Design. The drainer hands ended generations to a queue, and the stream's own thread writes them
 * (stream_writer.c). So a receiver that is slow or hangs stops that thread and nothing else, and
 * what it costs is the queue, which is bounded: a generation that does not fit is lost to this
 * stream, and so are all that follow until the queue is empty. Then the stream begins anew, with a
 * segment of its own: the next generation gets a log event about the loss before it ends, and is
 * taken again.
 *
 * What is in the queue is contiguous with what was written, so it is written still; only a receiver
 * that fails empties it.
 *
 * Rejected. One sender for all slow streams: two that hang would hinder each other. Writing on the
 * drainer: a receiver that hangs would stop recorders, other streams, and in the end all tracing.
 * Dropping the oldest of the queue: the receiver may be within it.
 */
#include "trace/streams.h"

#include "base/fatal.h"
#include "base/torture.h"
#include "trace/tracer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BUDGET ((size_t)256 << 20)

static weft_trace_stream *stream_of(trace_subscriber *subscriber)
{
    return (weft_trace_stream *)(void *)subscriber;
}

/* ---- The drainer's side ---- */

void trace_stream_lose_locked(weft_trace_stream *stream, uint64_t bytes, weft_trace_loss why)
{
    stream->served = true;
    stream->losing = true;
    stream->resuming = false;
    stream->gap.generations++;
    stream->gap.bytes += bytes;
    stream->result.lost_generations++;
    stream->result.lost_bytes += bytes;
    if (why != WEFT_TRACE_LOSS_NONE)
        stream->result.loss = why;
    if (!stream->can_begin_anew)
        stream->result.ended = 1;
}

/* lock held */
static bool takes(const weft_trace_stream *stream, const trace_sealed *sealed)
{
    if (stream->result.ended)
        return false;
    if (stream->losing)
        return stream->resuming;
    return stream->result.pending_bytes == 0 ||
           stream->result.pending_bytes + sealed->memory <= stream->sub.hold;
}

/* lock held */
static void push_locked(weft_trace_stream *stream, trace_item *item, trace_sealed *sealed)
{
    *item = (trace_item){.sealed = trace_sealed_ref(sealed), .begins = stream->resuming};
    if (item->begins)
        item->told = stream->told;
    trace_sealed_expect(sealed);
    *stream->end = item;
    stream->end = &item->next;
    stream->losing = stream->resuming = false;
    stream->served = true;
    stream->result.pending_bytes += sealed->memory;
    stream->result.lost_samples += sealed->lost_samples;
}

static void deliver(trace_subscriber *subscriber, trace_sealed *sealed)
{
    weft_trace_stream *stream = stream_of(subscriber);
    trace_item *item = torture_refuse("trace stream item") ? NULL : malloc(sizeof *item);
    lock_acquire(&stream->lock);
    bool wanted = takes(stream, sealed);
    /* Who is losing already has the reason of the first. */
    weft_trace_loss why = stream->losing && !stream->resuming ? WEFT_TRACE_LOSS_NONE
                          : wanted                            ? WEFT_TRACE_LOSS_MEMORY
                                                              : WEFT_TRACE_LOSS_SLOW;
    bool taken = wanted && item;
    if (taken)
        push_locked(stream, item, sealed);
    else
        trace_stream_lose_locked(stream, sealed->bytes, why);
    lock_release(&stream->lock);
    if (taken)
        base_note_post(&stream->wake);
    else
        free(item);
}

static void lose(trace_subscriber *subscriber, uint64_t bytes, uint64_t samples)
{
    weft_trace_stream *stream = stream_of(subscriber);
    lock_acquire(&stream->lock);
    trace_stream_lose_locked(stream, bytes, WEFT_TRACE_LOSS_MEMORY);
    stream->result.lost_samples += samples;
    lock_release(&stream->lock);
}

static bool announce(trace_subscriber *subscriber, char *text)
{
    weft_trace_stream *stream = stream_of(subscriber);
    lock_acquire(&stream->lock);
    stream->resuming = stream->losing && !stream->result.ended && stream->result.pending_bytes == 0;
    bool resuming = stream->resuming;
    if (resuming) {
        stream->told = stream->gap;
        trace_loss_print(text, stream->path ? stream->path : stream->who, stream->gap.generations,
                         stream->gap.bytes, stream->result.loss, stream->result.error);
    }
    lock_release(&stream->lock);
    return resuming;
}

static int join(trace_subscriber *subscriber)
{
    weft_trace_stream *stream = stream_of(subscriber);
    atomic_store_relaxed(&stream->finished, 0);
    int rc = trace_stream_start_writer(stream);
    if (rc < 0)
        atomic_store_relaxed(&stream->finished, 1);
    return rc;
}

static void close_queue(trace_subscriber *subscriber)
{
    weft_trace_stream *stream = stream_of(subscriber);
    lock_acquire(&stream->lock);
    stream->closing = true;
    lock_release(&stream->lock);
    base_note_post(&stream->wake);
}

static void forget(trace_subscriber *subscriber)
{
    weft_trace_stream *stream = stream_of(subscriber);
    lock_init(&stream->lock, BASE_RANK_LEAF);
    stream->joining = stream->finished = 1;
    stream->first = NULL;
}

static const trace_subscriber_kind stream_kind = {.join = join,
                                                  .deliver = deliver,
                                                  .lose = lose,
                                                  .announce = announce,
                                                  .leave = close_queue,
                                                  .forget = forget};

/* ---- Any thread ---- */

weft_trace_stream *trace_stream_of(trace_subscriber *subscriber)
{
    return subscriber->kind == &stream_kind ? stream_of(subscriber) : NULL;
}

static int read_options(const weft_trace_options *given, weft_trace_options *options)
{
    *options = (weft_trace_options){0};
    if (given) {
        if (given->size < sizeof given->size)
            return -EINVAL;
        memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    }
    return 0;
}

/* Of the budget one half is for what has ended, one for what has not. */
static int init_subscriber(trace_subscriber *sub, weft_tracer *tracer,
                           const weft_trace_options *options)
{
    size_t budget = options->memory_budget ? options->memory_budget : DEFAULT_BUDGET;
    int rc = trace_subscriber_init(sub, &stream_kind, tracer, options->format,
                                   options->generation_ns, budget, options->cpu_hz);
    sub->working /= 2;
    sub->hold = sub->working;
    sub->large = sub->working / 2;
    return rc;
}

int trace_stream_new(weft_tracer *tracer, const weft_trace_options *given, const char *path,
                     const trace_sink *sink, weft_trace_stream **stream)
{
    weft_trace_options options;
    int rc = read_options(given, &options);
    if (rc < 0)
        return rc;
    weft_trace_stream *made = calloc(1, sizeof *made);
    char *copy = path ? strdup(path) : NULL;
    rc = !made || (path && !copy) ? -ENOMEM : init_subscriber(&made->sub, tracer, &options);
    if (rc < 0) {
        free(copy);
        free(made);
        return rc;
    }
    made->segment = sink->fd < 0 ? options.segment : NULL;
    made->path = copy;
    made->sink = *sink;
    made->can_begin_anew = sink->is_file || made->segment;
    snprintf(made->who, sizeof made->who, sink->fd < 0 ? "callback" : "descriptor %d", sink->fd);
    made->refs = 1;
    made->finished = 1;
    made->end = &made->first;
    made->result.size = sizeof made->result;
    lock_init(&made->lock, BASE_RANK_LEAF);
    *stream = made;
    return 0;
}

void trace_stream_serve(weft_trace_stream *stream)
{
    lock_acquire(&stream->lock);
    stream->served = true;
    lock_release(&stream->lock);
    base_note_post(&stream->wake);
}

void trace_stream_free(weft_trace_stream *stream)
{
    trace_sink_close(&stream->sink);
    free(stream->path);
    free(stream);
}

void trace_stream_result(weft_trace_stream *stream, weft_trace_result *result)
{
    lock_acquire(&stream->lock);
    *result = stream->result;
    lock_release(&stream->lock);
}

bool trace_stream_has_any(weft_trace_stream *stream)
{
    lock_acquire(&stream->lock);
    bool any = stream->result.generations > 0 || stream->result.pending_bytes > 0;
    lock_release(&stream->lock);
    return any;
}
