/* SPDX-License-Identifier: MIT */
/*
 * Design. Some rings, so that goroutines which submit at the same time do not wait for each other;
 * each is made when it is first used. A goroutine submits outside the runtime, as the call may copy
 * what is in memory already; takes what is done by then, which may be its own; else it parks. What
 * is done later is reported by an eventfd, on which a goroutine of the runtime waits in the poller;
 * it takes what is done and wakes those who wait for it.
 *
 * Invariants
 *   F1. An operation is marked as done under ring->done_lock, with which its goroutine parks: it
 *       either sees the mark or is woken.
 *   F2. The lock for submission is only tried, outside the runtime, and nobody calls weft while
 *       holding it. Who finds all of them held uses a thread. Only the end of the runtime waits for
 *       it: a thread that is out in a submission then leaves it first.
 *   F3. Memory of an operation in flight belongs to the kernel. The runtime does not end before
 * they are done.
 *
 * Rejected
 *   An eventfd that tells only of what is not done within its submission (EVENTFD_ASYNC): it does
 *   not tell of what the kernel completes on the submitter's thread later, and goroutines slept.
 *   Reads from memory and buffered writes by rings: file.c is faster without (bench/files.c).
 *
 * Corners
 *   Virtual time stands still during blocking calls, but not while goroutines are parked: no rings.
 *   Under valgrind, which does not see what the kernel writes later, neither.
 *   Attached threads do without: their stacks are not the runtime's to keep.
 */
#include "sched/file_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sched/environment.h"
#include "sched/net_op.h"
#include "sched/schedule.h"
#include "sched/trace_hooks.h"
#ifdef WEFT_WITH_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

enum { RINGS = 4, TAKE = 32 };

struct ring {
    base_lock done; /* rank FILE_RING; F1 */
    os_ring os;     /* submission: the slot's lock; what is done: lock done */
    struct poll_desc *event;
};

/* On the stack of who waits. */
struct operation {
    struct g *waiter; /* lock: the ring's done */
    bool done;        /* lock: the ring's done */
    int32_t result;
};

enum slot_state { EMPTY, BUSY, OPEN };

struct slot {
    base_lock lock;    /* rank FILE_SLOT; F2 */
    uint32_t state;    /* atomic: enum slot_state; OPEN is written under lock */
    struct ring *ring; /* lock: lock */
};

static struct {
    uint32_t allowed; /* atomic: cleared when the kernel refuses */
    uint32_t run;     /* atomic: counts starts and ends of the runtime */
    uint32_t next;    /* atomic: where the next one looks first */
    struct slot slots[RINGS];
} files = {.slots = {[0 ... RINGS - 1] = {.lock = BASE_LOCK_INIT(FILE_SLOT)}}};

/* ---- What is done ---- */

/* ring->done is held. */
static void take_done(struct ring *ring, struct g_list *ready)
{
    os_ring_done done[TAKE];
    unsigned n;
    while ((n = os_ring_take(&ring->os, done, TAKE)) > 0)
        for (unsigned i = 0; i < n; i++) {
            struct operation *op = done[i].cookie;
            op->result = done[i].result;
            op->done = true;
            if (op->waiter)
                g_list_push(ready, op->waiter);
        }
}

static void take_and_wake(struct ring *ring)
{
    struct g_list ready = {0};
    struct m *m = rt_enter();
    lock_acquire(&ring->done);
    take_done(ring, &ready);
    lock_release(&ring->done);
    sched_ready_list(m, &ready);
    rt_exit(m);
}

/* A goroutine of the runtime. The eventfd gives edges; it is never read. */
static void serve(void *arg)
{
    struct ring *ring = arg;
    uintptr_t here = rt_here();
    uint32_t seen;
    if (begin_at(here, ring->event, POLL_READ, WEFT_NEVER, &seen) != 0)
        return;
    do
        take_and_wake(ring);
    while (wait_at(here, ring->event, POLL_READ, WEFT_NEVER, &seen) == 0);
    end_at(here, ring->event, POLL_READ);
}

/* ---- Rings ---- */

static void ring_free(struct ring *ring)
{
    os_ring_fini(&ring->os);
    free(ring);
}

/* ring->event and its goroutine. On errors the descriptor is closed. */
static int attend(struct ring *ring)
{
    int fd = ring->os.event;
    int error = adopt(fd, POLL_PIPE, &ring->event);
    if (error) {
        ring->os.event = -1;
        return error;
    }
    struct m *m = rt_enter();
    error = sched_spawn(m, sched.stack_size, serve, ring, true);
    rt_exit(m);
    if (error) {
        close_desc(ring->event, "file_ring");
        ring->os.event = -1;
    }
    return error;
}

static struct ring *ring_new(void)
{
    struct ring *ring = calloc(1, sizeof *ring);
    if (!ring)
        return NULL;
    lock_init(&ring->done, BASE_RANK_FILE_RING);
    if (os_ring_init(&ring->os) != 0) {
        free(ring);
        return NULL;
    }
    if (attend(ring) == 0)
        return ring;
    ring_free(ring);
    return NULL;
}

