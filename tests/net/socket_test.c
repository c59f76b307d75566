/* SPDX-License-Identifier: MIT */
/* Unix sockets, passed descriptors, datagrams, gathered writes, files sent, options. */
#include "net/loopback.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

static weft_waitgroup group;

/* A name that no other process and no other listener of this one has. */
static void abstract_name(char out[64])
{
    static unsigned count;
    snprintf(out, 64, "@weft-test-%d-%u", (int)getpid(), count++);
}

static struct pair unix_pair(bool datagram)
{
    weft_conn *ends[2];
    CHECK_EQ(weft_unix_pair(datagram, ends), 0);
    return (struct pair){ends[0], ends[1]};
}

/* ---- Streams ---- */

static void exchange_over(const char *path)
{
    weft_listener *listener;
    struct pair p;
    char data[4];

    CHECK_EQ(weft_unix_listen(path, &listener), 0);
    CHECK_EQ(weft_unix_listen(path, &(weft_listener *){NULL}), -EADDRINUSE);
    CHECK_EQ(weft_unix_dial(path, WEFT_NEVER, &p.a), 0);
    CHECK_EQ(weft_unix_accept(listener, &p.b), 0);
    write_all(p.a, "ping", 4);
    read_exactly(p.b, data, 4);
    CHECK(memcmp(data, "ping", 4) == 0);
    pair_close(p);
    weft_listener_close(listener);
    CHECK(weft_unix_dial(path, WEFT_NEVER, &p.a) == -ECONNREFUSED);
}

static void stream_over_an_abstract_name(void)
{
    char name[64];
    abstract_name(name);
    exchange_over(name);
}

static void stream_over_a_path(void)
{
    char folder[] = "/tmp/weft-test-XXXXXX", path[64];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/socket", folder);
    exchange_over(path);
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(rmdir(folder), 0);
}

static void path_that_is_none_is_refused(void)
{
    char longest[200];
    weft_conn *conn;

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK_EQ(weft_unix_dial("", WEFT_NEVER, &conn), -EINVAL);
    CHECK_EQ(weft_unix_dial(NULL, WEFT_NEVER, &conn), -EINVAL);
    CHECK_EQ(weft_unix_dial(longest, WEFT_NEVER, &conn), -ENAMETOOLONG);
    CHECK_EQ(weft_unix_dial("/nowhere/socket", WEFT_NEVER, &conn), -ENOENT);
}

/* A listener that takes one connection into its queue and accepts none. */
static int full_listener(const char *name, int *client)
{
    weft_peer peer;
    CHECK_EQ(weft_peer_from_path(name, &peer), 0);
    const struct sockaddr *address = (const void *)peer.words;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(bind(fd, address, peer.size), 0);
    CHECK_EQ(listen(fd, 0), 0);
    *client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(connect(*client, address, peer.size), 0);
    return fd;
}

static void dial_of_a_full_queue_ends_with_its_deadline_or_context(void)
{
    char name[64];
    int client;
    weft_conn *conn;

    abstract_name(name);
    int listener = full_listener(name, &client);
    CHECK_EQ(weft_unix_dial(name, weft_now() + 3 * WEFT_MILLISECOND, &conn), -ETIMEDOUT);
    weft_context *context = weft_context_with_timeout(NULL, 3 * WEFT_MILLISECOND);
    weft_context *before = weft_context_enter(context);
    CHECK_EQ(weft_unix_dial(name, WEFT_NEVER, &conn), -ETIMEDOUT);
    weft_context_enter(before);
    weft_context_free(context);
    close(client);
    close(listener);
}

/* ---- Passed descriptors ---- */

