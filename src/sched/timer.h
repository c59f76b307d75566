/* SPDX-License-Identifier: MIT */
/*
 * Timers inside the runtime: a record in the caller's storage (a stack frame, an object) and a
 * function that is called when an instant has come. Sleeping, deadlines of waits and weft_timer are
 * built on it.
 *
 * A timer is in the heap of one P or in none. When its time has come, some M (any) that runs
 * timers_run() calls
 *
 * - due(), under the heap's lock, with the timer still in the heap: so wait_timer_stop() has either
 *   removed it before, or returns after. It decides what becomes of the instant and must be a few
 *   instructions (no lock but of a higher rank than TIMERS). False: that was all.
 * - run(), after the lock was released, if due() said true. May take any lock. Goroutines that it
 *   makes ready it adds to the list, whose links are theirs (g->next), instead of calling
 *   sched_ready().
 *
 * So that nothing of a timer is touched after its storage has gone, due() must say false, or gain
 * something that keeps the record alive until run() is through with it: the right to wake the
 * goroutine on whose stack it lies (wait_claim in waiter.h), or a reference.
 */
#ifndef WEFT_SCHED_TIMER_H
#define WEFT_SCHED_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "sched/sched.h"
#include "weft/time.h"

struct wait_timer {
    int64_t when;   /* lock: the heap's while in one; else the caller's */
    int64_t period; /* likewise; above 0: goes on by that after each due() */
    struct timers
        *heap;      /* atomic: the heap that it is in, or NULL. Changed under that heap's lock */
    uint32_t index; /* lock: the heap's; the place there */
    bool (*due)(struct wait_timer *timer);
    void (*run)(struct m *m, struct wait_timer *timer, struct g_list *ready);
};

/* Now, on the clock of the deadlines. */
static inline int64_t timer_now(void)
{
    if (unlikely(atomic_load_relaxed(&sched.virtual_time) != 0))
        return atomic_load_relaxed(&sched.virtual_now);
    return (int64_t)base_clock_now();
}

/* The same as base_clock_now_loose() is. */
static inline int64_t timer_now_loose(void)
{
    if (unlikely(atomic_load_relaxed(&sched.virtual_time) != 0))
        return atomic_load_relaxed(&sched.virtual_now);
    return (int64_t)base_clock_now_loose();
}

/*
 * Puts a timer, which is in no heap, into the heap of m's P. May be called with locks below TIMERS
 * held: the goroutine that is about to park under such a lock starts its deadline that way.
 */
void wait_timer_start(struct m *m, struct wait_timer *timer, int64_t when);

/*
 * Takes it out again, from whichever P's heap it is in. True: it was there, and due() is not called
 * any more. False: it was in none, or due() has returned (run() may be yet to come if it said true;
 * see above). Either way, unless due() said true nobody touches the record after this call. The
 * caller is inside.
 */
bool wait_timer_stop(struct wait_timer *timer);

/* Parks the current goroutine until `when`. Returns the M on which it goes on. */
struct m *timer_sleep_until(struct m *m, int64_t when, weft_trace_block_reason reason);

/* Walks all of p's heap: order, places, p->timer_next. For tests; nobody else may be running. */
bool timers_valid(struct p *p);

#endif
