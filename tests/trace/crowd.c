/* SPDX-License-Identifier: MIT */
/*
 * Ownership. A runnable or waiting G is owned by who has popped it; a running G, and a P, by its
 * worker; a G in a system call, by its worker; its P there by who moves `claim` from ATTACHED to
 * TAKEN. The same word serves for user code that may be robbed of its P. Sections are entered after
 * that and outside of the lock, but for those of world changes; a G is pushed onto a queue after
 * the section that changed it.
 *
 * Workers halt at the top of their loop when the crowd is paused, with whatever P and G they have.
 * A worker in a long system call counts as halted and waits for the end of the pause when it comes
 * back.
 */
#include "trace/crowd.h"

#include "base/atomic.h"
#include "base/cmocka_all.h"
#include "base/thread.h"

#include <weft/trace_host.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define MAX_GS      160
#define MAX_PS      16
#define MAX_WORKERS 16
#define LEAST_GS    40

enum { RUNNING, HALTED };
enum { NONE, ATTACHED, TAKEN, GONE };

typedef struct gee {
    weft_trace_g g;
    uint32_t status; /* atomic */
    uint64_t tid;    /* atomic: of the thread that runs it */
    struct gee *next;
} gee;

typedef struct pee {
    weft_trace_p p;
    struct worker *worker; /* lock; NULL: idle */
    unsigned ever;
} pee;

typedef struct worker {
    weft_trace_m m;
    crowd *c;
    pthread_t thread;
    pee *p;
    gee *g;
    uint32_t claim; /* atomic: may the P be taken from the G that is elsewhere */
    int state;      /* lock */
    uint64_t random;
    uint64_t steps; /* atomic */
} worker;

typedef struct queue {
    gee *first;
    unsigned count;
} queue;

struct crowd {
    weft_tracer *tracer;
    pthread_mutex_t lock, world;
    pthread_cond_t halted, resumed;
    gee gs[MAX_GS];
    unsigned g_count; /* atomic, written under lock */
    uint64_t next_id;
    queue runnable, waiting, dead; /* lock */
    pee ps[MAX_PS];                /* the first is the drainer's */
    unsigned procs, max_procs;     /* lock and world: live Ps besides the first */
    unsigned target;               /* atomic: Ps above are to be dropped */
    worker workers[MAX_WORKERS];
    unsigned worker_count;
    worker drainer;
    gee system;
    unsigned pausing;  /* lock */
    unsigned quitting; /* atomic */
};

static uint64_t dice(worker *w, uint64_t sides)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % sides;
}

static void push(crowd *c, queue *q, gee *g)
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

static void set_status(gee *g, uint32_t status)
{
    atomic_store_relaxed(&g->status, status);
}

static weft_trace_context context(const worker *w)
{
    return (weft_trace_context){w->p ? &w->p->p : NULL, w->g ? &w->g->g : NULL};
}

static bool enter(worker *w, weft_trace_section *section)
{
    return weft_trace_enter(w->c->tracer, &w->m, section);
}

static uint64_t some_stack(worker *w, weft_trace_section *section)
{
    uintptr_t pcs[6];
    unsigned depth = 1 + (unsigned)dice(w, 6);
    for (unsigned i = 0; i < depth; i++)
        pcs[i] = (uintptr_t)some_stack + 1 + dice(w, 60);
    return weft_trace_stack(section, pcs, depth);
}

/* ---- Steps of one worker ---- */

