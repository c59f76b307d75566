/* SPDX-License-Identifier: MIT */
/*
 * The records of descriptors: the pool, and the life of one from poll_open() to its last operation.
 * Design and invariants are in netpoll.h.
 *
 * The pool is an array of chunks that grows and never shrinks, not even with the end of the
 * runtime: a goroutine that was outside then, computing, may still come with a connection in its
 * hand.
 */
#include "sched/netpoll.h"

#include <errno.h>

#include "base/pages.h"

enum {
    CHUNK_SIZE = 64 * 1024,
    CHUNK_DESCS = CHUNK_SIZE / sizeof(struct poll_desc),
    MAX_CHUNKS = 32768
};

static struct {
    base_lock lock;                       /* rank POLL */
    struct poll_desc *free;               /* lock: lock */
    uint32_t made;                        /* lock: lock */
    struct poll_desc *chunks[MAX_CHUNKS]; /* atomic; NULL: not made yet */
} pool = {.lock = BASE_LOCK_INIT(POLL)};

static struct poll_desc *desc_at(uint32_t index)
{
    /* Acquire: pairs with pool_grow(). */
    return atomic_load_acquire(&pool.chunks[index / CHUNK_DESCS]) + index % CHUNK_DESCS;
}

/* pool.lock is held. */
static int pool_grow(void)
{
    if (pool.made / CHUNK_DESCS == MAX_CHUNKS)
        return -ENOMEM;
    struct poll_desc *chunk = torture_refuse("pool_grow") ? NULL : base_pages_alloc(CHUNK_SIZE);
    if (!chunk)
        return -ENOMEM;
    for (unsigned i = CHUNK_DESCS; i-- > 0;) {
        lock_init(&chunk[i].lock, BASE_RANK_POLL_DESC);
        chunk[i].index = pool.made + i;
        chunk[i].closing = true;
        chunk[i].side[POLL_WRITE].mode = POLL_WRITE;
        chunk[i].next_free = pool.free;
        pool.free = &chunk[i];
    }
    atomic_store_release(&pool.chunks[pool.made / CHUNK_DESCS], chunk); /* pairs with desc_at() */
    pool.made += CHUNK_DESCS;
    return 0;
}

static struct poll_desc *pool_get(void)
{
    struct poll_desc *desc = NULL;
    lock_acquire(&pool.lock);
    if (pool.free || pool_grow() == 0) {
        desc = pool.free;
        pool.free = desc->next_free;
    }
    lock_release(&pool.lock);
    return desc;
}

static void pool_put(struct poll_desc *desc)
{
    lock_acquire(&pool.lock);
    desc->next_free = pool.free;
    pool.free = desc;
    lock_release(&pool.lock);
}

static void side_init(struct poll_side *side)
{
    side->busy = side->empty = side->marked = false;
    side->deadline = WEFT_NEVER;
    side->timer.due = poll_timer_due;
    side->timer.run = poll_timer_run;
}

/* Of this use of the record; lock held. */
static uint64_t cookie_of(const struct poll_desc *desc)
{
    return (uint64_t)desc->index << 32 | desc->sequence;
}

struct poll_desc *poll_desc_lock_event(uint64_t cookie)
{
    struct poll_desc *desc = desc_at((uint32_t)(cookie >> 32));
    torture_point("poll_desc_lock_event");
    lock_acquire(&desc->lock);
    if (desc->sequence == (uint32_t)cookie)
        return desc;
    lock_release(&desc->lock);
    return NULL;
}

/* Makes the record useless for events and operations, then available. Nobody uses it. */
static void recycle(struct poll_desc *desc)
{
    lock_acquire(&desc->lock);
    desc->closing = true;
    desc->sequence++;
    for (int mode = 0; mode < POLL_MODES; mode++)
        poll_side_disarm(&desc->side[mode]);
    lock_release(&desc->lock);
    pool_put(desc);
}

int poll_open(int fd, enum poll_kind kind, struct poll_desc **out)
{
    struct poll_desc *desc = pool_get();
    if (!desc)
        return -ENOMEM;
    lock_acquire(&desc->lock);
    desc->fd = fd;
    desc->kind = (uint8_t)kind;
    desc->run = netpoll_run();
    desc->users = 0;
    desc->closing = false;
    for (int mode = 0; mode < POLL_MODES; mode++)
        side_init(&desc->side[mode]);
    uint64_t cookie = cookie_of(desc);
    lock_release(&desc->lock);

    int error = netpoll_add(desc, cookie);
    if (error) {
        recycle(desc);
        return error;
    }
    *out = desc;
    return 0;
}

/* The last operation has ended: the descriptor is the caller's. */
static int finish(struct poll_desc *desc)
{
    int fd = desc->fd;
    netpoll_remove(desc);
    recycle(desc);
    return fd;
}

int poll_close(struct m *m, struct poll_desc *desc)
{
    struct g_list ready = {0};

    lock_acquire(&desc->lock);
    if (desc->closing) {
        lock_release(&desc->lock); /* others may need it until the end */
        fatal("a connection or listener (descriptor %d) is closed for the second time", desc->fd);
    }
    desc->closing = true;
    for (int mode = 0; mode < POLL_MODES; mode++)
        poll_side_wake(desc, mode, -ECANCELED, &ready);
    bool last = desc->users == 0;
    lock_release(&desc->lock);

    sched_ready_list(m, &ready);
    return last ? finish(desc) : -1;
}

int poll_end_short_read(struct m *m, struct poll_desc *desc, uint32_t seen)
{
    struct poll_side *side = &desc->side[POLL_READ];
    (void)m;
    lock_acquire(&desc->lock);
    if (desc->kind == POLL_TCP && !side->marked && side->events == seen)
        side->empty = true; /* invariant 4 */
    bool last = --desc->users == 0 && desc->closing;
    lock_release(&desc->lock);
    return last ? finish(desc) : -1;
}

int poll_end(struct m *m, struct poll_desc *desc, enum poll_mode mode)
{
    struct poll_side *side = &desc->side[mode];
    struct waiter *next = NULL;

    lock_acquire(&desc->lock);
    desc->users--;
    if (mode == POLL_WRITE) {
        next = waiters_take(&side->turns);
        side->busy = next != NULL;
    }
    bool last = desc->closing && desc->users == 0;
    lock_release(&desc->lock);

    if (next)
        waiter_wake(m, next, 0);
    return last ? finish(desc) : -1;
}

void poll_descs_fini(void)
{
    for (uint32_t i = 0; i < pool.made; i++) {
        struct poll_desc *desc = desc_at(i);
        desc->users = 0;
        for (int mode = 0; mode < POLL_MODES; mode++) {
            struct poll_side *side = &desc->side[mode];
            side->waiters = side->turns = (struct waiter_queue){0};
            side->timer.heap = NULL;
            side->armed = false;
        }
    }
}
