/* SPDX-License-Identifier: MIT */
/* TCP: include/weft/net.h on the descriptors of netpoll.h, in the frame of net_op.h. */
#define _GNU_SOURCE /* accept4 */
#include "weft/net.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sched/net_address.h"
#include "sched/net_op.h"
#include "sched/sigpipe.h"
#include "weft/resolve.h"

/* ---- System calls ---- */

SYS ssize_t sys_read(int fd, void *data, size_t size)
{
    ssize_t n;
    do
        n = read(fd, data, size);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

SYS ssize_t sys_send(int fd, const void *data, size_t size)
{
    ssize_t n;
    do
        n = send(fd, data, size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

SYS ssize_t sys_write_pipe(int fd, const void *data, size_t size)
{
    struct sigpipe_hold hold;
    ssize_t n;

    sigpipe_block(&hold);
    do
        n = write(fd, data, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        n = -errno;
    sigpipe_unblock(&hold, n);
    return n;
}

ssize_t net_write(const struct poll_desc *desc, const void *data, size_t size)
{
    if (desc->kind == POLL_PIPE)
        return sys_write_pipe(desc->fd, data, size);
    return sys_send(desc->fd, data, size);
}

/* What accept() says when a connection died in the queue, or was refused by the network's rules:
 * not an error of the listener. The list is that of Linux's manual page accept(2). */
static bool is_about_the_peer(int error)
{
    switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

static void set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

SYS int sys_accept(int listener)
{
    int fd;
    do
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && is_about_the_peer(errno));
    if (fd < 0)
        return -errno;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    return fd;
}

/* Gives up a socket for the error that errno names. */
static int give_up(int fd)
{
    int error = -errno;
    close(fd);
    return error;
}

SYS int sys_listen(const struct net_address *address)
{
    int fd = socket(address->sock.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address->sock.any.sa_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !address->wildcard);
    if (bind(fd, &address->sock.any, address->size) != 0 || listen(fd, INT_MAX) != 0)
        return give_up(fd);
    return fd;
}

/* Begins to connect: sys_connected() tells how it went. */
SYS int sys_connect(const struct net_address *address)
{
    int fd = socket(address->sock.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (connect(fd, &address->sock.any, address->size) != 0 && errno != EINPROGRESS &&
        errno != EINTR)
        return give_up(fd);
    return fd;
}

/* 0, -EAGAIN: not yet, or why not. */
SYS int sys_connected(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    struct net_address peer = {.size = sizeof peer.sock};

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return -errno;
    if (error)
        return -error;
    if (getpeername(fd, &peer.sock.any, &peer.size) == 0)
        return 0;
    return errno == ENOTCONN ? -EAGAIN : -errno;
}

SYS int sys_shutdown(int fd, int how)
{
    return shutdown(fd, how) == 0 ? 0 : -errno;
}

static enum poll_kind kind_of(int fd, const struct stat *status)
{
    int protocol = 0;
    socklen_t size = sizeof protocol;
    if (!S_ISSOCK(status->st_mode))
        return POLL_PIPE;
    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP)
        return POLL_TCP;
    return POLL_SOCKET;
}

/* Makes fd non-blocking. 0, what it was, and what it is. */
SYS int sys_set_nonblocking(int fd, int *old_flags, enum poll_kind *kind)
{
    struct stat status;
    *old_flags = fcntl(fd, F_GETFL);
    if (*old_flags < 0 || fstat(fd, &status) != 0)
        return -errno;
    *kind = kind_of(fd, &status);
    return fcntl(fd, F_SETFL, *old_flags | O_NONBLOCK) == 0 ? 0 : -errno;
}

SYS void sys_set_flags(int fd, int flags)
{
    (void)fcntl(fd, F_SETFL, flags);
}

/* ---- Listeners ---- */

int weft_tcp_listen(const char *address, weft_listener **out)
{
    struct net_address parsed;
    struct poll_desc *desc;

    if (!weft_in_goroutine())
        return -EPERM;
    int error = net_address_parse(address, &parsed);
    if (error)
        return error;
    int fd = sys_listen(&parsed);
    if (parsed.wildcard && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) {
        net_address_to_v4(&parsed);
        fd = sys_listen(&parsed);
    }
    if (fd < 0)
        return fd;
    error = adopt(fd, POLL_TCP, &desc);
    if (!error)
        *out = (weft_listener *)desc;
    return error;
}

IN_LINE int accept_at(uintptr_t pc, weft_listener *listener, weft_conn **out, int64_t deadline)
{
    struct poll_desc *desc = &listener->desc, *accepted;
    uint32_t seen;
    int fd;

    int error = begin_at(pc, desc, POLL_READ, deadline, &seen);
    if (error)
        return error;
    enum poll_kind kind = desc->kind; /* the listener may be gone behind end_at() */
    do
        fd = sys_accept(desc->fd);
    while (fd == -EAGAIN && (fd = wait_at(pc, desc, POLL_READ, deadline, &seen)) == 0);
    end_at(pc, desc, POLL_READ);
    if (fd < 0)
        return fd;
    error = adopt_at(pc, fd, kind, &accepted);
    if (!error)
        *out = (weft_conn *)accepted;
    return error;
}

int weft_tcp_accept(weft_listener *listener, weft_conn **out)
{
    return accept_at(rt_here(), listener, out, WEFT_NEVER);
}

int weft_tcp_accept_until(weft_listener *listener, weft_conn **out, int64_t deadline)
{
    return accept_at(rt_here(), listener, out, deadline);
}

int weft_listener_port(const weft_listener *listener)
{
    return net_address_port_of(listener->desc.fd);
}

void weft_listener_set_deadline(weft_listener *listener, int64_t deadline)
{
    set_deadline(&listener->desc, POLL_READ, deadline, "weft_listener_set_deadline");
}

void weft_listener_close(weft_listener *listener)
{
    close_desc(&listener->desc, "weft_listener_close");
}

/* ---- Connections ---- */

/* Waits until a socket that connects is connected. */
IN_LINE int finish_connect(uintptr_t pc, struct poll_desc *desc, int64_t deadline)
{
    uint32_t seen;

    int state = begin_at(pc, desc, POLL_WRITE, deadline, &seen);
    if (state)
        return state;
    do
        state = sys_connected(desc->fd);
    while (state == -EAGAIN && (state = wait_at(pc, desc, POLL_WRITE, deadline, &seen)) == 0);
    end_at(pc, desc, POLL_WRITE);
    return state;
}

IN_LINE int dial_at(uintptr_t pc, const struct net_address *address, int64_t deadline,
                    weft_conn **out)
{
    enum { ATTEMPTS = 3 };
    struct poll_desc *desc;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int fd = sys_connect(address);
        if (fd < 0)
            return fd;
        int error = adopt_at(pc, fd, POLL_TCP, &desc);
        if (error)
            return error;
        error = finish_connect(pc, desc, deadline);
        if (!error && !net_address_is_self(fd)) {
            *out = (weft_conn *)desc;
            return 0;
        }
        close_desc_at(pc, desc, "weft_tcp_dial");
        if (error)
            return error;
    }
    return -ECONNREFUSED;
}

int weft_tcp_dial(const char *address, int64_t deadline, weft_conn **out)
{
    struct net_address parsed;

    if (!weft_in_goroutine())
        return -EPERM;
    if (net_address_parse(address, &parsed) != 0 || parsed.wildcard)
        return -EINVAL;
    return dial_at(rt_here(), &parsed, deadline, out);
}

int weft_tcp_dial_peer(const weft_peer *peer, int64_t deadline, weft_conn **out)
{
    struct net_address address;

    if (!weft_in_goroutine())
        return -EPERM;
    if (net_address_from_peer(peer, &address) != 0)
        return -EINVAL;
    return dial_at(rt_here(), &address, deadline, out);
}

int weft_conn_from_fd(int fd, weft_conn **out)
{
    struct poll_desc *desc;
    int flags;
    enum poll_kind kind;

    if (!weft_in_goroutine())
        return -EPERM;
    int error = sys_set_nonblocking(fd, &flags, &kind);
    if (error)
        return error;
    struct m *m = rt_enter();
    error = m ? poll_open(fd, kind, &desc) : -EPERM;
    if (m)
        rt_exit(m);
    if (error)
        sys_set_flags(fd, flags);
    else
        *out = (weft_conn *)desc;
    return error;
}

IN_LINE ssize_t read_at(uintptr_t pc, weft_conn *conn, void *data, size_t size, int64_t deadline)
{
    struct poll_desc *desc = &conn->desc;
    uint32_t seen;
    int waited;

    int error = begin_read_at(pc, desc, deadline, &seen, &waited);
    if (error)
        return error;
    ssize_t n = waited;
    while (n == 0 && (n = sys_read(desc->fd, data, size)) == -EAGAIN)
        n = wait_at(pc, desc, POLL_READ, deadline, &seen);
    end_read_at(pc, desc, seen, n, size);
    return n;
}

ssize_t weft_conn_read(weft_conn *conn, void *data, size_t size)
{
    return read_at(rt_here(), conn, data, size, WEFT_NEVER);
}

ssize_t weft_conn_read_until(weft_conn *conn, void *data, size_t size, int64_t deadline)
{
    return read_at(rt_here(), conn, data, size, deadline);
}

IN_LINE ssize_t write_at(uintptr_t pc, weft_conn *conn, const void *data, size_t size,
                         int64_t deadline)
{
    struct poll_desc *desc = &conn->desc;
    size_t done = 0;
    uint32_t seen;

    int error = begin_at(pc, desc, POLL_WRITE, deadline, &seen);
    if (error)
        return error;
    while (done < size && !error) {
        ssize_t n = net_write(desc, (const char *)data + done, size - done);
        if (n >= 0)
            done += (size_t)n;
        else if (n == -EAGAIN)
            error = wait_at(pc, desc, POLL_WRITE, deadline, &seen);
        else
            error = (int)n;
    }
    end_at(pc, desc, POLL_WRITE);
    return error ? error : (ssize_t)size;
}

ssize_t weft_conn_write(weft_conn *conn, const void *data, size_t size)
{
    return write_at(rt_here(), conn, data, size, WEFT_NEVER);
}

ssize_t weft_conn_write_until(weft_conn *conn, const void *data, size_t size, int64_t deadline)
{
    return write_at(rt_here(), conn, data, size, deadline);
}

void weft_conn_set_read_deadline(weft_conn *conn, int64_t deadline)
{
    set_deadline(&conn->desc, POLL_READ, deadline, "weft_conn_set_read_deadline");
}

void weft_conn_set_write_deadline(weft_conn *conn, int64_t deadline)
{
    set_deadline(&conn->desc, POLL_WRITE, deadline, "weft_conn_set_write_deadline");
}

int weft_conn_shutdown_write(weft_conn *conn)
{
    return sys_shutdown(conn->desc.fd, SHUT_WR);
}

int weft_conn_shutdown_read(weft_conn *conn)
{
    return sys_shutdown(conn->desc.fd, SHUT_RD);
}

void weft_conn_close(weft_conn *conn)
{
    close_desc(&conn->desc, "weft_conn_close");
}

int weft_conn_fd(const weft_conn *conn)
{
    return conn->desc.fd;
}
