/* SPDX-License-Identifier: MIT */
/*
 * Waiting goroutines: the record of one place in one queue, the queue, and the claim that decides
 * between several wakers of one wait. Channels, select, mutexes, wait groups and condition
 * variables are built on it; the poller's deadlines use the same claim.
 *
 * Everything here lies on the stack of the goroutine that waits: a waker may look at it until it
 * has called sched_ready(), and no longer.
 *
 * waiter.c says why it works.
 */
#ifndef WEFT_SCHED_WAITER_H
#define WEFT_SCHED_WAITER_H

#include <stdbool.h>
#include <stdint.h>

#include "sched/sched.h"
#include "sched/timer.h"

struct wait;

/* A goroutine's place in one queue. */
struct waiter {
    struct waiter *next, *prev; /* lock: the queue's */
    struct g *g;
    struct wait *wait; /* the wait which others may end, too; NULL: whoever takes this off the queue
                          wakes g */
    void *element;     /* channels: from where or to where to copy */
    int32_t result;    /* written by the waker */
    uint32_t index;    /* select: number of the case */
    bool queued;       /* lock: the queue's */
};

/* First in, first out. All zero: empty. may_alias: public structs hold it as two void pointers. */
struct waiter_queue {
    struct waiter *head, *tail; /* lock: the owner's */
} __attribute__((may_alias));

/* A wait that more than one can end: several queues, or a queue and a deadline. */
struct wait {
    struct g *g;
    base_lock *parked; /* g holds it from before the first waker can see the wait until it is off
                          its stack */
    struct waiter *winner; /* the place through which it was woken; NULL: the deadline */
    struct wait_timer deadline;
};

/* ---- The goroutine that waits. It holds the locks of all queues (and wait->parked is one of
 * them). ---- */

void wait_init(struct wait *wait, struct g *g, base_lock *parked);

/* Ends the wait at `when` with winner NULL and g->wake_result -ETIMEDOUT, if nobody does before. */
void wait_deadline_start(struct m *m, struct wait *wait, int64_t when);

/* After waking, always, if it was started: afterwards the deadline does not touch the wait. */
void wait_deadline_stop(struct wait *wait);

static inline void waiter_init(struct waiter *w, struct g *g, struct wait *wait, void *element)
{
    *w = (struct waiter){.g = g, .wait = wait, .element = element};
}

void waiters_push(struct waiter_queue *q, struct waiter *w);
void waiters_push_front(struct waiter_queue *q, struct waiter *w);

/* Takes w off, if it is still there. Under the lock, also to make sure that a waker who lost the
 * claim is through. */
void waiters_remove(struct waiter_queue *q, struct waiter *w);

/* ---- Wakers ---- */

/* Whether the caller is the one who ends the wait. May be called under any lock that keeps the wait
 * from going away (the queue's, the timer heap's). */
static inline bool wait_claim(struct wait *wait)
{
    uint32_t open = 0;
    /* Relaxed: what winner and goroutine tell each other goes through wait->parked and
     * sched_ready(). */
    return atomic_load_relaxed(&wait->g->claim) == 0 &&
           atomic_cas_relaxed(&wait->g->claim, &open, 1);
}

/* Takes the first waiter off whose wait the caller could claim; the caller must wake it. NULL:
 * there is none. */
struct waiter *waiters_take(struct waiter_queue *q);

/* Waits until the goroutine of a claimed wait is off its stack. Without the locks of any queue. */
void wait_parked_slow(struct wait *wait);

static inline void wait_parked(struct wait *wait)
{
    /* Acquire: pairs with the release of the lock after the switch. */
    if (unlikely(atomic_load_acquire(&wait->parked->word) != 0))
        wait_parked_slow(wait);
}

/* Ends the wait of a waiter that was taken off its queue. After the queue's lock was released, and
 * no lock that a goroutine parks under is held. w is gone afterwards. */
void waiter_wake(struct m *m, struct waiter *w, int32_t result);

/* The same for a list of them, linked by next. */
void waiters_wake_all(struct m *m, struct waiter *list, int32_t result);

#endif
