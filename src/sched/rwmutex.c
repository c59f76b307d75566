/* SPDX-License-Identifier: MIT */
/*
 * Read-write mutexes.
 *
 * Design. One word, and behind it two queues under one lock. While nobody waits, taking and giving
 * up is one compare-and-swap on the word. As soon as somebody waits (WAITING), every change goes
 * through the lock, and ownership is handed over there: phase-fair, after B. Brandenburg and
 * J. Anderson ("Spin-based reader-writer synchronization for multiprocessor real-time systems",
 * 2010). When a writer ends, all readers that wait by then go on; when the last of them ends, one
 * writer does. So a reader waits for one writer at most, and a writer for the readers of one phase
 * for each writer in front of it.
 *
 * The word: WRITER, WAITING, and the number of readers in units of READER.
 *
 * Invariants
 *   RW1. WAITING is set if a waiter is queued. It changes under the lock, and while it is set the
 *        whole word does: who finds it set without the lock changes nothing.
 *   RW2. Under the lock, with WAITING set and all settled, nobody waits who could go on: no waiter
 *        if the word is free, no reader if there is neither WRITER nor a waiting writer.
 *   RW3. With WAITING set an unlock takes the lock first and gives up its share under it; it
 * touches the mutex no more after releasing the lock. So a waiter that is let in may free the
 * mutex.
 *
 * Rejected
 *   Barging, as the mutex has it: with readers coming all the time a writer would starve, and the
 *     limit against that is what this does for everybody.
 *   First in, first out over both kinds: alternating readers and writers would read one by one.
 *
 * Corners
 *   A writer that gives up may have been what other readers waited for: it settles (RW2).
 *   A queue can hold waiters whose limit has come. They are no reason to keep readers out for long:
 *     they are about to settle as well.
 */
#include "sched/mutex.h"
#include "sched/trace_hooks.h"

enum { WRITER = 1, WAITING = 2, READER = 4 };

static bool take_shared(weft_rwmutex *rw)
{
    uint32_t old = atomic_load_relaxed(&rw->state);
    while (!(old & (WRITER | WAITING)))
        if (atomic_cas_acquire(&rw->state, &old, old + READER)) /* pairs with the unlocks */
            return true;
    return false;
}

static bool take_exclusive(weft_rwmutex *rw)
{
    uint32_t old = 0;
    return atomic_cas_acquire(&rw->state, &old, WRITER); /* pairs with the unlocks */
}

/* ---- Under the lock ---- */

/* Adds w to the list that is to be woken. */
static void admit(struct waiter ***link, struct waiter *w)
{
    **link = w;
    *link = &w->next;
}

static uint32_t admit_readers(weft_rwmutex *rw, uint32_t state, struct waiter ***link)
{
    struct waiter *w;
    while ((w = waiters_take(sync_queue(&rw->readers_head)))) {
        admit(link, w);
        state += READER;
    }
    return state;
}

static uint32_t admit_writer(weft_rwmutex *rw, uint32_t state, struct waiter ***link)
{
    struct waiter *w = waiters_take(sync_queue(&rw->writers_head));
    if (!w)
        return state;
    admit(link, w);
    return state | WRITER;
}

/* Makes RW2 true; WAITING is set. Returns who has to be woken after the lock was released. */
static struct waiter *settle(weft_rwmutex *rw, uint32_t state, bool readers_first)
{
    struct waiter *list = NULL, **link = &list;
    if (readers_first && !(state & WRITER))
        state = admit_readers(rw, state, &link);
    if (state < READER && !(state & WRITER))
        state = admit_writer(rw, state, &link);
    if (!(state & WRITER) && !rw->writers_head)
        state = admit_readers(rw, state, &link);
    *link = NULL;
    if (!rw->readers_head && !rw->writers_head)
        state &= ~(uint32_t)WAITING;
    atomic_store_release(&rw->state, state); /* pairs with take_…(); RW1 */
    return list;
}

/* Takes it after all, or sets WAITING. */
static bool take_or_announce(weft_rwmutex *rw, bool exclusive)
{
    uint32_t old = atomic_load_relaxed(&rw->state), new;
    bool taken;
    do {
        taken = exclusive ? old == 0 : !(old & (WRITER | WAITING));
        new = !taken ? old | WAITING : exclusive ? old | WRITER : old + READER;
    } while (!atomic_cas_acquire(&rw->state, &old, new)); /* pairs with the unlocks */
    return taken;
}

/* ---- Lock ---- */

