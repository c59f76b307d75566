/* SPDX-License-Identifier: MIT */
#include "gzip.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int write_file(FILE *file, const void *data, size_t size)
{
    return fwrite(data, 1, size, file) == size ? 0 : errno ? -errno : -EIO;
}

#if WEFT_WITH_ZLIB
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* the largest window; a gzip header */
#define PIECE       ((size_t)1 << 16)

static int compress_open(struct cli_sink *sink)
{
    z_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return -ENOMEM;
    if (deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return -ENOMEM;
    }
    sink->stream = stream;
    return 0;
}

/* Compresses size bytes, at most PIECE, and writes what comes out. */
static int compress_write(struct cli_sink *sink, const void *data, size_t size, int flush)
{
    z_stream *stream = sink->stream;
    unsigned char out[4096];
    stream->next_in = (unsigned char *)(uintptr_t)data;
    stream->avail_in = (unsigned)size;
    int status = 0;
    do {
        stream->next_out = out;
        stream->avail_out = sizeof out;
        deflate(stream, flush);
        status = write_file(sink->file, out, sizeof out - stream->avail_out);
    } while (status == 0 && stream->avail_out == 0);
    return status;
}

static int compress_close(struct cli_sink *sink)
{
    int status = compress_write(sink, "", 0, Z_FINISH);
    deflateEnd(sink->stream);
    free(sink->stream);
    sink->stream = NULL;
    return status;
}

static int write_sink(struct cli_sink *sink, const void *data, size_t size)
{
    if (!sink->stream)
        return write_file(sink->file, data, size);
    int status = 0;
    for (size_t at = 0; at < size && status == 0; at += PIECE)
        status = compress_write(sink, (const char *)data + at,
                                size - at < PIECE ? size - at : PIECE, Z_NO_FLUSH);
    return status;
}
#else
static int compress_open(struct cli_sink *sink)
{
    (void)sink;
    return 0;
}

static int compress_close(struct cli_sink *sink)
{
    (void)sink;
    return 0;
}

static int write_sink(struct cli_sink *sink, const void *data, size_t size)
{
    return write_file(sink->file, data, size);
}
#endif

int cli_sink_open(struct cli_sink *sink, const char *path, bool compress)
{
    *sink = (struct cli_sink){.file = cli_output_open(path)};
    if (!sink->file)
        return -errno;
    int status = compress ? compress_open(sink) : 0;
    if (status && sink->file != stdout)
        fclose(sink->file);
    return status;
}

void cli_sink_later(struct cli_sink *sink, const char *path)
{
    *sink = (struct cli_sink){.path = path};
}

int cli_sink_write(void *context, const void *data, size_t size)
{
    struct cli_sink *sink = context;
    int status = sink->file ? 0 : cli_sink_open(sink, sink->path, false);
    return status ? status : write_sink(sink, data, size);
}

int cli_sink_close(struct cli_sink *sink)
{
    if (!sink->file)
        return 0;
    int status = sink->stream ? compress_close(sink) : 0;
    int closed = sink->file == stdout ? fflush(stdout) : fclose(sink->file);
    return status ? status : closed == 0 ? 0 : errno ? -errno : -EIO;
}