/* Not if the runtime has ended meanwhile: its ring is of no use to the next one. */
static void publish(struct slot *slot, struct ring *ring, uint32_t run)
{
    lock_acquire(&slot->lock);
    if (atomic_load_relaxed(&files.run) == run) {
        slot->ring = ring;
        atomic_store_release(&slot->state, OPEN); /* pairs with take_slot() */
    }
    lock_release(&slot->lock);
}

/* Who comes first opens it; others do without it meanwhile. */
static void slot_open(struct slot *slot)
{
    uint32_t empty = EMPTY, run = atomic_load_relaxed(&files.run);
    if (!atomic_cas_acqrel(&slot->state, &empty, BUSY))
        return;
    struct ring *ring = ring_new();
    if (ring)
        publish(slot, ring, run);
    else
        atomic_store_relaxed(&files.allowed, 0); /* it will not be better next time */
}

static bool is_open(const struct slot *slot)
{
    return atomic_load_acquire(&slot->state) == OPEN; /* pairs with publish() */
}

/* An open one whose lock is held now, or NULL (F2). */
static struct slot *take_slot(void)
{
    uint32_t first = atomic_add_relaxed(&files.next, 1);
    for (uint32_t i = 0; i < RINGS; i++) {
        struct slot *slot = &files.slots[(first + i) % RINGS];
        if (!is_open(slot))
            slot_open(slot);
        if (!is_open(slot) || !lock_try(&slot->lock))
            continue;
        if (is_open(slot)) /* file_ring_stop() has not come first */
            return slot;
        lock_release(&slot->lock);
    }
    return NULL;
}

/* ---- Operations ---- */

/* Wakes whom we found; the lock is released meanwhile. */
static void wake_found(struct m *m, struct ring *ring, struct g_list *ready)
{
    if (!ready->count)
        return;
    lock_release(&ring->done);
    sched_ready_list(m, ready);
    lock_acquire(&ring->done);
}

static void await_done(const void *frame, uintptr_t pc, struct ring *ring, struct operation *own,
                       const os_ring_op *op)
{
    struct g_list ready = {0};
    struct m *m = rt_enter_from(frame, pc);
    lock_acquire(&ring->done);
    take_done(ring, &ready);
    wake_found(m, ring, &ready);
    if (!own->done) { /* F1 */
        own->waiter = m->g;
        hook_wait_fd(m, op->fd, op->kind != OS_RING_READ);
        m = sched_park(m, &ring->done, WEFT_TRACE_BLOCK_NETWORK);
    } else {
        lock_release(&ring->done);
    }
    rt_exit(m);
}

/* On a stack of its own: what is in flight when the runtime ends keeps that, and no other. */
static bool is_on_own_stack(void)
{
    struct m *m = m_self();
    return m && m->g && m->g->stack_low;
}

bool file_ring_do(const void *frame, uintptr_t pc, os_ring_op *op, int32_t *result)
{
    struct operation own = {0};
    if (!atomic_load_relaxed(&files.allowed) || !is_on_own_stack())
        return false;
    struct slot *slot = take_slot();
    if (!slot)
        return false;
    struct ring *ring = slot->ring;
    op->cookie = &own;
    if (op->size > OS_RING_SIZE_MAX)
        op->size = OS_RING_SIZE_MAX;
    int error = os_ring_submit(&ring->os, op);
    lock_release(&slot->lock);
    if (error)
        return false;
    await_done(frame, pc, ring, &own, op);
    *result = own.result;
    return true;
}

/* ---- With the runtime ---- */

int file_ring_start(void)
{
    const char *how = environment_text("WEFT_FILES");
    bool forced = how && strcmp(how, "uring") == 0;
    os_ring trial;
    if (how && !forced && strcmp(how, "threads") != 0) {
        base_warn("WEFT_FILES=%s: not threads or uring", how);
        return -EINVAL;
    }
    files.next = 0;
    files.allowed = !how || forced;
    if (atomic_load_relaxed(&sched.virtual_time) || RUNNING_ON_VALGRIND)
        files.allowed = 0;
    int error = forced ? os_ring_init(&trial) : 0;
    if (error)
        base_warn("WEFT_FILES=uring: the kernel refuses: %s", strerror(-error));
    else if (forced)
        os_ring_fini(&trial);
    return error;
}

static void drain(struct ring *ring)
{
    struct g_list nobody = {0};
    os_ring_cancel(&ring->os);
    for (;;) {
        lock_acquire(&ring->done);
        take_done(ring, &nobody);
        lock_release(&ring->done);
        if (atomic_load_relaxed(&ring->os.in_flight) == 0)
            return;
        os_ring_wait(&ring->os);
    }
}

/* A thread that is still out may be about to submit, with the lock of the slot. */
static void slot_close(struct slot *slot)
{
    lock_acquire(&slot->lock);
    if (is_open(slot)) {
        drain(slot->ring); /* F3 */
        ring_free(slot->ring);
    }
    slot->ring = NULL;
    atomic_store_relaxed(&slot->state, EMPTY);
    lock_release(&slot->lock);
}

void file_ring_stop(void)
{
    atomic_store_relaxed(&files.allowed, 0);
    atomic_add_relaxed(&files.run, 1);
    for (int i = 0; i < RINGS; i++)
        slot_close(&files.slots[i]);
}
