/* SPDX-License-Identifier: MIT */
/*
 * Waiting: the record of one place in one queue, the queue, and the claim that decides between
 * several wakers of one wait. Channels, select, mutexes, semaphores, wait groups and condition
 * variables are built on it.
 *
 * Who waits is a goroutine, or a plain thread that weft did not make: its records have no G, always
 * a struct wait, and it sleeps on the note there. They stand in the same queues, so nobody is
 * preferred. A function that takes an M takes NULL from such a thread.
 *
 * Everything here lies on the stack of who waits: a waker may look at it until it has made it
 * ready, and no longer.
 *
 * waiter.c says why it works.
 */
#ifndef WEFT_SCHED_WAITER_H
#define WEFT_SCHED_WAITER_H

#include <stdbool.h>
#include <stdint.h>

#include "sched/cancel.h"
#include "sched/sched.h"
#include "sched/timer.h"

struct wait;

/* A place in one queue. */
struct waiter {
    struct waiter *next, *prev; /* lock: the queue's */
    struct g *g;                /* NULL: a plain thread */
    struct wait *wait; /* the wait which others may end, too; NULL: whoever takes this off the queue
                          wakes g */
    void *element;     /* channels: from where or to where to copy */
    int32_t result;    /* written by the waker */
    uint32_t index;    /* select: number of the case */
    bool queued;       /* lock: the queue's */
    bool dropped;      /* lock: the queue's; a waker took it off and had lost the claim */
};

/* First in, first out. All zero: empty. may_alias: public structs hold it as two void pointers. */
struct waiter_queue {
    struct waiter *head, *tail; /* lock: the owner's */
} __attribute__((may_alias));

/* What may end a wait besides its wakers. */
struct limit {
    int64_t deadline;             /* WEFT_NEVER: none */
    struct weft_context *context; /* NULL: none. Its own deadline is in `deadline` already */
};

#define LIMIT_NONE ((struct limit){.deadline = WEFT_NEVER})

/* A wait that more than one can end: several queues, or a queue and a limit. */
struct wait {
    struct g *g;       /* NULL: a plain thread */
    base_lock *parked; /* held by who waits from before the first waker can see the wait until it is
                          off its stack */
    uint32_t claim;    /* atomic: 0 open, 1 somebody ends it */
    int32_t result;    /* without winner: -ETIMEDOUT or -ECANCELED */
    struct waiter *winner; /* the place through which it was woken; NULL: the limit */
    struct wait_timer deadline;
    struct context_watch watch;
    const struct limit *limit;
    base_note note; /* a thread sleeps here */
};

/* ---- Who waits. It holds the locks of all queues (and wait->parked is one of them). ---- */

static inline struct g *waiting_g(const struct m *m)
{
    return m ? m->g : NULL;
}

/* The caller's limit: a deadline, and the context that it is in (weft_context_enter). */
static inline struct limit limit_until(struct m *m, int64_t deadline)
{
    struct limit limit = {.deadline = deadline, .context = context_of(m)};
    if (unlikely(limit.context != NULL))
        limit.deadline = context_deadline_before(limit.context, deadline);
    return limit;
}

/* That context and nothing else. */
static inline struct limit limit_in(struct weft_context *context)
{
    return (struct limit){.deadline = context_deadline_before(context, WEFT_NEVER),
                          .context = context};
}

void wait_init(struct wait *wait, struct g *g, base_lock *parked);

/*
 * From now on the limit can end the wait, with winner NULL and wait->result. Returns 0, or what
 * ended it already (-ETIMEDOUT, -ECANCELED), and then there is nothing to stop. The limit must stay
 * as it is.
 */
int wait_limit_start(struct m *m, struct wait *wait, const struct limit *limit);

/* After waking, always, if it was started: afterwards the limit does not touch the wait. */
void wait_limit_stop(struct wait *wait);

/* Waits; releases wait->parked, all other locks have been released. Returns the M on which the
 * goroutine goes on. */
struct m *wait_park(struct m *m, struct wait *wait, weft_trace_block_reason reason);

static inline void waiter_init(struct waiter *w, struct g *g, struct wait *wait, void *element)
{
    *w = (struct waiter){.g = g, .wait = wait, .element = element};
}

/*
 * The usual wait, in one queue: w is on q, whose lock is held. True: a waker ended it and left
 * w->result; the lock is free. False: the limit did, w->result says which way; w is off the queue
 * and the lock is held again (or still). *m: the M on which the goroutine goes on.
 */
bool waiter_block_limited(struct m **m, base_lock *lock, struct waiter_queue *q, struct waiter *w,
                          const struct limit *limit, weft_trace_block_reason reason);

static inline bool waiter_block(struct m **m, base_lock *lock, struct waiter_queue *q,
                                struct waiter *w, const struct limit *limit,
                                weft_trace_block_reason reason)
{
    if (unlikely(!*m || limit->deadline != WEFT_NEVER || limit->context))
        return waiter_block_limited(m, lock, q, w, limit, reason);
    *m = sched_park(*m, lock, reason);
    return true;
}

/* Waits for nothing but the limit. Returns what ended it. */
int wait_for_limit(struct m **m, const struct limit *limit, weft_trace_block_reason reason);

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
    /* Relaxed: what winner and waiter tell each other goes through wait->parked, and sched_ready()
     * or the note. */
    return atomic_load_relaxed(&wait->claim) == 0 && atomic_cas_relaxed(&wait->claim, &open, 1);
}

/* Takes the first waiter off whose wait the caller could claim; the caller must wake it. NULL:
 * there is none. */
struct waiter *waiters_take(struct waiter_queue *q);

/* Waits until who waits is off its stack, after a claim. Without the locks of any queue. */
void wait_parked_slow(struct wait *wait);

static inline void wait_parked(struct wait *wait)
{
    /* Acquire: pairs with the release of the lock after the switch. */
    if (unlikely(atomic_load_acquire(&wait->parked->word) != 0))
        wait_parked_slow(wait);
}

/* What a waker that holds the lock with which the waiter parked has to do before it makes it ready,
 * now or after releasing the lock. */
static inline void waiter_end_parked(struct waiter *w, int32_t result)
{
    w->result = result;
    if (w->wait)
        w->wait->winner = w;
}

/* Ends a wait that was claimed, not through one of its places, but with that result. The goroutine
 * joins the list; a thread is woken. Conditions as below. */
void wait_end_early(struct wait *wait, int32_t result, struct g_list *ready);

/* Ends the wait of a waiter that was taken off its queue. After the queue's lock was released, and
 * no lock that a goroutine parks under is held. w is gone afterwards. */
void waiter_wake(struct m *m, struct waiter *w, int32_t result);

/* The same for callers that collect whom they make ready. */
void waiter_wake_into(struct waiter *w, int32_t result, struct g_list *ready);

/* The same for a list of them, linked by next. */
void waiters_wake_all(struct m *m, struct waiter *list, int32_t result);

#endif
