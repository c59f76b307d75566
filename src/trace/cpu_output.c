/* SPDX-License-Identifier: MIT */
#include "trace/cpu_output.h"

#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void deliver(trace_cpu_output *output, const void *data, size_t size)
{
    if (output->error || size == 0)
        return;
    int rc = output->fd >= 0 ? base_file_write(output->fd, data, size)
                             : output->write(output->context, data, size);
    if (rc < 0)
        output->error = rc;
    else
        output->bytes += size;
}

#if WEFT_WITH_ZLIB
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* the largest window; a gzip header */

static void squeeze_start(trace_cpu_output *output)
{
    z_stream *stream = calloc(1, sizeof *stream);
    if (!stream || deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
                                Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        output->error = -ENOMEM;
        return;
    }
    output->stream = stream;
}

static void squeeze(trace_cpu_output *output, int flush)
{
    z_stream *stream = output->stream;
    uint8_t out[4096];
    if (!stream)
        return;
    stream->next_in = output->buffer;
    stream->avail_in = (unsigned)output->used;
    do {
        stream->next_out = out;
        stream->avail_out = sizeof out;
        deflate(stream, flush);
        deliver(output, out, sizeof out - stream->avail_out);
    } while (stream->avail_out == 0);
}

static void pass_on(trace_cpu_output *output)
{
    squeeze(output, Z_NO_FLUSH);
    output->used = 0;
}

static void pass_on_last(trace_cpu_output *output)
{
    squeeze(output, Z_FINISH);
    if (output->stream)
        deflateEnd(output->stream);
    free(output->stream);
    output->stream = NULL;
}
#else
static void squeeze_start(trace_cpu_output *output)
{
    (void)output;
}

static void pass_on(trace_cpu_output *output)
{
    deliver(output, output->buffer, output->used);
    output->used = 0;
}

static void pass_on_last(trace_cpu_output *output)
{
    pass_on(output);
}
#endif

void trace_cpu_output_start(trace_cpu_output *output)
{
    output->used = 0;
    squeeze_start(output);
}

void trace_cpu_output_put(void *context, const void *data, size_t size)
{
    trace_cpu_output *output = context;
    const uint8_t *from = data;
    while (size > 0) {
        if (output->used == sizeof output->buffer)
            pass_on(output);
        size_t room = sizeof output->buffer - output->used, n = size < room ? size : room;
        memcpy(output->buffer + output->used, from, n);
        output->used += n;
        from += n;
        size -= n;
    }
}

int trace_cpu_output_finish(trace_cpu_output *output)
{
    pass_on_last(output);
    return output->error;
}
