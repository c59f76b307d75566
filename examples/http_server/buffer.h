/* SPDX-License-Identifier: MIT */
/* Bytes that grow at the end and are consumed from the front. Memory that is refused ends the
 * program. */
#ifndef HTTP_BUFFER_H
#define HTTP_BUFFER_H

#include <stddef.h>

struct buffer {
    char *data;
    size_t size, room;
};

void *must_alloc(size_t size);

void buffer_free(struct buffer *b);
void buffer_add(struct buffer *b, const void *data, size_t size);
void buffer_print(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes the first bytes away. */
void buffer_drop(struct buffer *b, size_t size);

#endif
