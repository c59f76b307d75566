/* SPDX-License-Identifier: MIT */
/*
 * Input and output in the trace (sched/situations.h): who waits for a socket or pipe waits for
 * "network", in the public function that was called; who uses a file is in a system call.
 */
#include "net/loopback.h"
#include "sched/situations.h"

#include <fcntl.h>

#include "weft/file.h"

static weft_conn *stream[2], *datagram[2], *through[2];
static weft_listener *listener;
static weft_context *context;
static struct pair tcp, full[3];
static char deaf[64];

static void io_read(void)
{
    char byte;
    CHECK_EQ(weft_conn_read(tcp.a, &byte, 1), 1);
    stay();
}

/* More than the connection holds. */
static void io_write(void)
{
    enum { SIZE = 32 * 1024 * 1024 };
    char *data = calloc(1, SIZE);
    CHECK_EQ(weft_conn_write(full[0].a, data, SIZE), -ETIMEDOUT);
    free(data);
}

static void io_writev(void)
{
    enum { SIZE = 32 * 1024 * 1024 };
    char *data = calloc(1, SIZE);
    CHECK_EQ(weft_conn_writev(full[1].a, &(struct iovec){data, SIZE}, 1), -ETIMEDOUT);
    free(data);
}

static void io_sendfile(void)
{
    FILE *file = tmpfile();
    CHECK_EQ(ftruncate(fileno(file), 64 << 20), 0);
    CHECK_EQ(weft_conn_sendfile(full[2].a, fileno(file), 0, 64 << 20), -ETIMEDOUT);
    fclose(file);
}

static void io_accept(void)
{
    weft_conn *conn;
    CHECK_EQ(weft_tcp_accept(listener, &conn), -ECANCELED);
    stay();
}

static void io_connect(void)
{
    weft_conn *conn;
    CHECK_EQ(weft_tcp_dial_ctx(context, deaf, &conn), -ECANCELED);
    stay();
}

static void io_recv_fd(void)
{
    char byte;
    int fd;
    CHECK_EQ(weft_conn_recv_fd(stream[0], &byte, 1, &fd), 1);
    stay();
}

static void io_recvfrom(void)
{
    char byte;
    CHECK_EQ(weft_conn_recvfrom(datagram[0], &byte, 1, NULL), 1);
    stay();
}

static void io_readv(void)
{
    char byte;
    CHECK_EQ(weft_conn_readv(through[0], &(struct iovec){&byte, 1}, 1), 1);
    stay();
}

static void file_open(void)
{
    CHECK_EQ(weft_file_open("/nowhere/file", O_RDONLY, 0), -ENOENT);
    stay();
}

/* Of a file that the kernel does not have in memory. */
static void file_read(void)
{
    char byte;
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(weft_file_read(fd, &byte, 1), 1);
    close(fd);
}

static void file_pwrite(void)
{
    CHECK_EQ(weft_file_pwrite(-1, "x", 1, 0), -EBADF);
    stay();
}

static void file_sync(void)
{
    CHECK_EQ(weft_file_sync(-1), -EBADF);
    stay();
}

static struct situation situations[] = {
    SITUATION(io_read, "network", "weft_conn_read"),
    SITUATION(io_write, "network", "weft_conn_write", .waker = "weft_conn_set_write_deadline"),
    SITUATION(io_writev, "network", "weft_conn_writev", .waker = "weft_conn_set_write_deadline"),
    SITUATION(io_sendfile, "network", "weft_conn_sendfile",
              .waker = "weft_conn_set_write_deadline"),
    SITUATION(io_accept, "network", "weft_tcp_accept", .waker = "weft_listener_close"),
    SITUATION(io_connect, "network", "weft_tcp_dial", .waker = "weft_context_cancel"),
    SITUATION(io_recv_fd, "network", "weft_conn_recv_fd"),
    SITUATION(io_recvfrom, "network", "weft_conn_recvfrom"),
    SITUATION(io_readv, "network", "weft_conn_readv"),
    SITUATION(file_open, NULL, "weft_file_open", .by_itself = true),
    SITUATION(file_read, NULL, "weft_file_read", .by_itself = true),
    SITUATION(file_pwrite, NULL, "weft_file_pwrite", .by_itself = true),
    SITUATION(file_sync, NULL, "weft_file_sync", .by_itself = true),
};
enum { SITUATIONS = sizeof situations / sizeof situations[0] };

static void run_all(void);
static struct situations all = {.list = situations, .count = SITUATIONS, .body = run_all};

/* Connects until the kernel takes no more. */
static void fill_queue(int fds[], int n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    a.sin_port = htons((uint16_t)atoi(strrchr(deaf, ':') + 1));
    for (int i = 0; i < n; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fds[i], (struct sockaddr *)&a, sizeof a);
    }
}

static void run_all(void)
{
    enum { CLIENTS = 4 };
    int fds[CLIENTS + 1];
    CHECK_EQ(weft_unix_pair(false, stream), 0);
    CHECK_EQ(weft_unix_pair(true, datagram), 0);
    CHECK_EQ(weft_pipe(through), 0);
    tcp = tcp_pair();
    for (int i = 0; i < 3; i++)
        full[i] = tcp_pair();
    listener = listen_on(v4_any_port);
    fds[CLIENTS] = deaf_listener(deaf);
    fill_queue(fds, CLIENTS);
    context = weft_context_new(NULL);

    start_situations(&all);
    await_held_up(&all);
    CHECK_EQ(weft_conn_write(stream[1], "x", 1), 1);
    CHECK_EQ(weft_conn_write(datagram[1], "x", 1), 1);
    CHECK_EQ(weft_conn_write(through[1], "x", 1), 1);
    CHECK_EQ(weft_conn_write(tcp.b, "x", 1), 1);
    for (int i = 0; i < 3; i++)
        weft_conn_set_write_deadline(full[i].a, 1);
    weft_listener_close(listener);
    weft_context_cancel(context, 0);
    weft_waitgroup_wait(&all.finished);

    weft_context_free(context);
    for (int i = 0; i <= CLIENTS; i++)
        close(fds[i]);
    pair_close((struct pair){stream[0], stream[1]});
    pair_close((struct pair){datagram[0], datagram[1]});
    pair_close((struct pair){through[0], through[1]});
    pair_close(tcp);
    for (int i = 0; i < 3; i++)
        pair_close(full[i]);
}

static void test_io_is_in_the_trace_with_reason_and_stack(void **state)
{
    (void)state;
    for (unsigned procs = 1; procs <= 4; procs *= 2)
        check_situations(&all, procs, "io");
}

int main(void)
{
    setenv("WEFT_FILES", "threads", 1); /* the kernel may refuse the other way */
    const struct CMUnitTest tests[] = {TEST(io_is_in_the_trace_with_reason_and_stack)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
