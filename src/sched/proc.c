/* SPDX-License-Identifier: MIT */
/*
 * Ps, their idle list, and the decision to wake an M.
 *
 * A wake-up through a sleeping thread costs 50 µs where a switch costs tens of nanoseconds. So at
 * most one M at a time is woken to look for work (it is *spinning* from the moment of the decision
 * on); when it has found something and there is more, it wakes the next one itself. A goroutine
 * alone in its waker's next slot wakes nobody: the waker is about to block as a rule, and sysmon
 * sees it if that does not come true.
 */
#include "sched/proc.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/pages.h"
#include "sched/context.h"
#include "sched/idle.h"
#include "sched/machine.h"
#include "sched/schedule.h"
#include "sched/sysmon.h"
#include "sched/trace_hooks.h"
#include "weft/time.h"

int proc_make(uint32_t id)
{
    struct p *p = base_pages_alloc(sizeof *p);
    if (!p)
        return -ENOMEM;
    p->id = id;
    p->trace.id = id;
    p->timer_next = WEFT_NEVER;
    int error = timers_init(p);
    if (error) {
        base_pages_free(p, sizeof *p);
        return error;
    }
    context_root_add(p, sizeof *p);
    sched.all_p[id] = p;
    return 0;
}

void proc_free(struct p *p)
{
    timers_fini(p);
    context_root_remove(p, sizeof *p);
    base_pages_free(p, sizeof *p);
}

void proc_put_idle_locked(struct p *p)
{
    debug_invariant(!p->idle, "P %u is put on the idle list twice", p->id);
    p->idle = true;
    p->idle_next = sched.idle_ps;
    sched.idle_ps = p;
    atomic_store_relaxed(&sched.idle_p_count, sched.idle_p_count + 1);
}

struct p *proc_get_idle_locked(void)
{
    struct p *p = sched.idle_ps;
    if (p)
        proc_remove_idle_locked(p);
    return p;
}

void proc_remove_idle_locked(struct p *p)
{
    struct p **link = &sched.idle_ps;
    while (*link != p)
        link = &(*link)->idle_next;
    *link = p->idle_next;
    p->idle_next = NULL;
    p->idle = false;
    if (unlikely(sched.sysmon_asleep)) {
        sched.sysmon_asleep = false;
        atomic_store_relaxed(&sched.coarse_now, (int64_t)base_clock_now_loose());
        sysmon_wake();
    }
    atomic_store_relaxed(&sched.idle_p_count, sched.idle_p_count - 1);
}

void proc_attach(struct m *m, struct p *p)
{
    atomic_store_relaxed(&m->p, p); /* for cpu_running(), in a signal handler */
    atomic_store_release(&p->m, m); /* pairs with sysmon's and the world holder's look at p->m */
}

struct p *proc_detach(struct m *m)
{
    struct p *p = m->p;
    atomic_store_relaxed(&m->p, NULL);
    atomic_store_relaxed(&p->m, NULL);
    return p;
}

struct p *proc_take_idle(struct m *m)
{
    if (atomic_load_relaxed(&sched.idle_p_count) == 0)
        return NULL;
    lock_acquire(&sched.lock);
    struct p *p = proc_get_idle_locked();
    if (p)
        proc_attach(m, p);
    lock_release(&sched.lock);
    return p;
}

/* Hands p to a sleeping M, or a new one. sched.lock is held and released. */
static void start_m_unlock(struct p *p, bool spinning)
{
    struct m *m = sched.idle_ms;
    bool fresh = !m;
    if (fresh)
        m = machine_new_locked();
    else
        sched.idle_ms = m->idle_next;
    m->next_p = p;
    m->spinning = spinning;
    atomic_store_relaxed(&sched.wakeups, sched.wakeups + 1);
    atomic_store_release(&p->m, m); /* in transit: p->m is m but m->p is not yet p */
    lock_release(&sched.lock);
    if (fresh)
        machine_start(m);
    else
        base_note_post(&m->wake);
}

void proc_hand_off(struct p *p)
{
    torture_point("hand_off");
    lock_acquire(&sched.lock);
    bool work = !runq_empty(&p->runq) || sched.global_count > 0 ||
                (sched_poller_missing() && atomic_load_relaxed(&sched.spinning) == 0);
    if (work) {
        start_m_unlock(p, false);
        return;
    }
    proc_put_idle_locked(p);
    lock_release(&sched.lock);
}

void proc_wake_one(void)
{
    if (atomic_load_relaxed(&sched.idle_p_count) == 0 || atomic_load_relaxed(&sched.spinning) != 0)
        return;
    uint32_t none = 0;
    if (!atomic_cas_acqrel(&sched.spinning, &none,
                           1)) /* pairs with the last spinner's leave (schedule.c) */
        return;
    lock_acquire(&sched.lock);
    struct p *p = proc_get_idle_locked();
    if (!p) {
        lock_release(&sched.lock);
        atomic_sub_acqrel(&sched.spinning, 1);
        return;
    }
    start_m_unlock(p, true);
}
