/* SPDX-License-Identifier: MIT */
/* Annotated blocking calls: the P goes to others before the call and another one is fetched after
 * it. */
#include "sched/lease.h"
#include "sched/proc.h"
#include "sched/trace_hooks.h"

static void give_p_up(struct m *m)
{
    hook_syscall_enter(m);
    torture_point("blocking_enter");
    struct p *p = proc_detach(m);
    proc_hand_off(p);
    lease_leave(m);
}

void weft_blocking_enter(void)
{
    struct m *m = rt_enter();
    if (m)
        give_p_up(m);
}

void weft_blocking_exit(void)
{
    struct m *m = rt_enter(); /* the M has no P: this gets one, or queues for one */
    if (m)
        rt_exit(m);
}

int weft_blocking(int (*fn)(void *arg), void *arg)
{
    struct m *m = rt_enter();
    if (!m)
        return fn(arg);
    give_p_up(m);
    int result = fn(arg);
    m = rt_enter();
    rt_exit(m);
    return result;
}
