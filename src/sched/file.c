/* SPDX-License-Identifier: MIT */
/*
 * include/weft/file.h: system calls between weft_blocking_enter() and weft_blocking_exit(). The
 * goroutine may go on on another thread afterwards: errno is read before, in functions that are not
 * inlined (net_op.h).
 */
#define _GNU_SOURCE /* pipe2 */
#include "weft/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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

SYS int sys_sync(int fd)
{
    int result;
    do
        result = fsync(fd);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
}

SYS int sys_pipe(int fd[2])
{
    return pipe2(fd, O_NONBLOCK | O_CLOEXEC) == 0 ? 0 : -errno;
}

/* offset WHERE_IT_STANDS: that of the file. */
enum { WHERE_IT_STANDS = -1 };

SYS ssize_t sys_read(int fd, void *data, size_t size, int64_t offset)
{
    ssize_t n;
    do
        n = offset == WHERE_IT_STANDS ? read(fd, data, size) : pread(fd, data, size, offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

SYS ssize_t sys_write(int fd, const void *data, size_t size, int64_t offset)
{
    ssize_t n;
    do
        n = offset == WHERE_IT_STANDS ? write(fd, data, size) : pwrite(fd, data, size, offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t write_all(int fd, const char *data, size_t size, int64_t offset)
{
    for (size_t done = 0; done < size;) {
        int64_t at = offset == WHERE_IT_STANDS ? offset : offset + (int64_t)done;
        ssize_t n = sys_write(fd, data + done, size - done, at);
        if (n < 0)
            return n;
        done += (size_t)n;
    }
    return (ssize_t)size;
}

/* ---- Files ---- */

/* The call, off the P; a function's body. */
#define BLOCKING(type, call)                                                                       \
    weft_blocking_enter();                                                                         \
    type result = (call);                                                                          \
    weft_blocking_exit();                                                                          \
    return result

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
    BLOCKING(ssize_t, sys_read(fd, data, size, WHERE_IT_STANDS));
}

ssize_t weft_file_pread(int fd, void *data, size_t size, int64_t offset)
{
    if (offset < 0)
        return -EINVAL;
    BLOCKING(ssize_t, sys_read(fd, data, size, offset));
}

ssize_t weft_file_write(int fd, const void *data, size_t size)
{
    BLOCKING(ssize_t, write_all(fd, data, size, WHERE_IT_STANDS));
}

ssize_t weft_file_pwrite(int fd, const void *data, size_t size, int64_t offset)
{
    if (offset < 0)
        return -EINVAL;
    BLOCKING(ssize_t, write_all(fd, data, size, offset));
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