static void proc_start(worker *w, pee *p)
{
    weft_trace_section s;
    w->p = p;
    if (enter(w, &s)) {
        weft_trace_proc_start(&s, context(w));
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

static void proc_stop(worker *w)
{
    weft_trace_section s;
    pee *p = w->p;
    bool open = enter(w, &s);
    if (open)
        weft_trace_proc_stop(&s, context(w));
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
        proc_start(w, found);
    return found != NULL;
}

static void go_start(worker *w, gee *g)
{
    weft_trace_section s;
    w->g = g;
    atomic_store_relaxed(&g->tid, w->m.tid);
    set_status(g, WEFT_TRACE_G_RUNNING);
    if (enter(w, &s)) {
        weft_trace_go_start(&s, context(w));
        weft_trace_leave(&s);
    }
}

static gee *detach_g(worker *w, uint32_t status)
{
    gee *g = w->g;
    set_status(g, status);
    w->g = NULL;
    return g;
}

static void go_stop(worker *w)
{
    weft_trace_section s;
    bool open = enter(w, &s);
    if (open)
        weft_trace_go_stop(&s, context(w), WEFT_TRACE_STOP_GOSCHED, some_stack(w, &s));
    gee *g = detach_g(w, WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&s);
    push(w->c, &w->c->runnable, g);
}

static void go_block(worker *w)
{
    weft_trace_section s;
    bool open = enter(w, &s);
    if (open)
        weft_trace_go_block(&s, context(w), WEFT_TRACE_BLOCK_SELECT, some_stack(w, &s));
    gee *g = detach_g(w, WEFT_TRACE_G_WAITING);
    if (open)
        weft_trace_leave(&s);
    push(w->c, &w->c->waiting, g);
}

static void go_unblock(worker *w)
{
    weft_trace_section s;
    gee *g = pop(w->c, &w->c->waiting);
    if (!g)
        return;
    bool open = enter(w, &s);
    if (open)
        weft_trace_go_unblock(&s, context(w), &g->g, some_stack(w, &s));
    set_status(g, WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&s);
    push(w->c, &w->c->runnable, g);
}

/* A record for a new G: one of a dead G, or a new one. */
static gee *record(crowd *c)
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
    gee *g = record(w->c);
    if (!g)
        return;
    bool open = enter(w, &s);
    if (open)
        weft_trace_go_create(&s, context(w), &g->g, (uintptr_t)go_create, blocked,
                             some_stack(w, &s));
    set_status(g, blocked ? WEFT_TRACE_G_WAITING : WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&s);
    push(w->c, blocked ? &w->c->waiting : &w->c->runnable, g);
}

static void go_end(worker *w)
{
    weft_trace_section s;
    bool open = enter(w, &s);
    if (open)
        weft_trace_go_destroy(&s, context(w));
    gee *g = detach_g(w, WEFT_TRACE_G_DEAD);
    if (open)
        weft_trace_leave(&s);
    push(w->c, &w->c->dead, g);
}

static void go_switch(worker *w, bool destroy)
{
    weft_trace_section s;
    gee *to = pop(w->c, &w->c->waiting);
    if (!to)
        return;
    bool open = enter(w, &s);
    if (open)
        weft_trace_go_switch(&s, context(w), &to->g, destroy);
    gee *from = detach_g(w, destroy ? WEFT_TRACE_G_DEAD : WEFT_TRACE_G_WAITING);
    w->g = to;
    atomic_store_relaxed(&to->tid, w->m.tid);
    set_status(to, WEFT_TRACE_G_RUNNING);
    if (open)
        weft_trace_leave(&s);
    push(w->c, destroy ? &w->c->dead : &w->c->waiting, from);
}

/* The G came back and its P is gone: it has to queue. */
static void syscall_lost(worker *w)
{
    weft_trace_section s;
    w->p = NULL;
    bool open = enter(w, &s);
    if (open)
        weft_trace_syscall_end_blocked(&s, context(w));
    gee *g = detach_g(w, WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&s);
    push(w->c, &w->c->runnable, g);
}

/* True if nobody has taken the P. */
static bool unclaim(worker *w)
{
    uint32_t found = ATTACHED;
    if (atomic_cas_acqrel(&w->claim, &found, NONE)) /* pairs with rob() */
        return true;
    unsigned spins = 0;
    while (atomic_load_acquire(&w->claim) != GONE) /* pairs with rob() */
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
    bool open = enter(w, &s);
    if (open)
        weft_trace_syscall_begin(&s, context(w), some_stack(w, &s));
    set_status(w->g, WEFT_TRACE_G_SYSCALL);
    if (open)
        weft_trace_leave(&s);
    atomic_store_release(&w->claim, ATTACHED); /* pairs with rob() */
    be_away(w, true);
    if (!unclaim(w)) {
        syscall_lost(w);
        return;
    }
    set_status(w->g, WEFT_TRACE_G_RUNNING);
    if (enter(w, &s)) {
        weft_trace_syscall_end(&s, context(w));
        weft_trace_leave(&s);
    }
}

/* User code with the P on lease: who wants the P makes it look like a system call (rob()). */
static void user_step(worker *w)
{
    atomic_store_release(&w->claim, ATTACHED); /* pairs with rob() */
    be_away(w, false);
    if (!unclaim(w))
        syscall_lost(w);
}

/* Writes what taking the P of v means: the thief is w. */
static void write_robbery(worker *w, worker *v)
{
    weft_trace_section own, other;
    bool in_syscall = atomic_load_relaxed(&v->g->status) == WEFT_TRACE_G_SYSCALL;
    bool open = in_syscall ? enter(w, &own)
                           : weft_trace_enter_pair(w->c->tracer, &w->m, &own, &v->m, &other);
    if (open && !in_syscall)
        weft_trace_syscall_begin(&other, context(v), 0);
    if (open)
        weft_trace_proc_steal(&own, context(w), false, &v->p->p, v->m.tid);
    set_status(v->g, WEFT_TRACE_G_SYSCALL);
    if (open && !in_syscall)
        weft_trace_leave(&other);
    if (open)
        weft_trace_leave(&own);
}

/* Takes the P of v, if its G is away, and lets it go idle. */
static bool rob(worker *w, worker *v)
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
        if (rob(w, &w->c->workers[(first + i) % count]))
            return;
}

