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
_Static_assert(offsetof(weft_rwmutex, readers_tail) ==
                       offsetof(weft_rwmutex, readers_head) + sizeof(void *) &&
                   offsetof(weft_rwmutex, writers_tail) ==
                       offsetof(weft_rwmutex, writers_head) + sizeof(void *),
               "likewise");
_Static_assert(offsetof(weft_sem, tail) == offsetof(weft_sem, head) + sizeof(void *), "likewise");
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

/* Lock and unlock for those who are inside already (*m NULL: a plain thread). The first returns 0,
 * or what the limit said; *m is the M on which the goroutine goes on. */
int mutex_lock(struct m **m, weft_mutex *mutex, const struct limit *limit);
void mutex_unlock(struct m *m, weft_mutex *mutex);

/* Likewise: semaphores and wait groups. */
int sem_acquire(struct m **m, weft_sem *sem, uint32_t units, const struct limit *limit);
bool sem_try_acquire(weft_sem *sem, uint32_t units);
void sem_release(struct m *m, weft_sem *sem, uint32_t units);
void waitgroup_add(struct m *m, weft_waitgroup *group, int n);

/* ---- Who has a lock: debug builds check that it is used as sync.h says ---- */

#ifdef WEFT_DEBUG
/* The caller is about to wait for a lock of this kind, without a limit. */
void owner_check_absent(const uint64_t *owner, const char *what);
void owner_set(uint64_t *owner);
void owner_clear(uint64_t *owner, const char *what);
#else
#define owner_check_absent(owner, what) ((void)0)
#define owner_set(owner)                ((void)0)
#define owner_clear(owner, what)        ((void)0)
#endif

#endif
