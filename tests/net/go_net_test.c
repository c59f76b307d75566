/* SPDX-License-Identifier: MIT */
/* What Go's tests of package net try beyond the other tests here (docs/ports.md). Names in brackets
 * are Go's. */
#include "net/loopback.h"

static weft_waitgroup group;

/* A name that no other process and no other socket of this one has. */
static void abstract_name(char out[64])
{
    static unsigned count;
    snprintf(out, 64, "@weft-go-%d-%u", (int)getpid(), count++);
}

/* ---- Deadlines ---- */

/* Sends a little, again and again, for as long as somebody takes it. */
static void trickle(void *conn)
{
    static const char data[64];
    while (weft_conn_write(conn, data, sizeof data) > 0)
        weft_sleep(10 * WEFT_MICROSECOND);
    weft_conn_close(conn);
    weft_waitgroup_done(&group);
}

/* [VariousDeadlines]: a stream of data is cut by deadlines from 1 ns to 5 ms; the sender ends with
 * the connection. */
static void various_deadlines_cut_a_stream(void)
{
    static const int64_t timeouts[] = {1, 2, 5, 50, 100, 1000, 10000, 50000, 100000, 5000000};
    char data[16384];
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        struct pair p = tcp_pair();
        ssize_t n;
        weft_waitgroup_add(&group, 1);
        go(trickle, p.b);
        int64_t deadline = weft_now() + timeouts[i];
        weft_conn_set_read_deadline(p.a, deadline);
        while ((n = weft_conn_read(p.a, data, sizeof data)) > 0)
            ;
        CHECK_EQ(n, -ETIMEDOUT);
        CHECK(weft_now() >= deadline);
        weft_conn_close(p.a);
        weft_waitgroup_wait(&group);
    }
}

struct racers {
    weft_conn *conn;
    uint32_t stop; /* atomic */
};

static void move_deadlines(void *arg)
{
    struct racers *r = arg;
    for (int i = 0; i < ROUNDS(2000); i++) {
        weft_conn_set_read_deadline(r->conn, weft_now() + i % 3 * WEFT_MICROSECOND);
        weft_conn_set_write_deadline(r->conn, weft_now() + i % 5 * WEFT_MICROSECOND);
        if (i % 4 == 0)
            weft_yield();
    }
    weft_conn_set_read_deadline(r->conn, 1);
    weft_conn_set_write_deadline(r->conn, 1);
    atomic_store_release(&r->stop, 1); /* pairs with the others' loops */
    weft_waitgroup_done(&group);
}

static void read_against_deadlines(void *arg)
{
    struct racers *r = arg;
    char byte;
    while (!atomic_load_acquire(&r->stop))
        CHECK_EQ(weft_conn_read(r->conn, &byte, 1), -ETIMEDOUT);
    weft_waitgroup_done(&group);
}

static void write_against_deadlines(void *arg)
{
    struct racers *r = arg;
    static const char data[1 << 20];
    while (!atomic_load_acquire(&r->stop)) {
        ssize_t n = weft_conn_write(r->conn, data, sizeof data);
        CHECK(n == (ssize_t)sizeof data || n == -ETIMEDOUT);
    }
    weft_waitgroup_done(&group);
}

/* [ReadWriteDeadlineRace]: nobody is left waiting for a deadline that was moved at the moment at
 * which it came. */
static void deadlines_are_moved_at_the_moment_they_come(void)
{
    struct racers r = {.stop = 0};
    struct pair p = tcp_pair();
    r.conn = p.a;
    weft_waitgroup_add(&group, 3);
    go(read_against_deadlines, &r);
    go(write_against_deadlines, &r);
    go(move_deadlines, &r);
    weft_waitgroup_wait(&group);
    pair_close(p);
}

enum { CONNS = 10 };
static struct pair conns[CONNS];

