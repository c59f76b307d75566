/* SPDX-License-Identifier: MIT */
/*
 * The end of the process by a fatal signal or a fatal error of weft: traces are completed and
 * goroutines printed before it dies, as it would have died without.
 */
#ifndef WEFT_SCHED_CRASH_H
#define WEFT_SCHED_CRASH_H

#include "sched/sched.h"

/* With the runtime's start and end. Start: 0 or a negative errno value. */
int crash_start(void);
void crash_stop(void);

/* Wakes the thread that helps, for quit_look(). Async-signal-safe. */
void crash_wake(void);

/* In the child of a fork: there is no thread. */
void crash_forget(void);

/* Some thread has failed inside the runtime. It may hold any lock, the world's included, and others
 * may wait for those inside: from now on nobody waits for the world to stand still. */
extern uint32_t crash_inside __attribute__((visibility("hidden"))); /* atomic */
static inline bool crash_is_inside(void)
{
    return atomic_load_acquire(&crash_inside) != 0; /* pairs with leave_for_good() */
}

/* The thread of this M is in the middle of what it did inside, for good: nobody may touch its P and
 * its goroutine, or tell anything about them. */
static inline bool crash_has_hit(const struct m *m)
{
    return atomic_load_acquire(&m->crashed) != 0; /* pairs with leave_for_good() */
}

#endif
