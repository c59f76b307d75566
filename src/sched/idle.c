/* SPDX-License-Identifier: MIT */
/*
 * What an M does that has no P.
 *
 * Design. One idle M at a time sleeps in the kernel's poller instead of on its note, until the
 * first timer is due. S2. going to sleep: publish poll_until, full fence, read the timers again;
 * setting a timer: publish it, full fence, read poll_until. One of the two sees the other
 * (model/poll.pml).
 *
 * A timer that is due while all Ps are taken is for the Ms that have them, which look at the timers
 * of all Ps before they sleep. Until then the one in the poller would burn time by asking again at
 * once, so it waits for LATE. S3. waiting: publish poll_until, full fence, read idle_p_count again;
 * giving up a P and going to sleep: publish that, full fence, read poll_until.
 */
#include "sched/idle.h"

#include "base/clock.h"
#include "sched/lease.h"
#include "sched/netpoll.h"
#include "sched/proc.h"
#include "sched/schedule.h"
#include "sched/timer.h"
#include "sched/trace_hooks.h"
#include "sched/virtual_time.h"

#define LATE (500 * WEFT_MICROSECOND)

static struct {
    uint32_t sleeper;   /* atomic: an M is in the poller, or about to go */
    int64_t poll_until; /* atomic: when it will wake by itself; 0: nobody sleeps there */
} poller;

bool sched_poller_sleeps(void)
{
    return atomic_load_relaxed(&poller.sleeper) != 0;
}

bool sched_poller_missing(void)
{
    return atomic_load_relaxed(&poller.sleeper) == 0 &&
           (netpoll_used() || timers_earliest() != WEFT_NEVER);
}

void sched_timer_lowered(int64_t when)
{
    atomic_add_seqcst(&poller.sleeper, 0); /* S2, S3: the fence before poll_until */
    int64_t until = atomic_load_seqcst(&poller.poll_until);
    if (until != 0 && when < until)
        netpoll_wake();
}

/* When the M in the poller has to look at the timers. */
static int64_t look_at(int64_t now)
{
    int64_t first = timers_earliest();
    if (first > now || sched.virtual_time || atomic_load_relaxed(&sched.idle_p_count) > 0)
        return first;
    return now + LATE;
}

/* How long to sleep in the poller, after that was published. */
static int64_t announce(struct m *m)
{
    int64_t now = timer_now_loose();
    int64_t until = look_at(now);
    atomic_store_seqcst(&poller.poll_until, until);
    atomic_add_seqcst(&poller.sleeper, 0); /* S2, S3 */
    int64_t again = look_at(now);
    if (again < until)
        until = again;
    if (atomic_load_acquire(&sched.ending))
        return 0;
    if (until == WEFT_NEVER)
        return -1;
    if (unlikely(sched.virtual_time))
        return virtual_time_sleep(m, until);
    return until > now ? until - now : 0;
}

/* Sleeps in the poller until a descriptor or a timer is ready. */
static void sleep_in_poller(struct m *m)
{
    struct g_list ready = {0};
    int64_t time = announce(m);
    lease_leave(m);
    netpoll_wait(time, &ready);
    lease_return(m);
    if (unlikely(sched.virtual_time) && !ready.head)
        virtual_time_jump(m);
    int64_t now = (int64_t)base_clock_now_loose();
    atomic_store_relaxed(&sched.last_poll, now);
    atomic_store_relaxed(&poller.poll_until, 0);
    atomic_store_release(&poller.sleeper, 0); /* pairs with the next sleeper's swap */
    if (proc_take_idle(m)) {
        hook_proc_start(m);
        sched_pace_restart(m->p, now);
        sched_ready_here(m, &ready);
    } else {
        sched_ready_list(m, &ready);
    }
}

static void sleep_on_note(struct m *m)
{
    lock_acquire(&sched.lock);
    if (sched.ending) {
        lock_release(&sched.lock);
        return;
    }
    m->idle_next = sched.idle_ms;
    sched.idle_ms = m;
    lock_release(&sched.lock);
    if (unlikely(sched.virtual_time))
        netpoll_wake(); /* this may have been the last one awake */
    else
        sched_timer_lowered(timers_earliest()); /* S3 */
    lease_leave(m);
    base_note_wait(&m->wake, -1);
    torture_point("woken");
    lease_return(m);
}

void sched_accept_p(struct m *m)
{
    lock_acquire(&sched.lock);
    struct p *p = m->next_p;
    m->next_p = NULL;
    lock_release(&sched.lock);
    if (p) {
        proc_attach(m, p);
        hook_proc_start(m);
        sched_pace_restart(p, (int64_t)base_clock_now_loose());
    } else if (m->spinning) { /* it was taken back (world.c) */
        m->spinning = false;
        atomic_sub_acqrel(&sched.spinning, 1);
    }
}

void sched_idle(struct m *m)
{
    if (sched_poller_missing() && atomic_swap_acqrel(&poller.sleeper, 1) == 0) { /* one at a time */
        sleep_in_poller(m);
        return;
    }
    sleep_on_note(m);
    sched_accept_p(m);
}