static void set_all_deadlines(void *arg)
{
    int64_t now = weft_now(), number = (int64_t)(intptr_t)arg;
    for (int64_t k = ROUNDS(100); k > 0; k--) {
        for (int i = 0; i < CONNS; i++) {
            weft_conn_set_read_deadline(conns[i].a, now + (7200 + number * k * i) * WEFT_SECOND);
            weft_conn_set_write_deadline(conns[i].a, now + (3600 + number * k * i) * WEFT_SECOND);
        }
    }
    weft_waitgroup_done(&group);
}

/* [ConcurrentSetDeadline]: ever earlier, by several at once. */
static void many_set_deadlines_of_the_same_connections(void)
{
    weft_stats stats = {.size = sizeof stats};
    weft_stats_get(&stats);
    uint64_t before = stats.timers;
    for (int i = 0; i < CONNS; i++)
        conns[i] = tcp_pair();
    weft_waitgroup_add(&group, 8);
    for (intptr_t i = 0; i < 8; i++)
        go(set_all_deadlines, (void *)i);
    weft_waitgroup_wait(&group);
    for (int i = 0; i < CONNS; i++) {
        write_all(conns[i].b, "x", 1);
        read_exactly(conns[i].a, &(char){0}, 1);
        pair_close(conns[i]);
    }
    weft_stats_get(&stats);
    CHECK_EQ(stats.timers, before);
}

/* ---- Accept and close ---- */

/* [AcceptIgnoreAbortedConnRequest]: connections that are gone before they are accepted do not end
 * the accepting. */
static void connections_that_were_reset_do_not_end_accepting(void)
{
    weft_listener *listener = listen_on(v4_any_port);
    for (int i = 0; i < 10; i++) {
        weft_conn *gone = dial(listener, false);
        CHECK_EQ(weft_conn_set_linger(gone, 0), 0);
        weft_conn_close(gone);
    }
    weft_conn *client = dial(listener, false);
    write_all(client, "x", 1);
    for (char byte = 0; byte != 'x';) {
        weft_conn *conn = accept_from(listener);
        ssize_t n = weft_conn_read(conn, &byte, 1);
        CHECK(n == 1 || n == -ECONNRESET);
        weft_conn_close(conn);
    }
    weft_conn_close(client);
    weft_listener_close(listener);
}

static uint32_t accepted; /* atomic */

static void accept_until_closed(void *listener)
{
    weft_conn *conn;
    int error;
    while ((error = weft_tcp_accept(listener, &conn)) == 0) {
        atomic_add_relaxed(&accepted, 1);
        write_all(conn, "x", 1);
        weft_conn_close(conn);
    }
    CHECK_EQ(error, -ECANCELED);
    weft_waitgroup_done(&group);
}

/* [TCPConcurrentAccept] */
static void many_accept_from_one_listener(void)
{
    enum { ACCEPTORS = 10 };
    weft_listener *listener = listen_on(v4_any_port);
    int clients = ROUNDS(200);
    atomic_store_relaxed(&accepted, 0);
    weft_waitgroup_add(&group, ACCEPTORS);
    for (int i = 0; i < ACCEPTORS; i++)
        go(accept_until_closed, listener);
    for (int i = 0; i < clients; i++) {
        weft_conn *conn = dial(listener, false);
        read_exactly(conn, &(char){0}, 1);
        weft_conn_close(conn);
    }
    await_parked(listener, POLL_READ, ACCEPTORS);
    weft_listener_close(listener);
    weft_waitgroup_wait(&group);
    CHECK_EQ(accepted, clients);
}

/* [TCPListenAfterClose]: the address is free at once, though somebody was still accepting. */
static void an_address_is_listened_on_again_after_the_close(void)
{
    weft_listener *listener = listen_on(v4_any_port);
    char address[64];
    address_of(listener, false, address);
    for (int i = 0; i < 20; i++) {
        weft_waitgroup_add(&group, 1);
        go(accept_until_closed, listener);
        await_parked(listener, POLL_READ, 1);
        weft_listener_close(listener);
        weft_waitgroup_wait(&group);
        listener = listen_on(address);
    }
    weft_listener_close(listener);
}

