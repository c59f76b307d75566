/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *phrase_of(int status)
{
    switch (status) {
#define XX(number, name, phrase)                                                                   \
    case number:                                                                                   \
        return #phrase;
        HTTP_STATUS_MAP(XX)
#undef XX
    default:
        return "Unknown";
    }
}

static bool is_head(const struct session *s)
{
    return s->request.has_head && s->request.parser.method == HTTP_HEAD;
}

/* Clients of HTTP/1.0 know no chunks. */
static bool knows_chunks(const struct session *s)
{
    return s->request.parser.http_minor >= 1;
}

static void add_date(struct buffer *out)
{
    char text[64];
    struct tm parts;
    time_t now = time(NULL);
    if (gmtime_r(&now, &parts) &&
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0)
        buffer_print(out, "Date: %s\r\n", text);
}

static void begin_head(struct session *s, int status, const char *type)
{
    s->keep_alive = s->keep_alive && !server_is_ending();
    buffer_print(&s->out, "HTTP/1.1 %d %s\r\nServer: weft\r\n", status, phrase_of(status));
    add_date(&s->out);
    if (type)
        buffer_print(&s->out, "Content-Type: %s\r\n", type);
}

static void end_head(struct session *s)
{
    if (!s->keep_alive)
        buffer_print(&s->out, "Connection: close\r\n");
    else if (s->request.parser.http_minor == 0)
        buffer_print(&s->out, "Connection: keep-alive\r\n");
    buffer_print(&s->out, "\r\n");
}

bool reply_head(struct session *s, int status, const char *type, int64_t size)
{
    begin_head(s, status, type);
    buffer_print(&s->out, "Content-Length: %" PRId64 "\r\n", size);
    end_head(s);
    return !is_head(s);
}

void reply(struct session *s, int status, const char *type, const void *body, size_t size)
{
    if (reply_head(s, status, type, (int64_t)size))
        buffer_add(&s->out, body, size);
}

void reply_text(struct session *s, int status, const char *text)
{
    reply(s, status, "text/plain", text, strlen(text));
}

void reply_error(struct session *s, int status, const char *why)
{
    char text[256];
    int n = snprintf(text, sizeof text, "%d %s: %s\n", status, phrase_of(status), why);
    reply(s, status, "text/plain", text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void reply_not_allowed(struct session *s, const char *methods)
{
    static const char text[] = "405 Method Not Allowed\n";
    begin_head(s, 405, "text/plain");
    buffer_print(&s->out, "Allow: %s\r\nContent-Length: %zu\r\n", methods, sizeof text - 1);
    end_head(s);
    if (!is_head(s))
        buffer_add(&s->out, text, sizeof text - 1);
}

void reply_continue(struct session *s)
{
    buffer_print(&s->out, "HTTP/1.1 100 Continue\r\n\r\n");
    session_flush(s);
}

void reply_begin(struct session *s, int status, const char *type)
{
    s->keep_alive = s->keep_alive && knows_chunks(s);
    begin_head(s, status, type);
    if (knows_chunks(s))
        buffer_print(&s->out, "Transfer-Encoding: chunked\r\n");
    end_head(s);
}

void reply_part(struct session *s, const void *data, size_t size)
{
    if (size == 0 || is_head(s)) /* an empty chunk would be the end */
        return;
    if (knows_chunks(s))
        buffer_print(&s->out, "%zx\r\n", size);
    buffer_add(&s->out, data, size);
    if (knows_chunks(s))
        buffer_print(&s->out, "\r\n");
    session_flush(s);
}

void reply_end(struct session *s)
{
    if (knows_chunks(s) && !is_head(s))
        buffer_print(&s->out, "0\r\n\r\n");
}