static void annotate(worker *w)
{
    weft_trace_section outer, inner;
    static const char *const names[] = {"one", "two", "three"};
    const char *name = names[dice(w, 3)];
    if (!enter(w, &outer))
        return;
    weft_trace_region_begin(&outer, context(w), 0, name, strlen(name), some_stack(w, &outer));
    /* Of the same generation, whatever happens meanwhile, and not refused when tracing ends. */
    if (!enter(w, &inner) || inner.generation != outer.generation)
        abort();
    weft_trace_log(&inner, context(w), 0, "key", 3, name, strlen(name), 0);
    sched_yield();
    weft_trace_leave(&inner);
    weft_trace_region_end(&outer, context(w), 0, name, strlen(name), 0);
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
        if (!rob(w, holder))
            base_backoff(&spins);
    }
    if (enter(w, &s)) {
        weft_trace_procs_change(&s, context(w), n + 1, 0);
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
static void register_m(worker *w)
{
    while (weft_trace_m_register(w->c->tracer, &w->m) < 0)
        sched_yield();
}

/* The thread leaves the tracer and comes back, as a new one would. */
static void leave_and_come(worker *w)
{
    weft_trace_m_unregister(w->c->tracer, &w->m);
    register_m(w);
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
        go_stop(w);
        break;
    case 4 ... 6:
        go_block(w);
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

static void step(worker *w)
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
            go_stop(w);
        proc_stop(w);
        return;
    }
    if (w->g) {
        random_step(w);
        return;
    }
    gee *g = pop(c, &c->runnable);
    if (g)
        go_start(w, g);
    else if (dice(w, 2))
        go_unblock(w);
    else
        proc_stop(w);
}

static void halt_if_asked(worker *w)
{
    crowd *c = w->c;
    pthread_mutex_lock(&c->lock);
    while (c->pausing) {
        w->state = HALTED;
        pthread_cond_broadcast(&c->halted);
        pthread_cond_wait(&c->resumed, &c->lock);
    }
    w->state = RUNNING;
    pthread_mutex_unlock(&c->lock);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    crowd *c = w->c;
    register_m(w);
    while (!atomic_load_relaxed(&c->quitting)) {
        halt_if_asked(w);
        step(w);
        atomic_store_relaxed(&w->steps, w->steps + 1);
    }
    halt_if_asked(w);
    if (w->g)
        go_stop(w);
    if (w->p)
        proc_stop(w);
    pthread_mutex_lock(&c->lock);
    w->state = HALTED;
    pthread_cond_broadcast(&c->halted);
    pthread_mutex_unlock(&c->lock);
    weft_trace_m_unregister(c->tracer, &w->m);
    return NULL;
}

/* ---- The tracer's questions ---- */

