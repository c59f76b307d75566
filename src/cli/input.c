/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "progress.h"

#if WEFT_WITH_ZLIB
#include <zlib.h>
#endif
#if WEFT_WITH_ZSTD
#include <zstd.h>
#endif

#define CHUNK ((size_t)1 << 16)

struct cli_input {
    const char *name; /* for messages */
    int fd;
    bool owned;
    bool counts;    /* it is no file: progress is what was read */
    bool ended;     /* fd is at its end */
    bool in_stream; /* what was begun is not complete: an end here is a cut */
    bool cut;       /* and that is what happened */
    int status;     /* why unpacking cannot go on */
    enum cli_packing packing;
    size_t at, size; /* packed bytes in chunk that were not used yet */
#if WEFT_WITH_ZLIB
    z_stream gzip;
#endif
#if WEFT_WITH_ZSTD
    ZSTD_DStream *zstd;
#endif
    unsigned char chunk[CHUNK];
};

enum cli_packing cli_packing_of(const unsigned char *start, size_t size)
{
    if (size >= 2 && memcmp(start, "\x1f\x8b", 2) == 0)
        return CLI_GZIP;
    if (size >= 4 && memcmp(start, "\x28\xb5\x2f\xfd", 4) == 0)
        return CLI_ZSTD;
    return CLI_PLAIN;
}

/* -------- the libraries: each unpacks from chunk; 0 or a negative errno value -------- */

#if WEFT_WITH_ZLIB
static int open_gzip(struct cli_input *input)
{
    return inflateInit2(&input->gzip, 15 + 16) == Z_OK ? 0 : -ENOMEM;
}

/* Several streams in one file, one behind the other, are one. */
static int unpack_gzip(struct cli_input *input, void *data, size_t size, size_t *made)
{
    z_stream *stream = &input->gzip;
    stream->next_in = input->chunk + input->at;
    stream->avail_in = (unsigned)(input->size - input->at);
    stream->next_out = data;
    stream->avail_out = (unsigned)(size < CHUNK ? size : CHUNK);
    unsigned room = stream->avail_out;
    int status = inflate(stream, Z_NO_FLUSH);
    input->at = input->size - stream->avail_in;
    *made = room - stream->avail_out;
    input->in_stream = status != Z_STREAM_END;
    if (status == Z_STREAM_END)
        inflateReset(stream);
    return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR ? 0 : -EBADMSG;
}

static void close_gzip(struct cli_input *input)
{
    inflateEnd(&input->gzip);
}
#else
static int open_gzip(struct cli_input *input)
{
    (void)input;
    return -ENOTSUP;
}

static int unpack_gzip(struct cli_input *input, void *data, size_t size, size_t *made)
{
    (void)input, (void)data, (void)size, (void)made;
    return -ENOTSUP;
}

static void close_gzip(struct cli_input *input)
{
    (void)input;
}
#endif

#if WEFT_WITH_ZSTD
static int open_zstd(struct cli_input *input)
{
    input->zstd = ZSTD_createDStream();
    return input->zstd ? 0 : -ENOMEM;
}

static int unpack_zstd(struct cli_input *input, void *data, size_t size, size_t *made)
{
    ZSTD_inBuffer in = {input->chunk, input->size, input->at};
    ZSTD_outBuffer out = {data, size, 0};
    size_t left = ZSTD_decompressStream(input->zstd, &out, &in);
    input->at = in.pos;
    *made = out.pos;
    input->in_stream = left != 0;
    return ZSTD_isError(left) ? -EBADMSG : 0;
}

static void close_zstd(struct cli_input *input)
{
    ZSTD_freeDStream(input->zstd);
}
#else
static int open_zstd(struct cli_input *input)
{
    (void)input;
    return -ENOTSUP;
}

static int unpack_zstd(struct cli_input *input, void *data, size_t size, size_t *made)
{
    (void)input, (void)data, (void)size, (void)made;
    return -ENOTSUP;
}

static void close_zstd(struct cli_input *input)
{
    (void)input;
}
#endif

/* -------- the input -------- */

struct cli_input *cli_input_new(const char *name, int fd, bool owned, enum cli_packing packing,
                                const unsigned char *start, size_t size, int *status)
{
    struct cli_input *input = calloc(1, sizeof *input);
    *status = -ENOMEM;
    if (input) {
        input->name = name;
        input->fd = fd;
        input->owned = owned;
        input->counts = lseek(fd, 0, SEEK_CUR) < 0;
        input->packing = packing;
        input->size = size;
        memcpy(input->chunk, start, size);
        *status = packing == CLI_GZIP   ? open_gzip(input)
                  : packing == CLI_ZSTD ? open_zstd(input)
                                        : 0;
    }
    if (*status == 0)
        return input;
    free(input);
    if (owned)
        close(fd);
    return NULL;
}

/* Bytes from fd. */
static ptrdiff_t read_fd(struct cli_input *input, void *data, size_t size)
{
    for (;;) {
        ssize_t n = read(input->fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        input->ended = n == 0;
        if (n > 0 && input->counts)
            cli_progress_count((size_t)n);
        return n < 0 ? -errno : n;
    }
}

/* As it is: what was read before comes first. */
static ptrdiff_t read_plain(struct cli_input *input, void *data, size_t size)
{
    size_t left = input->size - input->at;
    if (left == 0)
        return read_fd(input, data, size);
    size = size < left ? size : left;
    memcpy(data, input->chunk + input->at, size);
    input->at += size;
    return (ptrdiff_t)size;
}

/* Fills chunk when it is used up. Returns 0 or a negative errno value. */
static int fill(struct cli_input *input)
{
    if (input->at < input->size || input->ended)
        return 0;
    ptrdiff_t n = read_fd(input, input->chunk, CHUNK);
    if (n < 0)
        return (int)n;
    input->at = 0;
    input->size = (size_t)n;
    return 0;
}

/* Says why unpacking cannot go on. */
static int complain(const struct cli_input *input, int status)
{
    if (status == -EBADMSG)
        cli_message("%s: the compressed data is %s\n", input->name,
                    input->cut ? "cut off" : "damaged");
    return status;
}

/* Some unpacked bytes; none at the end, or when *status is set. */
static size_t unpack(struct cli_input *input, void *data, size_t size, int *status)
{
    size_t made = 0;
    while (made == 0) {
        *status = fill(input);
        bool over = input->at == input->size && input->ended;
        if (*status || (over && !input->in_stream))
            break;
        *status =
            (input->packing == CLI_GZIP ? unpack_gzip : unpack_zstd)(input, data, size, &made);
        input->cut = over && !made && !*status;
        if (input->cut)
            *status = -EBADMSG;
        if (*status)
            break;
    }
    return made;
}

/* What was sound is given before the failure. */
ptrdiff_t cli_input_read(void *context, void *data, size_t size)
{
    struct cli_input *input = context;
    if (input->packing == CLI_PLAIN)
        return read_plain(input, data, size);
    size_t made = input->status ? 0 : unpack(input, data, size, &input->status);
    return made || !input->status ? (ptrdiff_t)made : complain(input, input->status);
}

void cli_input_free(void *context)
{
    struct cli_input *input = context;
    if (input->packing == CLI_GZIP)
        close_gzip(input);
    if (input->packing == CLI_ZSTD)
        close_zstd(input);
    if (input->owned)
        close(input->fd);
    free(input);
}
