/* SPDX-License-Identifier: MIT */
/* What the tests of the network share: listeners and connections on loopback, and waiting for a
 * waiter. */
#ifndef WEFT_TESTS_NET_LOOPBACK_H
#define WEFT_TESTS_NET_LOOPBACK_H

#include "sched/support.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sched/netpoll.h"

static const char v4_any_port[] = "127.0.0.1:0";
static const char v6_any_port[] = "[::1]:0";

static inline weft_listener *listen_on(const char *address)
{
    weft_listener *listener;
    CHECK_EQ(weft_tcp_listen(address, &listener), 0);
    return listener;
}

/* The address on which a listener of listen_on(address) is dialled. */
static inline void address_of(const weft_listener *listener, bool v6, char out[64])
{
    int port = weft_listener_port(listener);
    CHECK(port > 0);
    snprintf(out, 64, v6 ? "[::1]:%d" : "127.0.0.1:%d", port);
}

static inline weft_conn *dial(const weft_listener *listener, bool v6)
{
    char address[64];
    weft_conn *conn;
    address_of(listener, v6, address);
    CHECK_EQ(weft_tcp_dial(address, WEFT_NEVER, &conn), 0);
    return conn;
}

static inline weft_conn *accept_from(weft_listener *listener)
{
    weft_conn *conn;
    CHECK_EQ(weft_tcp_accept(listener, &conn), 0);
    return conn;
}

struct pair {
    weft_conn *a, *b;
};

/* Two connected ends over TCP. */
static inline struct pair tcp_pair(void)
{
    weft_listener *listener = listen_on(v4_any_port);
    struct pair p;
    p.a = dial(listener, false);
    p.b = accept_from(listener);
    weft_listener_close(listener);
    return p;
}

static inline void pair_close(struct pair p)
{
    weft_conn_close(p.a);
    weft_conn_close(p.b);
}

/* A listener whose queue is full answers no further connection: the kernel drops the SYN. */
static inline int deaf_listener(char address[64])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(listen(fd, 0), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    snprintf(address, 64, "127.0.0.1:%d", ntohs(a.sin_port));
    return fd;
}

static inline void read_exactly(weft_conn *conn, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = weft_conn_read(conn, (char *)data + done, size - done);
        CHECK(n > 0);
        done += (size_t)n;
    }
}

static inline void write_all(weft_conn *conn, const void *data, size_t size)
{
    CHECK_EQ(weft_conn_write(conn, data, size), size);
}

static inline unsigned count_waiters(const struct waiter_queue *q)
{
    unsigned n = 0;
    for (const struct waiter *w = q->head; w; w = w->next)
        n++;
    return n;
}

/* Lets others run until n goroutines wait in that direction (turns of writers included). desc: a
 * connection or listener. */
static inline void await_parked(void *desc_of, enum poll_mode mode, unsigned n)
{
    struct poll_desc *desc = desc_of;
    for (;;) {
        lock_acquire(&desc->lock);
        unsigned there =
            count_waiters(&desc->side[mode].waiters) + count_waiters(&desc->side[mode].turns);
        lock_release(&desc->lock);
        if (there == n)
            return;
        weft_sleep(100 * WEFT_MICROSECOND);
    }
}

/* How many descriptors the process has open. */
static inline int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += dup2(fd, fd) == fd;
    return count;
}

#endif
