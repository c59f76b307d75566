/* SPDX-License-Identifier: MIT */
/* Connections made of descriptors: pipes, socket pairs, what cannot be one. And the limit of
 * descriptors. */
#include "net/loopback.h"

#include <fcntl.h>
#include <sys/resource.h>

static weft_waitgroup group;

static weft_conn *conn_of(int fd)
{
    weft_conn *conn;
    CHECK_EQ(weft_conn_from_fd(fd, &conn), 0);
    return conn;
}

static struct pair pipe_pair(void)
{
    int fd[2];
    CHECK_EQ(pipe(fd), 0);
    return (struct pair){conn_of(fd[0]), conn_of(fd[1])};
}

enum { SIZE = 4 * 1024 * 1024 };

static void write_much(void *arg)
{
    unsigned char *data = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i % 251);
    write_all(arg, data, SIZE);
    free(data);
    weft_conn_close(arg);
    weft_waitgroup_done(&group);
}

static void read_much(weft_conn *conn)
{
    unsigned char data[5000];
    size_t at = 0;
    ssize_t n;
    while ((n = weft_conn_read(conn, data, sizeof data)) > 0)
        for (ssize_t i = 0; i < n; i++, at++)
            CHECK_EQ(data[i], at % 251);
    CHECK_EQ(n, 0);
    CHECK_EQ(at, SIZE);
}

static void pipe_carries_more_than_it_holds(void)
{
    struct pair p = pipe_pair();
    weft_waitgroup_add(&group, 1);
    go(write_much, p.b);
    read_much(p.a);
    weft_waitgroup_wait(&group);
    weft_conn_close(p.a);
}

static void socketpair_carries_both_ways(void)
{
    int fd[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    struct pair p = {conn_of(fd[0]), conn_of(fd[1])};
    char data[4];
    write_all(p.a, "ping", 4);
    read_exactly(p.b, data, 4);
    weft_waitgroup_add(&group, 1);
    go(write_much, p.b);
    read_much(p.a);
    weft_waitgroup_wait(&group);
    weft_conn_close(p.a);
}

static void pipe_without_a_reader_is_an_error_not_a_signal(void)
{
    struct pair p = pipe_pair();
    weft_conn_close(p.a);
    CHECK_EQ(weft_conn_write(p.b, "x", 1), -EPIPE);
    CHECK_EQ(weft_conn_write(p.b, "x", 1), -EPIPE);
    CHECK_EQ(weft_conn_shutdown_write(p.b), -ENOTSOCK);
    weft_conn_close(p.b);
}

static void empty_pipe_whose_writer_goes_ends(void)
{
    struct pair p = pipe_pair();
    char byte;
    weft_conn_close(p.b);
    CHECK_EQ(weft_conn_read(p.a, &byte, 1), 0);
    weft_conn_close(p.a);
}

static void what_cannot_be_waited_for_is_refused_and_left_alone(void)
{
    weft_conn *conn;
    FILE *file = tmpfile();
    int fd = fileno(file), flags = fcntl(fd, F_GETFL);

    CHECK_EQ(weft_conn_from_fd(fd, &conn), -EOPNOTSUPP);
    CHECK_EQ(fcntl(fd, F_GETFL), flags);
    fclose(file);
    CHECK_EQ(weft_conn_from_fd(-1, &conn), -EBADF);
    CHECK_EQ(weft_conn_from_fd(4000, &conn), -EBADF);
}

static void descriptor_is_registered_once(void)
{
    struct pair p = tcp_pair();
    weft_conn *second;
    CHECK_EQ(weft_conn_from_fd(weft_conn_fd(p.a), &second), -EEXIST);
    pair_close(p);
}

/* ---- No descriptor left ---- */

static void connect_when_told(void *arg)
{
    struct {
        weft_listener *listener;
        weft_conn *conn;
    } *c = arg;
    c->conn = dial(c->listener, false);
    weft_waitgroup_done(&group);
}

static void set_limit(rlim_t n)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = n;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* The connection that could not be accepted is not lost: the next accept gets it, although no
 * further event comes. */
static void accept_without_descriptors(void)
{
    struct {
        weft_listener *listener;
        weft_conn *conn;
    } c = {listen_on(v4_any_port), NULL};
    weft_conn *conn;

    weft_waitgroup_add(&group, 1);
    go(connect_when_told, &c);
    weft_waitgroup_wait(&group);
    int lowest = dup(0);
    CHECK(lowest > 0);
    close(lowest);
    set_limit((rlim_t)lowest);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(weft_tcp_accept(c.listener, &conn), -EMFILE);
    weft_listener_set_deadline(c.listener, weft_now() + WEFT_MILLISECOND);
    CHECK_EQ(weft_tcp_accept(c.listener, &conn), -EMFILE);
    CHECK_EQ(weft_tcp_dial("127.0.0.1:1", WEFT_NEVER, &conn), -EMFILE);
    CHECK_EQ(weft_tcp_listen(v4_any_port, &(weft_listener *){NULL}), -EMFILE);
    set_limit(1024);
    CHECK_EQ(weft_tcp_accept(c.listener, &conn), 0);
    pair_close((struct pair){c.conn, conn});
    weft_listener_close(c.listener);
}

static void run_without_descriptors(void *arg)
{
    (void)arg;
    run_everywhere(accept_without_descriptors);
}

static void accept_without_descriptors_says_so_and_loses_nothing(void **state)
{
    (void)state;
    death d = death_of(run_without_descriptors, NULL);
    if (d.status != 0)
        fail_msg("the child ended with status %d: %s", d.status, d.text);
}

ON_ALL_PROCS(pipe_carries_more_than_it_holds)
ON_ALL_PROCS(socketpair_carries_both_ways)
ON_ALL_PROCS(pipe_without_a_reader_is_an_error_not_a_signal)
ON_ALL_PROCS(empty_pipe_whose_writer_goes_ends)
ON_ALL_PROCS(what_cannot_be_waited_for_is_refused_and_left_alone)
ON_ALL_PROCS(descriptor_is_registered_once)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pipe_carries_more_than_it_holds),
        TEST(socketpair_carries_both_ways),
        TEST(pipe_without_a_reader_is_an_error_not_a_signal),
        TEST(empty_pipe_whose_writer_goes_ends),
        TEST(what_cannot_be_waited_for_is_refused_and_left_alone),
        TEST(descriptor_is_registered_once),
        cmocka_unit_test(accept_without_descriptors_says_so_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
