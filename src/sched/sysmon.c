/* SPDX-License-Identifier: MIT */
/*
 * The monitor.
 *
 * It looks at every P from time to time. A P whose tick has not moved since an earlier look has run
 * one goroutine all the while (or goroutines that hand one time slice on). When that lasts SLICE
 * and somebody could use the P, the goroutine is asked to yield at its next exit from the runtime,
 * and, if it is outside at that moment, its lease is taken at once.
 *
 * Looks are SLOW apart, and FAST apart while some tick stands still; so a goroutine that hogs a P
 * from right after a look is dislodged after at most SLOW + SLICE + FAST, 8 ms. A look costs a few
 * microseconds. When all Ps have been idle for IDLE_LOOKS the monitor looks whether they will be
 * for ever (deadlock.h), and sleeps until one is not.
 */
#include "sched/sysmon.h"

#include <errno.h>

#include "base/clock.h"
#include "base/thread.h"
#include "sched/crash.h"
#include "sched/deadlock.h"
#include "sched/goroutine.h"
#include "sched/idle.h"
#include "sched/lease.h"
#include "sched/machine.h"
#include "sched/post.h"
#include "sched/proc.h"
#include "sched/schedule.h"
#include "sched/stats.h"
#include "sched/timer.h"
#include "sched/trace_hooks.h"
#include "sched/world.h"

#define SLOW  (2 * WEFT_MILLISECOND)
#define FAST  (1 * WEFT_MILLISECOND)
#define SLICE (5 * WEFT_MILLISECOND)

#define TRIM_EVERY (1000 * WEFT_MILLISECOND)

enum { IDLE_LOOKS = 20 };

static struct {
    pthread_t thread;
    base_note note;
    uint32_t stop;   /* atomic */
    int64_t trim_at; /* owner: the monitor; so is trim_more */
    bool trim_more;
} sysmon;

/* Somebody waits for what p has, or for any P. */
static bool wanted(struct p *p)
{
    return atomic_load_relaxed(&sched.global_count) > 0 || !runq_empty(&p->runq) ||
           atomic_load_relaxed(&p->timer_next) <= timer_now_loose();
}

/* What a thread that is held outside is doing, for the trace. */
static enum hook_lease occupation(const struct m *holder)
{
    return hook_tracing() && base_thread_sleeps(holder->trace.tid) ? HOOK_LEASE_BLOCKING
                                                                   : HOOK_LEASE_COMPUTING;
}

/* Takes p away from the goroutine that runs on it, if that one is outside the runtime. True: p is
 * the caller's. */
static bool take_lease(struct m *m, struct p *p, uint32_t tick)
{
    if (!world_try())
        return false;
    bool taken = false;
    struct m *holder = atomic_load_acquire(&p->m);
    if (holder) {
        lease_hold(holder);
        fence_heavy();
        if (lease_is_outside(holder) && !crash_has_hit(holder) && holder->p == p && holder->g &&
            atomic_load_relaxed(&p->tick) == tick) {
            hook_take_p(m, holder, occupation(holder));
            atomic_add_relaxed(&sched.revocations, 1);
            taken = true;
        } else {
            lease_ask_to_yield(holder);
        }
        lease_release(holder);
    }
    world_unlock();
    return taken;
}

/* Looks at one P. True if its tick stands still. */
static bool inspect(struct m *m, struct p *p, int64_t now)
{
    if (!atomic_load_acquire(&p->m)) /* pairs with proc_attach() */
        return false;
    uint32_t tick = atomic_load_relaxed(&p->tick);
    if (tick != p->seen_tick) {
        p->seen_tick = tick;
        p->seen_at = now;
        return false;
    }
    if (now - p->seen_at >= SLICE && wanted(p) && take_lease(m, p, tick)) {
        sched_slice_over(p);
        proc_hand_off(p);
    }
    return true;
}

/* Nobody has looked at the poller for a while: all Ps are busy. */
static void poll_overdue(struct m *m, int64_t now)
{
    int64_t last = atomic_load_relaxed(&sched.last_poll);
    if (!netpoll_used() || now - last < SLOW)
        return;
    atomic_store_relaxed(&sched.last_poll, now);
    struct g_list ready = {0};
    netpoll_wait(0, &ready);
    sched_ready_list(m, &ready);
}

/* Wake-ups that were not worth their price at the time: work that lies about while a P is idle, a
 * poller that nobody sleeps in. */
static void wake_missed(void)
{
    if (atomic_load_relaxed(&sched.idle_p_count) == 0)
        return;
    bool work = atomic_load_relaxed(&sched.global_count) > 0 || sched_poller_missing() ||
                timers_earliest() <= timer_now_loose();
    uint32_t n = atomic_load_relaxed(&sched.proc_count);
    for (uint32_t i = 0; i < n && !work; i++)
        work = !runq_empty(&sched.all_p[i]->runq);
    if (work)
        proc_wake_one();
}

static bool look(struct m *m)
{
    int64_t now = (int64_t)base_clock_now_loose();
    bool still = false;
    atomic_store_relaxed(&sched.coarse_now, now);
    uint32_t n = atomic_load_relaxed(&sched.proc_count);
    for (uint32_t i = 0; i < n; i++)
        still |= inspect(m, sched.all_p[i], now);
    poll_overdue(m, now);
    if (post_pending())
        post_look(m);
    wake_missed();
    return still;
}

/* Everything is idle and will stay so until somebody takes a P. */
static bool may_sleep(void)
{
    lock_acquire(&sched.lock);
    bool idle = sched.idle_p_count == sched.proc_count && sched.global_count == 0 &&
                !sched_poller_missing();
    sched.sysmon_asleep = idle;
    lock_release(&sched.lock);
    return idle;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Stacks that nobody has used for a while give their memory back. Returns when to look again, -1 if
 * there are none. */
static int64_t trim_tick(void)
{
    int64_t now = (int64_t)base_clock_now_loose();
    if (now < sysmon.trim_at)
        return sysmon.trim_more ? sysmon.trim_at - now : -1;
    sysmon.trim_at = now + TRIM_EVERY;
    sysmon.trim_more = goroutines_trim_tick();
    return sysmon.trim_more ? TRIM_EVERY : -1;
}

static void *sysmon_main(void *arg)
{
    struct m *m = arg;
    machine_adopt(m);
    unsigned idle_looks = 0;
    while (!atomic_load_acquire(&sysmon.stop)) { /* pairs with sysmon_stop() */
        lease_return(m);
        bool still = look(m);
        bool all_idle =
            atomic_load_relaxed(&sched.idle_p_count) == atomic_load_relaxed(&sched.proc_count);
        idle_looks = all_idle ? idle_looks + 1 : 0;
        int64_t pause = still ? FAST : SLOW;
        if (idle_looks > IDLE_LOOKS && may_sleep())
            pause = deadlock_look(m);
        pause = sooner(pause, trim_tick());
        lease_leave(m);
        if (goroutines_trim_some())
            pause = sooner(pause, SLOW);
        base_note_wait(&sysmon.note, stats_line(pause));
    }
    machine_disown(m);
    return NULL;
}

int sysmon_start(void)
{
    sysmon.stop = 0;
    sysmon.note.word = 0;
    struct m *m = machine_new_service();
    return m ? base_thread_start(&sysmon.thread, "weft-sysmon", sysmon_main, m) : -ENOMEM;
}

void sysmon_wake(void)
{
    base_note_post(&sysmon.note);
}

void sysmon_stop(void)
{
    atomic_store_release(&sysmon.stop, 1); /* pairs with sysmon_main() */
    base_note_post(&sysmon.note);
    pthread_join(sysmon.thread, NULL);
}
