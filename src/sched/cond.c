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
 *
 * Its limit begins when it parks. A waiter whose limit has come is dropped by the signal that meets
 * it, which goes to the next one (waiters_take): no signal is lost with it.
 */
#include "sched/mutex.h"
#include "sched/trace_hooks.h"

enum { JOINED, PARKED, SIGNALLED };

/* Parks unless a signal was faster. */
static int wait_for_signal(struct m **m, weft_cond *cond, struct waiter *self,
                           const struct limit *limit)
{
    base_lock *lock = sync_lock(cond->lock);
    lock_acquire(lock);
    if (self->result == SIGNALLED) {
        lock_release(lock);
        return 0;
    }
    self->result = PARKED;
    hook_wait(*m, "cond", cond);
    if (waiter_block(m, lock, sync_queue(&cond->head), self, limit, WEFT_TRACE_BLOCK_COND))
        return 0;
    lock_release(lock);
    return self->result;
}

static int cond_wait(struct m **m, weft_cond *cond, weft_mutex *mutex, const struct limit *limit)
{
    base_lock *lock = sync_lock(cond->lock);
    struct waiter self;
    waiter_init(&self, waiting_g(*m), NULL, NULL);
    lock_acquire(lock);
    waiters_push(sync_queue(&cond->head), &self);
    lock_release(lock);
    owner_clear(&mutex->owner, "mutex");
    mutex_unlock(*m, mutex);
    torture_point("cond_wait");
    int error = wait_for_signal(m, cond, &self, limit);
    mutex_lock(m, mutex, &LIMIT_NONE);
    owner_set(&mutex->owner);
    return error;
}

void weft_cond_wait(weft_cond *cond, weft_mutex *mutex)
{
    struct m *m = rt_enter();
    cond_wait(&m, cond, mutex, &LIMIT_NONE);
    rt_exit_any(m);
}

int weft_cond_wait_until(weft_cond *cond, weft_mutex *mutex, int64_t deadline)
{
    struct m *m = rt_enter();
    struct limit limit = limit_until(m, deadline);
    int error = cond_wait(&m, cond, mutex, &limit);
    rt_exit_any(m);
    return error;
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
    struct m *m = rt_enter();
    base_lock *lock = sync_lock(cond->lock);
    bool parked = false;
    lock_acquire(lock);
    struct waiter *w = take_one(cond, &parked);
    lock_release(lock);
    if (parked)
        waiter_wake(m, w, SIGNALLED);
    rt_exit_any(m);
}

void weft_cond_broadcast(weft_cond *cond)
{
    struct m *m = rt_enter();
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
    rt_exit_any(m);
}
