/* SPDX-License-Identifier: MIT */
#ifndef WEFT_EXPORT_PROTOBUF_H
#define WEFT_EXPORT_PROTOBUF_H

/*
 * Messages of protobuf, encoded field by field into a growing buffer: a message within another is
 * put together first, since its length stands before it. Failed allocations stick.
 * Source: protobuf.dev, "Encoding".
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "export/output.h"

struct protobuf {
    unsigned char *at;
    size_t size, room;
    bool failed;
};

static inline bool protobuf_reserve(struct protobuf *message, size_t size)
{
    if (message->room - message->size >= size)
        return true;
    size_t room = (message->size + size) * 2 + 256;
    unsigned char *at = realloc(message->at, room);
    if (!at) {
        message->failed = true;
        return false;
    }
    message->at = at;
    message->room = room;
    return true;
}

static inline void protobuf_raw(struct protobuf *message, const void *data, size_t size)
{
    if (!size || !protobuf_reserve(message, size))
        return;
    memcpy(message->at + message->size, data, size);
    message->size += size;
}

static inline void protobuf_varint(struct protobuf *message, uint64_t number)
{
    if (!protobuf_reserve(message, 10))
        return;
    for (; number >= 0x80; number >>= 7)
        message->at[message->size++] = (unsigned char)(number | 0x80);
    message->at[message->size++] = (unsigned char)number;
}

/* A field with a number, 0 included. */
static inline void protobuf_number(struct protobuf *message, unsigned field, uint64_t number)
{
    protobuf_varint(message, (uint64_t)field << 3);
    protobuf_varint(message, number);
}

static inline void protobuf_fixed64(struct protobuf *message, unsigned field, uint64_t number)
{
    protobuf_varint(message, (uint64_t)field << 3 | 1);
    unsigned char bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(number >> 8 * i);
    protobuf_raw(message, bytes, sizeof bytes);
}

static inline void protobuf_bytes(struct protobuf *message, unsigned field, const void *data,
                                  size_t size)
{
    protobuf_varint(message, (uint64_t)field << 3 | 2);
    protobuf_varint(message, size);
    protobuf_raw(message, data, size);
}

/* A message within the message. */
static inline void protobuf_part(struct protobuf *message, unsigned field,
                                 const struct protobuf *part)
{
    protobuf_bytes(message, field, part->at, part->size);
    message->failed |= part->failed;
}

/* Writes bytes as a field of the outermost message, which is never in memory as a whole. */
static inline void protobuf_write(struct export_output *output, unsigned field, const void *data,
                                  size_t size)
{
    unsigned char head[20];
    size_t n = 0;
    head[n++] = (unsigned char)(field << 3 | 2);
    uint64_t rest = size;
    for (; rest >= 0x80; rest >>= 7)
        head[n++] = (unsigned char)(rest | 0x80);
    head[n++] = (unsigned char)rest;
    export_put(output, head, n);
    export_put(output, data, size);
}

#endif
