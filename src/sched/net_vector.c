/* SPDX-License-Identifier: MIT */
/* Several pieces at once, and files: the third part of include/weft/socket.h. */
#define _GNU_SOURCE
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "sched/net_op.h"
#include "sched/sigpipe.h"
#include "weft/socket.h"

/* ---- System calls ---- */

SYS ssize_t sys_readv(int fd, const struct iovec *pieces, int count)
{
    ssize_t n;
    do
        n = readv(fd, pieces, count);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

SYS ssize_t sys_send_pieces(int fd, struct iovec *pieces, size_t count)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
    ssize_t n;
    do
        n = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Older kernels raise SIGPIPE. */
SYS ssize_t sys_sendfile(int fd, int file, off_t *offset, size_t size)
{
    struct sigpipe_hold hold;
    ssize_t n;

    sigpipe_block(&hold);
    do
        n = sendfile(fd, file, offset, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        n = -errno;
    sigpipe_unblock(&hold, n);
    return n;
}

/* ---- Where a gathered write is ---- */

enum { MAX_WINDOW = 64 };

struct cursor {
    const struct iovec *piece, *end;
    size_t offset; /* in *piece */
};

static void cursor_advance(struct cursor *at, size_t n)
{
    while (at->piece < at->end && n >= at->piece->iov_len - at->offset) {
        n -= at->piece->iov_len - at->offset;
        at->piece++;
        at->offset = 0;
    }
    at->offset += n;
}

/* The next pieces that are not empty. How many. */
static size_t cursor_window(struct cursor at, struct iovec window[MAX_WINDOW])
{
    size_t count = 0;
    for (; at.piece < at.end && count < MAX_WINDOW; at.piece++, at.offset = 0)
        if (at.piece->iov_len > at.offset)
            window[count++] = (struct iovec){(char *)at.piece->iov_base + at.offset,
                                             at.piece->iov_len - at.offset};
    return count;
}

/* A pipe takes one piece after the other: see net_write(). */
static ssize_t write_window(const struct poll_desc *desc, struct iovec *window, size_t count)
{
    if (desc->kind != POLL_PIPE)
        return sys_send_pieces(desc->fd, window, count);
    return net_write(desc, window[0].iov_base, window[0].iov_len);
}

/* ---- Operations ---- */

IN_LINE ssize_t readv_at(uintptr_t pc, weft_conn *conn, const struct iovec *pieces, int count,
                         int64_t deadline)
{
    struct poll_desc *desc = &conn->desc;
    uint32_t seen;
    ssize_t n;

    int error = begin_at(pc, desc, POLL_READ, deadline, &seen);
    if (error)
        return error;
    do
        n = sys_readv(desc->fd, pieces, count);
    while (n == -EAGAIN && (n = wait_at(pc, desc, POLL_READ, deadline, &seen)) == 0);
    end_at(pc, desc, POLL_READ);
    return n;
}

ssize_t weft_conn_readv(weft_conn *conn, const struct iovec *pieces, int count)
{
    return readv_at(rt_here(), conn, pieces, count, WEFT_NEVER);
}

ssize_t weft_conn_readv_until(weft_conn *conn, const struct iovec *pieces, int count,
                              int64_t deadline)
{
    return readv_at(rt_here(), conn, pieces, count, deadline);
}

IN_LINE ssize_t writev_at(uintptr_t pc, weft_conn *conn, const struct iovec *pieces, int count,
                          int64_t deadline)
{
    struct poll_desc *desc = &conn->desc;
    struct iovec window[MAX_WINDOW];
    struct cursor at = {pieces, pieces + count, 0};
    ssize_t total = 0;
    size_t there;
    uint32_t seen;

    if (count < 0)
        return -EINVAL;
    int error = begin_at(pc, desc, POLL_WRITE, deadline, &seen);
    if (error)
        return error;
    while (!error && (there = cursor_window(at, window)) > 0) {
        ssize_t n = write_window(desc, window, there);
        if (n >= 0) {
            cursor_advance(&at, (size_t)n);
            total += n;
        } else {
            error = n == -EAGAIN ? wait_at(pc, desc, POLL_WRITE, deadline, &seen) : (int)n;
        }
    }
    end_at(pc, desc, POLL_WRITE);
    return error ? error : total;
}

ssize_t weft_conn_writev(weft_conn *conn, const struct iovec *pieces, int count)
{
    return writev_at(rt_here(), conn, pieces, count, WEFT_NEVER);
}

ssize_t weft_conn_writev_until(weft_conn *conn, const struct iovec *pieces, int count,
                               int64_t deadline)
{
    return writev_at(rt_here(), conn, pieces, count, deadline);
}

IN_LINE int64_t sendfile_at(uintptr_t pc, weft_conn *conn, int file, int64_t offset, size_t size,
                            int64_t deadline)
{
    struct poll_desc *desc = &conn->desc;
    off_t at = offset;
    size_t left = size;
    uint32_t seen;

    int error = begin_at(pc, desc, POLL_WRITE, deadline, &seen);
    if (error)
        return error;
    while (left > 0 && !error) {
        ssize_t n = sys_sendfile(desc->fd, file, &at, left);
        if (n == 0)
            break; /* the end of the file */
        if (n > 0)
            left -= (size_t)n;
        else
            error = n == -EAGAIN ? wait_at(pc, desc, POLL_WRITE, deadline, &seen) : (int)n;
    }
    end_at(pc, desc, POLL_WRITE);
    return error ? error : (int64_t)(size - left);
}

int64_t weft_conn_sendfile(weft_conn *conn, int file, int64_t offset, size_t size)
{
    return sendfile_at(rt_here(), conn, file, offset, size, WEFT_NEVER);
}

int64_t weft_conn_sendfile_until(weft_conn *conn, int file, int64_t offset, size_t size,
                                 int64_t deadline)
{
    return sendfile_at(rt_here(), conn, file, offset, size, deadline);
}
