/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add_head(struct buffer *out, char kind, int64_t value)
{
    char head[32];
    int n = snprintf(head, sizeof head, "%c%" PRId64 "\r\n", kind, value);
    buffer_add(out, head, (size_t)n);
}

void reply_status(struct buffer *out, const char *text)
{
    buffer_add(out, "+", 1);
    buffer_add(out, text, strlen(text));
    buffer_add(out, "\r\n", 2);
}

void reply_error(struct buffer *out, const char *format, ...)
{
    char line[256];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *p = line; *p; p++)
        if (*p == '\r' || *p == '\n')
            *p = ' ';
    buffer_add(out, "-", 1);
    buffer_add(out, line, strlen(line));
    buffer_add(out, "\r\n", 2);
}

void reply_integer(struct buffer *out, int64_t value)
{
    add_head(out, ':', value);
}

void reply_bulk(struct buffer *out, const char *data, size_t size)
{
    add_head(out, '$', (int64_t)size);
    buffer_add(out, data, size);
    buffer_add(out, "\r\n", 2);
}

void reply_text(struct buffer *out, const char *text)
{
    reply_bulk(out, text, strlen(text));
}

void reply_null(struct buffer *out)
{
    buffer_add(out, "$-1\r\n", 5);
}

void reply_null_array(struct buffer *out)
{
    buffer_add(out, "*-1\r\n", 5);
}

void reply_array(struct buffer *out, size_t count)
{
    add_head(out, '*', (int64_t)count);
}
