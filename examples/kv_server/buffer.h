/* SPDX-License-Identifier: MIT */
/* Bytes that grow at the end and are consumed from the front. Memory that is refused ends the
 * program. */
#ifndef KV_BUFFER_H
#define KV_BUFFER_H

#include <stddef.h>

/* Bytes of somebody else. */
struct slice {
    const char *data;
    size_t size;
};

struct buffer {
    char *data;
    size_t size, room;
};

void *must_alloc(size_t size);

void buffer_free(struct buffer *b);
/* Makes room for `more` bytes behind the end. */
void buffer_reserve(struct buffer *b, size_t more);
void buffer_add(struct buffer *b, const void *data, size_t size);
/* Takes the first bytes away. */
void buffer_drop(struct buffer *b, size_t size);
/* Gives memory back if a large request or reply has left much of it behind. */
void buffer_trim(struct buffer *b);

#endif
