/* SPDX-License-Identifier: MIT */
/*
 * Condition variables.
 *
 * A waiter joins the queue before it unlocks the mutex, so no signal that is sent under the mutex
 * afterwards can be lost; but between the two it is not parked. Its record therefore says how far
 * it is, and changes under the queue's lock:
 *
 * - JOINED: on the queue, still running. A signal takes it off and leaves SIGNALLED.
 * - PARKED: set under the lock with which it parks. A signal takes it off and wakes it.
 * - SIGNALLED: it finds that instead of parking.
 */
#include "sched/mutex.h"
#include "sched/trace_hooks.h"

enum { JOINED, PARKED, SIGNALLED };

/* Parks unless a signal was faster. */
static struct m *wait_for_signal(struct m *m, weft_cond *cond, struct waiter *self)
{
    base_lock *lock = sync_lock(cond->lock);
    lock_acquire(lock);
    if (self->result == SIGNALLED) {
        lock_release(lock);
        return m;
    }
    self->result = PARKED;
    hook_wait(m, "cond", cond);
    return sched_park(m, lock, WEFT_TRACE_BLOCK_COND);
}

void weft_cond_wait(weft_cond *cond, weft_mutex *mutex)
{
    struct m *m = rt_enter();
    if (!m)
        rt_not_a_goroutine("weft_cond_wait");
    base_lock *lock = sync_lock(cond->lock);
    struct waiter self;
    waiter_init(&self, m->g, NULL, NULL);
    lock_acquire(lock);
    waiters_push(sync_queue(&cond->head), &self);
    lock_release(lock);
    mutex_unlock(m, mutex);
    torture_point("cond_wait");
    m = wait_for_signal(m, cond, &self);
    m = mutex_lock(m, mutex);
    rt_exit(m);
}

/* Takes the first waiter off. Under the lock. *parked: it has to be woken. */
static struct waiter *take_one(weft_cond *cond, bool *parked)
{
    struct waiter *w = waiters_take(sync_queue(&cond->head));
    if (!w)
        return NULL;
    *parked = w->result == PARKED;
    w->result = SIGNALLED;
    return w;
}

void weft_cond_signal(weft_cond *cond)
{
    struct m *m = rt_enter(); /* NULL: waking needs no goroutine */
    base_lock *lock = sync_lock(cond->lock);
    bool parked = false;
    lock_acquire(lock);
    struct waiter *w = take_one(cond, &parked);
    lock_release(lock);
    if (parked)
        waiter_wake(m, w, SIGNALLED);
    if (m)
        rt_exit(m);
}

void weft_cond_broadcast(weft_cond *cond)
{
    struct m *m = rt_enter(); /* as above */
    base_lock *lock = sync_lock(cond->lock);
    struct waiter *list = NULL, **link = &list, *w;
    bool parked;
    lock_acquire(lock);
    while ((w = take_one(cond, &parked))) {
        if (!parked)
            continue;
        *link = w;
        link = &w->next;
    }
    *link = NULL;
    lock_release(lock);
    waiters_wake_all(m, list, SIGNALLED);
    if (m)
        rt_exit(m);
}
