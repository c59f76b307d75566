/* SPDX-License-Identifier: MIT */
/*
 * Ranked locks: a futex word, spun on briefly, then slept on. For short sections of the runtime and
 * the tracer.
 *
 * A lock may be taken only while every lock held by this thread has a lower rank (equal ranks:
 * never, but for lock_acquire_same, whose callers order by address). WEFT_DEBUG builds check that
 * and abort naming both locks. The exception is lock_try, which cannot deadlock. A lock may be
 * released by the thread that took it only, but on another stack than it was taken on.
 *
 * After a crash a lock may be held by a thread that never goes on. Who has waited for one of the
 * tracer's locks for a second then takes it over (lock.c).
 */
#ifndef WEFT_BASE_LOCK_H
#define WEFT_BASE_LOCK_H

#include "base/atomic.h"

/* The one table of ranks, outermost first. */
#define BASE_LOCK_RANKS(X)                                                                         \
    X(INSTANCE)   /* creation and end of the runtime */                                            \
    X(COMMANDS)   /* tracer: queue of start, advance, stop requests */                             \
    X(SIGNALS)    /* subscriptions to signals */                                                   \
    X(PROCESS)    /* a child process: its number, its end */                                       \
    X(FILE_SLOT)  /* files: submission to a ring */                                                \
    X(FILE_RING)  /* files: what a ring has done */                                                \
    X(POLL)       /* poller: registration of descriptors */                                        \
    X(POLL_DESC)  /* poller: one descriptor's waiters */                                           \
    X(USER_TIMER) /* starting and stopping a weft_timer */                                         \
    X(CHAN)    /* channel, mutex, wait group: waiter queues; several by address order in select */ \
    X(CONTEXT) /* a context: who waits in it, its children */                                      \
    X(TIMERS)  /* timer heap of a P */                                                             \
    X(ALLM)    /* list of all Ms */                                                                \
    X(SCHED)   /* global run queue, idle Ps and Ms */                                              \
    X(GPOOL)   /* pool of G records and stacks */                                                  \
    X(CPU)     /* CPU samples: the sampled threads */                                              \
    X(TRACE_MS)  /* tracer: list of registered threads */                                          \
    X(TRACE_TAB) /* tracer: string and stack tables */                                             \
    X(TRACE)     /* tracer: queues of full and empty buffers; a leaf */                            \
    X(LEAF)      /* statistics, tests */

typedef enum base_lock_rank {
#define X(name) BASE_RANK_##name,
    BASE_LOCK_RANKS(X)
#undef X
        BASE_RANK_COUNT
} base_lock_rank;

typedef struct base_lock {
    uint32_t word;     /* atomic: 0 free, 1 held, 2 held and taken over */
    uint16_t rank;     /* base_lock_rank */
    uint16_t sleepers; /* atomic: threads that wait in the kernel, or are about to */
} base_lock;

#define BASE_LOCK_INIT(r)                                                                          \
    {                                                                                              \
        0, BASE_RANK_##r, 0                                                                        \
    }

void base_lock_slow(base_lock *lock);
void base_unlock_slow(base_lock *lock);
#ifdef WEFT_DEBUG
void base_lock_check(base_lock *lock, bool same_rank_allowed);
void base_lock_note(base_lock *lock);
void base_unlock_check(base_lock *lock);
#else
#define base_lock_check(lock, same) ((void)0)
#define base_lock_note(lock)        ((void)0)
#define base_unlock_check(lock)     ((void)0)
#endif

static inline void lock_init(base_lock *lock, base_lock_rank rank)
{
    *lock = (base_lock){.rank = (uint16_t)rank};
}

/* Never waits, so it can deadlock with nobody: any rank, in any order. */
static inline bool lock_try(base_lock *lock)
{
    uint32_t expected = 0;
    if (!atomic_cas_acquire(&lock->word, &expected, 1))
        return false;
    base_lock_note(lock);
    return true;
}

static inline void lock_acquire(base_lock *lock)
{
    base_lock_check(lock, false);
    uint32_t expected = 0;
    if (unlikely(!atomic_cas_acquire(&lock->word, &expected, 1)))
        base_lock_slow(lock);
}

/* For several locks of one rank, taken in ascending order of address. */
static inline void lock_acquire_same(base_lock *lock)
{
    base_lock_check(lock, true);
    uint32_t expected = 0;
    if (unlikely(!atomic_cas_acquire(&lock->word, &expected, 1)))
        base_lock_slow(lock);
}

/*
 * Some thread has crashed and holds what it holds for good; or, false, that is settled. While it is
 * true, locks of the ranks COMMANDS and CPU to LEAF are taken over: what they protect is in order
 * between any two stores of their holders. Async-signal-safe.
 */
void base_locks_abandon(bool abandoned);
bool base_locks_abandoned(void);
/* The calling thread, on which the traces depend, takes over locks of every rank then. */
void base_locks_take_any(void);

/* No locked instruction, and no look at the lock once it is free: it may be gone then. See lock.c.
 */
static inline void lock_release(base_lock *lock)
{
    base_unlock_check(lock);
    uint16_t sleepers = atomic_load_relaxed(&lock->sleepers);
    atomic_store_release(&lock->word, 0); /* pairs with the swaps that take it */
    if (unlikely(sleepers))
        base_unlock_slow(lock);
}

#endif
