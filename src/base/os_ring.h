/* SPDX-License-Identifier: MIT */
/*
 * Operations on files that the kernel carries out on its own, and reports when they are done:
 * Linux's io_uring, by system calls.
 *
 * One thread at a time may submit, and one may take what is done; these two may be different. Calls
 * return 0 or a negative errno value and never touch the caller's errno.
 */
#ifndef WEFT_BASE_OS_RING_H
#define WEFT_BASE_OS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum os_ring_kind { OS_RING_READ, OS_RING_WRITE } os_ring_kind;

typedef struct os_ring_op {
    os_ring_kind kind;
    int fd;
    void *data;
    size_t size;    /* at most OS_RING_SIZE_MAX */
    int64_t offset; /* -1: where the file stands */
    void *cookie;
} os_ring_op;

#define OS_RING_SIZE_MAX ((size_t)1 << 30)

typedef struct os_ring_done {
    void *cookie;
    int32_t result; /* as the system call's, or a negative errno value */
} os_ring_done;

typedef struct os_ring {
    int fd;
    int event; /* an eventfd, written to each time that something is done */
    void *map;
    size_t map_size;
    void *entries; /* struct io_uring_sqe [] */
    size_t entries_size;
    uint32_t *sq_head, *sq_tail, *sq_array, sq_mask;
    uint32_t *cq_head, *cq_tail, cq_mask;
    void *done;         /* struct io_uring_cqe [] */
    uint32_t in_flight; /* atomic: submitted and not taken */
} os_ring;

/* -ENOSYS, -EPERM: the kernel has none, or does not allow it; -ENOMEM, -EMFILE, … */
int os_ring_init(os_ring *ring);
void os_ring_fini(os_ring *ring);

/* -EAGAIN: as many are in flight as can be reported. What needs no wait may be carried out within
 * the call; it is reported like the rest. */
int os_ring_submit(os_ring *ring, const os_ring_op *op);

/* Takes at most max of what is done and returns how many. */
unsigned os_ring_take(os_ring *ring, os_ring_done *out, unsigned max);

/* Operations that wait (for a terminal, a pipe) are ended, and reported as -ECANCELED. */
void os_ring_cancel(const os_ring *ring);

/* Waits until something is done. */
void os_ring_wait(const os_ring *ring);

#endif
