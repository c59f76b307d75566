/* SPDX-License-Identifier: MIT */
/* Replies of the Redis protocol (RESP2), appended to a buffer. */
#ifndef KV_REPLY_H
#define KV_REPLY_H

#include <stdint.h>

#include "buffer.h"

void reply_status(struct buffer *out, const char *text);
/* text begins with the error's code: "ERR …". Line ends in it are replaced. */
void reply_error(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reply_integer(struct buffer *out, int64_t value);
void reply_bulk(struct buffer *out, const char *data, size_t size);
void reply_text(struct buffer *out, const char *text);
void reply_null(struct buffer *out);
void reply_null_array(struct buffer *out);
/* The head of an array; its elements follow. */
void reply_array(struct buffer *out, size_t count);

#endif
