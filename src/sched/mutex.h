/* SPDX-License-Identifier: MIT */
/* What the files of weft/sync.h share: their waiter queues inside the public structs, and the mutex
 * for the condition. */
#ifndef WEFT_SCHED_MUTEX_H
#define WEFT_SCHED_MUTEX_H

#include <stddef.h>

#include "sched/waiter.h"
#include "weft/sync.h"

_Static_assert(sizeof(((weft_mutex *)0)->lock) == sizeof(base_lock), "sync.h holds a base_lock");
_Static_assert(offsetof(weft_mutex, tail) == offsetof(weft_mutex, head) + sizeof(void *),
               "sync.h holds a waiter_queue");
_Static_assert(offsetof(weft_waitgroup, tail) == offsetof(weft_waitgroup, head) + sizeof(void *),
               "likewise");
_Static_assert(offsetof(weft_cond, tail) == offsetof(weft_cond, head) + sizeof(void *), "likewise");

/* The base_lock in a public struct. All zero is a free lock; its rank is set here, as it has to be
 * ready when zeroed. */
static inline base_lock *sync_lock(uint32_t words[2])
{
    base_lock *lock = (base_lock *)words;
    if (unlikely(atomic_load_relaxed(&lock->rank) != BASE_RANK_CHAN))
        atomic_store_relaxed(&lock->rank, BASE_RANK_CHAN);
    return lock;
}

static inline struct waiter_queue *sync_queue(void **head)
{
    return (struct waiter_queue *)head;
}

/* Lock and unlock for those who are inside already. The first returns the M on which the goroutine
 * goes on. m may be NULL in the second. */
struct m *mutex_lock(struct m *m, weft_mutex *mutex);
void mutex_unlock(struct m *m, weft_mutex *mutex);

#endif
