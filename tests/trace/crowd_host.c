/* SPDX-License-Identifier: MIT */
/* The tracer's questions to a crowd. */
#include "trace/crowd_parts.h"

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
    bool open = crowd_enter(w, &s);
    if (open)
        weft_trace_go_unblock(&s, crowd_context(w), &c->system.g, 0);
    crowd_set_status(&c->system, WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&s);
    crowd_proc_start(w, &c->ps[0]);
    crowd_go_start(w, &c->system);
    *out = crowd_context(w);
    return 0;
}

static void detach(void *arg)
{
    crowd *c = arg;
    worker *w = &c->drainer;
    weft_trace_section s;
    bool open = crowd_enter(w, &s);
    if (open)
        weft_trace_go_block(&s, crowd_context(w), WEFT_TRACE_BLOCK_SYSTEM, 0);
    crowd_detach_g(w, WEFT_TRACE_G_WAITING);
    if (open)
        weft_trace_leave(&s);
    crowd_proc_stop(w);
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
        crowd_rob(&c->drainer, &c->workers[i]);
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
    static const uintptr_t pcs[] = {(uintptr_t)crowd_go_block, (uintptr_t)crowd_step + 1};
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
    unsigned count = atomic_load_acquire(&c->g_count); /* pairs with crowd_record() */
    for (unsigned i = 0; i < count; i++)
        show(&c->gs[i], stacks, fn, fn_arg);
    show(&c->system, stacks, fn, fn_arg);
}

weft_trace_host crowd_host(crowd *c)
{
    return (weft_trace_host){.size = sizeof(weft_trace_host),
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
}
