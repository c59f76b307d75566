/* SPDX-License-Identifier: MIT */
/* A server as a child process, and plain clients for it. No goroutines here: this is what a
 * stranger sees. */
#ifndef WEFT_TESTS_NET_SERVER_CHILD_H
#define WEFT_TESTS_NET_SERVER_CHILD_H

#include "base/cmocka_all.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- The server ---- */

struct server {
    pid_t pid;
    int port;
};

static char *
    *server_command; /* NULL-terminated; the program is the last, behind an emulator if need be */
static unsigned server_procs = 2;
static unsigned servers_started;

/* Every server is traced if the test has a folder for traces. */
static inline void trace_server(const char *name)
{
    char path[512];
    const char *dir = getenv("WEFT_TRACE_DIR");
    if (!dir)
        return;
    snprintf(path, sizeof path, "%s/%s-%u-p%u.trace", dir, name, servers_started, server_procs);
    setenv("WEFT_TRACE", path, 1);
}

static inline void become_server(const char *name, const char *const *options, rlim_t descriptors)
{
    const char *arguments[48];
    char procs[16];
    size_t n = 0;
    for (char **word = server_command; *word && n < 16; word++)
        arguments[n++] = *word;
    if (descriptors > 0)
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){descriptors, descriptors});
    for (; options && *options && n < 47; options++)
        arguments[n++] = *options;
    arguments[n] = NULL;
    snprintf(procs, sizeof procs, "%u", server_procs);
    setenv("WEFT_PROCS", procs, 1);
    trace_server(name);
    execvp(arguments[0], (char *const *)(void *)arguments);
    _exit(127);
}

/* name: of its trace. options: NULL-terminated, or NULL. descriptors: limit for the process; 0: as
 * it is. Returns what it says. */
static inline FILE *server_spawn(struct server *server, const char *name,
                                 const char *const *options, rlim_t descriptors)
{
    int out[2];
    servers_started++;
    assert_int_equal(pipe(out), 0);
    server->pid = fork();
    if (server->pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        become_server(name, options, descriptors);
    }
    close(out[1]);
    return fdopen(out[0], "r");
}

/* Waits for the end that somebody has asked for. */
static inline void server_await_end(struct server server)
{
    int status = -1;
    for (int tries = 0; tries < 6000 && waitpid(server.pid, &status, WNOHANG) == 0; tries++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        kill(server.pid, SIGKILL);
        fail_msg("the server ended with status 0x%x", (unsigned)status);
    }
}

static inline void server_stop(struct server server)
{
    if (server.pid <= 0) /* it did not start; 0 would be everybody */
        return;
    kill(server.pid, SIGTERM);
    server_await_end(server);
}

/* ---- The client ---- */

static inline int client(struct server server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void send_bytes(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        assert_true(n > 0);
        at += n;
        size -= (size_t)n;
    }
}

static inline void send_text(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
}

/* Reads at most size bytes, until they are there or the stream ends. Returns how many came. */
static inline size_t receive(int fd, char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = recv(fd, data + done, size - done, 0);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

/* The next bytes are these. */
static inline void expect(int fd, const char *reply)
{
    size_t size = strlen(reply);
    char *got = calloc(1, size + 1);
    receive(fd, got, size);
    if (strcmp(got, reply) != 0)
        fail_msg("expected \"%s\", got \"%s\"", reply, got);
    free(got);
}

static inline void expect_end(int fd)
{
    char byte;
    if (receive(fd, &byte, 1) != 0)
        fail_msg("expected the end of the stream, got '%c'", byte);
}

static inline double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
