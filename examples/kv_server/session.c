/* SPDX-License-Identifier: MIT */
/*
 * Read what there is, carry out the requests that are whole, write all replies at once, again: a
 * client that sends many requests without waiting costs two system calls for many.
 */
#include "session.h"

#include <errno.h>
#include <stdlib.h>

#include "command.h"
#include "reply.h"
#include "server.h"

enum { READ_SIZE = 16 * 1024, READ_MAX = 1024 * 1024, FLUSH_SIZE = 256 * 1024 };

/* How long a client that is being dropped may take to read why, and how much of what it still sends
 * is thrown away. */
#define FAREWELL (2 * WEFT_SECOND)
enum { FAREWELL_BYTES = 64 * 1024 * 1024 };

static struct {
    weft_mutex lock;
    struct session *first;
    uint32_t ending; /* atomic */
    weft_waitgroup group;
} all;

static bool is_ending(void)
{
    return __atomic_load_n(&all.ending, __ATOMIC_SEQ_CST) != 0;
}

static void list_add(struct session *s)
{
    weft_mutex_lock(&all.lock);
    s->next = all.first;
    s->link = &all.first;
    if (s->next)
        s->next->link = &s->next;
    all.first = s;
    weft_mutex_unlock(&all.lock);
}

static void list_remove(struct session *s)
{
    weft_mutex_lock(&all.lock);
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    weft_mutex_unlock(&all.lock);
}

static int flush(struct session *s)
{
    if (s->out.size == 0)
        return 0;
    ssize_t n = weft_conn_write(s->conn, s->out.data, s->out.size);
    s->out.size = 0;
    buffer_trim(&s->out);
    return n < 0 ? (int)n : 0;
}

/* Whichever of the two sets a deadline last sees the other's mark or deadline. */
static int set_deadlines(struct session *s)
{
    if (server.idle > 0) {
        int64_t deadline = weft_now() + server.idle;
        weft_conn_set_read_deadline(s->conn, deadline);
        weft_conn_set_write_deadline(s->conn, deadline);
    }
    return is_ending() ? -ECANCELED : 0;
}

static int read_more(struct session *s)
{
    size_t wanted = request_wants(&s->request, s->in.size);
    if (wanted < READ_SIZE)
        wanted = READ_SIZE;
    buffer_reserve(&s->in, wanted < READ_MAX ? wanted : READ_MAX);
    int error = set_deadlines(s);
    if (error)
        return error;
    ssize_t n = weft_conn_read(s->conn, s->in.data + s->in.size, s->in.room - s->in.size);
    if (n > 0)
        s->in.size += (size_t)n;
    return n > 0 ? 0 : n < 0 ? (int)n : -EPIPE;
}

static void refuse(struct session *s)
{
    reply_error(&s->out, "ERR Protocol error: %s", s->request.error);
    s->quit = true;
}

/* Carries out every request that has arrived whole. */
static int serve_input(struct session *s)
{
    enum request_state state = REQUEST_MORE;
    size_t done = 0;
    int error = 0;

    while (!error && !s->quit) {
        state = request_parse(&s->request, s->in.data + done, s->in.size - done);
        if (state != REQUEST_DONE)
            break;
        if (s->request.count > 0)
            command_run(s, s->request.args, s->request.count);
        done += s->request.used;
        request_next(&s->request);
        if (s->out.size >= FLUSH_SIZE)
            error = flush(s);
    }
    if (state == REQUEST_BAD)
        refuse(s);
    buffer_drop(&s->in, done);
    buffer_trim(&s->in);
    return error ? error : flush(s);
}

/* Closing a socket with unread input resets it, and the last reply may be lost: so the input is
 * read to its end. */
static void say_farewell(struct session *s)
{
    size_t left = FAREWELL_BYTES;
    ssize_t n;

    if (weft_conn_shutdown_write(s->conn) != 0)
        return;
    weft_conn_set_read_deadline(s->conn, weft_now() + FAREWELL);
    buffer_reserve(&s->in, READ_SIZE);
    while (!is_ending() && (n = weft_conn_read(s->conn, s->in.data, s->in.room)) > 0 &&
           left > (size_t)n)
        left -= (size_t)n;
}

static void session_free(struct session *s)
{
    list_remove(s);
    weft_conn_close(s->conn);
    request_fini(&s->request);
    buffer_free(&s->in);
    buffer_free(&s->out);
    free(s);
    __atomic_fetch_sub(&server.clients, 1, __ATOMIC_RELAXED);
    weft_waitgroup_done(&all.group);
}

static void serve(void *arg)
{
    struct session *s = arg;
    int error = 0;

    while (!error && !s->quit) {
        error = read_more(s);
        if (!error)
            error = serve_input(s);
    }
    if (!error)
        say_farewell(s);
    session_free(s);
}

int session_start(weft_conn *conn)
{
    struct session *s = must_alloc(sizeof *s);
    *s = (struct session){.conn = conn};
    request_init(&s->request, server.max_request);
    __atomic_fetch_add(&server.clients, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&server.connections, 1, __ATOMIC_RELAXED);
    weft_waitgroup_add(&all.group, 1);
    list_add(s);
    int error = weft_go(serve, s);
    if (error)
        session_free(s);
    return error;
}

void sessions_end(void)
{
    __atomic_store_n(&all.ending, 1, __ATOMIC_SEQ_CST);
    weft_mutex_lock(&all.lock);
    for (struct session *s = all.first; s; s = s->next) {
        weft_conn_set_read_deadline(s->conn, 1);
        weft_conn_set_write_deadline(s->conn, weft_now() + FAREWELL);
    }
    weft_mutex_unlock(&all.lock);
    weft_waitgroup_wait(&all.group);
}
