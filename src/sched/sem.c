/* SPDX-License-Identifier: MIT */
/*
 * Semaphores with weights.
 *
 * Design. Everything is under the lock. Whoever comes takes its units if they are there and nobody
 * waits; units that come back go to the waiters in order, as far as they reach. A waiter's number
 * of units is in its record (waiter.index).
 *
 * Invariants (under the lock)
 *   SE1. The first waiter wants more than there is, or its limit has come and it is about to leave.
 *   SE2. After the lock was released to wake others the semaphore is not touched: they may free it.
 *
 * Corners
 *   A waiter that leaves may have kept smaller ones behind it from going on: it lets them in.
 *
 * Rejected
 *   Letting who wants little go first when the first waiter wants more than there is: the heavy one
 *     would starve.
 */
#include "sched/mutex.h"
#include "sched/trace_hooks.h"

/* Takes the waiters off for whom there is enough. The lock is held. Returns who has to be woken
 * after it was released. */
static struct waiter *admit(weft_sem *sem)
{
    struct waiter_queue *q = sync_queue(&sem->head);
    struct waiter *list = NULL, **link = &list;
    while (q->head && q->head->index <= sem->units) {
        uint32_t wanted = q->head->index;
        struct waiter *w = q->head;
        waiters_remove(q, w);
        if (w->wait && !wait_claim(w->wait))
            continue;
        sem->units -= wanted;
        *link = w;
        link = &w->next;
    }
    *link = NULL;
    return list;
}

/* The lock is held. */
static bool take(weft_sem *sem, uint32_t units)
{
    if (sem->head || sem->units < units)
        return false;
    sem->units -= units;
    return true;
}

int sem_acquire(struct m **m, weft_sem *sem, uint32_t units, const struct limit *limit)
{
    base_lock *lock = sync_lock(sem->lock);
    struct waiter_queue *q = sync_queue(&sem->head);
    lock_acquire(lock);
    if (take(sem, units)) {
        lock_release(lock);
        return 0;
    }
    struct waiter self;
    waiter_init(&self, waiting_g(*m), NULL, NULL);
    self.index = units;
    waiters_push(q, &self);
    hook_wait(*m, "sem", sem);
    if (waiter_block(m, lock, q, &self, limit, WEFT_TRACE_BLOCK_SYNC))
        return 0;
    struct waiter *list = admit(sem);
    lock_release(lock);
    waiters_wake_all(*m, list, 0);
    return self.result;
}

void weft_sem_acquire(weft_sem *sem, uint32_t units)
{
    struct m *m = rt_enter();
    sem_acquire(&m, sem, units, &LIMIT_NONE);
    rt_exit_any(m);
}

int weft_sem_acquire_until(weft_sem *sem, uint32_t units, int64_t deadline)
{
    struct m *m = rt_enter();
    struct limit limit = limit_until(m, deadline);
    int error = sem_acquire(&m, sem, units, &limit);
    rt_exit_any(m);
    return error;
}

bool sem_try_acquire(weft_sem *sem, uint32_t units)
{
    base_lock *lock = sync_lock(sem->lock);
    lock_acquire(lock);
    bool taken = take(sem, units);
    lock_release(lock);
    return taken;
}

int weft_sem_try_acquire(weft_sem *sem, uint32_t units)
{
    struct m *m = rt_enter();
    bool taken = sem_try_acquire(sem, units);
    rt_exit_any(m);
    return taken;
}

void sem_release(struct m *m, weft_sem *sem, uint32_t units)
{
    base_lock *lock = sync_lock(sem->lock);
    lock_acquire(lock);
    if (__builtin_add_overflow(sem->units, (int64_t)units, &sem->units))
        fatal("a semaphore was given more than INT64_MAX units");
    struct waiter *list = admit(sem);
    lock_release(lock); /* SE2 */
    waiters_wake_all(m, list, 0);
}

void weft_sem_release(weft_sem *sem, uint32_t units)
{
    struct m *m = rt_enter();
    sem_release(m, sem, units);
    rt_exit_any(m);
}
