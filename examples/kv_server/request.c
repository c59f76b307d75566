/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGS = 1024 * 1024, MAX_INLINE = 64 * 1024, MAX_NUMBER_LINE = 32, KEEP_ARGS = 4096 };

void request_init(struct request *r, size_t limit)
{
    *r = (struct request){.limit = limit, .args_left = -1, .bulk_size = -1};
}

void request_fini(struct request *r)
{
    free(r->offsets);
    free(r->args);
}

void request_next(struct request *r)
{
    if (r->room > KEEP_ARGS) {
        request_fini(r);
        request_init(r, r->limit);
    }
    r->used = r->searched = r->count = 0;
    r->args_left = r->bulk_size = -1;
}

size_t request_wants(const struct request *r, size_t size)
{
    if (r->bulk_size < 0)
        return 1;
    size_t whole = r->used + (size_t)r->bulk_size + 2;
    return whole > size ? whole - size : 1;
}

static enum request_state bad(struct request *r, const char *why)
{
    snprintf(r->error, sizeof r->error, "%s", why);
    return REQUEST_BAD;
}

static void add_arg(struct request *r, size_t begin, size_t end)
{
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : 8;
        r->offsets = realloc(r->offsets, r->room * 2 * sizeof *r->offsets);
        r->args = realloc(r->args, r->room * sizeof *r->args);
        if (!r->offsets || !r->args)
            abort();
    }
    r->offsets[2 * r->count] = begin;
    r->offsets[2 * r->count + 1] = end;
    r->count++;
}

static enum request_state done(struct request *r, const char *data)
{
    for (size_t i = 0; i < r->count; i++)
        r->args[i] =
            (struct slice){data + r->offsets[2 * i], r->offsets[2 * i + 1] - r->offsets[2 * i]};
    return REQUEST_DONE;
}

/* Finds the end of the line at r->used: REQUEST_DONE and *length, without the line end. */
static enum request_state find_line(struct request *r, const char *data, size_t size, size_t limit,
                                    size_t *length)
{
    const char *begin = data + r->used;
    size_t there = size - r->used;
    const char *end =
        there > r->searched ? memchr(begin + r->searched, '\n', there - r->searched) : NULL;
    if ((end ? (size_t)(end - begin) : there) > limit)
        return REQUEST_BAD;
    if (!end) {
        r->searched = there;
        return REQUEST_MORE;
    }
    r->searched = 0;
    *length = (size_t)(end - begin);
    return REQUEST_DONE;
}

/* A decimal number, whole; INT64_MIN for anything else. */
static int64_t parse_number(const char *text, size_t size)
{
    int64_t value = 0;
    bool negative = size > 0 && *text == '-';
    size_t i = negative;

    if (i == size || size > 18)
        return INT64_MIN;
    for (; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return INT64_MIN;
        value = value * 10 + (text[i] - '0');
    }
    return negative ? -value : value;
}

/* The line "*3\r\n" or "$5\r\n" at r->used: REQUEST_DONE and its number. */
static enum request_state number_line(struct request *r, const char *data, size_t size,
                                      const char *too_long, const char *wrong, int64_t *number)
{
    size_t length;
    enum request_state state = find_line(r, data, size, MAX_NUMBER_LINE, &length);
    if (state == REQUEST_BAD)
        return bad(r, too_long);
    if (state == REQUEST_MORE)
        return state;
    const char *line = data + r->used;
    *number =
        length >= 2 && line[length - 1] == '\r' ? parse_number(line + 1, length - 2) : INT64_MIN;
    if (*number == INT64_MIN)
        return bad(r, wrong);
    r->used += length + 1;
    return REQUEST_DONE;
}

/* ---- Arrays ---- */

static enum request_state array_head(struct request *r, const char *data, size_t size)
{
    int64_t count;
    enum request_state state = number_line(r, data, size, "too big mbulk count string",
                                           "invalid multibulk length", &count);
    if (state != REQUEST_DONE)
        return state;
    if (count > MAX_ARGS)
        return bad(r, "invalid multibulk length");
    r->args_left = count > 0 ? count : 0;
    return REQUEST_DONE;
}

