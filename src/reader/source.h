/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_SOURCE_H
#define WEFT_READER_SOURCE_H

/* The trace's bytes, buffered, with the count of those that were taken. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/reader.h>

struct reader_source {
    weft_read_fn read;
    void *context;
    uint8_t *buffer;
    size_t at, end;  /* bytes of buffer not yet taken */
    uint64_t offset; /* bytes taken since the start of the trace */
    int error;       /* negative errno value of a failed read: the source is at its end */
    bool ended;
};

/* Returns false when memory is exhausted. */
bool reader_source_init(struct reader_source *source, weft_read_fn read, void *context);
void reader_source_fini(struct reader_source *source);

/* The input was moved: forgets what is in the buffer. */
void reader_source_restart(struct reader_source *source, uint64_t offset);

/* Makes sure that buffer has a byte, and returns whether there is one. */
bool reader_source_fill(struct reader_source *source);

/* The next byte, or -1 at the end (or on an error, which is then set). */
static inline int reader_source_byte(struct reader_source *source)
{
    if (source->at == source->end && !reader_source_fill(source))
        return -1;
    source->offset++;
    return source->buffer[source->at++];
}

/* The next byte without taking it, or -1. */
static inline int reader_source_peek(struct reader_source *source)
{
    if (source->at == source->end && !reader_source_fill(source))
        return -1;
    return source->buffer[source->at];
}

/* Takes size bytes; returns how many there were. */
size_t reader_source_take(struct reader_source *source, void *data, size_t size);

enum reader_varint {
    READER_VARINT_OK,
    READER_VARINT_END,      /* cut off by the end of the input */
    READER_VARINT_OVERFLOW, /* more than ten bytes or more than 64 bits */
};

enum reader_varint reader_source_varint(struct reader_source *source, uint64_t *value);

#endif