static void accept_one_or_none(void *listener)
{
    weft_conn *conn;
    int error = weft_tcp_accept(listener, &conn);
    CHECK(error == 0 || error == -ECANCELED);
    if (error == 0)
        weft_conn_close(conn);
    weft_waitgroup_done(&group);
}

static void dial_it(void *address)
{
    weft_conn *conn;
    int error = weft_tcp_dial(address, WEFT_NEVER, &conn);
    CHECK(error == 0 || error == -ECONNREFUSED || error == -ECONNRESET);
    if (error == 0)
        weft_conn_close(conn);
    weft_waitgroup_done(&group);
}

/* [ClosingListener, ListenerClose]: connections that come while the listener goes are accepted or
 * refused, and leave nothing open. */
static void dials_race_with_the_close_of_the_listener(void)
{
    int before = open_descriptors();
    for (int i = 0; i < ROUNDS(200); i++) {
        weft_listener *listener = listen_on(v4_any_port);
        char address[64];
        address_of(listener, false, address);
        weft_waitgroup_add(&group, 2);
        go(accept_one_or_none, listener);
        await_parked(listener, POLL_READ, 1);
        go(dial_it, address);
        for (int k = 0; k < i % 4; k++)
            weft_yield();
        weft_listener_close(listener);
        weft_waitgroup_wait(&group);
    }
    CHECK_EQ(open_descriptors(), before);
}

struct dialling {
    weft_context *context;
    char address[64];
};

static void dial_in_context(void *arg)
{
    struct dialling *d = arg;
    weft_conn *conn;
    int error = weft_tcp_dial_ctx(d->context, d->address, &conn);
    CHECK(error == 0 || error == -ECANCELED);
    if (error == 0)
        weft_conn_close(conn);
    weft_waitgroup_done(&group);
}

/* [DialCancel, CancelAfterDial, DialContextCancelRace]: it is connected or cancelled, and in
 * neither case is a descriptor left. */
static void dials_race_with_the_end_of_their_context(void)
{
    weft_listener *listener = listen_on(v4_any_port);
    struct dialling d;
    int before = open_descriptors();
    address_of(listener, false, d.address);
    for (int i = 0; i < ROUNDS(300); i++) {
        d.context = weft_context_new(NULL);
        weft_waitgroup_add(&group, 1);
        go(dial_in_context, &d);
        for (int k = 0; k < i % 5; k++)
            weft_yield();
        weft_context_cancel(d.context, 0);
        weft_waitgroup_wait(&group);
        weft_context_free(d.context);
        weft_listener_set_deadline(listener, 1);
        for (weft_conn *conn; weft_tcp_accept(listener, &conn) == 0;)
            weft_conn_close(conn);
    }
    CHECK_EQ(open_descriptors(), before);
    weft_listener_close(listener);
}

/* ---- Reading and writing at once ---- */

enum { CHUNK = 1000 };

static void write_numbered(void *conn)
{
    char data[CHUNK];
    for (int i = 0; i < ROUNDS(1000); i++) {
        memset(data, i, sizeof data);
        write_all(conn, data, sizeof data);
    }
    CHECK_EQ(weft_conn_shutdown_write(conn), 0);
    weft_waitgroup_done(&group);
}

static void read_numbered(void *conn)
{
    char data[CHUNK];
    for (int i = 0; i < ROUNDS(1000); i++) {
        read_exactly(conn, data, sizeof data);
        CHECK(data[0] == (char)i && memcmp(data, data + 1, sizeof data - 1) == 0);
    }
    CHECK_EQ(weft_conn_read(conn, data, sizeof data), 0);
    weft_waitgroup_done(&group);
}

/* [TCPStress, CloseWrite]: both directions at the same time, each half closed by its writer. */
static void both_directions_run_at_the_same_time_and_are_half_closed(void)
{
    struct pair p = tcp_pair();
    weft_waitgroup_add(&group, 4);
    go(write_numbered, p.a);
    go(write_numbered, p.b);
    go(read_numbered, p.a);
    go(read_numbered, p.b);
    weft_waitgroup_wait(&group);
    CHECK_EQ(weft_conn_write(p.a, "x", 1), -EPIPE);
    pair_close(p);
}

