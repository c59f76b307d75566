/* SPDX-License-Identifier: MIT */
#include "buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 4096, KEEP_ROOM = 256 * 1024 };

static void *checked(void *memory)
{
    if (!memory) {
        fputs("kv_server: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *must_alloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void buffer_free(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}

void buffer_reserve(struct buffer *b, size_t more)
{
    if (b->room - b->size >= more)
        return;
    size_t room = b->room ? b->room : FIRST_ROOM;
    while (room - b->size < more)
        room *= 2;
    b->data = checked(realloc(b->data, room));
    b->room = room;
}

void buffer_add(struct buffer *b, const void *data, size_t size)
{
    buffer_reserve(b, size);
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

void buffer_drop(struct buffer *b, size_t size)
{
    if (size == 0)
        return;
    b->size -= size;
    memmove(b->data, b->data + size, b->size);
}

void buffer_trim(struct buffer *b)
{
    if (b->size == 0 && b->room > KEEP_ROOM)
        buffer_free(b);
}