static void pause_all(crowd *c)
{
    pthread_mutex_lock(&c->lock);
    c->pausing++;
    for (unsigned i = 0; i < c->worker_count; i++)
        while (c->workers[i].state != HALTED)
            pthread_cond_wait(&c->halted, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static void resume_all(crowd *c)
{
    pthread_mutex_lock(&c->lock);
    c->pausing--;
    pthread_cond_broadcast(&c->resumed);
    pthread_mutex_unlock(&c->lock);
}

static weft_trace_m *thread_start(void *arg)
{
    return &((crowd *)arg)->drainer.m;
}

static void thread_stop(void *arg)
{
    (void)arg;
}

static int attach(void *arg, weft_trace_context *out)
{
    crowd *c = arg;
    worker *w = &c->drainer;
    weft_trace_section s;
    bool open = enter(w, &s);
    if (open)
        weft_trace_go_unblock(&s, context(w), &c->system.g, 0);
    set_status(&c->system, WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&s);
    proc_start(w, &c->ps[0]);
    go_start(w, &c->system);
    *out = context(w);
    return 0;
}

static void detach(void *arg)
{
    crowd *c = arg;
    worker *w = &c->drainer;
    weft_trace_section s;
    bool open = enter(w, &s);
    if (open)
        weft_trace_go_block(&s, context(w), WEFT_TRACE_BLOCK_SYSTEM, 0);
    detach_g(w, WEFT_TRACE_G_WAITING);
    if (open)
        weft_trace_leave(&s);
    proc_stop(w);
}

static void world_hold(void *arg)
{
    pthread_mutex_lock(&((crowd *)arg)->world);
}

static void world_release(void *arg)
{
    pthread_mutex_unlock(&((crowd *)arg)->world);
}

/* Nobody is in a system call while the world is stopped, as far as the tracer can see: their Ps are
 * taken. */
static void world_stop(void *arg)
{
    crowd *c = arg;
    pause_all(c);
    for (unsigned i = 0; i < c->worker_count; i++)
        rob(&c->drainer, &c->workers[i]);
}

static void world_start(void *arg)
{
    resume_all(arg);
}

static uint32_t proc_count(void *arg)
{
    return ((crowd *)arg)->procs + 1;
}

static void each_p(void *arg, void (*fn)(void *arg, const weft_trace_p_view *view), void *fn_arg)
{
    crowd *c = arg;
    world_stop(c);
    for (unsigned i = 1; i <= c->procs; i++) {
        worker *w = c->ps[i].worker;
        weft_trace_p_view view = {&c->ps[i].p, w ? &w->m : NULL, w && w->g ? &w->g->g : NULL};
        fn(fn_arg, &view);
    }
    resume_all(c);
}

static void each_dead_p(void *arg, void (*fn)(void *arg, weft_trace_p *p), void *fn_arg)
{
    crowd *c = arg;
    for (unsigned i = c->procs + 1; i < MAX_PS; i++)
        if (c->ps[i].ever)
            fn(fn_arg, &c->ps[i].p);
}

static void show(gee *g, bool stacks, void (*fn)(void *arg, const weft_trace_g_view *view),
                 void *fn_arg)
{
    static const uintptr_t pcs[] = {(uintptr_t)go_block, (uintptr_t)worker_main + 1};
    weft_trace_g_view view = {.g = &g->g,
                              .id = atomic_load_relaxed(&g->g.id),
                              .m_tid = atomic_load_relaxed(&g->tid),
                              .status = atomic_load_relaxed(&g->status),
                              .pcs = stacks ? pcs : NULL,
                              .depth = stacks ? 2 : 0};
    fn(fn_arg, &view);
}

static void each_g(void *arg, bool stacks, void (*fn)(void *arg, const weft_trace_g_view *view),
                   void *fn_arg)
{
    crowd *c = arg;
    unsigned count = atomic_load_acquire(&c->g_count); /* pairs with record() */
    for (unsigned i = 0; i < count; i++)
        show(&c->gs[i], stacks, fn, fn_arg);
    show(&c->system, stacks, fn, fn_arg);
}

/* ---- */

crowd *crowd_new(unsigned workers, unsigned procs, uint64_t seed)
{
    crowd *c = calloc(1, sizeof *c);
    if (!c || workers > MAX_WORKERS || procs >= MAX_PS)
        abort();
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->world, NULL);
    pthread_cond_init(&c->halted, NULL);
    pthread_cond_init(&c->resumed, NULL);
    weft_trace_host host = {.size = sizeof host,
                            .context = c,
                            .thread_start = thread_start,
                            .thread_stop = thread_stop,
                            .attach = attach,
                            .detach = detach,
                            .world_hold = world_hold,
                            .world_release = world_release,
                            .world_stop = world_stop,
                            .world_start = world_start,
                            .proc_count = proc_count,
                            .each_p = each_p,
                            .each_dead_p = each_dead_p,
                            .each_g = each_g};
    while (weft_tracer_new(&host, &c->tracer) < 0)
        sched_yield();
    c->worker_count = workers;
    c->procs = c->max_procs = c->target = procs;
    c->drainer.c = c;
    c->drainer.random = 1;
    c->system.g.id = 1;
    c->system.status = WEFT_TRACE_G_WAITING;
    c->next_id = 2;
    for (unsigned i = 0; i < MAX_PS; i++) {
        c->ps[i].p.id = i;
        c->ps[i].ever = i <= procs;
    }
    for (unsigned i = 0; i < workers; i++) {
        c->workers[i].c = c;
        c->workers[i].random = seed * 1000003 + i * 7919 + 1;
    }
    for (unsigned i = 0; i < LEAST_GS * 2; i++) {
        gee *g = record(c);
        set_status(g, WEFT_TRACE_G_RUNNABLE);
        push(c, &c->runnable, g);
    }
    return c;
}

weft_tracer *crowd_tracer(crowd *c)
{
    return c->tracer;
}

void crowd_start(crowd *c)
{
    for (unsigned i = 0; i < c->worker_count; i++)
        if (pthread_create(&c->workers[i].thread, NULL, worker_main, &c->workers[i]) != 0)
            abort();
}

void crowd_stop(crowd *c)
{
    atomic_store_relaxed(&c->quitting, 1);
    for (unsigned i = 0; i < c->worker_count; i++)
        pthread_join(c->workers[i].thread, NULL);
}

uint64_t crowd_steps(const crowd *c)
{
    uint64_t steps = 0;
    for (unsigned i = 0; i < c->worker_count; i++)
        steps += atomic_load_relaxed(&c->workers[i].steps);
    return steps;
}

void crowd_free(crowd *c)
{
    weft_tracer_free(c->tracer);
    free(c);
}
