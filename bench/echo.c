/* SPDX-License-Identifier: MIT */
/*
 * echo weft|epoll|PATH CONNECTIONS [MILLISECONDS] [trace]: a TCP echo server as a child process, on
 * weft (a goroutine for each connection), on a bare epoll loop, or a program (named by a path with
 * a slash; it writes its port to the descriptor that its argument names), under the load of one
 * thread that keeps a message of 64 bytes in flight on each connection: requests a second, and the
 * server's CPU time for one request. Everything is on loopback. `trace`: weft's server writes a
 * trace meanwhile.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weft/weft.h>

enum { MESSAGE = 64, EVENTS = 256, BUFFER = 4096 };

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec ts;
    if (clock_gettime(clock, &ts) != 0)
        die("clock_gettime");
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* ---- The server on weft ---- */

static void serve_connection(void *arg)
{
    weft_conn *conn = arg;
    char data[BUFFER];
    ssize_t n;
    while ((n = weft_conn_read(conn, data, sizeof data)) > 0 &&
           weft_conn_write(conn, data, (size_t)n) == n)
        ;
    weft_conn_close(conn);
}

static int serve_weft(void *arg)
{
    weft_listener *listener;
    weft_conn *conn;
    int *out = arg;
    if (weft_tcp_listen("127.0.0.1:0", &listener) < 0)
        return 1;
    int port = weft_listener_port(listener);
    if (write(*out, &port, sizeof port) != sizeof port)
        return 1;
    while (weft_tcp_accept(listener, &conn) == 0)
        if (weft_go(serve_connection, conn) < 0)
            return 1;
    return 0;
}

/* ---- The server on epoll ---- */

static int listen_any(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        die("listen");
    *port = ntohs(address.sin_port);
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
    int one = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(epoll, fd);
    }
}

static void answer(int fd)
{
    char data[BUFFER];
    ssize_t n = read(fd, data, sizeof data);
    if (n <= 0 || write(fd, data, (size_t)n) != n)
        close(fd);
}

static int serve_epoll(int out)
{
    int port, listener = listen_any(&port), epoll = epoll_create1(0);
    struct epoll_event events[EVENTS];
    watch(epoll, listener);
    if (write(out, &port, sizeof port) != sizeof port)
        return 1;
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                answer(events[i].data.fd);
    }
}

/* ---- The load ---- */

static char message[MESSAGE];
static unsigned char *got; /* by descriptor: bytes of the current message that are back */

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_one(int fd)
{
    if (write(fd, message, MESSAGE) != MESSAGE)
        die("write");
}

/* 1 when a message is back; the next one is on its way then. */
static int receive(int fd)
{
    char data[MESSAGE];
    ssize_t n = read(fd, data, (size_t)(MESSAGE - got[fd]));
    if (n <= 0)
        die("read");
    got[fd] += (unsigned char)n;
    if (got[fd] < MESSAGE)
        return 0;
    got[fd] = 0;
    send_one(fd);
    return 1;
}

static long load(int epoll, double end)
{
    struct epoll_event events[EVENTS];
    long done = 0;
    while (seconds(CLOCK_MONOTONIC) < end) {
        int n = epoll_wait(epoll, events, EVENTS, 100);
        for (int i = 0; i < n; i++)
            done += receive(events[i].data.fd);
    }
    return done;
}

static void drive(const char *name, pid_t server, int port, int connections, double span)
{
    int epoll = epoll_create1(0);
    clockid_t clock;
    got = calloc((size_t)connections + 64, 1);
    if (!got || clock_getcpuclockid(server, &clock) != 0)
        die("start");
    for (int i = 0; i < connections; i++) {
        int fd = connect_to(port);
        watch(epoll, fd);
        send_one(fd);
    }
    load(epoll, seconds(CLOCK_MONOTONIC) + span / 4);
    double begin = seconds(CLOCK_MONOTONIC), cpu = seconds(clock);
    long done = load(epoll, begin + span);
    double took = seconds(CLOCK_MONOTONIC) - begin;
    printf("%s/echo%d/rate %.6g 1/s\n", name, connections, (double)done / took);
    printf("%s/echo%d/server_cpu %.5g ns\n", name, connections,
           (seconds(clock) - cpu) * 1e9 / (double)done);
}

static _Noreturn void serve(const char *name, int out, int traced)
{
    if (strchr(name, '/')) {
        char number[16];
        snprintf(number, sizeof number, "%d", out);
        execl(name, name, number, (char *)NULL);
        _exit(1);
    }
    if (strcmp(name, "epoll") == 0)
        _exit(serve_epoll(out));
    if (traced)
        setenv("WEFT_TRACE", "/dev/null", 1);
    _exit(weft_run(NULL, serve_weft, &out));
}

static const char *name_of(const char *server, int traced)
{
    const char *slash = strrchr(server, '/');
    return traced ? "weft_traced" : slash ? slash + 1 : server;
}

int main(int argc, char **argv)
{
    int connections = argc > 2 ? atoi(argv[2]) : 0, traced = argc > 4 && !strcmp(argv[4], "trace");
    if (connections < 1 || connections > 20000 ||
        (strcmp(argv[1], "weft") != 0 && strcmp(argv[1], "epoll") != 0 && !strchr(argv[1], '/'))) {
        fputs("usage: echo weft|epoll|PATH CONNECTIONS [MILLISECONDS] [trace]\n", stderr);
        return 2;
    }
    int wire[2], port;
    if (pipe(wire) != 0)
        die("pipe");
    pid_t server = fork();
    if (server == 0)
        serve(argv[1], wire[1], traced);
    close(wire[1]);
    if (server < 0 || read(wire[0], &port, sizeof port) != sizeof port)
        die("server");
    drive(name_of(argv[1], traced), server, port, connections,
          (argc > 3 ? atof(argv[3]) : 1000) / 1e3);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return 0;
}
