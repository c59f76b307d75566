/* SPDX-License-Identifier: MIT */
/* What the workers of a crowd do, one random step at a time; crowd_parts.h says who owns what. */
#include "trace/crowd_parts.h"

static uint64_t dice(worker *w, uint64_t sides)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % sides;
}

void crowd_push(crowd *c, queue *q, gee *g)
{
    pthread_mutex_lock(&c->lock);
    g->next = q->first;
    q->first = g;
    q->count++;
    pthread_mutex_unlock(&c->lock);
}

static gee *pop_locked(queue *q)
{
    gee *g = q->first;
    if (g) {
        q->first = g->next;
        q->count--;
    }
    return g;
}

static gee *pop(crowd *c, queue *q)
{
    pthread_mutex_lock(&c->lock);
    gee *g = pop_locked(q);
    pthread_mutex_unlock(&c->lock);
    return g;
}

static uint64_t some_stack(worker *w, weft_trace_section *section)
{
    uintptr_t pcs[6];
    unsigned depth = 1 + (unsigned)dice(w, 6);
    for (unsigned i = 0; i < depth; i++)
        pcs[i] = (uintptr_t)some_stack + 1 + dice(w, 60);
    return weft_trace_stack(section, pcs, depth);
}

void crowd_proc_start(worker *w, pee *p)
{
    weft_trace_section s;
    w->p = p;
    if (crowd_enter(w, &s)) {
        weft_trace_proc_start(&s, crowd_context(w));
        weft_trace_leave(&s);
    }
}

/* Idle Ps are given away under the lock only. */
static void idle(crowd *c, pee *p)
{
    pthread_mutex_lock(&c->lock);
    p->worker = NULL;
    pthread_mutex_unlock(&c->lock);
}

void crowd_proc_stop(worker *w)
{
    weft_trace_section s;
    pee *p = w->p;
    bool open = crowd_enter(w, &s);
    if (open)
        weft_trace_proc_stop(&s, crowd_context(w));
    w->p = NULL;
    if (open)
        weft_trace_leave(&s);
    idle(w->c, p);
}

static bool find_proc(worker *w)
{
    crowd *c = w->c;
    pee *found = NULL;
    pthread_mutex_lock(&c->lock);
    unsigned limit =
        c->procs < atomic_load_relaxed(&c->target) ? c->procs : atomic_load_relaxed(&c->target);
    for (unsigned i = 1; i <= limit && !found; i++)
        if (!c->ps[i].worker)
            found = &c->ps[i];
    if (found)
        found->worker = w;
    pthread_mutex_unlock(&c->lock);
    if (found)
        crowd_proc_start(w, found);
    return found != NULL;
}

void crowd_go_start(worker *w, gee *g)
{
    weft_trace_section s;
    w->g = g;
    atomic_store_relaxed(&g->tid, w->m.tid);
    crowd_set_status(g, WEFT_TRACE_G_RUNNING);
    if (crowd_enter(w, &s)) {
        weft_trace_go_start(&s, crowd_context(w));
        weft_trace_leave(&s);
    }
}

gee *crowd_detach_g(worker *w, uint32_t status)
{
    gee *g = w->g;
    crowd_set_status(g, status);
    w->g = NULL;
    return g;
}

void crowd_go_stop(worker *w)
{
    weft_trace_section s;
    bool open = crowd_enter(w, &s);
    if (open)
        weft_trace_go_stop(&s, crowd_context(w), WEFT_TRACE_STOP_GOSCHED, some_stack(w, &s));
    gee *g = crowd_detach_g(w, WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&s);
    crowd_push(w->c, &w->c->runnable, g);
}

void crowd_go_block(worker *w)
{
    weft_trace_section s;
    bool open = crowd_enter(w, &s);
    if (open)
        weft_trace_go_block(&s, crowd_context(w), WEFT_TRACE_BLOCK_SELECT, some_stack(w, &s));
    gee *g = crowd_detach_g(w, WEFT_TRACE_G_WAITING);
    if (open)
        weft_trace_leave(&s);
    crowd_push(w->c, &w->c->waiting, g);
}

static void go_unblock(worker *w)
{
    weft_trace_section s;
    gee *g = pop(w->c, &w->c->waiting);
    if (!g)
        return;
    bool open = crowd_enter(w, &s);
    if (open)
        weft_trace_go_unblock(&s, crowd_context(w), &g->g, some_stack(w, &s));
    crowd_set_status(g, WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&s);
    crowd_push(w->c, &w->c->runnable, g);
}

/* A record for a new G: one of a dead G, or a new one. */
gee *crowd_record(crowd *c)
{
    pthread_mutex_lock(&c->lock);
    gee *g = pop_locked(&c->dead);
    if (!g && c->g_count < MAX_GS) {
        g = &c->gs[c->g_count];
        atomic_store_release(&c->g_count, c->g_count + 1);
    }
    uint64_t id = c->next_id++;
    pthread_mutex_unlock(&c->lock);
    if (g) {
        weft_trace_g_renew(&g->g);
        atomic_store_relaxed(&g->g.id, id);
    }
    return g;
}