static enum request_state bulk_head(struct request *r, const char *data, size_t size)
{
    if (r->used == size)
        return REQUEST_MORE;
    if (data[r->used] != '$') {
        char why[32];
        snprintf(why, sizeof why, "expected '$', got '%c'", data[r->used]);
        return bad(r, why);
    }
    int64_t length;
    enum request_state state =
        number_line(r, data, size, "too big bulk count string", "invalid bulk length", &length);
    if (state != REQUEST_DONE)
        return state;
    if (length < 0 || (uint64_t)length > r->limit)
        return bad(r, "invalid bulk length");
    r->bulk_size = length;
    return REQUEST_DONE;
}

static enum request_state bulk_body(struct request *r, const char *data, size_t size)
{
    size_t length = (size_t)r->bulk_size;
    if (r->used + length + 2 > r->limit)
        return bad(r, "too big request");
    if (size - r->used < length + 2)
        return REQUEST_MORE;
    if (memcmp(data + r->used + length, "\r\n", 2) != 0)
        return bad(r, "expected a line end after the bulk string");
    add_arg(r, r->used, r->used + length);
    r->used += length + 2;
    r->bulk_size = -1;
    r->args_left--;
    return REQUEST_DONE;
}

static enum request_state parse_array(struct request *r, const char *data, size_t size)
{
    enum request_state state = REQUEST_DONE;
    if (r->args_left < 0)
        state = array_head(r, data, size);
    while (state == REQUEST_DONE && r->args_left > 0)
        state = r->bulk_size < 0 ? bulk_head(r, data, size) : bulk_body(r, data, size);
    if (state == REQUEST_MORE && size > r->limit)
        return bad(r, "too big request");
    return state == REQUEST_DONE ? done(r, data) : state;
}

/* ---- Inline commands ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that a backslash and what follows it at *p stand for. */
static char unescape(const char **p, const char *end)
{
    char c = *(*p)++;
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    case 'x':
        if (end - *p >= 2 && hex_digit((*p)[0]) >= 0 && hex_digit((*p)[1]) >= 0) {
            c = (char)(hex_digit((*p)[0]) * 16 + hex_digit((*p)[1]));
            *p += 2;
        }
        return c;
    default:
        return c;
    }
}

/* Unquotes from *p (behind the quote) to *to. False: the quote is not closed, or something sticks
 * to it. */
static bool unquote(const char **p, const char *end, char quote, char **to)
{
    while (*p < end && **p != quote) {
        char c = *(*p)++;
        if (c == '\\' && *p < end) {
            if (quote == '"')
                c = unescape(p, end);
            else if (**p == '\'')
                c = *(*p)++;
        }
        *(*to)++ = c;
    }
    if (*p == end)
        return false;
    ++*p;
    return *p == end || isspace((unsigned char)**p);
}

/* Words only become shorter, so each is written over itself. */
static enum request_state parse_inline(struct request *r, char *data, size_t size)
{
    size_t length;
    enum request_state state =
        find_line(r, data, size, r->limit < MAX_INLINE ? r->limit : MAX_INLINE, &length);
    if (state == REQUEST_BAD)
        return bad(r, "too big inline request");
    if (state == REQUEST_MORE)
        return state;
    const char *p = data, *end = data + length;
    while (p < end) {
        char *to = data + (p - data), *begin = to;
        if (isspace((unsigned char)*p)) {
            p++;
            continue;
        }
        while (p < end && !isspace((unsigned char)*p)) {
            char c = *p++;
            if (c != '"' && c != '\'')
                *to++ = c;
            else if (!unquote(&p, end, c, &to))
                return bad(r, "unbalanced quotes in request");
        }
        add_arg(r, (size_t)(begin - data), (size_t)(to - data));
    }
    r->used = length + 1;
    return done(r, data);
}

enum request_state request_parse(struct request *r, char *data, size_t size)
{
    if (size == 0)
        return REQUEST_MORE;
    return data[0] == '*' ? parse_array(r, data, size) : parse_inline(r, data, size);
}