static void copy(void *arg)
{
    weft_conn **ends = arg;
    char data[1000];
    ssize_t n;
    while ((n = weft_conn_read(ends[0], data, sizeof data)) > 0)
        write_all(ends[1], data, (size_t)n);
    CHECK_EQ(n, 0);
    CHECK_EQ(weft_conn_shutdown_write(ends[1]), 0);
    weft_waitgroup_done(&group);
}

/* [CopyPipeIntoTCP] */
static void a_pipe_is_copied_into_a_connection(void)
{
    weft_conn *ends[2];
    struct pair p = tcp_pair();
    CHECK_EQ(weft_pipe(ends), 0);
    weft_conn *from_to[2] = {ends[0], p.a};
    weft_waitgroup_add(&group, 2);
    go(copy, from_to);
    go(read_numbered, p.b);
    char data[CHUNK];
    for (int i = 0; i < ROUNDS(1000); i++) {
        memset(data, i, sizeof data);
        write_all(ends[1], data, sizeof data);
    }
    weft_conn_close(ends[1]);
    weft_waitgroup_wait(&group);
    weft_conn_close(ends[0]);
    pair_close(p);
}

/* [ZeroByteRead, WritevError] */
static void nothing_is_read_and_written(void)
{
    struct pair p = tcp_pair();
    char byte = 0;
    write_all(p.a, "x", 1);
    CHECK_EQ(weft_conn_write(p.a, "", 0), 0);
    CHECK_EQ(weft_conn_writev(p.a, NULL, 0), 0);
    read_exactly(p.b, &byte, 1);
    CHECK_EQ(byte, 'x');
    weft_conn_close(p.b);
    struct iovec pieces[2] = {{"one", 3}, {"two", 3}};
    ssize_t n;
    while ((n = weft_conn_writev(p.a, pieces, 2)) == 6)
        weft_yield();
    CHECK(n == -EPIPE || n == -ECONNRESET);
    weft_conn_close(p.a);
}

/* ---- Datagrams ---- */

