/* SPDX-License-Identifier: MIT */
/* The end of connections and listeners: while others wait, many times, with events that come too
 * late. */
#include "net/loopback.h"

static weft_waitgroup group;

static void read_is_cancelled(void *arg)
{
    char byte;
    CHECK_EQ(weft_conn_read(arg, &byte, 1), -ECANCELED);
    weft_waitgroup_done(&group);
}

static void write_is_cancelled(void *arg)
{
    enum { SIZE = 32 * 1024 * 1024 };
    char *data = calloc(1, SIZE);
    CHECK_EQ(weft_conn_write(arg, data, SIZE), -ECANCELED);
    free(data);
    weft_waitgroup_done(&group);
}

static void accept_is_cancelled(void *arg)
{
    weft_conn *conn;
    CHECK_EQ(weft_tcp_accept(arg, &conn), -ECANCELED);
    weft_waitgroup_done(&group);
}

static void close_wakes_readers_and_writers(void)
{
    int before = open_descriptors();
    struct pair p = tcp_pair();

    weft_waitgroup_add(&group, 6);
    for (int i = 0; i < 3; i++) {
        go(read_is_cancelled, p.a);
        go(write_is_cancelled, p.a);
    }
    await_parked(p.a, POLL_READ, 3);
    await_parked(p.a, POLL_WRITE, 3);
    weft_conn_close(p.a);
    weft_waitgroup_wait(&group);
    weft_conn_close(p.b);
    CHECK_EQ(open_descriptors(), before);
}

static void close_wakes_those_who_accept(void)
{
    weft_listener *listener = listen_on(v4_any_port);
    weft_waitgroup_add(&group, 5);
    for (int i = 0; i < 5; i++)
        go(accept_is_cancelled, listener);
    await_parked(listener, POLL_READ, 5);
    weft_listener_close(listener);
    weft_waitgroup_wait(&group);
}

static void await_begun(weft_conn *conn)
{
    struct poll_desc *desc = (struct poll_desc *)(void *)conn;
    uint32_t users;
    do {
        weft_yield();
        lock_acquire(&desc->lock);
        users = desc->users;
        lock_release(&desc->lock);
    } while (users == 0);
}

/* The descriptor lives until the operation that uses it has ended. */
static void close_during_reads_closes_the_right_descriptor(void)
{
    for (int i = 0; i < ROUNDS(2000); i++) {
        struct pair p = tcp_pair();
        weft_waitgroup_add(&group, 1);
        go(read_is_cancelled, p.a);
        await_begun(p.a);
        weft_conn_close(p.a);
        struct pair next = tcp_pair(); /* takes descriptors as soon as they are free */
        weft_waitgroup_wait(&group);
        write_all(next.a, "x", 1);
        char byte;
        read_exactly(next.b, &byte, 1);
        pair_close(next);
        weft_conn_close(p.b);
    }
}

/* ---- Stale events ---- */

enum { CYCLES = 10000, STRANDS = 4 };

/* The next user of a record waits for data that comes late: an event of the previous connection,
 * which ended with a lot of them, must not be counted for it, and its own must not be lost. */
static void cycle(void *arg)
{
    weft_listener *listener = arg;
    char data[64];

    for (int i = 0; i < ROUNDS(CYCLES) / STRANDS; i++) {
        struct pair p = {dial(listener, false), NULL};
        write_all(p.a, "ping", 4);
        if (i % 3 == 0) {
            weft_conn_close(p.a); /* the answer comes to nobody */
            continue;
        }
        read_exactly(p.a, data, 4);
        CHECK(memcmp(data, "pong", 4) == 0);
        weft_conn_close(p.a);
    }
    weft_waitgroup_done(&group);
}

static void answer(void *arg)
{
    weft_conn *conn = arg;
    char data[64];
    if (weft_conn_read(conn, data, sizeof data) == 4) {
        CHECK(memcmp(data, "ping", 4) == 0);
        ssize_t n = weft_conn_write(conn, "pong", 4);
        CHECK(n == 4 || n == -EPIPE || n == -ECONNRESET);
    }
    weft_conn_close(conn);
}

static void serve(void *arg)
{
    weft_conn *conn;
    while (weft_tcp_accept(arg, &conn) == 0)
        go(answer, conn);
    weft_waitgroup_done(&group);
}

static void ten_thousand_connections_come_and_go(void)
{
    int before = open_descriptors();
    weft_listener *listener = listen_on(v4_any_port);

    weft_waitgroup_add(&group, STRANDS);
    go(serve, listener);
    for (int i = 0; i < STRANDS; i++)
        go(cycle, listener);
    weft_waitgroup_wait(&group);
    weft_waitgroup_add(&group, 1); /* for serve() */
    weft_listener_set_deadline(listener, 1);
    weft_waitgroup_wait(&group);
    weft_listener_close(listener);
    while (open_descriptors() != before) /* the last answers */
        weft_yield();
}

