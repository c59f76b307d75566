/* SPDX-License-Identifier: MIT */
/* Options of TCP sockets: the last part of include/weft/socket.h. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "sched/net_op.h"
#include "weft/socket.h"

SYS int sys_set_option(int fd, int level, int option, const void *value, socklen_t size)
{
    return setsockopt(fd, level, option, value, size) == 0 ? 0 : -errno;
}

/* Unix sockets and UDP have SO_LINGER and SO_KEEPALIVE, too, without effect. */
SYS int sys_require_tcp(int fd)
{
    int protocol;
    socklen_t size = sizeof protocol;
    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0)
        return errno == ENOTSOCK ? -EOPNOTSUPP : -errno;
    return protocol == IPPROTO_TCP ? 0 : -EOPNOTSUPP;
}

static int set_number(int fd, int level, int option, int value)
{
    return sys_set_option(fd, level, option, &value, sizeof value);
}

int weft_conn_set_nodelay(weft_conn *conn, bool on)
{
    int fd = conn->desc.fd;
    int error = sys_require_tcp(fd);
    return error ? error : set_number(fd, IPPROTO_TCP, TCP_NODELAY, on);
}

int weft_conn_set_keepalive(weft_conn *conn, int idle, int interval, int count)
{
    int fd = conn->desc.fd;
    int error = sys_require_tcp(fd);
    if (!error && idle > 0) {
        error = set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle);
        if (!error)
            error = set_number(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval);
        if (!error)
            error = set_number(fd, IPPROTO_TCP, TCP_KEEPCNT, count);
    }
    return error ? error : set_number(fd, SOL_SOCKET, SO_KEEPALIVE, idle > 0);
}

int weft_conn_set_linger(weft_conn *conn, int seconds)
{
    struct linger linger = {.l_onoff = seconds == 0};
    if (seconds > 0)
        return -EINVAL;
    int error = sys_require_tcp(conn->desc.fd);
    return error ? error
                 : sys_set_option(conn->desc.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}