static int wait_for_turn(struct m **m, weft_rwmutex *rw, bool exclusive, const struct limit *limit)
{
    base_lock *lock = sync_lock(rw->lock);
    struct waiter_queue *q = sync_queue(exclusive ? &rw->writers_head : &rw->readers_head);
    struct waiter self;
    waiter_init(&self, waiting_g(*m), NULL, NULL);
    lock_acquire(lock);
    if (take_or_announce(rw, exclusive)) {
        lock_release(lock);
        return 0;
    }
    waiters_push(q, &self);
    hook_wait(*m, "rwmutex", rw);
    if (waiter_block(m, lock, q, &self, limit, WEFT_TRACE_BLOCK_SYNC))
        return 0;
    struct waiter *list = NULL;
    uint32_t state = atomic_load_relaxed(&rw->state);
    if (state & WAITING) /* somebody's settling may have found all of the queues dropped */
        list = settle(rw, state, false);
    lock_release(lock);
    waiters_wake_all(*m, list, 0);
    return self.result;
}

void weft_rwmutex_rdlock(weft_rwmutex *rw)
{
    if (likely(take_shared(rw)))
        return;
    owner_check_absent(&rw->owner, "read-write mutex");
    struct m *m = rt_enter();
    wait_for_turn(&m, rw, false, &LIMIT_NONE);
    rt_exit_any(m);
}

int weft_rwmutex_rdlock_until(weft_rwmutex *rw, int64_t deadline)
{
    if (likely(take_shared(rw)))
        return 0;
    struct m *m = rt_enter();
    struct limit limit = limit_until(m, deadline);
    int error = wait_for_turn(&m, rw, false, &limit);
    rt_exit_any(m);
    return error;
}

int weft_rwmutex_try_rdlock(weft_rwmutex *rw)
{
    return take_shared(rw);
}

void weft_rwmutex_wrlock(weft_rwmutex *rw)
{
    if (unlikely(!take_exclusive(rw))) {
        owner_check_absent(&rw->owner, "read-write mutex");
        struct m *m = rt_enter();
        wait_for_turn(&m, rw, true, &LIMIT_NONE);
        rt_exit_any(m);
    }
    owner_set(&rw->owner);
}

int weft_rwmutex_wrlock_until(weft_rwmutex *rw, int64_t deadline)
{
    int error = 0;
    if (unlikely(!take_exclusive(rw))) {
        struct m *m = rt_enter();
        struct limit limit = limit_until(m, deadline);
        error = wait_for_turn(&m, rw, true, &limit);
        rt_exit_any(m);
    }
    if (!error)
        owner_set(&rw->owner);
    return error;
}

int weft_rwmutex_try_wrlock(weft_rwmutex *rw)
{
    if (!take_exclusive(rw))
        return 0;
    owner_set(&rw->owner);
    return 1;
}

/* ---- Unlock ---- */

/* Gives up a share. False: somebody waits, and nothing has changed. */
static bool give_up_share(weft_rwmutex *rw, uint32_t share)
{
    uint32_t old = atomic_load_relaxed(&rw->state);
    do {
        if (share == WRITER ? !(old & WRITER) : old < READER)
            fatal("unlock of a read-write mutex that is not locked for %s",
                  share == WRITER ? "writing" : "reading");
        if (old & WAITING)
            return false;
    } while (!atomic_cas_release(&rw->state, &old, old - share)); /* pairs with take_…() */
    return true;
}

/* The same while somebody waits. False: nobody does any more (their limits have come), and the
 * share is still the caller's. */
static bool hand_over(struct m *m, weft_rwmutex *rw, uint32_t share)
{
    base_lock *lock = sync_lock(rw->lock);
    lock_acquire(lock);
    uint32_t state = atomic_load_relaxed(&rw->state);
    bool waited_for = state & WAITING;
    struct waiter *list = waited_for ? settle(rw, state - share, share == WRITER) : NULL;
    lock_release(lock); /* RW3 */
    waiters_wake_all(m, list, 0);
    return waited_for;
}

static void unlock(struct m *m, weft_rwmutex *rw, uint32_t share)
{
    while (!hand_over(m, rw, share) && !give_up_share(rw, share))
        ;
}

void weft_rwmutex_rdunlock(weft_rwmutex *rw)
{
    if (likely(give_up_share(rw, READER)))
        return;
    struct m *m = rt_enter();
    unlock(m, rw, READER);
    rt_exit_any(m);
}

void weft_rwmutex_wrunlock(weft_rwmutex *rw)
{
    owner_clear(&rw->owner, "read-write mutex");
    if (likely(give_up_share(rw, WRITER)))
        return;
    struct m *m = rt_enter();
    unlock(m, rw, WRITER);
    rt_exit_any(m);
}
