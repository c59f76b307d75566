/* SPDX-License-Identifier: MIT */
/* Stopping the world, and changing the number of Ps while it stands. See world.h and lease.h. */
#include "sched/world.h"

#include <errno.h>

#include "sched/crash.h"
#include "sched/lease.h"
#include "sched/machine.h"
#include "sched/proc.h"
#include "sched/schedule.h"
#include "sched/trace_hooks.h"

/* Who waits for the world looks that often whether its holder has crashed. */
#define LOOK_UP_NS (100 * INT64_C(1000000))

/* 0 free, 1 held, 2 held and somebody sleeps outside. */
static uint32_t world;

bool world_try(void)
{
    uint32_t expected = 0;
    return atomic_cas_acquire(&world, &expected, 1); /* pairs with world_unlock() */
}

/* Sleeps until the lock may be free, or a while. Outside only. */
static void wait_outside(void)
{
    uint32_t held = 1;
    if (atomic_cas_relaxed(&world, &held, 2) || held == 2)
        base_futex_wait(&world, 2, LOOK_UP_NS);
}

struct m *world_lock(struct m *m)
{
    while (!world_try()) {
        const void *frame = m->g->api_frame;
        uintptr_t pc = m->g->api_pc;
        lease_leave(m);
        wait_outside();
        lease_return(m);
        m = rt_enter_slow(m, frame, pc);
        if (!m)
            return NULL;
    }
    return m;
}

void world_lock_outside(void)
{
    while (!world_try())
        wait_outside();
}

bool world_lock_unless_crashed(void)
{
    bool locked;
    while (!(locked = world_try()) && !crash_is_inside())
        wait_outside();
    return locked;
}

void world_unlock(void)
{
    if (atomic_swap_release(&world, 0) == 2) /* pairs with world_try() */
        base_futex_wake(&world, INT32_MAX);
}

/* Holds every M that is not held yet; true if there was one. */
static bool hold_all(struct m *self)
{
    bool any = false;
    for (struct m *m = machines_first(); m; m = m->all_next) {
        if (m == self || (atomic_load_relaxed(&m->attention) & M_HELD))
            continue;
        lease_hold(m);
        any = true;
    }
    return any;
}

void world_stop(struct m *self)
{
    atomic_add_relaxed(&sched.world_stops, 1);
    /* An M that is inside may make another one: look again until a pass finds everybody held. */
    while (hold_all(self)) {
        fence_heavy();
        for (struct m *m = machines_first(); m; m = m->all_next)
            if (m != self && (atomic_load_relaxed(&m->attention) & M_HELD))
                lease_wait_outside(m);
        torture_point("world_stop");
    }
    sched.world_stopped = !crash_is_inside();
}

void world_start(struct m *self)
{
    torture_point("world_start");
    sched.world_stopped = false;
    for (struct m *m = machines_first(); m; m = m->all_next)
        if (m != self)
            lease_release(m);
}

/* ---- The number of Ps ---- */

void world_seize(struct m *m, struct p *p)
{
    struct m *holder = atomic_load_acquire(&p->m);
    if (p->idle)
        proc_remove_idle_locked(p);
    else if (holder->p == p)
        hook_take_p(m, holder, HOOK_LEASE_RECLAIMED);
    else /* in transit to an M that sleeps still */
        holder->next_p = NULL;
    atomic_store_relaxed(&p->m, NULL);
}

/* What a dying P has goes to the others. */
static void evacuate(struct p *p, struct p *heir)
{
    bool inherits;
    struct g *g;
    struct g_list list = {0};
    while ((g = runq_pop_owner(&p->runq, &inherits, true)))
        g_list_push(&list, g);
    sched_global_append(
        &list); /* nobody is woken while the world stands: resize() does it at its end */
    timers_move(p, heir);
}

static struct p *surviving_p(struct m *m, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (sched.all_p[i]->idle) {
            world_seize(m, sched.all_p[i]);
            return sched.all_p[i];
        }
    world_seize(m, sched.all_p[0]);
    return sched.all_p[0];
}

static void shrink(struct m *m, uint32_t n)
{
    uint32_t old = sched.proc_count;
    struct p *own = m->p;
    for (uint32_t i = n; i < old; i++)
        if (sched.all_p[i] != own)
            world_seize(m, sched.all_p[i]);
    if (own->id >= n)
        hook_change_p(m, surviving_p(m, n));
    atomic_store_relaxed(&sched.proc_count, n);
    for (uint32_t i = n; i < old; i++)
        evacuate(sched.all_p[i], m->p);
}

static int grow(uint32_t n)
{
    for (uint32_t i = sched.proc_made; i < n; i++) {
        int error = proc_make(i);
        if (error)
            return error;
        sched.proc_made++;
    }
    uint32_t old = sched.proc_count;
    atomic_store_relaxed(&sched.proc_count, n);
    lock_acquire(&sched.lock);
    for (uint32_t i = n; i-- > old;)
        proc_put_idle_locked(sched.all_p[i]);
    lock_release(&sched.lock);
    return 0;
}

static bool somebody_has_crashed(void)
{
    for (struct m *m = machines_first(); m; m = m->all_next)
        if (crash_has_hit(m))
            return true;
    return false;
}

static int resize(struct m *m, uint32_t n)
{
    m = world_lock(m);
    if (!m)
        return -EPERM;
    int old = (int)sched.proc_count;
    int error = 0;
    world_stop(m);
    if (somebody_has_crashed()) /* its P cannot be taken, and nobody will miss the change */
        n = sched.proc_count;
    hook_stw_begin(m, WEFT_TRACE_STW_GOMAXPROCS);
    if (n > sched.proc_count)
        error = grow(n);
    else if (n < sched.proc_count)
        shrink(m, n);
    hook_procs_change(m, sched.proc_count);
    hook_stw_end(m);
    world_start(m);
    world_unlock();
    proc_wake_one();
    rt_exit(m);
    return error ? error : old;
}

int weft_procs(int n)
{
    struct m *m = rt_enter();
    if (!m)
        return -EPERM;
    if (n > 0 && n <= MAX_PROCS)
        return resize(m, (uint32_t)n);
    int now = (int)atomic_load_relaxed(&sched.proc_count);
    rt_exit(m);
    return n == 0 ? now : -EINVAL;
}
