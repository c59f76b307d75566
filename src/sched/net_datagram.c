/* SPDX-License-Identifier: MIT */
/* Datagram sockets: the second part of include/weft/socket.h. */
#define _GNU_SOURCE
#include <sys/socket.h>

#include "sched/net_address.h"
#include "sched/net_op.h"
#include "sched/net_open.h"

/* ---- System calls ---- */

SYS ssize_t sys_sendto(int fd, const void *data, size_t size, const weft_peer *to)
{
    ssize_t n;
    do
        n = sendto(fd, data, size, MSG_NOSIGNAL, peer_sockaddr(to), to->size);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

SYS ssize_t sys_recvfrom(int fd, void *data, size_t size, weft_peer *from)
{
    socklen_t length;
    ssize_t n;
    do {
        length = sizeof from->words;
        n = recvfrom(fd, data, size, 0, (struct sockaddr *)(void *)from->words, &length);
    } while (n < 0 && errno == EINTR);
    from->size = length;
    return n < 0 ? -errno : n;
}

/* ---- Sockets ---- */

IN_LINE int open_at(uintptr_t pc, const weft_peer *peer, net_name_fn *name_it, weft_conn **out)
{
    struct poll_desc *desc;

    if (!weft_in_goroutine())
        return -EPERM;
    int fd = net_open(SOCK_DGRAM, peer, name_it);
    if (fd < 0)
        return fd;
    int error = adopt_at(pc, fd, POLL_SOCKET, &desc);
    if (!error)
        *out = (weft_conn *)desc;
    return error;
}

int weft_udp_bind(const char *address, weft_conn **out)
{
    weft_peer peer;
    int error = weft_peer_from_address(address, &peer);
    return error ? error : open_at(rt_here(), &peer, bind, out);
}

int weft_udp_connect(const char *address, weft_conn **out)
{
    weft_peer peer;
    int error = weft_peer_from_address(address, &peer);
    return error ? error : open_at(rt_here(), &peer, connect, out);
}

int weft_unix_datagram_bind(const char *path, weft_conn **out)
{
    weft_peer peer;
    int error = weft_peer_from_path(path, &peer);
    return error ? error : open_at(rt_here(), &peer, bind, out);
}

int weft_unix_datagram_connect(const char *path, weft_conn **out)
{
    weft_peer peer;
    int error = weft_peer_from_path(path, &peer);
    return error ? error : open_at(rt_here(), &peer, connect, out);
}

int weft_conn_port(const weft_conn *conn)
{
    return net_address_port_of(conn->desc.fd);
}

/* ---- Datagrams ---- */

IN_LINE ssize_t sendto_at(uintptr_t pc, weft_conn *conn, const void *data, size_t size,
                          const weft_peer *to, int64_t deadline)
{
    struct poll_desc *desc = &conn->desc;
    uint32_t seen;
    ssize_t n;

    int error = begin_at(pc, desc, POLL_WRITE, deadline, &seen);
    if (error)
        return error;
    do
        n = sys_sendto(desc->fd, data, size, to);
    while (n == -EAGAIN && (n = wait_at(pc, desc, POLL_WRITE, deadline, &seen)) == 0);
    end_at(pc, desc, POLL_WRITE);
    return n;
}

ssize_t weft_conn_sendto(weft_conn *conn, const void *data, size_t size, const weft_peer *to)
{
    return sendto_at(rt_here(), conn, data, size, to, WEFT_NEVER);
}

ssize_t weft_conn_sendto_until(weft_conn *conn, const void *data, size_t size, const weft_peer *to,
                               int64_t deadline)
{
    return sendto_at(rt_here(), conn, data, size, to, deadline);
}

IN_LINE ssize_t recvfrom_at(uintptr_t pc, weft_conn *conn, void *data, size_t size, weft_peer *from,
                            int64_t deadline)
{
    struct poll_desc *desc = &conn->desc;
    weft_peer unused;
    uint32_t seen;
    ssize_t n;

    int error = begin_at(pc, desc, POLL_READ, deadline, &seen);
    if (error)
        return error;
    do
        n = sys_recvfrom(desc->fd, data, size, from ? from : &unused);
    while (n == -EAGAIN && (n = wait_at(pc, desc, POLL_READ, deadline, &seen)) == 0);
    end_at(pc, desc, POLL_READ);
    return n;
}

ssize_t weft_conn_recvfrom(weft_conn *conn, void *data, size_t size, weft_peer *from)
{
    return recvfrom_at(rt_here(), conn, data, size, from, WEFT_NEVER);
}

ssize_t weft_conn_recvfrom_until(weft_conn *conn, void *data, size_t size, weft_peer *from,
                                 int64_t deadline)
{
    return recvfrom_at(rt_here(), conn, data, size, from, deadline);
}
