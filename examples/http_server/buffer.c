/* SPDX-License-Identifier: MIT */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 1024 };

static void *checked(void *memory)
{
    if (!memory) {
        fputs("http_server: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *must_alloc(size_t size)
{
    return checked(calloc(1, size));
}

void buffer_free(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}

void buffer_add(struct buffer *b, const void *data, size_t size)
{
    size_t room = b->room ? b->room : FIRST_ROOM;
    if (size == 0)
        return;
    while (room - b->size < size)
        room *= 2;
    if (room != b->room)
        b->data = checked(realloc(b->data, room));
    b->room = room;
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

void buffer_print(struct buffer *b, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buffer_add(b, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

/* Memory of what is empty goes back: an idle connection keeps none. */
void buffer_drop(struct buffer *b, size_t size)
{
    b->size -= size;
    if (b->size == 0)
        buffer_free(b);
    else
        memmove(b->data, b->data + size, b->size);
}
