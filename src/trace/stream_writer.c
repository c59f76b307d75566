/* SPDX-License-Identifier: MIT */
/* The thread of a stream: it writes what is in the queue, and cuts off and begins segments. */
#include "trace/streams.h"

#include "base/thread.h"
#include "base/torture.h"
#include "trace/drainer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Segments ---- */

static void segment_path(const weft_trace_stream *stream, unsigned number, char *path, size_t size)
{
    if (number == 0)
        snprintf(path, size, "%s", stream->path);
    else
        snprintf(path, size, "%s.%u", stream->path, number);
}

static int begin_file(weft_trace_stream *stream, unsigned number)
{
    char path[PATH_MAX + 16];
    trace_sink next;
    segment_path(stream, number, path, sizeof path);
    int rc = trace_sink_open(&next, path);
    if (rc < 0)
        return rc;
    trace_sink_close(&stream->sink);
    stream->sink = next;
    return 0;
}

static int begin_callback(weft_trace_stream *stream, unsigned number)
{
    int rc = stream->segment(stream->sink.context, number, stream->sink.whole);
    if (rc < 0) {
        lock_acquire(&stream->lock);
        stream->result.ended = 1;
        lock_release(&stream->lock);
        return rc;
    }
    stream->sink = trace_sink_of_callback(stream->sink.write, stream->sink.context);
    return 0;
}

/* A segment that holds nothing is begun once more; a disk that stays full leaves no trail of files.
 */
static int begin_segment(weft_trace_stream *stream)
{
    unsigned number = stream->number + (stream->sink.whole > 0);
    uint64_t before =
        stream->bytes_before + (stream->path ? stream->sink.whole : stream->sink.bytes);
    int rc = stream->path ? begin_file(stream, number) : begin_callback(stream, number);
    if (rc < 0)
        return rc;
    stream->number = number;
    stream->bytes_before = before;
    stream->header_written = stream->broken = false;
    return 0;
}

static int write_header(weft_trace_stream *stream)
{
    if (stream->header_written)
        return 0;
    stream->header_written = true;
    return trace_sink_header(&stream->sink, stream->sub.format);
}

/* The receiver fails: a new segment or nothing. */
static void break_off(weft_trace_stream *stream)
{
    stream->broken = true;
    trace_sink_cut(&stream->sink);
}

/* Before there is a generation. */
static void begin_output(weft_trace_stream *stream)
{
    int rc = stream->broken ? 0 : write_header(stream);
    if (rc == 0)
        return;
    break_off(stream);
    lock_acquire(&stream->lock);
    stream->result.error = rc;
    lock_release(&stream->lock);
}

/* ---- Generations ---- */

static void count_whole(weft_trace_stream *stream, const trace_item *item)
{
    stream->result.generations++;
    if (item->begins) {
        stream->result.segments++;
        stream->gap.generations -= item->told.generations;
        stream->gap.bytes -= item->told.bytes;
    }
}

static void settle(weft_trace_stream *stream, trace_item *item, bool whole, int error)
{
    lock_acquire(&stream->lock);
    stream->result.bytes = stream->bytes_before + stream->sink.bytes;
    stream->result.pending_bytes -= item->sealed->memory;
    if (error && !stream->result.error)
        stream->result.error = error;
    if (whole)
        count_whole(stream, item);
    else
        trace_stream_lose_locked(stream, item->sealed->bytes, WEFT_TRACE_LOSS_FAILED);
    lock_release(&stream->lock);
    trace_sealed_written(item->sealed);
    trace_sealed_unref(item->sealed);
    free(item);
}

static void write_item(weft_trace_stream *stream, trace_item *item)
{
    int rc = item->begins ? begin_segment(stream) : 0;
    bool open = rc == 0 && !stream->broken;
    if (open)
        rc = write_header(stream);
    torture_point("trace stream writes");
    if (open && rc == 0)
        rc = trace_sink_generation(&stream->sink, stream->sub.format, item->sealed);
    if (rc < 0)
        break_off(stream);
    settle(stream, item, open && rc == 0, rc);
}

/* ---- The thread ---- */

/* Waits; NULL: it is over. */
static trace_item *next_item(weft_trace_stream *stream)
{
    for (;;) {
        lock_acquire(&stream->lock);
        trace_item *item = stream->first;
        bool closing = stream->closing, served = stream->served;
        if (item) {
            stream->first = item->next;
            if (!stream->first)
                stream->end = &stream->first;
        }
        lock_release(&stream->lock);
        if (item || closing)
            return item;
        if (served)
            begin_output(stream);
        (void)base_note_wait(&stream->wake, -1);
    }
}

/* A trace of no generation is its header; a further segment of none is no file. */
static void conclude(weft_trace_stream *stream)
{
    char path[PATH_MAX + 16];
    int rc = stream->broken || !stream->served ? 0 : write_header(stream);
    if (stream->number > 0 && stream->sink.whole == 0 && stream->path) {
        segment_path(stream, stream->number, path, sizeof path);
        unlink(path);
        stream->sink.bytes = 0;
    }
    lock_acquire(&stream->lock);
    stream->result.bytes = stream->bytes_before + stream->sink.bytes;
    stream->result.ended = 1;
    if (!stream->result.error)
        stream->result.error = rc;
    lock_release(&stream->lock);
}

static __thread weft_trace_stream *writing; /* by this thread */

static void *writer_main(void *arg)
{
    weft_trace_stream *stream = arg;
    writing = stream;
    trace_drainer_serve(stream->sub.tracer);
    for (trace_item *item; (item = next_item(stream));)
        write_item(stream, item);
    conclude(stream);
    return NULL;
}

int trace_stream_start_writer(weft_trace_stream *stream)
{
    return base_thread_start(&stream->thread, "weft-stream", writer_main, stream);
}

void trace_stream_dying(void)
{
    if (!writing)
        return;
    atomic_store_release(&writing->finished, 1); /* pairs with trace_stream_finish() */
    base_futex_wake(&writing->finished, INT_MAX);
}

void trace_stream_finish(weft_trace_stream *stream)
{
    /* Acquire and release: pairs with itself; one of those who wait joins. */
    if (!atomic_load_acquire(&stream->finished) && !atomic_swap_acqrel(&stream->joining, 1)) {
        pthread_join(stream->thread, NULL);
        atomic_store_release(&stream->finished, 1); /* pairs with the load below */
        base_futex_wake(&stream->finished, INT_MAX);
    }
    while (!atomic_load_acquire(&stream->finished))
        (void)base_futex_wait(&stream->finished, 0, -1);
}
