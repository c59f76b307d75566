/* SPDX-License-Identifier: MIT */
/* Data over TCP: many connections at once, both families, slow readers, the ends of streams. */
#include "net/loopback.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* ---- Many clients ---- */

enum { CLIENTS = 200, MESSAGE = 1000 };

static weft_waitgroup group;

static void echo(void *arg)
{
    weft_conn *conn = arg;
    char data[4096];
    ssize_t n;
    while ((n = weft_conn_read(conn, data, sizeof data)) > 0)
        write_all(conn, data, (size_t)n);
    CHECK_EQ(n, 0);
    weft_conn_close(conn);
    weft_waitgroup_done(&group);
}

struct client {
    weft_listener *listener;
    bool v6;
    int number;
};

static void talk(void *arg)
{
    const struct client *c = arg;
    unsigned char sent[MESSAGE], got[MESSAGE];
    weft_conn *conn = dial(c->listener, c->v6);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < MESSAGE; i++)
            sent[i] = (unsigned char)(c->number * 7 + round * 31 + i);
        write_all(conn, sent, MESSAGE);
        read_exactly(conn, got, MESSAGE);
        CHECK(memcmp(sent, got, MESSAGE) == 0);
    }
    weft_conn_close(conn);
    weft_waitgroup_done(&group);
}

static void serve_clients(bool v6)
{
    static struct client clients[CLIENTS];
    weft_listener *listener = listen_on(v6 ? v6_any_port : v4_any_port);

    weft_waitgroup_add(&group, 2 * CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){listener, v6, i};
        go(talk, &clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++)
        go(echo, accept_from(listener));
    weft_waitgroup_wait(&group);
    weft_listener_close(listener);
}

static void echo_to_200_clients_over_ipv4(void)
{
    int before = open_descriptors();
    serve_clients(false);
    CHECK_EQ(open_descriptors(), before);
}

static bool have_v6(void)
{
    weft_listener *listener;
    int error = weft_tcp_listen(v6_any_port, &listener);
    if (error)
        fprintf(stderr, "SKIPPED: no IPv6 loopback here (%s)\n", strerror(-error));
    else
        weft_listener_close(listener);
    return !error;
}

static void echo_to_200_clients_over_ipv6(void)
{
    if (have_v6())
        serve_clients(true);
}

static void listener_on_all_interfaces_serves_both_families(void)
{
    weft_listener *listener = listen_on(":0");
    for (int v6 = have_v6(); v6 >= 0; v6--) {
        weft_conn *a = dial(listener, v6), *b = accept_from(listener);
        char byte;
        write_all(a, "x", 1);
        read_exactly(b, &byte, 1);
        pair_close((struct pair){a, b});
    }
    weft_listener_close(listener);
}

/* ---- Large writes ---- */

enum { LARGE = 24 * 1024 * 1024 };

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 2654435761u >> 13);
}

static void write_large(void *arg)
{
    weft_conn *conn = arg;
    unsigned char *data = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        data[i] = pattern(i);
    write_all(conn, data, LARGE);
    CHECK_EQ(weft_conn_shutdown_write(conn), 0);
    free(data);
    weft_waitgroup_done(&group);
}

static void large_write_to_a_slow_reader_arrives_whole(void)
{
    struct pair p = tcp_pair();
    static unsigned char data[100000];
    size_t at = 0;
    ssize_t n;

    weft_waitgroup_add(&group, 1);
    go(write_large, p.a);
    await_parked(p.a, POLL_WRITE, 1); /* the buffers are full */
    while ((n = weft_conn_read(p.b, data, sizeof data)) > 0) {
        for (ssize_t i = 0; i < n; i++, at++)
            CHECK_EQ(data[i], pattern(at));
        if (at % 7 == 0)
            weft_sleep(WEFT_MILLISECOND);
    }
    CHECK_EQ(n, 0);
    CHECK_EQ(at, LARGE);
    weft_waitgroup_wait(&group);
    pair_close(p);
}

/* Several writers: each call's data stays together. */
enum { WRITERS = 8, BLOCK = 3 * 1024 * 1024 };

struct writer {
    weft_conn *conn;
    unsigned char byte;
};

static void write_block(void *arg)
{
    const struct writer *w = arg;
    unsigned char *data = malloc(BLOCK);
    memset(data, w->byte, BLOCK);
    write_all(w->conn, data, BLOCK);
    free(data);
    weft_waitgroup_done(&group);
}