static weft_conn *udp_socket(weft_peer *peer)
{
    weft_conn *conn;
    char address[64];
    CHECK_EQ(weft_udp_bind(v4_any_port, &conn), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", weft_conn_port(conn));
    CHECK_EQ(weft_peer_from_address(address, peer), 0);
    return conn;
}

/* [UDPReadSizeError, UDPZeroBytePayload, UDPZeroByteBuffer] */
static void datagrams_are_cut_off_and_may_be_empty(void)
{
    weft_peer there, here, from;
    weft_conn *server = udp_socket(&there), *client = udp_socket(&here);
    char data[8] = "-------";

    CHECK_EQ(weft_conn_sendto(client, "longer than that", 16, &there), 16);
    CHECK_EQ(weft_conn_sendto(client, "", 0, &there), 0);
    CHECK_EQ(weft_conn_sendto(client, "unread", 6, &there), 6);
    CHECK_EQ(weft_conn_sendto(client, "next", 4, &there), 4);
    CHECK_EQ(weft_conn_recvfrom(server, data, 4, &from), 4);
    CHECK(memcmp(data, "long---", 7) == 0);
    CHECK_EQ(weft_conn_recvfrom(server, data, 4, &from), 0);
    CHECK(weft_peer_equal(&from, &here));
    CHECK_EQ(weft_conn_recvfrom(server, data, 0, &from), 0); /* takes one all the same */
    CHECK_EQ(weft_conn_recvfrom(server, data, 8, &from), 4);
    CHECK(memcmp(data, "next", 4) == 0);
    pair_close((struct pair){server, client});
}

static void receive_is_cancelled(void *conn)
{
    char byte;
    CHECK_EQ(weft_conn_recvfrom(conn, &byte, 1, NULL), -ECANCELED);
    weft_waitgroup_done(&group);
}

/* [PacketConnClose, CloseUnblocksReadUDP] */
static void a_close_ends_who_waits_for_datagrams(void)
{
    weft_peer peer;
    weft_conn *conn = udp_socket(&peer);
    weft_waitgroup_add(&group, 3);
    for (int i = 0; i < 3; i++)
        go(receive_is_cancelled, conn);
    await_parked(conn, POLL_READ, 3);
    weft_conn_close(conn);
    weft_waitgroup_wait(&group);
}

/* [UnixgramConnLocalAndRemoteNames, ReadUnixgramWithUnnamedSocket]: the name of the sender comes
 * with the datagram, and answers go there. */
static void unix_datagrams_have_the_names_of_their_senders(void)
{
    char names[2][64], data[8];
    weft_conn *ends[2], *unnamed;
    weft_peer peers[2], from;
    for (int i = 0; i < 2; i++) {
        abstract_name(names[i]);
        CHECK_EQ(weft_unix_datagram_bind(names[i], &ends[i]), 0);
        CHECK_EQ(weft_peer_from_path(names[i], &peers[i]), 0);
    }
    CHECK_EQ(weft_conn_sendto(ends[0], "ping", 4, &peers[1]), 4);
    CHECK_EQ(weft_conn_recvfrom(ends[1], data, sizeof data, &from), 4);
    CHECK(weft_peer_equal(&from, &peers[0]) && !weft_peer_equal(&from, &peers[1]));
    CHECK_EQ(weft_conn_sendto(ends[1], "pong", 4, &from), 4);
    CHECK_EQ(weft_conn_recvfrom(ends[0], data, sizeof data, &from), 4);
    CHECK(weft_peer_equal(&from, &peers[1]));
    CHECK_EQ(weft_unix_datagram_connect(names[0], &unnamed), 0);
    write_all(unnamed, "hello", 5);
    CHECK_EQ(weft_conn_recvfrom(ends[0], data, sizeof data, &from), 5);
    CHECK_EQ(from.size, 0);
    CHECK_EQ(weft_conn_write(unnamed, "", 0), 0);
    pair_close((struct pair){ends[0], ends[1]});
    weft_conn_close(unnamed);
    CHECK_EQ(weft_unix_datagram_connect(names[0], &unnamed), -ECONNREFUSED);
}

/* ---- Files ---- */

static FILE *numbers_file(int lines)
{
    FILE *file = tmpfile();
    for (int i = 0; i < lines; i++)
        fprintf(file, "%07d\n", i);
    CHECK_EQ(fflush(file), 0);
    return file;
}

/* [SendfileParts, SendfileSeeked, SendfileWithExactLimit, SendfileWithLimitLargerThanFile] */
static void parts_of_a_file_are_sent_from_where_they_are(void)
{
    FILE *file = numbers_file(100);
    struct pair p = tcp_pair();
    char data[32];
    CHECK_EQ(weft_conn_sendfile(p.a, fileno(file), 80, 16), 16);
    read_exactly(p.b, data, 16);
    CHECK(memcmp(data, "0000010\n0000011\n", 16) == 0);
    CHECK_EQ(weft_conn_sendfile(p.a, fileno(file), 0, 8), 8);
    read_exactly(p.b, data, 8);
    CHECK(memcmp(data, "0000000\n", 8) == 0);
    CHECK_EQ(weft_conn_sendfile(p.a, fileno(file), 792, 1000), 8);
    read_exactly(p.b, data, 8);
    CHECK(memcmp(data, "0000099\n", 8) == 0);
    CHECK_EQ(weft_conn_sendfile(p.a, fileno(file), 800, 1), 0);
    CHECK_EQ(weft_conn_sendfile(p.a, fileno(file), 0, 0), 0);
    fclose(file);
    pair_close(p);
}

/* [SendfileOnWriteTimeoutExceeded] */
static void a_file_is_sent_until_its_deadline(void)
{
    FILE *file = tmpfile();
    CHECK_EQ(ftruncate(fileno(file), 64 << 20), 0);
    struct pair p = tcp_pair();
    weft_conn_set_write_deadline(p.a, weft_now() + WEFT_MILLISECOND);
    CHECK_EQ(weft_conn_sendfile(p.a, fileno(file), 0, 64 << 20), -ETIMEDOUT);
    fclose(file);
    pair_close(p);
}

/* ---- Many ---- */

enum { MANY = 400 };
static struct pair many[MANY];

static void answer_once(void *conn)
{
    char data[8];
    read_exactly(conn, data, sizeof data);
    write_all(conn, data, sizeof data);
    weft_waitgroup_done(&group);
}

/* All are open at once, and wait; they are served in an order that has nothing to do with that. */
static void many_connections_wait_at_the_same_time(void)
{
    weft_listener *listener = listen_on(v4_any_port);
    int n = ROUNDS(MANY);
    weft_waitgroup_add(&group, n);
    for (int i = 0; i < n; i++) {
        many[i].a = dial(listener, false);
        many[i].b = accept_from(listener);
        go(answer_once, many[i].b);
    }
    for (int i = 0; i < n; i++) {
        int k = (i * 37 + 11) % n;
        char data[8] = "1234567";
        write_all(many[k].a, data, sizeof data);
    }
    for (int i = n - 1; i >= 0; i--) {
        char data[8] = "";
        read_exactly(many[i].a, data, sizeof data);
        CHECK(memcmp(data, "1234567", 8) == 0);
    }
    weft_waitgroup_wait(&group);
    for (int i = 0; i < n; i++)
        pair_close(many[i]);
    weft_listener_close(listener);
}

ON_ALL_PROCS(various_deadlines_cut_a_stream)
ON_ALL_PROCS(deadlines_are_moved_at_the_moment_they_come)
ON_ALL_PROCS(many_set_deadlines_of_the_same_connections)
ON_ALL_PROCS(connections_that_were_reset_do_not_end_accepting)
ON_ALL_PROCS(many_accept_from_one_listener)
ON_ALL_PROCS(an_address_is_listened_on_again_after_the_close)
ON_ALL_PROCS(dials_race_with_the_close_of_the_listener)
ON_ALL_PROCS(dials_race_with_the_end_of_their_context)
ON_ALL_PROCS(both_directions_run_at_the_same_time_and_are_half_closed)
ON_ALL_PROCS(a_pipe_is_copied_into_a_connection)
ON_ALL_PROCS(nothing_is_read_and_written)
ON_ALL_PROCS(datagrams_are_cut_off_and_may_be_empty)
ON_ALL_PROCS(a_close_ends_who_waits_for_datagrams)
ON_ALL_PROCS(unix_datagrams_have_the_names_of_their_senders)
ON_ALL_PROCS(parts_of_a_file_are_sent_from_where_they_are)
ON_ALL_PROCS(a_file_is_sent_until_its_deadline)
ON_ALL_PROCS(many_connections_wait_at_the_same_time)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(various_deadlines_cut_a_stream),
        TEST(deadlines_are_moved_at_the_moment_they_come),
        TEST(many_set_deadlines_of_the_same_connections),
        TEST(connections_that_were_reset_do_not_end_accepting),
        TEST(many_accept_from_one_listener),
        TEST(an_address_is_listened_on_again_after_the_close),
        TEST(dials_race_with_the_close_of_the_listener),
        TEST(dials_race_with_the_end_of_their_context),
        TEST(both_directions_run_at_the_same_time_and_are_half_closed),
        TEST(a_pipe_is_copied_into_a_connection),
        TEST(nothing_is_read_and_written),
        TEST(datagrams_are_cut_off_and_may_be_empty),
        TEST(a_close_ends_who_waits_for_datagrams),
        TEST(unix_datagrams_have_the_names_of_their_senders),
        TEST(parts_of_a_file_are_sent_from_where_they_are),
        TEST(a_file_is_sent_until_its_deadline),
        TEST(many_connections_wait_at_the_same_time),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
