/* SPDX-License-Identifier: MIT */
/*
 * Synchronisation between goroutines, and between goroutines and plain threads: every function here
 * may be called by any thread. A goroutine that waits gives its P to others; a thread sleeps. Both
 * stand in the same queues.
 *
 * All objects are plain structs, ready when zeroed, never to be copied in use; they need no
 * destruction. Memory that is freed while somebody waits is the caller's mistake.
 *
 * Forms. `lock` and its like wait for as long as it takes. `try` never waits. `until` waits until a
 * deadline, an instant of weft_now() (WEFT_NEVER: none), and returns -ETIMEDOUT after it; it is
 * also ended by the caller's context (weft/context.h) with -ECANCELED or -ETIMEDOUT. What can be
 * had at once is had, however late it is.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <stdint.h>

#include <weft/config.h>

WEFT_BEGIN_DECLS

/*
 * Mutual exclusion. Unlocked by who locked it; debug builds of the library check that, and that
 * nobody locks a mutex twice. Whoever comes while it is free gets it (barging), but one who has
 * waited for a millisecond is next.
 */
typedef struct weft_mutex {
    uint32_t state;
    uint32_t lock[2];
    void *head, *tail;
    uint64_t owner;
} weft_mutex;
#define WEFT_MUTEX_INIT                                                                            \
    {                                                                                              \
        0, {0, 0}, 0, 0, 0                                                                         \
    }

/* Waits until it is the caller's. */
WEFT_API void weft_mutex_lock(weft_mutex *mutex);
/* 1 if it was taken, else 0. */
WEFT_API int weft_mutex_trylock(weft_mutex *mutex);
/* 0: locked. */
WEFT_API int weft_mutex_lock_until(weft_mutex *mutex, int64_t deadline) WEFT_MUST_USE;
/* Unlocking an unlocked mutex stops the program. */
WEFT_API void weft_mutex_unlock(weft_mutex *mutex);

/*
 * Many readers or one writer. Neither side starves: readers who come after a writer wait for it,
 * and when it is through all readers who wait by then come before the next writer. A goroutine that
 * has it for reading must not lock it for reading once more: a writer in between would stop both.
 */
typedef struct weft_rwmutex {
    uint32_t state;
    uint32_t lock[2];
    void *readers_head, *readers_tail, *writers_head, *writers_tail;
    uint64_t owner;
} weft_rwmutex;
#define WEFT_RWMUTEX_INIT                                                                          \
    {                                                                                              \
        0, {0, 0}, 0, 0, 0, 0, 0                                                                   \
    }

/* Waits until the caller has it for reading, or for writing. */
WEFT_API void weft_rwmutex_rdlock(weft_rwmutex *rw);
WEFT_API void weft_rwmutex_wrlock(weft_rwmutex *rw);
/* 1 if it was taken, else 0. */
WEFT_API int weft_rwmutex_try_rdlock(weft_rwmutex *rw);
WEFT_API int weft_rwmutex_try_wrlock(weft_rwmutex *rw);
/* 0: locked. */
WEFT_API int weft_rwmutex_rdlock_until(weft_rwmutex *rw, int64_t deadline) WEFT_MUST_USE;
WEFT_API int weft_rwmutex_wrlock_until(weft_rwmutex *rw, int64_t deadline) WEFT_MUST_USE;
/* Unlocking what is not locked in that way stops the program. */
WEFT_API void weft_rwmutex_rdunlock(weft_rwmutex *rw);
WEFT_API void weft_rwmutex_wrunlock(weft_rwmutex *rw);

/*
 * A number of units that are taken and given back, each time as many as one likes. First come,
 * first served: who wants little does not overtake who wants much.
 */
typedef struct weft_sem {
    int64_t units;
    uint32_t lock[2];
    void *head, *tail;
} weft_sem;
#define WEFT_SEM_INIT(units)                                                                       \
    {                                                                                              \
        (units), {0, 0}, 0, 0                                                                      \
    }

/* Waits until there are as many units, and takes them all at once. */
WEFT_API void weft_sem_acquire(weft_sem *sem, uint32_t units);
/* 1 if they were taken, else 0. */
WEFT_API int weft_sem_try_acquire(weft_sem *sem, uint32_t units);
/* 0: they were taken. */
WEFT_API int weft_sem_acquire_until(weft_sem *sem, uint32_t units, int64_t deadline) WEFT_MUST_USE;
/* By anybody; more than were taken is allowed, up to INT64_MAX. */
WEFT_API void weft_sem_release(weft_sem *sem, uint32_t units);

/* Something that is to be done once. */
typedef struct weft_once {
    uint32_t done;
    weft_mutex mutex;
} weft_once;
#define WEFT_ONCE_INIT                                                                             \
    {                                                                                              \
        0, WEFT_MUTEX_INIT                                                                         \
    }

/* Calls fn(arg) if no other call has been made with this object; returns when fn has returned,
 * whoever called it. fn must return, and must not come here again with the same object. */
WEFT_API void weft_once_do(weft_once *once, void (*fn)(void *arg), void *arg);

/* Waits for a number of things to be done. */
typedef struct weft_waitgroup {
    int64_t count;
    uint32_t lock[2];
    void *head, *tail;
} weft_waitgroup;
#define WEFT_WAITGROUP_INIT                                                                        \
    {                                                                                              \
        0, {0, 0}, 0, 0                                                                            \
    }

/* Adds n (may be negative) to the count; at 0 all waiters go on. A negative count stops the
 * program. */
WEFT_API void weft_waitgroup_add(weft_waitgroup *group, int n);
/* One is done: adds -1. */
WEFT_API void weft_waitgroup_done(weft_waitgroup *group);
/* Waits until the count is 0. */
WEFT_API void weft_waitgroup_wait(weft_waitgroup *group);
/* 0: the count was 0. */
WEFT_API int weft_waitgroup_wait_until(weft_waitgroup *group, int64_t deadline) WEFT_MUST_USE;

/* A condition variable. */
typedef struct weft_cond {
    uint32_t lock[2];
    void *head, *tail;
} weft_cond;
#define WEFT_COND_INIT                                                                             \
    {                                                                                              \
        {0, 0}, 0, 0                                                                               \
    }

/* Unlocks mutex and waits for a signal as one step; locks mutex again before it returns. There are
 * no spurious wake-ups, but others may have had the mutex in between. */
WEFT_API void weft_cond_wait(weft_cond *cond, weft_mutex *mutex);
/* 0: there was a signal. The mutex is locked in every case, however long that takes. */
WEFT_API int weft_cond_wait_until(weft_cond *cond, weft_mutex *mutex, int64_t deadline);
/* Wakes the one who has waited longest, or all. */
WEFT_API void weft_cond_signal(weft_cond *cond);
WEFT_API void weft_cond_broadcast(weft_cond *cond);

WEFT_END_DECLS

#endif
