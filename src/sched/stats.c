/* SPDX-License-Identifier: MIT */
/*
 * What the runtime has done and what it is doing, in numbers.
 *
 * Each P counts for itself, in memory that its M has in its cache anyway; slow paths count under
 * the lock that they hold, or with an atomic addition beside a system call. Goroutines are not
 * counted by state: who runs has a P, who is runnable is in a queue, who blocks has an M without P,
 * and the others wait. So the figures of one call are not of one moment; differences that come out
 * negative are shown as 0.
 */
#include "sched/stats.h"

#include <string.h>

#include "base/clock.h"
#include "sched/debug_env.h"
#include "sched/goroutine.h"
#include "sched/idle.h"
#include "sched/machine.h"
#include "sched/schedule.h"
#include "weft/time.h"

static base_lock lock = BASE_LOCK_INIT(INSTANCE); /* held while a reader is at the records */

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

void stats_end(void)
{
    lock_acquire(&lock);
    atomic_store_release(&sched.running, 0);
    lock_release(&lock);
}

/* What the threads that are there do, apart from those that run goroutines. */
struct threads {
    uint64_t all, workers, resting, attached_blocked;
};

/* Under the lock under which a new M is told from the others. */
static struct threads count_threads(void)
{
    struct threads n = {0};
    lock_acquire(&sched.lock);
    for (const struct m *m = machines_first(); m; m = m->all_next) {
        n.all++;
        n.workers += !m->service;
        n.resting += !m->service && m->rests;
        n.attached_blocked += m->own && atomic_load_relaxed(&m->own->status) == G_SYSCALL;
    }
    lock_release(&sched.lock);
    return n;
}

static uint64_t count_idle_threads(void)
{
    uint64_t n = 0;
    lock_acquire(&sched.lock);
    for (const struct m *m = sched.idle_ms; m; m = m->idle_next)
        n++;
    lock_release(&sched.lock);
    return n + sched_poller_sleeps();
}

/* Adds what the Ps know. Returns how many of them workers have. */
static uint64_t add_procs(weft_stats *s)
{
    uint64_t with_workers = 0;
    for (uint32_t i = 0; i < sched.proc_made; i++) {
        const struct p *p = sched.all_p[i];
        const struct m *m = atomic_load_acquire(&p->m); /* pairs with proc_attach() */
        with_workers += m && !m->service;
        s->runnable += runq_length(&p->runq);
        s->parks += atomic_load_relaxed(&p->parks);
        s->steals += atomic_load_relaxed(&p->steals);
        s->stacks_free += atomic_load_relaxed(&p->gfree_count);
    }
    return with_workers;
}

static void read_all(weft_stats *s)
{
    goroutines_count(&s->created, &s->goroutines);
    goroutines_stacks(s);
    netpoll_count(s);
    s->timers = timers_count();
    s->procs = atomic_load_relaxed(&sched.proc_count);
    s->procs_idle = atomic_load_relaxed(&sched.idle_p_count);
    s->revocations = atomic_load_relaxed(&sched.revocations);
    s->world_stops = atomic_load_relaxed(&sched.world_stops);
    s->wakeups = atomic_load_relaxed(&sched.wakeups);

    struct threads threads = count_threads();
    uint64_t with_workers = add_procs(s);
    s->threads = threads.all;
    s->threads_idle = count_idle_threads() + threads.resting;
    s->threads_spinning = atomic_load_relaxed(&sched.spinning);
    s->threads_blocked = less(threads.workers, s->threads_idle + with_workers);
    s->blocked = s->threads_blocked + threads.attached_blocked;
    s->runnable += atomic_load_relaxed(&sched.global_count);
    s->executing = less(less(s->procs, s->procs_idle), s->threads_spinning);
    s->waiting = less(s->goroutines, s->executing + s->runnable + s->blocked);
}

void weft_stats_get(weft_stats *stats)
{
    weft_stats now = {.size = stats->size};
    lock_acquire(&lock);
    if (atomic_load_acquire(&sched.running)) /* pairs with start() */
        read_all(&now);
    lock_release(&lock);
    memcpy(stats, &now, stats->size < sizeof now ? stats->size : sizeof now);
}

/* ---- The line ---- */

#define U(x) ((unsigned long)(x))

static void print_line(int64_t now)
{
    weft_stats s = {.size = sizeof s};
    weft_stats_get(&s);
    base_print("weft: sched %lu ms: goroutines %lu (%lu executing, %lu runnable, %lu blocked, "
               "%lu waiting), procs %lu (%lu idle), threads %lu (%lu spinning, %lu idle, "
               "%lu blocked), timers %lu, descriptors %lu, parks %lu, steals %lu, wake-ups %lu, "
               "leases revoked %lu",
               U(now / WEFT_MILLISECOND), U(s.goroutines), U(s.executing), U(s.runnable),
               U(s.blocked), U(s.waiting), U(s.procs), U(s.procs_idle), U(s.threads),
               U(s.threads_spinning), U(s.threads_idle), U(s.threads_blocked), U(s.timers),
               U(s.descriptors), U(s.parks), U(s.steals), U(s.wakeups), U(s.revocations));
}

int64_t stats_line(int64_t pause)
{
    static int64_t due; /* owner: the monitor */
    if (debug_env.sched_every == 0)
        return pause;
    int64_t now = (int64_t)base_clock_now();
    if (now >= due) {
        print_line(now);
        due = now + debug_env.sched_every;
    }
    return pause < 0 || pause > due - now ? due - now : pause;
}
