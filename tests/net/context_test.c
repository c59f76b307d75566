/* SPDX-License-Identifier: MIT */
/* Contexts end what waits for the network, and nothing else. */
#include "net/loopback.h"

struct client {
    weft_context *context;
    weft_listener *listener;
    weft_conn *conn;
    weft_waitgroup group;
    char *data;
    uint32_t ended; /* atomic */
};

enum { LARGE = 32 * 1024 * 1024 };

static void accept_in_context(void *arg)
{
    struct client *c = arg;
    weft_conn *conn;
    weft_context_enter(c->context);
    CHECK_EQ(weft_tcp_accept(c->listener, &conn), -ECANCELED);
    atomic_add_relaxed(&c->ended, 1);
    weft_waitgroup_done(&c->group);
}

static void read_in_context(void *arg)
{
    struct client *c = arg;
    char byte;
    CHECK_EQ(weft_conn_read_ctx(c->context, c->conn, &byte, 1), -ECANCELED);
    atomic_add_relaxed(&c->ended, 1);
    weft_waitgroup_done(&c->group);
}

/* The first fills the socket, the others wait for their turn. */
static void write_in_context(void *arg)
{
    struct client *c = arg;
    CHECK_EQ(weft_conn_write_ctx(c->context, c->conn, c->data, LARGE), -ECANCELED);
    atomic_add_relaxed(&c->ended, 1);
    weft_waitgroup_done(&c->group);
}

static void cancel_and_await(struct client *c, uint32_t n)
{
    CHECK_EQ(atomic_load_relaxed(&c->ended), 0);
    weft_context_cancel(c->context, 0);
    weft_waitgroup_wait(&c->group);
    CHECK_EQ(c->ended, n);
    weft_context_free(c->context);
}

static void an_accept_ends_with_its_context(void)
{
    struct client c = {.context = weft_context_new(NULL), .listener = listen_on(v4_any_port)};
    weft_waitgroup_add(&c.group, 2);
    go(accept_in_context, &c);
    go(accept_in_context, &c);
    await_parked(c.listener, POLL_READ, 2);
    cancel_and_await(&c, 2);
    weft_conn *a = dial(c.listener, false), *b = accept_from(c.listener); /* it still works */
    weft_conn_close(a);
    weft_conn_close(b);
    weft_listener_close(c.listener);
}

static void reads_and_writes_end_with_their_context(void)
{
    struct pair p = tcp_pair();
    struct client c = {.context = weft_context_new(NULL), .conn = p.a, .data = calloc(1, LARGE)};
    char byte;
    weft_waitgroup_add(&c.group, 4);
    go(read_in_context, &c);
    for (int i = 0; i < 3; i++)
        go(write_in_context, &c);
    await_parked(p.a, POLL_READ, 1);
    await_parked(p.a, POLL_WRITE, 3);
    cancel_and_await(&c, 4);
    CHECK_EQ(weft_conn_write(p.b, "x", 1), 1);
    CHECK_EQ(weft_conn_read(p.a, &byte, 1), 1); /* the connection is as it was */
    pair_close(p);
    free(c.data);
}

static void a_deadline_of_the_context_counts_as_well(void)
{
    struct pair p = tcp_pair();
    char byte;
    weft_context *context = weft_context_with_timeout(NULL, WEFT_MILLISECOND);
    weft_conn_set_read_deadline(p.a, weft_now() + 1000 * WEFT_SECOND);
    CHECK_EQ(weft_conn_read_ctx(context, p.a, &byte, 1), -ETIMEDOUT);
    weft_context_free(context);
    context = weft_context_with_timeout(NULL, 1000 * WEFT_SECOND);
    weft_conn_set_read_deadline(p.a, weft_now() + WEFT_MILLISECOND);
    CHECK_EQ(weft_conn_read_ctx(context, p.a, &byte, 1), -ETIMEDOUT);
    weft_context_free(context);
    pair_close(p);
}

static void what_is_there_is_read_in_any_context(void)
{
    struct pair p = tcp_pair();
    char byte;
    weft_context *context = weft_context_new(NULL);
    weft_context_cancel(context, 0);
    CHECK_EQ(weft_conn_write_ctx(context, p.b, "x", 1), 1);
    CHECK_EQ(weft_conn_read(p.a, &byte, 1), 1); /* it has arrived */
    CHECK_EQ(weft_conn_write(p.b, "y", 1), 1);
    while (weft_conn_read_ctx(context, p.a, &byte, 1) == -ECANCELED)
        weft_yield();
    CHECK_EQ(byte, 'y');
    CHECK_EQ(weft_conn_read_ctx(context, p.a, &byte, 1), -ECANCELED);
    weft_context_free(context);
    pair_close(p);
}

static void close_conn(void *arg)
{
    struct client *c = arg;
    weft_conn_close(c->conn);
    weft_waitgroup_done(&c->group);
}

static void cancel_context(void *arg)
{
    struct client *c = arg;
    weft_context_cancel(c->context, 0);
    weft_waitgroup_done(&c->group);
}

static void a_cancel_races_with_close(void)
{
    char *data = calloc(1, LARGE);
    for (int i = 0; i < ROUNDS(100); i++) {
        struct pair p = tcp_pair();
        struct client c = {.context = weft_context_new(NULL), .conn = p.a, .data = data};
        weft_waitgroup_add(&c.group, 6);
        go(read_in_context, &c);
        for (int k = 0; k < 3; k++)
            go(write_in_context, &c);
        await_parked(p.a, POLL_READ, 1);
        await_parked(p.a, POLL_WRITE, 3);
        go(i % 2 ? close_conn : cancel_context, &c);
        go(i % 2 ? cancel_context : close_conn, &c);
        weft_waitgroup_wait(&c.group);
        weft_conn_close(p.b);
        weft_context_free(c.context);
    }
    free(data);
}

ON_ALL_PROCS(an_accept_ends_with_its_context)
ON_ALL_PROCS(reads_and_writes_end_with_their_context)
ON_ALL_PROCS(a_deadline_of_the_context_counts_as_well)
ON_ALL_PROCS(what_is_there_is_read_in_any_context)
ON_ALL_PROCS(a_cancel_races_with_close)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(an_accept_ends_with_its_context),
        TEST(reads_and_writes_end_with_their_context),
        TEST(a_deadline_of_the_context_counts_as_well),
        TEST(what_is_there_is_read_in_any_context),
        TEST(a_cancel_races_with_close),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