static void descriptor_is_passed_and_works(void)
{
    struct pair p = unix_pair(false);
    int fd[2], passed;
    char data[8];

    CHECK_EQ(pipe(fd), 0);
    CHECK_EQ(weft_conn_send_fd(p.a, "with", 4, fd[1]), 4);
    write_all(p.a, "none", 4);
    CHECK_EQ(weft_conn_recv_fd(p.b, data, 4, &passed), 4);
    CHECK(passed >= 0 && passed != fd[1]);
    CHECK_EQ(write(passed, "x", 1), 1);
    CHECK_EQ(read(fd[0], data, 1), 1);
    close(passed);
    CHECK_EQ(weft_conn_recv_fd(p.b, data, 4, &passed), 4);
    CHECK_EQ(passed, -1);
    CHECK_EQ(weft_conn_send_fd(p.a, "", 0, fd[1]), -EINVAL);
    CHECK_EQ(weft_conn_send_fd(p.a, "x", 1, 4000), -EBADF);
    close(fd[0]);
    close(fd[1]);
    pair_close(p);
}

/* Two in one message: the second is not received, and not left open either. */
static void descriptor_too_many_is_closed(void)
{
    struct pair p = unix_pair(false);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {.header = {CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr message = {.msg_iov = &(struct iovec){"x", 1},
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    int two[2] = {0, 0}, passed, before = open_descriptors();
    char byte;

    memcpy(CMSG_DATA(&control.header), two, sizeof two);
    CHECK_EQ(sendmsg(weft_conn_fd(p.a), &message, 0), 1);
    CHECK_EQ(weft_conn_recv_fd(p.b, &byte, 1, &passed), 1);
    close(passed);
    CHECK_EQ(open_descriptors(), before);
    pair_close(p);
}

/* ---- Datagrams ---- */

static weft_conn *udp_on(const char *any_port, weft_peer *peer)
{
    weft_conn *conn;
    char address[64];
    CHECK_EQ(weft_udp_bind(any_port, &conn), 0);
    snprintf(address, sizeof address, "%.*s:%d", (int)(strrchr(any_port, ':') - any_port), any_port,
             weft_conn_port(conn));
    CHECK_EQ(weft_peer_from_address(address, peer), 0);
    return conn;
}

static void answer_once(void *server)
{
    char data[16];
    weft_peer from;
    ssize_t n = weft_conn_recvfrom(server, data, sizeof data, &from);
    CHECK_EQ(n, 4);
    CHECK_EQ(weft_conn_sendto(server, data, (size_t)n, &from), n);
    weft_waitgroup_done(&group);
}

static void exchange_datagrams(const char *any_port)
{
    weft_peer here, there, from;
    weft_conn *server = udp_on(any_port, &there), *client = udp_on(any_port, &here);
    char data[16];

    weft_waitgroup_add(&group, 1);
    go(answer_once, server);
    await_parked(server, POLL_READ, 1);
    CHECK_EQ(weft_conn_sendto(client, "ping", 4, &there), 4);
    CHECK_EQ(weft_conn_recvfrom(client, data, sizeof data, &from), 4);
    CHECK(memcmp(data, "ping", 4) == 0);
    CHECK(weft_peer_equal(&from, &there) && !weft_peer_equal(&from, &here));
    weft_waitgroup_wait(&group);
    pair_close((struct pair){server, client});
}

static void datagram_is_answered_to_its_sender(void)
{
    exchange_datagrams(v4_any_port);
    exchange_datagrams(v6_any_port);
}

static void datagrams_keep_their_borders(void)
{
    struct pair p = unix_pair(true);
    char data[4];
    weft_peer none;

    write_all(p.a, "first", 5);
    write_all(p.a, "b", 1);
    CHECK_EQ(weft_conn_read(p.b, data, sizeof data), 4); /* the rest is cut off */
    CHECK_EQ(weft_conn_recvfrom(p.b, data, sizeof data, &none), 1);
    CHECK_EQ(none.size, 0);
    pair_close(p);
}

static void connected_datagrams(void)
{
    weft_peer peer;
    weft_conn *server = udp_on(v4_any_port, &peer), *client;
    char address[64], data[4], name[64];

    snprintf(address, sizeof address, "127.0.0.1:%d", weft_conn_port(server));
    CHECK_EQ(weft_udp_connect(address, &client), 0);
    write_all(client, "x", 1);
    CHECK_EQ(weft_conn_read(server, data, sizeof data), 1);
    pair_close((struct pair){server, client});

    abstract_name(name);
    CHECK_EQ(weft_unix_datagram_bind(name, &server), 0);
    CHECK_EQ(weft_unix_datagram_connect(name, &client), 0);
    write_all(client, "y", 1);
    CHECK_EQ(weft_conn_recvfrom(server, data, sizeof data, NULL), 1);
    pair_close((struct pair){server, client});
}

static void receive_ends_with_its_deadline(void)
{
    weft_peer peer;
    weft_conn *conn = udp_on(v4_any_port, &peer);
    char data[4];
    weft_conn_set_read_deadline(conn, weft_now() + WEFT_MILLISECOND);
    CHECK_EQ(weft_conn_recvfrom(conn, data, sizeof data, NULL), -ETIMEDOUT);
    weft_conn_close(conn);
}

/* ---- Pieces and files ---- */

enum { PIECES = 150, PIECE = 7001 };
static char source[PIECES * PIECE], sink[PIECES * PIECE];

static void fill_source(void)
{
    for (size_t i = 0; i < sizeof source; i++)
        source[i] = (char)(i % 251);
    memset(sink, 0, sizeof sink);
}

static void write_pieces(void *conn)
{
    struct iovec pieces[2 * PIECES];
    for (int i = 0; i < PIECES; i++) {
        pieces[2 * i] = (struct iovec){source + i * PIECE, PIECE};
        pieces[2 * i + 1] = (struct iovec){NULL, 0};
    }
    CHECK_EQ(weft_conn_writev(conn, pieces, 2 * PIECES), sizeof source);
    weft_waitgroup_done(&group);
}

static void send_file(void *conn)
{
    FILE *file = tmpfile();
    CHECK_EQ(fwrite("head", 1, 4, file), 4);
    CHECK_EQ(fwrite(source, 1, sizeof source, file), sizeof source);
    CHECK_EQ(fflush(file), 0);
    CHECK_EQ(weft_conn_sendfile(conn, fileno(file), 4, 2 * sizeof source), sizeof source);
    fclose(file);
    weft_waitgroup_done(&group);
}

/* More than the socket holds: the writer waits and goes on in the middle of a piece. */
static void read_what(void (*writes)(void *conn), struct pair p)
{
    struct iovec pieces[2] = {{sink, 100}, {sink + 100, sizeof sink - 100}};

    fill_source();
    weft_waitgroup_add(&group, 1);
    go(writes, p.a);
    await_parked(p.a, POLL_WRITE, 1);
    ssize_t n = weft_conn_readv(p.b, pieces, 2);
    CHECK(n > 100);
    read_exactly(p.b, sink + n, sizeof sink - (size_t)n);
    CHECK(memcmp(source, sink, sizeof sink) == 0);
    weft_waitgroup_wait(&group);
    pair_close(p);
}

static void pieces_are_written_whole(void)
{
    int fd[2];
    struct pair p;

    read_what(write_pieces, unix_pair(false));
    CHECK_EQ(pipe(fd), 0);
    CHECK_EQ(weft_conn_from_fd(fd[1], &p.a), 0);
    CHECK_EQ(weft_conn_from_fd(fd[0], &p.b), 0);
    read_what(write_pieces, p);
}

static void file_is_sent_up_to_its_end(void)
{
    read_what(send_file, unix_pair(false));
}

/* ---- Options, resets ---- */

static int option_of(weft_conn *conn, int level, int name)
{
    int value = -1;
    CHECK_EQ(getsockopt(weft_conn_fd(conn), level, name, &value, &(socklen_t){sizeof value}), 0);
    return value;
}

static void options_are_those_of_the_socket(void)
{
    struct pair p = tcp_pair(), q = unix_pair(false);

    CHECK_EQ(weft_conn_set_nodelay(p.a, false), 0);
    CHECK_EQ(option_of(p.a, IPPROTO_TCP, TCP_NODELAY), 0);
    CHECK_EQ(weft_conn_set_keepalive(p.a, 30, 5, 3), 0);
    CHECK_EQ(option_of(p.a, SOL_SOCKET, SO_KEEPALIVE), 1);
    CHECK_EQ(option_of(p.a, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    CHECK_EQ(option_of(p.a, IPPROTO_TCP, TCP_KEEPINTVL), 5);
    CHECK_EQ(option_of(p.a, IPPROTO_TCP, TCP_KEEPCNT), 3);
    CHECK_EQ(weft_conn_set_keepalive(p.a, 0, 0, 0), 0);
    CHECK_EQ(option_of(p.a, SOL_SOCKET, SO_KEEPALIVE), 0);
    CHECK_EQ(weft_conn_set_linger(p.a, 1), -EINVAL);
    CHECK_EQ(weft_conn_set_nodelay(q.a, true), -EOPNOTSUPP);
    CHECK_EQ(weft_conn_set_keepalive(q.a, 1, 1, 1), -EOPNOTSUPP);
    CHECK_EQ(weft_conn_set_linger(q.a, 0), -EOPNOTSUPP);
    pair_close(p);
    pair_close(q);
}

static void write_until_reset(void *conn)
{
    ssize_t n = weft_conn_write(conn, source, sizeof source);
    while (n > 0)
        n = weft_conn_write(conn, source, sizeof source);
    CHECK_EQ(n, -ECONNRESET);
    weft_waitgroup_done(&group);
}

static void reset_in_mid_reply_ends_the_waiting_writer(void)
{
    struct pair p = tcp_pair();
    char byte;

    weft_waitgroup_add(&group, 1);
    go(write_until_reset, p.a);
    await_parked(p.a, POLL_WRITE, 1);
    read_exactly(p.b, &byte, 1);
    CHECK_EQ(weft_conn_set_linger(p.b, 0), 0);
    weft_conn_close(p.b);
    weft_waitgroup_wait(&group);
    weft_conn_close(p.a);
}

/* The process has no handler: the signal would end it. */
static void file_for_a_peer_that_reads_no_more_raises_no_signal(void)
{
    struct pair p = unix_pair(false);
    FILE *file = tmpfile();

    CHECK_EQ(fwrite(source, 1, sizeof source, file), sizeof source);
    CHECK_EQ(fflush(file), 0);
    CHECK_EQ(weft_conn_shutdown_read(p.b), 0);
    CHECK_EQ(weft_conn_sendfile(p.a, fileno(file), 0, sizeof source), -EPIPE);
    fclose(file);
    pair_close(p);
}

ON_ALL_PROCS(stream_over_an_abstract_name)
ON_ALL_PROCS(stream_over_a_path)
ON_ALL_PROCS(path_that_is_none_is_refused)
ON_ALL_PROCS(dial_of_a_full_queue_ends_with_its_deadline_or_context)
ON_ALL_PROCS(descriptor_is_passed_and_works)
ON_ALL_PROCS(descriptor_too_many_is_closed)
ON_ALL_PROCS(datagram_is_answered_to_its_sender)
ON_ALL_PROCS(datagrams_keep_their_borders)
ON_ALL_PROCS(connected_datagrams)
ON_ALL_PROCS(receive_ends_with_its_deadline)
ON_ALL_PROCS(pieces_are_written_whole)
ON_ALL_PROCS(file_is_sent_up_to_its_end)
ON_ALL_PROCS(options_are_those_of_the_socket)
ON_ALL_PROCS(reset_in_mid_reply_ends_the_waiting_writer)
ON_ALL_PROCS(file_for_a_peer_that_reads_no_more_raises_no_signal)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stream_over_an_abstract_name),
        TEST(stream_over_a_path),
        TEST(path_that_is_none_is_refused),
        TEST(dial_of_a_full_queue_ends_with_its_deadline_or_context),
        TEST(descriptor_is_passed_and_works),
        TEST(descriptor_too_many_is_closed),
        TEST(datagram_is_answered_to_its_sender),
        TEST(datagrams_keep_their_borders),
        TEST(connected_datagrams),
        TEST(receive_ends_with_its_deadline),
        TEST(pieces_are_written_whole),
        TEST(file_is_sent_up_to_its_end),
        TEST(options_are_those_of_the_socket),
        TEST(reset_in_mid_reply_ends_the_waiting_writer),
        TEST(file_for_a_peer_that_reads_no_more_raises_no_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
