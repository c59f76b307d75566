/* SPDX-License-Identifier: MIT */
/* The border of the runtime. Design and invariants (L1 …) are in lease.h. */
#include "sched/lease.h"

#include "base/thread.h"
#include "sched/attach.h"
#include "sched/crash.h"
#include "sched/goroutine.h"
#include "sched/proc.h"
#include "sched/schedule.h"
#include "sched/trace_hooks.h"

void lease_hold(struct m *m)
{
    atomic_or_acqrel(&m->attention, M_HELD); /* L1: pairs with the load in rt_enter */
    torture_point("lease_hold");
}

bool lease_is_outside(struct m *m)
{
    return fence_load(&m->in_runtime) == 0; /* L1, L3 */
}

void lease_wait_outside(struct m *m)
{
    unsigned spins = 0;
    while (!lease_is_outside(m) && !crash_is_inside())
        base_backoff(&spins);
}

void lease_release(struct m *m)
{
    torture_point("lease_release");
    uint32_t old = atomic_and_acqrel(&m->attention, ~(uint32_t)(M_HELD | M_WAITS)); /* L3 */
    if (old & M_WAITS)
        base_futex_wake(&m->attention, 1);
}

void lease_leave(struct m *m)
{
    fence_store(&m->in_runtime, 0);
}

/* Sleeps outside until the holder lets go. */
static void step_out(struct m *m)
{
    lease_leave(m);
    uint32_t seen = fence_load(&m->attention);
    while (seen & M_HELD) {
        if ((seen & M_WAITS) || atomic_cas_acqrel(&m->attention, &seen, seen | M_WAITS)) {
            base_futex_wait(&m->attention, seen | M_WAITS, -1);
            seen = fence_load(&m->attention);
        }
    }
    fence_store(&m->in_runtime, 1);
    fence_light(); /* L1 */
}

void lease_checkpoint(struct m *m)
{
    while (unlikely(fence_load(&m->attention) & M_HELD))
        step_out(m);
}

void lease_return(struct m *m)
{
    fence_store(&m->in_runtime, 1);
    fence_light(); /* L1 */
    lease_checkpoint(m);
}

void lease_ask_to_yield(struct m *m)
{
    atomic_or_acqrel(&m->attention, M_PREEMPT);
}

struct m *lease_regain(struct m *m)
{
    struct g *g = m->g;
    struct p *p = proc_take_idle(m);
    torture_point("regain");
    if (p) {
        hook_syscall_exit(m);
        return m;
    }
    hook_syscall_exit_queued(m);
    atomic_store_relaxed(&g->m, NULL);
    if (unlikely(g->bound))
        return bound_regain(m);
    return sched_leave(m, AFTER_GLOBAL_QUEUE, g);
}

struct m *rt_enter_slow(struct m *m, const void *frame, uintptr_t pc)
{
    torture_point("rt_enter_slow");
    lease_checkpoint(m);
    if (unlikely(atomic_load_relaxed(&m->attention) & M_ENDING)) {
        if (!m->own)
            sched_end_thread(m);
        lease_leave(m); /* A3 (attach.h): it is a plain thread again */
        return NULL;
    }
    g_set_place(m->g, frame, pc);
    return m->p ? m : lease_regain(m);
}

/* An attached thread: it need not wait for a P, since it leaves. */
static void exit_attached(struct m *m, uint32_t attention)
{
    if (attention & M_ENDING) /* A3 (attach.h) */
        lease_leave(m);
    else if (attention & M_CALL)
        attach_end_call(m);
    else
        attach_give_way(m);
}

void rt_exit_slow(struct m *m)
{
    uint32_t attention = atomic_and_acqrel(&m->attention, ~(uint32_t)(M_PREEMPT | M_CALL));
    if (unlikely(m->own) && (attention & (M_ENDING | M_CALL | M_PREEMPT))) {
        exit_attached(m, attention);
        return;
    }
    if ((attention & M_PREEMPT) && m->p)
        m = sched_preempt(m);
    fence_store(&m->in_runtime, 0); /* L1: being outside is what a holder waits for */
}

void rt_not_a_goroutine(const char *what)
{
    fatal("%s was called outside of a goroutine (see weft_run)", what);
}
