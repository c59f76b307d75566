/* SPDX-License-Identifier: MIT */
/*
 * io_uring, as described in the manual page io_uring(7): two rings of indices shared with the
 * kernel, entries beside them. What can be in flight is bounded by the ring of what is done, so
 * that this never overflows.
 */
#define _GNU_SOURCE
#include "base/os_ring.h"

#include "base/atomic.h"
#include "base/fatal.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRIES = 16, DONE_ENTRIES = 1024 };

/* What weft needs: reads where the file stands, nothing lost, one mapping. */
#define FEATURES (IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS)

static int ring_enter(int fd, unsigned submit, unsigned wait)
{
    int saved = errno;
    long rc = syscall(SYS_io_uring_enter, fd, submit, wait, wait ? IORING_ENTER_GETEVENTS : 0u,
                      NULL, (size_t)0);
    int result = rc < 0 ? -errno : (int)rc;
    errno = saved;
    return result;
}

static void *map_ring(const os_ring *ring, size_t size, uint64_t offset)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
                    (off_t)offset);
    return at == MAP_FAILED ? NULL : at;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static uint32_t *word(const os_ring *ring, uint32_t offset)
{
    return (uint32_t *)(void *)((char *)ring->map + offset);
}

/* 0 or -errno. */
static int map_all(os_ring *ring, const struct io_uring_params *p)
{
    ring->map_size = larger(p->sq_off.array + p->sq_entries * sizeof(uint32_t),
                            p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe));
    ring->entries_size = p->sq_entries * sizeof(struct io_uring_sqe);
    ring->map = map_ring(ring, ring->map_size, IORING_OFF_SQ_RING);
    ring->entries = map_ring(ring, ring->entries_size, IORING_OFF_SQES);
    if (!ring->map || !ring->entries)
        return -ENOMEM;
    ring->sq_head = word(ring, p->sq_off.head);
    ring->sq_tail = word(ring, p->sq_off.tail);
    ring->sq_array = word(ring, p->sq_off.array);
    ring->sq_mask = *word(ring, p->sq_off.ring_mask);
    ring->cq_head = word(ring, p->cq_off.head);
    ring->cq_tail = word(ring, p->cq_off.tail);
    ring->cq_mask = *word(ring, p->cq_off.ring_mask);
    ring->done = (char *)ring->map + p->cq_off.cqes;
    return 0;
}

/* All of them, or what is left of them after a second. 0 or -errno. */
static int cancel_all(const os_ring *ring)
{
    struct io_uring_sync_cancel_reg all = {.fd = -1,
                                           .flags =
                                               IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
                                           .timeout = {.tv_sec = 1}};
    if (syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_SYNC_CANCEL, &all, 1) == 0)
        return 0;
    return errno == ENOENT || errno == ETIME ? 0 : -errno;
}

static int set_up(os_ring *ring)
{
    struct io_uring_params p = {.flags = IORING_SETUP_CQSIZE, .cq_entries = DONE_ENTRIES};
    ring->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p); /* close-on-exec */
    if (ring->fd < 0)
        return -errno;
    if ((p.features & FEATURES) != FEATURES)
        return -ENOSYS;
    ring->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ring->event < 0)
        return -errno;
    if (syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_EVENTFD, &ring->event, 1) != 0)
        return -errno;
    int error = cancel_all(ring); /* a kernel that cannot would hold up the end */
    return error ? error : map_all(ring, &p);
}

int os_ring_init(os_ring *ring)
{
    int saved = errno;
    *ring = (os_ring){.fd = -1, .event = -1};
    int error = set_up(ring);
    if (error)
        os_ring_fini(ring);
    errno = saved;
    return error;
}

void os_ring_fini(os_ring *ring)
{
    int saved = errno;
    if (ring->entries)
        munmap(ring->entries, ring->entries_size);
    if (ring->map)
        munmap(ring->map, ring->map_size);
    if (ring->fd >= 0)
        close(ring->fd);
    if (ring->event >= 0)
        close(ring->event);
    *ring = (os_ring){.fd = -1, .event = -1};
    errno = saved;
}

static struct io_uring_sqe entry_of(const os_ring_op *op)
{
    return (struct io_uring_sqe){
        .opcode = op->kind == OS_RING_READ ? IORING_OP_READ : IORING_OP_WRITE,
        .fd = op->fd,
        .addr = (uint64_t)(uintptr_t)op->data,
        .len = (uint32_t)op->size,
        .off = (uint64_t)op->offset,
        .user_data = (uint64_t)(uintptr_t)op->cookie,
    };
}

/* The entry that was not taken is withdrawn: the kernel reads the ring within the call only. */
static int submit_one(os_ring *ring, uint32_t tail)
{
    int rc;
    do
        rc = ring_enter(ring->fd, 1, 0);
    while (rc == -EINTR);
    if (rc == 1)
        return 0;
    atomic_store_release(ring->sq_tail, tail); /* as below */
    return rc < 0 ? rc : -EAGAIN;
}

int os_ring_submit(os_ring *ring, const os_ring_op *op)
{
    uint32_t tail = *ring->sq_tail, index = tail & ring->sq_mask;
    /* Pairs with os_ring_take(): what the cookie points to. The kernel orders it as well, unseen by
     * ThreadSanitizer. */
    if (atomic_add_acqrel(&ring->in_flight, 1) >= DONE_ENTRIES) {
        atomic_sub_relaxed(&ring->in_flight, 1);
        return -EAGAIN;
    }
    ((struct io_uring_sqe *)ring->entries)[index] = entry_of(op);
    ring->sq_array[index] = index;
    atomic_store_release(ring->sq_tail, tail + 1); /* pairs with the kernel's load */
    int error = submit_one(ring, tail);
    if (error)
        atomic_sub_relaxed(&ring->in_flight, 1);
    return error;
}

unsigned os_ring_take(os_ring *ring, os_ring_done *out, unsigned max)
{
    uint32_t head = *ring->cq_head, tail = atomic_load_acquire(ring->cq_tail); /* the kernel's */
    unsigned n = 0;
    for (; head != tail && n < max; head++, n++) {
        const struct io_uring_cqe *done =
            (struct io_uring_cqe *)ring->done + (head & ring->cq_mask);
        out[n] = (os_ring_done){(void *)(uintptr_t)done->user_data, done->res};
    }
    atomic_store_release(ring->cq_head, head); /* pairs with the kernel's load */
    atomic_sub_acqrel(&ring->in_flight, n);    /* pairs with os_ring_submit() */
    return n;
}

void os_ring_cancel(const os_ring *ring)
{
    int saved = errno;
    (void)cancel_all(ring);
    errno = saved;
}

void os_ring_wait(const os_ring *ring)
{
    int rc = ring_enter(ring->fd, 0, 1);
    invariant(rc >= 0 || rc == -EINTR, "io_uring_enter: error %d", -rc);
}
