/* SPDX-License-Identifier: MIT */
#include "reader/source.h"

#include <stdlib.h>
#include <string.h>

#include "wire/varint.h"

#define BUFFER_SIZE ((size_t)128 << 10)

bool reader_source_init(struct reader_source *source, weft_read_fn read, void *context)
{
    *source = (struct reader_source){.read = read, .context = context};
    source->buffer = malloc(BUFFER_SIZE);
    return source->buffer != NULL;
}

void reader_source_fini(struct reader_source *source)
{
    free(source->buffer);
    source->buffer = NULL;
}

void reader_source_restart(struct reader_source *source, uint64_t offset)
{
    source->at = source->end = 0;
    source->offset = offset;
    source->error = 0;
    source->ended = false;
}

static size_t read_some(struct reader_source *source, void *data, size_t size)
{
    if (source->ended)
        return 0;
    ptrdiff_t n = source->read(source->context, data, size);
    if (n > 0 && (size_t)n <= size)
        return (size_t)n;
    source->ended = true;
    source->error = n < 0 ? (int)n : 0;
    return 0;
}

bool reader_source_fill(struct reader_source *source)
{
    source->at = 0;
    source->end = read_some(source, source->buffer, BUFFER_SIZE);
    return source->end > 0;
}

size_t reader_source_take(struct reader_source *source, void *data, size_t size)
{
    size_t taken = 0;
    while (taken < size) {
        if (source->at == source->end && !reader_source_fill(source))
            break;
        size_t n = source->end - source->at;
        n = n < size - taken ? n : size - taken;
        memcpy((uint8_t *)data + taken, source->buffer + source->at, n);
        source->at += n;
        taken += n;
    }
    source->offset += taken;
    return taken;
}

enum reader_varint reader_source_varint(struct reader_source *source, uint64_t *value)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < WIRE_VARINT_MAX; i++) {
        int byte = reader_source_byte(source);
        if (byte < 0)
            return READER_VARINT_END;
        if (i == WIRE_VARINT_MAX - 1 && byte > 1)
            return READER_VARINT_OVERFLOW;
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value = v;
            return READER_VARINT_OK;
        }
    }
    return READER_VARINT_OVERFLOW;
}
