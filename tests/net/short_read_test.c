/* SPDX-License-Identifier: MIT */
/* Reading without a system call that could but say EAGAIN: when a short read proves that there is
 * no more, and when not (netpoll.h, invariant 4). */
#include "net/loopback.h"

#include <weft/socket.h>

enum { ROOM = 64 };

static weft_waitgroup group;

struct reader {
    weft_conn *conn;
    char got[ROOM];
    _Atomic ssize_t sizes[4]; /* of one read after the other, the last one 0 or an error */
};

static void read_to_the_end(void *arg)
{
    struct reader *r = arg;
    ssize_t n;
    int reads = 0;
    do
        r->sizes[reads++] = n = weft_conn_read(r->conn, r->got, ROOM);
    while (n > 0 && reads < 4);
    weft_waitgroup_done(&group);
}

/* A goroutine that waits in its first read already: what comes is told by events. */
static void start_reader(struct reader *r)
{
    weft_waitgroup_add(&group, 1);
    go(read_to_the_end, r);
    await_parked(r->conn, POLL_READ, 1);
}

static bool known_empty(weft_conn *conn)
{
    struct poll_desc *desc = (struct poll_desc *)conn;
    lock_acquire(&desc->lock);
    bool empty = desc->side[POLL_READ].empty;
    lock_release(&desc->lock);
    return empty;
}

static void send_raw(weft_conn *conn, const char *data, int flags)
{
    CHECK_EQ(send(weft_conn_fd(conn), data, strlen(data), flags), strlen(data));
}

/* Both are there before anybody looks, so that one event tells of both. */
static void data_and_the_end_of_the_stream_in_one_event(void)
{
    struct pair p = tcp_pair();
    struct reader r = {.conn = p.b};
    start_reader(&r);
    send_raw(p.a, "last words", 0);
    weft_conn_close(p.a);
    weft_waitgroup_wait(&group);
    CHECK_EQ(r.sizes[0], strlen("last words"));
    CHECK_EQ(r.sizes[1], 0);
    weft_conn_close(p.b);
}

/* A read of TCP stops in front of urgent data, whatever comes behind. */
static void urgent_data_between_others_in_one_event(void)
{
    struct pair p = tcp_pair();
    struct reader r = {.conn = p.b};
    start_reader(&r);
    send_raw(p.a, "before", 0);
    send_raw(p.a, "!", MSG_OOB);
    send_raw(p.a, "behind", 0);
    while (r.sizes[0] + r.sizes[1] + r.sizes[2] != 6 + 6) /* in two reads or three */
        weft_sleep(100 * WEFT_MICROSECOND);
    weft_conn_close(p.a);
    weft_waitgroup_wait(&group);
    weft_conn_close(p.b);
}

static void echo(void *arg)
{
    weft_conn *conn = arg;
    char data[ROOM];
    ssize_t n;
    while ((n = weft_conn_read(conn, data, sizeof data)) > 0)
        write_all(conn, data, (size_t)n);
    weft_waitgroup_done(&group);
}

/* Whether a server that waits for the next request has found out without a system call. */
static bool waits_unasked(struct pair p)
{
    char got[4];
    weft_waitgroup_add(&group, 1);
    go(echo, p.b);
    for (int i = 0; i < 3; i++) {
        await_parked(p.b, POLL_READ, 1);
        write_all(p.a, "ping", 4);
        read_exactly(p.a, got, 4);
    }
    await_parked(p.b, POLL_READ, 1);
    bool unasked = known_empty(p.b);
    weft_conn_shutdown_write(p.a);
    weft_waitgroup_wait(&group);
    pair_close(p);
    return unasked;
}

static void server_waits_for_its_next_request_at_once(void)
{
    CHECK(waits_unasked(tcp_pair()));
}

/* What one read of a Unix socket returns ends where the sender or what came with it changes. */
static void unix_sockets_are_asked(void)
{
    weft_conn *ends[2];
    CHECK_EQ(weft_unix_pair(false, ends), 0);
    CHECK(!waits_unasked((struct pair){ends[0], ends[1]}));
}

/* A deadline in the past makes a read look and not wait. */
static void deadline_in_the_past_still_takes_what_is_there(void)
{
    struct pair p = tcp_pair();
    char got[ROOM];
    weft_waitgroup_add(&group, 1);
    go(echo, p.b);
    await_parked(p.b, POLL_READ, 1);
    write_all(p.a, "ping", 4);
    read_exactly(p.a, got, 4);
    await_parked(p.b, POLL_READ, 1);
    weft_conn_set_read_deadline(p.b, 0);
    weft_waitgroup_wait(&group);
    CHECK(known_empty(p.b));
    send_raw(p.a, "pong", 0);
    CHECK_EQ(weft_conn_read(p.b, got, ROOM), 4);
    CHECK_EQ(weft_conn_read(p.b, got, ROOM), -ETIMEDOUT);
    pair_close(p);
}

ON_ALL_PROCS(data_and_the_end_of_the_stream_in_one_event)
ON_ALL_PROCS(urgent_data_between_others_in_one_event)
ON_ALL_PROCS(server_waits_for_its_next_request_at_once)
ON_ALL_PROCS(unix_sockets_are_asked)
ON_ALL_PROCS(deadline_in_the_past_still_takes_what_is_there)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(data_and_the_end_of_the_stream_in_one_event),
        TEST(urgent_data_between_others_in_one_event),
        TEST(server_waits_for_its_next_request_at_once),
        TEST(unix_sockets_are_asked),
        TEST(deadline_in_the_past_still_takes_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
