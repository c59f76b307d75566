/* SPDX-License-Identifier: MIT */
/*
 * A connection: wait for a request, read its head, reply, again. Requests that have arrived
 * together are answered together.
 *
 * Each request is a task of the trace, from its first byte on, with regions for its parts: what a
 * request waited for while its client was slow is in "read head" and "read body", what the handler
 * did in the region with the handler's name, and a client that does not take the reply in "write".
 */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reply.h"
#include "route.h"

enum { FIRST = 512, READ_SIZE = 16 * 1024, FLUSH_SIZE = 64 * 1024 };

/* How long a client that is being dropped may take to read why, and how much of what it still sends
 * is thrown away. */
#define FAREWELL (2 * WEFT_SECOND)
enum { FAREWELL_BYTES = 64 * 1024 * 1024 };

void session_flush(struct session *s)
{
    if (!s->error && s->out.size > 0) {
        WEFT_REGION("write");
        s->error = stream_write(&s->stream, s->out.data, s->out.size);
    }
    buffer_drop(&s->out, s->out.size);
}

/* ---- Reading ---- */

/* At most size bytes into s->in. 0, -EPIPE: the client has ended; or a negative errno value. */
static int read_into(struct session *s, char *bytes, size_t size, int64_t deadline)
{
    ssize_t n = stream_read(&s->stream, bytes, size, deadline);
    if (n > 0)
        buffer_add(&s->in, bytes, (size_t)n);
    return n > 0 ? 0 : n < 0 ? (int)n : -EPIPE;
}

/* Not in line: an idle connection's stack stays small. */
static __attribute__((noinline)) int read_more(struct session *s, int64_t deadline)
{
    char bytes[READ_SIZE];
    session_flush(s);
    return s->error ? s->error : read_into(s, bytes, sizeof bytes, deadline);
}

/* Until a request begins. The end of the server ends the wait. */
static int await_request(struct session *s)
{
    char bytes[FIRST];
    session_flush(s);
    if (s->error || server_is_ending())
        return s->error ? s->error : -ECANCELED;
    weft_context *before = weft_context_enter(server.accepting);
    int error = read_into(s, bytes, sizeof bytes, weft_now() + server.idle);
    weft_context_enter(before);
    return error;
}

/* Feeds the parser until it stops. 0, or why the client sends no more. */
static int parse_on(struct session *s, int64_t deadline)
{
    struct request *r = &s->request;
    int error = 0;
    do {
        if (s->in.size == 0)
            error = read_more(s, deadline);
        if (error)
            return error;
        buffer_drop(&s->in, request_feed(r, s->in.data, s->in.size));
    } while (r->state == REQUEST_MORE);
    return 0;
}

static int read_head(struct session *s, int64_t deadline)
{
    WEFT_REGION("read head");
    return parse_on(s, deadline);
}

/* The request to its end; a client that asks is told that its body is welcome. */
static int read_body(struct session *s)
{
    WEFT_REGION("read body");
    struct request *r = &s->request;
    if (r->expects_continue && request_has_body(r) && s->in.size <= 1)
        reply_continue(s);
    return parse_on(s, weft_now() + server.read_timeout);
}

/* ---- Replying ---- */

/* Whether the request's head is one that another request may follow. */
static bool wants_to_stay(const struct request *r)
{
    return http_should_keep_alive(&r->parser) != 0;
}

static void refuse(struct session *s)
{
    s->keep_alive = false;
    count(&server.failed, 1);
    weft_logf("refused", "%d %s", s->request.status, s->request.error);
    reply_error(s, s->request.status, s->request.error);
}

/* A time-out in the middle of a request is told; whoever is gone is not. */
static int give_up(struct session *s, int error)
{
    if (error != -ETIMEDOUT)
        return error;
    s->request.status = 408;
    s->request.error = "the request takes too long";
    refuse(s);
    return 0;
}

static int serve_request(struct session *s)
{
    struct request *r = &s->request;
    int error = read_head(s, weft_now() + server.read_timeout);
    if (!error && r->state == REQUEST_HEAD) {
        s->keep_alive = wants_to_stay(r);
        weft_logf("request", "%s %s", http_method_str(r->parser.method), r->path);
        error = read_body(s);
    }
    if (error)
        return give_up(s, error);
    if (r->state == REQUEST_BAD)
        refuse(s);
    else
        route(s);
    count(&server.requests, 1);
    if (s->in.size == 0 || s->out.size >= FLUSH_SIZE)
        session_flush(s);
    return s->error;
}

static int serve_one(struct session *s)
{
    WEFT_TASK("request");
    request_init(&s->request);
    s->keep_alive = false;
    count(&server.active, 1);
    int error = serve_request(s);
    count(&server.active, -1);
    request_fini(&s->request);
    return error;
}

/* ---- The connection ---- */

/* Closing a socket with unread input resets it, and the last reply may be lost: so the input is
 * read to its end. */
static void say_farewell(struct session *s)
{
    char bytes[4096];
    size_t left = FAREWELL_BYTES;
    int64_t deadline = weft_now() + FAREWELL;
    ssize_t n;

    stream_end(&s->stream);
    while ((n = stream_read(&s->stream, bytes, sizeof bytes, deadline)) > 0 && left > (size_t)n)
        left -= (size_t)n;
}

static void serve_all(struct session *s)
{
    int error = 0;
    do {
        if (s->in.size == 0)
            error = await_request(s);
        if (!error)
            error = serve_one(s);
    } while (!error && s->keep_alive);
    session_flush(s);
    if (!error && !s->error)
        say_farewell(s);
}

static int serve(void *arg)
{
    struct session *s = arg;
    if (stream_open(&s->stream, s->accepted, s->secure) == 0) {
        serve_all(s);
        stream_close(&s->stream);
    }
    buffer_free(&s->in);
    buffer_free(&s->out);
    free(s);
    count(&server.connections, -1);
    return 0;
}

int session_start(weft_conn *conn, bool secure)
{
    struct session *s = must_alloc(sizeof *s);
    *s = (struct session){.accepted = conn, .secure = secure};
    count(&server.connections, 1);
    count(&server.accepted, 1);
    int error = weft_scope_go(server.serving, serve, s);
    if (error) {
        count(&server.connections, -1);
        weft_conn_close(conn);
        free(s);
    }
    return error;
}
