/* SPDX-License-Identifier: MIT */
/* Design and invariant are in virtual_time.h. */
#include "sched/virtual_time.h"

#include "sched/machine.h"
#include "sched/timer.h"

/* sched.lock is held. */
static bool queues_are_empty(void)
{
    if (sched.global.count > 0 || sched.bound.count > 0)
        return false;
    uint32_t n = atomic_load_relaxed(&sched.proc_count);
    for (uint32_t i = 0; i < n; i++)
        if (!runq_empty(&sched.all_p[i]->runq))
            return false;
    return true;
}

/* Whether all Ms but m are on the idle list. sched.lock is held. */
static bool others_are_idle(struct m *self)
{
    uint32_t all = 0, idle = 0;
    for (struct m *m = machines_first(); m; m = m->all_next)
        if (m != self && !m->service && !m->rests)
            all++;
    for (struct m *m = sched.idle_ms; m; m = m->idle_next)
        idle++;
    return idle == all;
}

/* V2. sched.lock is held. */
static bool everything_sleeps(struct m *m)
{
    return atomic_load_relaxed(&sched.main_runs) && others_are_idle(m) && queues_are_empty();
}

int64_t virtual_time_sleep(struct m *m, int64_t first)
{
    lock_acquire(&sched.lock);
    bool jump = first <= timer_now() || everything_sleeps(m);
    lock_release(&sched.lock);
    return jump ? 0 : -1;
}

void virtual_time_jump(struct m *m)
{
    lock_acquire(&sched.lock);
    int64_t first = timers_earliest();
    if (first != WEFT_NEVER && first > timer_now() && everything_sleeps(m))
        atomic_store_relaxed(&sched.virtual_now, first);
    lock_release(&sched.lock);
}
