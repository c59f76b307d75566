/* SPDX-License-Identifier: MIT */
/* Unix sockets and the passing of descriptors: the first part of include/weft/socket.h. */
#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "sched/net_op.h"
#include "sched/net_open.h"
#include "weft/time.h"

/* ---- System calls ---- */

SYS int sys_listen(const weft_peer *peer)
{
    int fd = net_open(SOCK_STREAM, peer, bind);
    if (fd >= 0 && listen(fd, INT_MAX) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

SYS int sys_pair(bool datagram, int fd[2])
{
    int type = (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    return socketpair(AF_UNIX, type, 0, fd) == 0 ? 0 : -errno;
}

/* The message that carries one descriptor. With its padding there would be room for a second, which
 * nobody would close: what is received is limited to CMSG_LEN. */
union fd_message {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

SYS ssize_t sys_send_fd(int sock, const void *data, size_t size, int fd)
{
    union fd_message control = {.header = {.cmsg_len = CMSG_LEN(sizeof fd),
                                           .cmsg_level = SOL_SOCKET,
                                           .cmsg_type = SCM_RIGHTS}};
    struct iovec piece = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = fd < 0 ? 0 : sizeof control};
    ssize_t n;

    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    do
        n = sendmsg(sock, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

SYS ssize_t sys_recv_fd(int sock, void *data, size_t size, int *fd)
{
    union fd_message control = {0};
    struct iovec piece = {data, size};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_LEN(sizeof *fd)};
    ssize_t n;

    do
        n = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    if (first && first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(first), sizeof *fd);
    return n;
}

/* ---- Listeners, connections ---- */

int weft_unix_listen(const char *path, weft_listener **out)
{
    weft_peer peer;
    struct poll_desc *desc;

    if (!weft_in_goroutine())
        return -EPERM;
    int error = weft_peer_from_path(path, &peer);
    if (error)
        return error;
    int fd = sys_listen(&peer);
    if (fd < 0)
        return fd;
    error = adopt(fd, POLL_SOCKET, &desc);
    if (!error)
        *out = (weft_listener *)desc;
    return error;
}

int weft_unix_accept(weft_listener *listener, weft_conn **out)
{
    return weft_tcp_accept(listener, out);
}

int weft_unix_accept_until(weft_listener *listener, weft_conn **out, int64_t deadline)
{
    return weft_tcp_accept_until(listener, out, deadline);
}

/* Connects, and waits while the queue is full. The descriptor or a negative errno value. */
static int connect_until(const weft_peer *peer, int64_t deadline)
{
    int fd;
    while ((fd = net_open(SOCK_STREAM, peer, connect)) == -EAGAIN) {
        int64_t now = weft_now();
        if (now >= deadline)
            return -ETIMEDOUT;
        int64_t left = deadline - now;
        int error = weft_sleep_until(now + (left < WEFT_MILLISECOND ? left : WEFT_MILLISECOND));
        if (error)
            return error;
    }
    return fd;
}

int weft_unix_dial(const char *path, int64_t deadline, weft_conn **out)
{
    weft_peer peer;
    struct poll_desc *desc;

    if (!weft_in_goroutine())
        return -EPERM;
    int error = weft_peer_from_path(path, &peer);
    if (error)
        return error;
    int fd = connect_until(&peer, deadline);
    if (fd < 0)
        return fd;
    error = adopt(fd, POLL_SOCKET, &desc);
    if (!error)
        *out = (weft_conn *)desc;
    return error;
}

int weft_unix_pair(bool datagram, weft_conn *out[2])
{
    struct poll_desc *first, *second;
    int fd[2];

    if (!weft_in_goroutine())
        return -EPERM;
    int error = sys_pair(datagram, fd);
    if (error)
        return error;
    error = adopt(fd[0], POLL_SOCKET, &first);
    if (error) {
        net_close_fd(fd[1]);
        return error;
    }
    error = adopt(fd[1], POLL_SOCKET, &second);
    if (error) {
        close_desc(first, "weft_unix_pair");
        return error;
    }
    out[0] = (weft_conn *)first;
    out[1] = (weft_conn *)second;
    return 0;
}

/* ---- Descriptors ---- */

IN_LINE ssize_t send_fd_at(uintptr_t pc, weft_conn *conn, const void *data, size_t size, int fd,
                           int64_t deadline)
{
    struct poll_desc *desc = &conn->desc;
    size_t done = 0;
    uint32_t seen;

    if (size == 0)
        return -EINVAL;
    int error = begin_at(pc, desc, POLL_WRITE, deadline, &seen);
    if (error)
        return error;
    do {
        ssize_t n = sys_send_fd(desc->fd, (const char *)data + done, size - done, fd);
        if (n >= 0)
            done += (size_t)n;
        else
            error = n == -EAGAIN ? wait_at(pc, desc, POLL_WRITE, deadline, &seen) : (int)n;
        fd = n >= 0 ? -1 : fd; /* it goes with the first byte */
    } while (done < size && !error);
    end_at(pc, desc, POLL_WRITE);
    return error ? error : (ssize_t)size;
}

ssize_t weft_conn_send_fd(weft_conn *conn, const void *data, size_t size, int fd)
{
    return send_fd_at(rt_here(), conn, data, size, fd, WEFT_NEVER);
}

ssize_t weft_conn_send_fd_until(weft_conn *conn, const void *data, size_t size, int fd,
                                int64_t deadline)
{
    return send_fd_at(rt_here(), conn, data, size, fd, deadline);
}

IN_LINE ssize_t recv_fd_at(uintptr_t pc, weft_conn *conn, void *data, size_t size, int *fd,
                           int64_t deadline)
{
    struct poll_desc *desc = &conn->desc;
    uint32_t seen;
    ssize_t n;

    *fd = -1;
    int error = begin_at(pc, desc, POLL_READ, deadline, &seen);
    if (error)
        return error;
    do
        n = sys_recv_fd(desc->fd, data, size, fd);
    while (n == -EAGAIN && (n = wait_at(pc, desc, POLL_READ, deadline, &seen)) == 0);
    end_at(pc, desc, POLL_READ);
    return n;
}

ssize_t weft_conn_recv_fd(weft_conn *conn, void *data, size_t size, int *fd)
{
    return recv_fd_at(rt_here(), conn, data, size, fd, WEFT_NEVER);
}

ssize_t weft_conn_recv_fd_until(weft_conn *conn, void *data, size_t size, int *fd, int64_t deadline)
{
    return recv_fd_at(rt_here(), conn, data, size, fd, deadline);
}
