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
    int64_t woken = 0;
    lock_acquire(lock); /* G1 */
    while ((w = waiters_take(q))) {
        *link = w;
        link = &w->next;
        woken++;
    }
    *link = NULL;
    atomic_sub_relaxed(&group->count, woken);
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

void weft_waitgroup_add(weft_waitgroup *group, int n)
{
    if (likely(!add(group, n)))
        return;
    struct m *m = rt_enter(); /* NULL: waking needs no goroutine */
    release_waiters(m, group);
    if (m)
        rt_exit(m);
}

void weft_waitgroup_done(weft_waitgroup *group)
{
    if (likely(!add(group, -1)))
        return;
    struct m *m = rt_enter(); /* as above */
    release_waiters(m, group);
    if (m)
        rt_exit(m);
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

void weft_waitgroup_wait(weft_waitgroup *group)
{
    if (count_of(atomic_load_acquire(&group->count)) == 0) /* pairs with add() */
        return;
    struct m *m = rt_enter();
    if (!m)
        rt_not_a_goroutine("weft_waitgroup_wait");
    base_lock *lock = sync_lock(group->lock);
    struct waiter self;
    waiter_init(&self, m->g, NULL, NULL);
    lock_acquire(lock);
    if (announce(group)) {
        waiters_push(sync_queue(&group->head), &self);
        hook_wait(m, "waitgroup", group);
        m = sched_park(m, lock, WEFT_TRACE_BLOCK_SYNC); /* G1 */
    } else {
        lock_release(lock);
    }
    rt_exit(m);
}