static void writes_of_several_goroutines_do_not_mix(void)
{
    struct pair p = tcp_pair();
    struct writer writers[WRITERS];
    unsigned char *data = malloc(BLOCK);
    unsigned seen = 0;

    weft_waitgroup_add(&group, WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){p.a, (unsigned char)i};
        go(write_block, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        read_exactly(p.b, data, BLOCK);
        for (size_t k = 1; k < BLOCK; k++)
            CHECK_EQ(data[k], data[0]);
        seen |= 1u << data[0];
    }
    CHECK_EQ(seen, (1u << WRITERS) - 1);
    weft_waitgroup_wait(&group);
    free(data);
    pair_close(p);
}

/* ---- Ends ---- */

static void half_close_lets_the_other_direction_live(void)
{
    struct pair p = tcp_pair();
    char data[8];

    write_all(p.a, "ask", 3);
    CHECK_EQ(weft_conn_shutdown_write(p.a), 0);
    read_exactly(p.b, data, 3);
    CHECK_EQ(weft_conn_read(p.b, data, sizeof data), 0);
    CHECK_EQ(weft_conn_read(p.b, data, sizeof data), 0);
    write_all(p.b, "answer", 6);
    read_exactly(p.a, data, 6);
    CHECK_EQ(weft_conn_write(p.a, "x", 1), -EPIPE);
    pair_close(p);
}

static void reset_by_peer(weft_conn *conn)
{
    struct linger at_once = {.l_onoff = 1};
    CHECK_EQ(setsockopt(weft_conn_fd(conn), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    weft_conn_close(conn);
}

static void read_ends_with_reset(void *arg)
{
    char byte;
    CHECK_EQ(weft_conn_read(arg, &byte, 1), -ECONNRESET);
    weft_waitgroup_done(&group);
}

static void write_ends_with_reset(void *arg)
{
    char *data = calloc(1, LARGE);
    ssize_t n = weft_conn_write(arg, data, LARGE);
    CHECK(n == -ECONNRESET || n == -EPIPE);
    free(data);
    weft_waitgroup_done(&group);
}

static void reset_of_the_peer_wakes_reader_and_writer(void)
{
    struct pair p = tcp_pair();
    weft_waitgroup_add(&group, 1);
    go(read_ends_with_reset, p.a);
    await_parked(p.a, POLL_READ, 1);
    reset_by_peer(p.b);
    weft_waitgroup_wait(&group);
    weft_conn_close(p.a);

    p = tcp_pair();
    weft_waitgroup_add(&group, 1);
    go(write_ends_with_reset, p.a);
    await_parked(p.a, POLL_WRITE, 1);
    reset_by_peer(p.b);
    weft_waitgroup_wait(&group);
    weft_conn_close(p.a);
}

/* SIGPIPE would end the process. */
static void write_to_a_closed_peer_is_an_error(void)
{
    struct pair p = tcp_pair();
    ssize_t n;
    weft_conn_close(p.b);
    do
        n = weft_conn_write(p.a, "x", 1);
    while (n == 1);
    CHECK(n == -EPIPE || n == -ECONNRESET);
    weft_conn_close(p.a);
}

ON_ALL_PROCS(echo_to_200_clients_over_ipv4)
ON_ALL_PROCS(echo_to_200_clients_over_ipv6)
ON_ALL_PROCS(listener_on_all_interfaces_serves_both_families)
ON_ALL_PROCS(large_write_to_a_slow_reader_arrives_whole)
ON_ALL_PROCS(writes_of_several_goroutines_do_not_mix)
ON_ALL_PROCS(half_close_lets_the_other_direction_live)
ON_ALL_PROCS(reset_of_the_peer_wakes_reader_and_writer)
ON_ALL_PROCS(write_to_a_closed_peer_is_an_error)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(echo_to_200_clients_over_ipv4),
        TEST(echo_to_200_clients_over_ipv6),
        TEST(listener_on_all_interfaces_serves_both_families),
        TEST(large_write_to_a_slow_reader_arrives_whole),
        TEST(writes_of_several_goroutines_do_not_mix),
        TEST(half_close_lets_the_other_direction_live),
        TEST(reset_of_the_peer_wakes_reader_and_writer),
        TEST(write_to_a_closed_peer_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
