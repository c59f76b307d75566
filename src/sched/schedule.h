/* SPDX-License-Identifier: MIT */
/* The scheduler proper: what runs next. Park, ready and spawn are declared in sched.h for
 * everybody. */
#ifndef WEFT_SCHED_SCHEDULE_H
#define WEFT_SCHED_SCHEDULE_H

#include "sched/sched.h"

/* The scheduler's loop on an M's own stack. Returns when the runtime ends. */
void sched_run(struct m *m);

/* Leaves the current goroutine, whose state has been changed, for the scheduler's context, which
 * then does `after`. Returns, when somebody runs the goroutine again, the M on which that is. */
struct m *sched_leave(struct m *m, enum after_switch after, void *arg);

/* The same, but goes straight to another goroutine if there is one on the P. */
struct m *sched_switch_away(struct m *m, enum after_switch after, void *arg);

/* The time slice that runs on p, which the caller owns, is used up: what would inherit it queues
 * behind the others. Else a chain of goroutines, each started by the one before, would never let
 * them run. */
void sched_slice_over(struct p *p);

/* The current goroutine has used up its time slice: it goes to the global queue. Returns the M on
 * which it goes on. */
struct m *sched_preempt(struct m *m);

/* The runtime has ended while this goroutine was outside: its thread ends, its stack is never
 * continued. */
_Noreturn void sched_end_thread(struct m *m);

/* Puts goroutines on the global queue and wakes an M. */
void sched_global_put(struct g *g);
void sched_global_put_list(struct g_list *list);
/* The same without waking one. */
void sched_global_append(struct g_list *list);

/* Does what the context left behind asked for; first thing in every context that is switched to. */
void sched_finish_switch(struct m *m);
static inline void sched_arrive(struct m *m)
{
    if (m->after != AFTER_NOTHING)
        sched_finish_switch(m);
}

/* A new goroutine: next on the P of m, or on the global queue. */
void sched_enqueue_new(struct m *m, struct g *g);

/* sched.global or sched.bound has changed. sched.lock is held. */
void sched_count_global(void);

/* The interval of p that its pace is taken from begins now: a time of sleep before is not part of
 * it. */
void sched_pace_restart(struct p *p, int64_t now);

#endif
