/* SPDX-License-Identifier: MIT */
/*
 * Regular files, and pipes.
 *
 * The kernel has no readiness for files. What it has in memory is read at once. Otherwise a
 * goroutine gives its P to others meanwhile: reads, and writes with O_DIRECT, wait for io_uring
 * ("network" in traces) where the kernel allows it; all else occupies a thread until the disk has
 * answered ("syscall"). WEFT_FILES=threads in the environment does without io_uring; with
 * WEFT_FILES=uring weft_run() fails where it is not to be had. With virtual time there is none.
 *
 * Files are plain descriptors, for fstat, mmap, weft_conn_sendfile and the like; they are
 * close-on-exec.
 *
 * Any thread may call what concerns files. Neither deadlines nor contexts end these calls: a
 * context ends waits, not operations (weft/context.h), and the kernel cannot take back what it has
 * begun. Signals do not end them either. The functions return what open(2), read(2) and so on say,
 * as negative errno values.
 */
#ifndef WEFT_FILE_H
#define WEFT_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <weft/config.h>
#include <weft/net.h>

WEFT_BEGIN_DECLS

/* flags: O_RDONLY, O_CREAT, … of <fcntl.h>; mode: permissions of a file that is made. The
 * descriptor or a negative errno value. */
WEFT_API int weft_file_open(const char *path, int flags, unsigned mode);

/* Closes it in any case. 0, or an error of what was written before (-EIO, -ENOSPC, …). */
WEFT_API int weft_file_close(int fd);

/* At most size bytes, from where the file stands, or from offset. The number read, 0 at the end. */
WEFT_API ssize_t weft_file_read(int fd, void *data, size_t size);
WEFT_API ssize_t weft_file_pread(int fd, void *data, size_t size, int64_t offset);

/* Writes everything, where the file stands, or at offset. size, or a negative errno value: how much
 * was written before is not known then. Other writers' data may come in between. */
WEFT_API ssize_t weft_file_write(int fd, const void *data, size_t size);
WEFT_API ssize_t weft_file_pwrite(int fd, const void *data, size_t size, int64_t offset);

/* Waits until the file's contents and what is needed to find them are on the disk. */
WEFT_API int weft_file_sync(int fd);

/* A pipe as two connections of weft/net.h, whose waits are "network" in traces: what is written to
 * out[1] is read from out[0]. Goroutines only. 0, -EMFILE, … */
WEFT_API int weft_pipe(weft_conn *out[2]);

WEFT_END_DECLS

#endif
