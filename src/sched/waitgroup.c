/* SPDX-License-Identifier: MIT */
/*
 * Wait groups.
 *
 * Design. group->count holds the count in its upper half and the number of waiters in its lower
 * half, so that the call which brings the count to 0 learns in the same step whether anybody waits.
 *
 * Invariants
 *   G1. A waiter is counted while the group's lock is held, and parks with that lock: who takes the
 *       lock after having seen a waiter counted finds it on the queue and off its stack.
 *   G2. The call that brings the count to 0 without waiters does not touch the group any more: a
 *       waiter that comes later sees 0 and may free it. With waiters it owns them: they cannot
 *       return before it wakes them, which is the last thing it does.
 *
 *   G3. A waiter whose limit has come is counted until it has the lock. If the count is not 0 then,
 *       it counts itself off. If it is 0, the call that brought it there has seen it counted and is
 *       on its way to the lock: it must find the group, so the waiter waits for it and succeeds.
 *       One that was dropped from the queue by that call was counted off there.
 *
 * Corners
 *   Reuse: the next round's add() has to come after the waits of this one have returned; a number
 *     of waiters that is not 0 when the count leaves 0 shows that it did not.
 */
#include "sched/mutex.h"
#include "sched/trace_hooks.h"

#define ONE INT64_C(0x100000000)

static int32_t count_of(int64_t state)
{
    return (int32_t)(state >> 32);
}

static uint32_t waiters_of(int64_t state)
{
    return (uint32_t)state;
}

/* Wakes everybody: the count has become 0. */
static void release_waiters(struct m *m, weft_waitgroup *group)
{
    base_lock *lock = sync_lock(group->lock);
    struct waiter_queue *q = sync_queue(&group->head);
    struct waiter *list = NULL, **link = &list, *w;
    torture_point("release_waiters");
    lock_acquire(lock); /* G1 */
    while ((w = waiters_take(q))) {
        *link = w;
        link = &w->next;
    }
    *link = NULL;
    /* Under the lock their number does not change; G3: with those that were dropped. */
    atomic_sub_relaxed(&group->count, waiters_of(atomic_load_relaxed(&group->count)));
    lock_release(lock);
    waiters_wake_all(m, list, 0); /* G2 */
}

/* True if the count has become 0 while somebody waits. */
static inline bool add(weft_waitgroup *group, int n)
{
    /* Acquire-release: what was done before each done() is visible to who brings the count to 0,
     * and to the waiters. */
    int64_t before = atomic_add_acqrel(&group->count, n * ONE);
    int64_t state = before + n * ONE;
    if (unlikely(count_of(state) < 0))
        fatal("negative count of a wait group");
    if (unlikely(count_of(before) == 0 && n > 0 && waiters_of(before) > 0))
        fatal("a wait group was used again before its waiters had returned");
    return count_of(state) == 0 && waiters_of(state) > 0;
}

void waitgroup_add(struct m *m, weft_waitgroup *group, int n)
{
    if (add(group, n))
        release_waiters(m, group);
}

void weft_waitgroup_add(weft_waitgroup *group, int n)
{
    if (likely(!add(group, n)))
        return;
    struct m *m = rt_enter();
    release_waiters(m, group);
    rt_exit_any(m);
}

void weft_waitgroup_done(weft_waitgroup *group)
{
    if (likely(!add(group, -1)))
        return;
    struct m *m = rt_enter();
    release_waiters(m, group);
    rt_exit_any(m);
}

/* Counts one waiter more, if the count is not 0. The lock is held. */
static bool announce(weft_waitgroup *group)
{
    int64_t old = atomic_load_acquire(&group->count); /* pairs with add() */
    do {
        if (count_of(old) == 0)
            return false;
    } while (!atomic_cas_acquire(&group->count, &old, old + 1)); /* pairs with add() */
    return true;
}

/* One waiter less, if the count is not 0. The lock is held. */
static bool renounce(weft_waitgroup *group)
{
    int64_t old = atomic_load_acquire(&group->count); /* pairs with add() */
    do {
        if (count_of(old) == 0)
            return false;
    } while (!atomic_cas_acquire(&group->count, &old, old - 1)); /* pairs with add() */
    return true;
}

/* The limit has come; the lock is held and will be released. 0: the count has become 0 all the
 * same. */
static int give_up(struct m **m, weft_waitgroup *group, struct waiter *self, bool was_queued)
{
    base_lock *lock = sync_lock(group->lock);
    int error = self->result;
    if (was_queued && !renounce(group)) { /* G3 */
        waiter_init(self, waiting_g(*m), NULL, NULL);
        waiters_push(sync_queue(&group->head), self);
        waiter_block(m, lock, sync_queue(&group->head), self, &LIMIT_NONE, WEFT_TRACE_BLOCK_SYNC);
        return 0;
    }
    lock_release(lock);
    return error;
}

static int wait_for_zero(struct m **m, weft_waitgroup *group, const struct limit *limit)
{
    base_lock *lock = sync_lock(group->lock);
    struct waiter_queue *q = sync_queue(&group->head);
    struct waiter self;
    waiter_init(&self, waiting_g(*m), NULL, NULL);
    lock_acquire(lock);
    if (!announce(group)) {
        lock_release(lock);
        return 0;
    }
    waiters_push(q, &self);
    hook_wait(*m, "waitgroup", group);
    if (waiter_block(m, lock, q, &self, limit, WEFT_TRACE_BLOCK_SYNC)) /* G1 */
        return 0;
    return give_up(m, group, &self, !self.dropped);
}

static bool is_zero(weft_waitgroup *group)
{
    return count_of(atomic_load_acquire(&group->count)) == 0; /* pairs with add() */
}

void weft_waitgroup_wait(weft_waitgroup *group)
{
    if (is_zero(group))
        return;
    struct m *m = rt_enter();
    wait_for_zero(&m, group, &LIMIT_NONE);
    rt_exit_any(m);
}

int weft_waitgroup_wait_until(weft_waitgroup *group, int64_t deadline)
{
    if (is_zero(group))
        return 0;
    struct m *m = rt_enter();
    struct limit limit = limit_until(m, deadline);
    int error = wait_for_zero(&m, group, &limit);
    rt_exit_any(m);
    return error;
}
