/* SPDX-License-Identifier: MIT */
#include "reader/splice.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader/reader.h"
#include "wire/batch.h"

#define BATCH_ROOM (WIRE_BATCH_HEADER_MAX + WIRE_PAYLOAD_MAX)

/* -------- errors -------- */

static _Thread_local struct {
    char rule[16], message[512];
} kept;

int splice_fail(weft_reader_error *error, const char *rule, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(kept.message, sizeof kept.message, format, args);
    va_end(args);
    if (error)
        *error = (weft_reader_error){rule, 0, 0, kept.message};
    return -EBADMSG;
}

void splice_keep_error(const weft_reader *reader, weft_reader_error *error)
{
    if (!error)
        return;
    *error = *weft_reader_error_get(reader);
    snprintf(kept.rule, sizeof kept.rule, "%s", error->rule);
    snprintf(kept.message, sizeof kept.message, "%s", error->message);
    error->rule = kept.rule;
    error->message = kept.message;
}

/* -------- batches -------- */

/* Takes one number into the batch, as it is. False where it is cut off or malformed. */
static bool take_number(struct splice *splice, uint64_t *number)
{
    const uint8_t *start = splice->batch + splice->size;
    int byte = 0x80;
    for (unsigned i = 0; i < WIRE_VARINT_MAX && byte >= 0x80; i++) {
        byte = reader_source_byte(&splice->reader->source);
        if (byte < 0)
            return false;
        splice->batch[splice->size++] = (uint8_t)byte;
    }
    return wire_varint_decode_slow(start, splice->batch + splice->size, number) != NULL;
}

/* What the batch at hand means for the generations. */
static void count_batch(struct splice *splice, uint64_t gen, bool end)
{
    bool marked = splice->reader->version >= 26;
    if (splice->ordinal == 0 || splice->ended || (!marked && gen != splice->number)) {
        splice->ordinal++;
        splice->number = gen;
    }
    splice->ended = end;
}

/* An ordinary batch that begins with an end mark is one: trace-format.md 4.1. */
static bool ends_generation(const struct splice *splice, uint8_t kind, uint8_t experiment,
                            uint64_t size)
{
    if (splice->reader->version < 26)
        return false;
    return kind == WIRE_EV_END_OF_GENERATION ||
           (experiment == 0 && size > 0 &&
            splice->batch[splice->size - size] == WIRE_EV_END_OF_GENERATION);
}

/* Takes the next batch of the input. 1, 0 at its end, or -EBADMSG: it is cut off, or no batch. */
static int take_batch(struct splice *splice)
{
    struct reader_source *source = &splice->reader->source;
    int kind = reader_source_byte(source), experiment = 0;
    uint64_t fields[4] = {0};
    splice->size = splice->at = 0;
    if (kind < 0)
        return source->error ? source->error : 0;
    splice->batch[splice->size++] = (uint8_t)kind;
    if (kind == WIRE_EV_EXPERIMENTAL_BATCH) {
        experiment = reader_source_byte(source);
        splice->batch[splice->size++] = (uint8_t)experiment;
    }
    if (kind != WIRE_EV_END_OF_GENERATION) {
        for (unsigned i = 0; i < 4; i++)
            if (!take_number(splice, &fields[i]))
                return -EBADMSG;
        if (fields[3] > WIRE_PAYLOAD_MAX ||
            reader_source_take(source, splice->batch + splice->size, fields[3]) < fields[3])
            return -EBADMSG;
        splice->size += fields[3];
    }
    bool end = ends_generation(splice, (uint8_t)kind, (uint8_t)experiment, fields[3]);
    count_batch(splice, fields[0], end);
    return 1;
}

/* -------- parts -------- */

/* Opens the part at hand. The first one gives the header. */
static int open_part(struct splice *splice)
{
    int status = splice->open(splice->parts[splice->part].context, &splice->reader);
    if (status)
        return status;
    splice->ordinal = 0;
    splice->ended = false;
    if (splice->part == 0) {
        wire_header_encode(splice->batch, splice->reader->version);
        splice->size = WIRE_HEADER_SIZE;
    }
    return 0;
}

static void close_part(struct splice *splice)
{
    weft_reader_free(splice->reader);
    splice->reader = NULL;
    splice->part++;
}

/* Puts the next bytes into batch. 1, 0 at the end, or a negative errno value. */
static int next_bytes(struct splice *splice)
{
    while (splice->part < splice->count) {
        const struct splice_part *part = &splice->parts[splice->part];
        splice->size = splice->at = 0;
        if (!splice->reader) {
            int status = open_part(splice);
            if (status || splice->size)
                return status ? status : 1;
        }
        int status = take_batch(splice);
        /* A bad batch behind the last generation that is wanted is none of ours. */
        if (status <= 0 && splice->ordinal < part->last && (status || part->last != UINT64_MAX))
            return status ? status : -EBADMSG;
        if (status < 0 && !(splice->ended && splice->ordinal == part->last))
            return status;
        if (status <= 0 || splice->ordinal > part->last)
            close_part(splice);
        else if (splice->ordinal >= part->first)
            return 1;
    }
    return 0;
}

int splice_init(struct splice *splice, weft_open_fn open, const struct splice_part *parts,
                size_t count)
{
    *splice = (struct splice){.open = open, .parts = parts, .count = count};
    splice->batch = malloc(BATCH_ROOM + WIRE_VARINT_MAX);
    return splice->batch ? 0 : -ENOMEM;
}

void splice_fini(struct splice *splice)
{
    weft_reader_free(splice->reader);
    free(splice->batch);
}

ptrdiff_t splice_read(void *context, void *data, size_t size)
{
    struct splice *splice = context;
    if (splice->at == splice->size) {
        int status = next_bytes(splice);
        if (status <= 0) {
            splice->size = splice->at = 0;
            return status;
        }
    }
    size_t n = splice->size - splice->at < size ? splice->size - splice->at : size;
    memcpy(data, splice->batch + splice->at, n);
    splice->at += n;
    splice->written += n;
    return (ptrdiff_t)n;
}

/* -------- writing -------- */

/* Reads the whole of it, as anyone would. */
static int check(struct splice *splice, weft_slice_info *info, weft_reader_error *error)
{
    weft_reader *reader;
    weft_event event;
    int status = weft_reader_open_callback(&reader, splice_read, splice);
    while (status >= 0 && (status = weft_reader_next(reader, &event)) == 1) {
        if (info->events++ == 0)
            info->begin = event.time;
        info->end = event.time;
    }
    if (status < 0 && reader)
        splice_keep_error(reader, error);
    info->generations = reader ? weft_reader_generations(reader) : 0;
    weft_reader_free(reader);
    return status;
}

static int copy(struct splice *splice, weft_write_fn write, void *context)
{
    uint8_t piece[16384];
    ptrdiff_t n;
    int status = 0;
    while (!status && (n = splice_read(splice, piece, sizeof piece)) != 0)
        status = n < 0 ? (int)n : write(context, piece, (size_t)n);
    return status;
}

int splice_write(weft_open_fn open, const struct splice_part *parts, size_t count,
                 weft_write_fn write, void *context, weft_slice_info *info,
                 weft_reader_error *error)
{
    struct splice splice;
    weft_slice_info own;
    info = info ? info : &own;
    *info = (weft_slice_info){0};
    int status = splice_init(&splice, open, parts, count);
    if (!status)
        status = check(&splice, info, error);
    info->bytes = splice.written;
    splice_fini(&splice);
    if (status)
        return status;
    status = splice_init(&splice, open, parts, count);
    if (!status)
        status = copy(&splice, write, context);
    splice_fini(&splice);
    return status;
}