/* White box: an event with the cookie of an earlier use of the record finds nobody. */
static void event_of_an_earlier_use_is_dropped(void)
{
    struct pair p = tcp_pair();
    struct poll_desc *desc = (struct poll_desc *)(void *)p.a;
    uint64_t cookie = (uint64_t)desc->index << 32 | desc->sequence;

    struct poll_desc *found = poll_desc_lock_event(cookie);
    CHECK(found == desc);
    lock_release(&found->lock);
    weft_conn_close(p.a);
    CHECK(poll_desc_lock_event(cookie) == NULL);
    struct pair next = tcp_pair(); /* uses the record again */
    CHECK(poll_desc_lock_event(cookie) == NULL);
    pair_close(next);
    weft_conn_close(p.b);
}

/* ---- Misuse ---- */

static void operations_on_a_closed_connection_are_refused(void)
{
    struct pair p = tcp_pair();
    weft_listener *listener = listen_on(v4_any_port);
    weft_conn *conn;
    char byte;

    weft_listener_close(listener);
    weft_conn_close(p.a);
    CHECK_EQ(weft_conn_read(p.a, &byte, 1), -ECANCELED);
    CHECK_EQ(weft_conn_write(p.a, &byte, 1), -ECANCELED);
    CHECK_EQ(weft_tcp_accept(listener, &conn), -ECANCELED);
    weft_conn_close(p.b);
}

static void close_twice(void)
{
    struct pair p = tcp_pair();
    close(42);
    CHECK_EQ(dup2(weft_conn_fd(p.b), 42), 42);
    weft_conn *conn;
    CHECK_EQ(weft_conn_from_fd(42, &conn), 0);
    weft_conn_close(conn);
    weft_conn_close(conn);
}

static void second_close_stops_the_program(void **state)
{
    (void)state;
    expect_fatal(close_twice,
                 "a connection or listener (descriptor 42) is closed for the second time");
}

static void functions_for_goroutines_refuse_plain_threads(void **state)
{
    weft_listener *listener;
    weft_conn *conn;
    (void)state;
    assert_int_equal(weft_tcp_listen(v4_any_port, &listener), -EPERM);
    assert_int_equal(weft_tcp_dial("127.0.0.1:1", WEFT_NEVER, &conn), -EPERM);
    assert_int_equal(weft_conn_from_fd(0, &conn), -EPERM);
}

/* ---- The end of the runtime ---- */

static weft_conn *left_over;

static void read_until_something(void *arg)
{
    char byte;
    (void)!weft_conn_read(arg, &byte, 1);
}

static void leave_waiters_behind(void)
{
    struct pair p = tcp_pair();
    weft_conn_set_read_deadline(p.a, weft_now() + 3600 * WEFT_SECOND);
    go(read_until_something, p.a);
    await_parked(p.a, POLL_READ, 1);
    weft_conn_close(p.b); /* an event that perhaps nobody collects any more */
    left_over = p.a;
}

static void close_what_was_left(void)
{
    char byte;
    CHECK_EQ(weft_conn_read(left_over, &byte, 1), -ECANCELED);
    weft_conn_close(left_over);
    struct pair p = tcp_pair();
    write_all(p.a, "x", 1);
    read_exactly(p.b, &byte, 1);
    pair_close(p);
}

static void connection_left_over_by_one_runtime_can_be_closed_in_the_next(void **state)
{
    (void)state;
    int before = open_descriptors();
    for (unsigned procs = 1; procs <= 4; procs *= 2) {
        run_on(procs, leave_waiters_behind);
        run_on(procs, close_what_was_left);
    }
    assert_int_equal(open_descriptors(), before);
}

ON_ALL_PROCS(close_wakes_readers_and_writers)
ON_ALL_PROCS(close_wakes_those_who_accept)
ON_ALL_PROCS(close_during_reads_closes_the_right_descriptor)
ON_ALL_PROCS(ten_thousand_connections_come_and_go)
ON_ALL_PROCS(event_of_an_earlier_use_is_dropped)
ON_ALL_PROCS(operations_on_a_closed_connection_are_refused)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(close_wakes_readers_and_writers),
        TEST(close_wakes_those_who_accept),
        TEST(close_during_reads_closes_the_right_descriptor),
        TEST(ten_thousand_connections_come_and_go),
        TEST(event_of_an_earlier_use_is_dropped),
        TEST(operations_on_a_closed_connection_are_refused),
        cmocka_unit_test(second_close_stops_the_program),
        cmocka_unit_test(functions_for_goroutines_refuse_plain_threads),
        cmocka_unit_test(connection_left_over_by_one_runtime_can_be_closed_in_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