static void go_create(worker *w, bool blocked)
{
    weft_trace_section s;
    gee *g = crowd_record(w->c);
    if (!g)
        return;
    bool open = crowd_enter(w, &s);
    if (open)
        weft_trace_go_create(&s, crowd_context(w), &g->g, (uintptr_t)go_create, blocked,
                             some_stack(w, &s));
    crowd_set_status(g, blocked ? WEFT_TRACE_G_WAITING : WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&s);
    crowd_push(w->c, blocked ? &w->c->waiting : &w->c->runnable, g);
}

static void go_end(worker *w)
{
    weft_trace_section s;
    bool open = crowd_enter(w, &s);
    if (open)
        weft_trace_go_destroy(&s, crowd_context(w));
    gee *g = crowd_detach_g(w, WEFT_TRACE_G_DEAD);
    if (open)
        weft_trace_leave(&s);
    crowd_push(w->c, &w->c->dead, g);
}

static void go_switch(worker *w, bool destroy)
{
    weft_trace_section s;
    gee *to = pop(w->c, &w->c->waiting);
    if (!to)
        return;
    bool open = crowd_enter(w, &s);
    if (open)
        weft_trace_go_switch(&s, crowd_context(w), &to->g, destroy);
    gee *from = crowd_detach_g(w, destroy ? WEFT_TRACE_G_DEAD : WEFT_TRACE_G_WAITING);
    w->g = to;
    atomic_store_relaxed(&to->tid, w->m.tid);
    crowd_set_status(to, WEFT_TRACE_G_RUNNING);
    if (open)
        weft_trace_leave(&s);
    crowd_push(w->c, destroy ? &w->c->dead : &w->c->waiting, from);
}

/* The G came back and its P is gone: it has to queue. */
static void syscall_lost(worker *w)
{
    weft_trace_section s;
    w->p = NULL;
    bool open = crowd_enter(w, &s);
    if (open)
        weft_trace_syscall_end_blocked(&s, crowd_context(w));
    gee *g = crowd_detach_g(w, WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&s);
    crowd_push(w->c, &w->c->runnable, g);
}

/* True if nobody has taken the P. */
static bool unclaim(worker *w)
{
    uint32_t found = ATTACHED;
    if (atomic_cas_acqrel(&w->claim, &found, NONE)) /* pairs with crowd_rob() */
        return true;
    unsigned spins = 0;
    while (atomic_load_acquire(&w->claim) != GONE) /* pairs with crowd_rob() */
        base_backoff(&spins);
    atomic_store_relaxed(&w->claim, NONE);
    return false;
}

static void be_away(worker *w, bool halted)
{
    crowd *c = w->c;
    if (halted) {
        pthread_mutex_lock(&c->lock);
        w->state = HALTED;
        pthread_cond_broadcast(&c->halted);
        pthread_mutex_unlock(&c->lock);
    }
    for (uint64_t i = dice(w, 4); i > 0; i--)
        sched_yield();
    if (halted) {
        pthread_mutex_lock(&c->lock);
        while (c->pausing)
            pthread_cond_wait(&c->resumed, &c->lock);
        w->state = RUNNING;
        pthread_mutex_unlock(&c->lock);
    }
}

static void syscall_step(worker *w)
{
    weft_trace_section s;
    bool open = crowd_enter(w, &s);
    if (open)
        weft_trace_syscall_begin(&s, crowd_context(w), some_stack(w, &s));
    crowd_set_status(w->g, WEFT_TRACE_G_SYSCALL);
    if (open)
        weft_trace_leave(&s);
    atomic_store_release(&w->claim, ATTACHED); /* pairs with crowd_rob() */
    be_away(w, true);
    if (!unclaim(w)) {
        syscall_lost(w);
        return;
    }
    crowd_set_status(w->g, WEFT_TRACE_G_RUNNING);
    if (crowd_enter(w, &s)) {
        weft_trace_syscall_end(&s, crowd_context(w));
        weft_trace_leave(&s);
    }
}

/* User code with the P on lease: who wants the P makes it look like a system call (crowd_rob()). */
static void user_step(worker *w)
{
    atomic_store_release(&w->claim, ATTACHED); /* pairs with crowd_rob() */
    be_away(w, false);
    if (!unclaim(w))
        syscall_lost(w);
}

/* Writes what taking the P of v means: the thief is w. */
static void write_robbery(worker *w, worker *v)
{
    weft_trace_section own, other;
    bool in_syscall = atomic_load_relaxed(&v->g->status) == WEFT_TRACE_G_SYSCALL;
    bool open = in_syscall ? crowd_enter(w, &own)
                           : weft_trace_enter_pair(w->c->tracer, &w->m, &own, &v->m, &other);
    if (open && !in_syscall)
        weft_trace_syscall_begin(&other, crowd_context(v), 0);
    if (open)
        weft_trace_proc_steal(&own, crowd_context(w), false, &v->p->p, v->m.tid);
    crowd_set_status(v->g, WEFT_TRACE_G_SYSCALL);
    if (open && !in_syscall)
        weft_trace_leave(&other);
    if (open)
        weft_trace_leave(&own);
}

