/* SPDX-License-Identifier: MIT */
/*
 * include/weft/file.h. What the kernel has in memory is read at once; other reads, and writes
 * around its memory, go through a ring of the kernel's (file_ring.h); the rest, and all where there
 * is no ring, are system calls between weft_blocking_enter() and weft_blocking_exit(). The
 * goroutine may go on on another thread afterwards: errno is read before, in functions that are not
 * inlined (net_op.h).
 */
#define _GNU_SOURCE /* pipe2, O_DIRECT */
#include "weft/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sched/file_ring.h"
#include "sched/net_op.h"
#include "weft/runtime.h"

/* ---- System calls ---- */

SYS int sys_open(const char *path, int flags, unsigned mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* Linux has closed the descriptor, also when it says EINTR. */
SYS int sys_close(int fd)
{
    return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

SYS int sys_pipe(int fd[2])
{
    return pipe2(fd, O_NONBLOCK | O_CLOEXEC) == 0 ? 0 : -errno;
}

/* offset WHERE_IT_STANDS: that of the file. */
enum { WHERE_IT_STANDS = -1 };

/* Only what needs no wait; -EAGAIN and other errors: it is to be tried again in a way that may. */
SYS ssize_t sys_read_cached(const os_ring_op *op)
{
    struct iovec piece = {op->data, op->size};
    long n = syscall(SYS_preadv2, op->fd, &piece, 1L, op->offset, 0L, (long)RWF_NOWAIT);
    return n < 0 ? -errno : n;
}

/* Whether it goes around the kernel's memory for files (O_DIRECT). */
SYS bool sys_is_direct(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_DIRECT);
}

static ssize_t operate_once(const os_ring_op *op)
{
    bool stands = op->offset == WHERE_IT_STANDS;
    if (op->kind == OS_RING_READ)
        return stands ? read(op->fd, op->data, op->size)
                      : pread(op->fd, op->data, op->size, op->offset);
    return stands ? write(op->fd, op->data, op->size)
                  : pwrite(op->fd, op->data, op->size, op->offset);
}

SYS ssize_t sys_operate(const os_ring_op *op)
{
    ssize_t n;
    do
        n = operate_once(op);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

SYS int sys_sync(int fd)
{
    int result;
    do
        result = fsync(fd);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
}

/* ---- Files ---- */

/* The call, off the P; a function's body. */
#define BLOCKING(type, call)                                                                       \
    weft_blocking_enter();                                                                         \
    type result = (call);                                                                          \
    weft_blocking_exit();                                                                          \
    return result

/* Where the public function that expands it was called. */
#define CALLER __builtin_frame_address(0), rt_here()

IN_LINE ssize_t by_thread(const os_ring_op *op)
{
    BLOCKING(ssize_t, sys_operate(op));
}

/* By a ring, if there is one. Also outside goroutines. */
IN_LINE ssize_t by_ring(const void *frame, uintptr_t pc, os_ring_op *op)
{
    int32_t done;
    while (file_ring_do(frame, pc, op, &done))
        if (done != -EINTR)
            return done;
    return by_thread(op);
}

/*
 * What is in memory is copied here and now. With O_DIRECT nothing is, and RWF_NOWAIT does not keep
 * the kernel from waiting.
 */
IN_LINE ssize_t read_some(const void *frame, uintptr_t pc, int fd, void *data, size_t size,
                          int64_t offset)
{
    os_ring_op op = {OS_RING_READ, fd, data, size, offset, NULL};
    if (!weft_in_goroutine())
        return by_thread(&op);
    ssize_t had = sys_is_direct(fd) ? -EAGAIN : sys_read_cached(&op);
    if (had == 0 || had == (ssize_t)size)
        return had;
    if (had < 0)
        return by_ring(frame, pc, &op);
    op.data = (char *)data + had;
    op.size = size - (size_t)had;
    op.offset = offset == WHERE_IT_STANDS ? offset : offset + had;
    ssize_t rest = by_ring(frame, pc, &op);
    return rest > 0 ? had + rest : had;
}

/* Without O_DIRECT a ring would only pass it on to a thread of the kernel's (bench/files.c). */
IN_LINE ssize_t write_all(const void *frame, uintptr_t pc, int fd, const char *data, size_t size,
                          int64_t offset)
{
    os_ring_op op = {.kind = OS_RING_WRITE, .fd = fd};
    bool direct = sys_is_direct(fd);
    for (size_t done = 0; done < size;) {
        op.data = (void *)(uintptr_t)(data + done);
        op.size = size - done;
        op.offset = offset == WHERE_IT_STANDS ? offset : offset + (int64_t)done;
        ssize_t n = direct ? by_ring(frame, pc, &op) : by_thread(&op);
        if (n < 0)
            return n;
        done += (size_t)n;
    }
    return (ssize_t)size;
}

int weft_file_open(const char *path, int flags, unsigned mode)
{
    BLOCKING(int, sys_open(path, flags, mode));
}

int weft_file_close(int fd)
{
    BLOCKING(int, sys_close(fd));
}

ssize_t weft_file_read(int fd, void *data, size_t size)
{
    return read_some(CALLER, fd, data, size, WHERE_IT_STANDS);
}

ssize_t weft_file_pread(int fd, void *data, size_t size, int64_t offset)
{
    if (offset < 0)
        return -EINVAL;
    return read_some(CALLER, fd, data, size, offset);
}

ssize_t weft_file_write(int fd, const void *data, size_t size)
{
    return write_all(CALLER, fd, data, size, WHERE_IT_STANDS);
}

ssize_t weft_file_pwrite(int fd, const void *data, size_t size, int64_t offset)
{
    if (offset < 0)
        return -EINVAL;
    return write_all(CALLER, fd, data, size, offset);
}

int weft_file_sync(int fd)
{
    BLOCKING(int, sys_sync(fd));
}

/* ---- Pipes ---- */

int weft_pipe(weft_conn *out[2])
{
    struct poll_desc *reader, *writer;
    int fd[2];

    if (!weft_in_goroutine())
        return -EPERM;
    int error = sys_pipe(fd);
    if (error)
        return error;
    error = adopt(fd[0], POLL_PIPE, &reader);
    if (error) {
        net_close_fd(fd[1]);
        return error;
    }
    error = adopt(fd[1], POLL_PIPE, &writer);
    if (error) {
        close_desc(reader, "weft_pipe");
        return error;
    }
    out[0] = (weft_conn *)reader;
    out[1] = (weft_conn *)writer;
    return 0;
}
