/* SPDX-License-Identifier: MIT */
/*
 * Design. A stream gets the header when it joins, and whole generations after it. It ends early,
 * and stays what it is, when its receiver fails (its output may then stop within a generation) or
 * when a generation is lost (its output is complete up to there): what came later would contradict
 * the states that a reader has in mind from before. What an ended stream would have been given is
 * counted as lost.
 *
 * Receivers are served one after the other on the drainer. One that fails does not concern the
 * others; one that is slow delays them, but no writer.
 */
#include "trace/streams.h"

#include "base/fatal.h"
#include "trace/tracer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_BUDGET ((size_t)256 << 20)
#define LEAST_BUDGET   ((size_t)16 * TRACE_CHUNK_SIZE)
#ifdef WEFT_TORTURE
#define DEFAULT_PERIOD_NS 1000000u
#else
#define DEFAULT_PERIOD_NS 1000000000u
#endif

static int complete_options(const weft_trace_options *given, weft_trace_options *options)
{
    *options = (weft_trace_options){0};
    if (given) {
        if (given->size < sizeof given->size)
            return -EINVAL;
        memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    }
    options->size = sizeof *options;
    if (!options->format)
        options->format = WIRE_VERSION_LATEST;
    if (!options->generation_ns)
        options->generation_ns = DEFAULT_PERIOD_NS;
    if (!options->memory_budget)
        options->memory_budget = DEFAULT_BUDGET;
    if (options->memory_budget < LEAST_BUDGET)
        options->memory_budget = LEAST_BUDGET;
    return wire_version_is_known(options->format) && options->cpu_hz <= TRACE_CPU_HZ_MAX ? 0
                                                                                         : -EINVAL;
}

int trace_stream_new(weft_tracer *tracer, const weft_trace_options *options,
                     weft_trace_stream **stream)
{
    weft_trace_options complete;
    int rc = complete_options(options, &complete);
    if (rc < 0)
        return rc;
    weft_trace_stream *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->tracer = tracer;
    made->options = complete;
    made->fd = -1;
    made->result.size = sizeof made->result;
    *stream = made;
    return 0;
}

void trace_stream_free(weft_trace_stream *stream)
{
    if (stream->owns_fd)
        close(stream->fd);
    free(stream);
}

/* Waits until a descriptor that does not block takes data again. */
static int wait_writable(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    return poll(&poller, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

static int write_fd(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        int error = n < 0 ? errno : 0;
        if (error == EAGAIN || error == EWOULDBLOCK)
            error = -wait_writable(fd);
        if (error && error != EINTR)
            return -error;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

static void give(weft_trace_stream *stream, const void *data, size_t size)
{
    if (stream->ended) {
        stream->result.lost_bytes += size;
        return;
    }
    int rc = stream->fd >= 0 ? write_fd(stream->fd, data, size)
                             : stream->write(stream->context, data, size);
    if (rc < 0) {
        stream->result.error = rc;
        stream->result.lost_bytes += size;
        stream->ended = true;
        return;
    }
    stream->result.bytes += size;
}

static void give_queue(weft_trace_stream *stream, const trace_queue *queue)
{
    for (const trace_buffer *buffer = queue->first; buffer; buffer = buffer->next)
        give(stream, buffer->data, (size_t)(buffer->at - buffer->data));
}

void trace_stream_open(weft_trace_stream *stream)
{
    uint8_t header[WIRE_HEADER_SIZE];
    wire_header_encode(header, stream->options.format);
    give(stream, header, sizeof header);
}

void trace_stream_deliver(weft_trace_stream *stream, const trace_queue *opening,
                          const trace_queue *batches)
{
    static const uint8_t end_mark = WIRE_EV_END_OF_GENERATION;
    give_queue(stream, opening);
    give_queue(stream, batches);
    if (stream->options.format >= 26)
        give(stream, &end_mark, 1);
    if (stream->ended)
        stream->result.lost_generations++;
    else
        stream->result.generations++;
}

void trace_stream_lose(weft_trace_stream *stream, uint64_t bytes)
{
    stream->ended = true;
    stream->result.lost_generations++;
    stream->result.lost_bytes += bytes;
}