/* Takes the P of v, if its G is away, and lets it go idle. */
bool crowd_rob(worker *w, worker *v)
{
    uint32_t found = ATTACHED;
    if (v == w || !atomic_cas_acqrel(&v->claim, &found,
                                     TAKEN)) /* pairs with unclaim() and the stores of ATTACHED */
        return false;
    pee *p = v->p;
    write_robbery(w, v);
    idle(w->c, p);
    atomic_store_release(&v->claim, GONE); /* pairs with unclaim() */
    return true;
}

static void rob_someone(worker *w)
{
    unsigned count = w->c->worker_count, first = (unsigned)dice(w, count);
    for (unsigned i = 0; i < count; i++)
        if (crowd_rob(w, &w->c->workers[(first + i) % count]))
            return;
}

static void annotate(worker *w)
{
    weft_trace_section outer, inner;
    static const char *const names[] = {"one", "two", "three"};
    const char *name = names[dice(w, 3)];
    if (!crowd_enter(w, &outer))
        return;
    weft_trace_region_begin(&outer, crowd_context(w), 0, name, strlen(name), some_stack(w, &outer));
    /* Of the same generation, whatever happens meanwhile, and not refused when tracing ends. */
    if (!crowd_enter(w, &inner) || inner.generation != outer.generation)
        abort();
    weft_trace_log(&inner, crowd_context(w), 0, "key", 3, name, strlen(name), 0);
    sched_yield();
    weft_trace_leave(&inner);
    weft_trace_region_end(&outer, crowd_context(w), 0, name, strlen(name), 0);
    weft_trace_leave(&outer);
}

/* With a P below the new count. The hold keeps the tracer and other changes away. */
static void change_procs(worker *w)
{
    crowd *c = w->c;
    weft_trace_section s;
    unsigned own = (unsigned)(w->p - c->ps), spins = 0;
    if (pthread_mutex_trylock(&c->world) != 0)
        return;
    unsigned n = own + (unsigned)dice(w, c->max_procs - own + 1);
    atomic_store_relaxed(&c->target, n);
    for (unsigned i = n + 1; i <= c->procs;) {
        pthread_mutex_lock(&c->lock);
        worker *holder = c->ps[i].worker;
        pthread_mutex_unlock(&c->lock);
        if (!holder) {
            i++;
            continue;
        }
        if (!crowd_rob(w, holder))
            base_backoff(&spins);
    }
    if (crowd_enter(w, &s)) {
        weft_trace_procs_change(&s, crowd_context(w), n + 1, 0);
        weft_trace_leave(&s);
    }
    pthread_mutex_lock(&c->lock);
    c->procs = n;
    for (unsigned i = 1; i <= n; i++)
        c->ps[i].ever = 1;
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_unlock(&c->world);
}

/* Memory may be refused for a while, but not for ever. */
void crowd_register_m(worker *w)
{
    while (weft_trace_m_register(w->c->tracer, &w->m) < 0)
        sched_yield();
}

/* The thread leaves the tracer and comes back, as a new one would. */
static void leave_and_come(worker *w)
{
    weft_trace_m_unregister(w->c->tracer, &w->m);
    crowd_register_m(w);
}

static bool enough_gs(crowd *c)
{
    pthread_mutex_lock(&c->lock);
    bool enough = c->runnable.count + c->waiting.count > LEAST_GS;
    pthread_mutex_unlock(&c->lock);
    return enough;
}

static void random_step(worker *w)
{
    crowd *c = w->c;
    switch (dice(w, 24)) {
    case 0 ... 3:
        crowd_go_stop(w);
        break;
    case 4 ... 6:
        crowd_go_block(w);
        break;
    case 7 ... 10:
        go_unblock(w);
        break;
    case 11 ... 12:
        go_create(w, dice(w, 2));
        break;
    case 13:
        if (enough_gs(c))
            go_end(w);
        break;
    case 14:
        go_switch(w, dice(w, 3) == 0 && enough_gs(c));
        break;
    case 15 ... 17:
        syscall_step(w);
        break;
    case 18 ... 19:
        user_step(w);
        break;
    case 20:
        rob_someone(w);
        break;
    case 21:
        if (dice(w, 20) == 0)
            change_procs(w);
        break;
    default:
        annotate(w);
    }
}

void crowd_step(worker *w)
{
    crowd *c = w->c;
    if (!w->p && !find_proc(w)) {
        if (dice(w, 16) == 0)
            leave_and_come(w);
        sched_yield();
        return;
    }
    if (w->p > &c->ps[atomic_load_relaxed(&c->target)]) {
        if (w->g)
            crowd_go_stop(w);
        crowd_proc_stop(w);
        return;
    }
    if (w->g) {
        random_step(w);
        return;
    }
    gee *g = pop(c, &c->runnable);
    if (g)
        crowd_go_start(w, g);
    else if (dice(w, 2))
        go_unblock(w);
    else
        crowd_proc_stop(w);
}
