/* SPDX-License-Identifier: MIT */
/*
 * Synchronisation between goroutines. All objects are plain structs, ready when zeroed, never to be
 * copied in use; they need no destruction. A goroutine that waits gives its P to others.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <stdint.h>

#include <weft/config.h>

WEFT_BEGIN_DECLS

/* Mutual exclusion. May be unlocked by another goroutine than locked it. */
typedef struct weft_mutex {
    uint32_t state;
    uint32_t lock[2];
    void *head, *tail;
} weft_mutex;
#define WEFT_MUTEX_INIT                                                                            \
    {                                                                                              \
        0, {0, 0}, 0, 0                                                                            \
    }

WEFT_API void weft_mutex_lock(weft_mutex *mutex);
/* 1 if it was taken, else 0. */
WEFT_API int weft_mutex_trylock(weft_mutex *mutex);
/* Unlocking an unlocked mutex stops the program. */
WEFT_API void weft_mutex_unlock(weft_mutex *mutex);

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
WEFT_API void weft_waitgroup_done(weft_waitgroup *group);
WEFT_API void weft_waitgroup_wait(weft_waitgroup *group);

/* A condition variable. */
typedef struct weft_cond {
    uint32_t lock[2];
    void *head, *tail;
} weft_cond;
#define WEFT_COND_INIT                                                                             \
    {                                                                                              \
        {0, 0}, 0, 0                                                                               \
    }

/* Unlocks mutex and waits for a signal as one step; locks mutex again before it returns. */
WEFT_API void weft_cond_wait(weft_cond *cond, weft_mutex *mutex);
/* Wakes one waiter, or all. */
WEFT_API void weft_cond_signal(weft_cond *cond);
WEFT_API void weft_cond_broadcast(weft_cond *cond);

WEFT_END_DECLS

#endif
