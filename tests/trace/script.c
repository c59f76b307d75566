/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "trace/script.h"

#include "base/cmocka_all.h"

#include <stdlib.h>

#define DRAINER SCRIPT_MS

static void lock(script *s)
{
    pthread_mutex_lock(&s->lock);
}

static void unlock(script *s)
{
    pthread_mutex_unlock(&s->lock);
}

static weft_trace_context context(const script_m *m)
{
    return (weft_trace_context){m->p ? &m->p->p : NULL, m->g ? &m->g->g : NULL};
}

static bool enter(script *s, int m, weft_trace_section *section)
{
    return m >= 0 && weft_trace_enter(s->tracer, &s->m[m].m, section);
}

__attribute__((noinline)) static uint64_t here(weft_trace_section *section)
{
    uintptr_t pcs[WEFT_TRACE_MAX_FRAMES];
    char *frame = __builtin_frame_address(0);
    return weft_trace_stack(section, pcs, weft_trace_walk(frame, frame, frame + 512, pcs, 3));
}

/* ---- Steps ---- */

static script_g *create(script *s, int m, bool blocked)
{
    weft_trace_section section;
    assert_true(s->gs < SCRIPT_GS);
    script_g *g = &s->g[s->gs++];
    g->g.id = s->next_id++;
    g->m = -1;
    bool open = enter(s, m, &section);
    if (open)
        weft_trace_go_create(&section, context(&s->m[m]), &g->g, (uintptr_t)script_busy, blocked,
                             here(&section));
    g->status = blocked ? WEFT_TRACE_G_WAITING : WEFT_TRACE_G_RUNNABLE;
    if (open)
        weft_trace_leave(&section);
    return g;
}

static void do_proc_start(script *s, int m, unsigned p)
{
    weft_trace_section section;
    assert_true(p <= s->procs && s->p[p].m < 0);
    s->m[m].p = &s->p[p];
    s->p[p].m = m;
    if (enter(s, m, &section)) {
        weft_trace_proc_start(&section, context(&s->m[m]));
        weft_trace_leave(&section);
    }
}

static void do_proc_stop(script *s, int m)
{
    weft_trace_section section;
    bool open = enter(s, m, &section);
    if (open)
        weft_trace_proc_stop(&section, context(&s->m[m]));
    s->m[m].p->m = -1;
    s->m[m].p = NULL;
    if (open)
        weft_trace_leave(&section);
}

static void do_start(script *s, int m, script_g *g)
{
    weft_trace_section section;
    assert_int_equal(g->status, WEFT_TRACE_G_RUNNABLE);
    s->m[m].g = g;
    g->m = m;
    g->status = WEFT_TRACE_G_RUNNING;
    if (enter(s, m, &section)) {
        weft_trace_go_start(&section, context(&s->m[m]));
        weft_trace_leave(&section);
    }
}

static void depart(script_m *m, uint32_t status)
{
    m->g->status = status;
    m->g->m = -1;
    m->g = NULL;
}

static void do_stop(script *s, int m)
{
    weft_trace_section section;
    bool open = enter(s, m, &section);
    if (open)
        weft_trace_go_stop(&section, context(&s->m[m]), WEFT_TRACE_STOP_GOSCHED, here(&section));
    depart(&s->m[m], WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&section);
}

static void do_block(script *s, int m)
{
    weft_trace_section section;
    bool open = enter(s, m, &section);
    if (open)
        weft_trace_go_block(&section, context(&s->m[m]), WEFT_TRACE_BLOCK_CHAN_RECV,
                            here(&section));
    depart(&s->m[m], WEFT_TRACE_G_WAITING);
    if (open)
        weft_trace_leave(&section);
}

static void do_end(script *s, int m)
{
    weft_trace_section section;
    bool open = enter(s, m, &section);
    if (open)
        weft_trace_go_destroy(&section, context(&s->m[m]));
    depart(&s->m[m], WEFT_TRACE_G_DEAD);
    if (open)
        weft_trace_leave(&section);
}

static void do_unblock(script *s, int m, script_g *g)
{
    weft_trace_section section;
    assert_int_equal(g->status, WEFT_TRACE_G_WAITING);
    bool open = enter(s, m, &section);
    if (open)
        weft_trace_go_unblock(&section, context(&s->m[m]), &g->g, here(&section));
    g->status = WEFT_TRACE_G_RUNNABLE;
    if (open)
        weft_trace_leave(&section);
}

static void do_switch(script *s, int m, script_g *to, int destroy)
{
    weft_trace_section section;
    assert_int_equal(to->status, WEFT_TRACE_G_WAITING);
    bool open = enter(s, m, &section);
    if (open)
        weft_trace_go_switch(&section, context(&s->m[m]), &to->g, destroy);
    depart(&s->m[m], destroy ? WEFT_TRACE_G_DEAD : WEFT_TRACE_G_WAITING);
    s->m[m].g = to;
    to->m = m;
    to->status = WEFT_TRACE_G_RUNNING;
    if (open)
        weft_trace_leave(&section);
}

static void do_syscall(script *s, int m)
{
    weft_trace_section section;
    bool open = enter(s, m, &section);
    if (open)
        weft_trace_syscall_begin(&section, context(&s->m[m]), here(&section));
    s->m[m].g->status = WEFT_TRACE_G_SYSCALL;
    if (open)
        weft_trace_leave(&section);
}

static void do_syscall_end(script *s, int m)
{
    weft_trace_section section;
    s->m[m].g->status = WEFT_TRACE_G_RUNNING;
    if (enter(s, m, &section)) {
        weft_trace_syscall_end(&section, context(&s->m[m]));
        weft_trace_leave(&section);
    }
}

static void do_steal(script *s, int thief, int victim)
{
    weft_trace_section section;
    script_p *p = s->m[victim].p;
    assert_int_equal(s->m[victim].g->status, WEFT_TRACE_G_SYSCALL);
    bool open = enter(s, thief, &section);
    if (open)
        weft_trace_proc_steal(&section, context(&s->m[thief]), false, &p->p, s->m[victim].m.tid);
    p->m = -1;
    s->m[victim].p = NULL;
    if (open)
        weft_trace_leave(&section);
}

static void do_syscall_lost(script *s, int m)
{
    weft_trace_section section;
    bool open = enter(s, m, &section);
    if (open)
        weft_trace_syscall_end_blocked(&section, context(&s->m[m]));
    depart(&s->m[m], WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&section);
}

static script_g *do_foreign_enter(script *s, int m)
{
    weft_trace_section section;
    assert_true(s->gs < SCRIPT_GS && !s->m[m].g);
    script_g *g = &s->g[s->gs++];
    weft_trace_g_renew(&g->g);
    g->g.id = s->next_id++;
    bool open = enter(s, m, &section);
    if (open)
        weft_trace_go_create_syscall(&section, &g->g);
    g->status = WEFT_TRACE_G_SYSCALL;
    g->m = m;
    s->m[m].g = g;
    if (open)
        weft_trace_leave(&section);
    return g;
}

static void do_foreign_leave(script *s, int m)
{
    weft_trace_section section;
    bool open = enter(s, m, &section);
    if (open)
        weft_trace_go_destroy_syscall(&section, &s->m[m].g->g);
    depart(&s->m[m], WEFT_TRACE_G_DEAD);
    if (open)
        weft_trace_leave(&section);
}

script_g *script_create(script *s, int m)
{
    lock(s);
    script_g *g = create(s, m, false);
    unlock(s);
    return g;
}

script_g *script_create_blocked(script *s, int m)
{
    lock(s);
    script_g *g = create(s, m, true);
    unlock(s);
    return g;
}

void script_proc_start(script *s, int m, unsigned p)
{
    lock(s);
    do_proc_start(s, m, p);
    unlock(s);
}

void script_proc_stop(script *s, int m)
{
    lock(s);
    do_proc_stop(s, m);
    unlock(s);
}

void script_start(script *s, int m, script_g *g)
{
    lock(s);
    do_start(s, m, g);
    unlock(s);
}

void script_stop(script *s, int m)
{
    lock(s);
    do_stop(s, m);
    unlock(s);
}

void script_block(script *s, int m)
{
    lock(s);
    do_block(s, m);
    unlock(s);
}

void script_end(script *s, int m)
{
    lock(s);
    do_end(s, m);
    unlock(s);
}

void script_unblock(script *s, int m, script_g *g)
{
    lock(s);
    do_unblock(s, m, g);
    unlock(s);
}

void script_switch(script *s, int m, script_g *to, int destroy)
{
    lock(s);
    do_switch(s, m, to, destroy);
    unlock(s);
}

void script_syscall(script *s, int m)
{
    lock(s);
    do_syscall(s, m);
    unlock(s);
}

void script_syscall_end(script *s, int m)
{
    lock(s);
    do_syscall_end(s, m);
    unlock(s);
}

void script_steal(script *s, int thief, int victim)
{
    lock(s);
    do_steal(s, thief, victim);
    unlock(s);
}

void script_syscall_lost(script *s, int m)
{
    lock(s);
    do_syscall_lost(s, m);
    unlock(s);
}

void script_foreign_leave(script *s, int m)
{
    lock(s);
    do_foreign_leave(s, m);
    unlock(s);
}

script_g *script_foreign_enter(script *s, int m)
{
    lock(s);
    script_g *g = do_foreign_enter(s, m);
    unlock(s);
    return g;
}

bool script_enter(script *s, int m, weft_trace_section *section, weft_trace_context *c)
{
    lock(s);
    *c = context(&s->m[m]);
    return enter(s, m, section);
}

void script_leave(script *s, bool open, weft_trace_section *section)
{
    if (open)
        weft_trace_leave(section);
    unlock(s);
}

void script_busy(script *s)
{
    for (unsigned i = 1; i <= s->procs; i++) {
        int m = (int)i - 1;
        lock(s); /* as one step: the P is not taken away in the system call */
        do_proc_start(s, m, i);
        do_start(s, m, &s->g[i]);
        do_syscall(s, m);
        do_syscall_end(s, m);
        do_stop(s, m);
        do_proc_stop(s, m);
        unlock(s);
    }
}

void script_procs(script *s, unsigned procs)
{
    assert_true(procs <= SCRIPT_PS);
    pthread_mutex_lock(&s->world);
    for (unsigned i = 0; i <= SCRIPT_PS; i++) {
        assert_true(s->p[i].m < 0);
        s->p[i].ever |= i <= procs;
    }
    s->procs = procs;
    pthread_mutex_unlock(&s->world);
}

/* ---- The tracer's questions ---- */

static weft_trace_m *thread_start(void *arg)
{
    return &((script *)arg)->m[DRAINER].m;
}

static void thread_stop(void *arg)
{
    (void)arg;
}

static int attach(void *arg, weft_trace_context *out)
{
    script *s = arg;
    assert_true(s->held && !s->world_stopped);
    if (s->attach_error) {
        s->refused_attaches++;
        return s->attach_error;
    }
    script_unblock(s, DRAINER, &s->g[0]);
    script_proc_start(s, DRAINER, 0);
    script_start(s, DRAINER, &s->g[0]);
    *out = context(&s->m[DRAINER]);
    return 0;
}

static void detach(void *arg)
{
    script_block(arg, DRAINER);
    script_proc_stop(arg, DRAINER);
}

static void world_hold(void *arg)
{
    script *s = arg;
    pthread_mutex_lock(&s->world);
    assert_false(s->held);
    s->held = 1;
}

static void world_release(void *arg)
{
    script *s = arg;
    assert_true(s->held && !s->world_stopped);
    s->held = 0;
    pthread_mutex_unlock(&s->world);
}

static void world_stop(void *arg)
{
    script *s = arg;
    assert_true(s->held);
    lock(s);
    s->world_stopped = 1;
}

static void world_start(void *arg)
{
    script *s = arg;
    s->world_stopped = 0;
    unlock(s);
}

static uint32_t proc_count(void *arg)
{
    return ((script *)arg)->procs + 1;
}

static void each_p(void *arg, void (*fn)(void *arg, const weft_trace_p_view *view), void *fn_arg)
{
    script *s = arg;
    assert_true(s->held);
    lock(s);
    for (unsigned i = 1; i <= s->procs; i++) {
        script_p *p = &s->p[i];
        if (p->m >= 0 && s->m[p->m].g && s->m[p->m].g->status == WEFT_TRACE_G_SYSCALL)
            script_steal(s, DRAINER, p->m);
        script_m *m = p->m >= 0 ? &s->m[p->m] : NULL;
        weft_trace_p_view view = {&p->p, m ? &m->m : NULL, m && m->g ? &m->g->g : NULL};
        fn(fn_arg, &view);
    }
    unlock(s);
}

static void each_dead_p(void *arg, void (*fn)(void *arg, weft_trace_p *p), void *fn_arg)
{
    script *s = arg;
    assert_true(s->held);
    for (unsigned i = s->procs + 1; i <= SCRIPT_PS; i++)
        if (s->p[i].ever)
            fn(fn_arg, &s->p[i].p);
}

static void each_g(void *arg, bool stacks, void (*fn)(void *arg, const weft_trace_g_view *view),
                   void *fn_arg)
{
    static const uintptr_t pcs[2] = {(uintptr_t)script_busy, (uintptr_t)script_new + 1};
    script *s = arg;
    assert_false(s->held);
    lock(s);
    for (unsigned i = 0; i < s->gs; i++) {
        script_g *g = &s->g[i];
        weft_trace_g_view view = {.g = &g->g, .id = g->g.id, .status = g->status};
        view.m_tid = g->m >= 0 ? s->m[g->m].m.tid : 0;
        if (stacks && s->with_stacks) {
            view.pcs = pcs;
            view.depth = 2;
        }
        fn(fn_arg, &view);
    }
    unlock(s);
}

static bool gc_marking(void *arg)
{
    script *s = arg;
    assert_true(s->held);
    return s->marking;
}

static uint64_t heap_goal(void *arg)
{
    return ((script *)arg)->goal;
}

static void heap_snapshot(void *arg, weft_trace_section *section, weft_trace_context self)
{
    script *s = arg;
    assert_true(s->held && s->world_stopped);
    if (s->snapshot)
        s->snapshot(section, self);
}

script *script_new_with_heap(unsigned procs, const weft_trace_heap *heap)
{
    script *s = calloc(1, sizeof *s);
    assert_non_null(s);
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&s->lock, &recursive);
    pthread_mutex_init(&s->world, NULL);
    weft_trace_host host = {.size = sizeof host,
                            .context = s,
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
    if (heap) {
        host.gc_marking = gc_marking;
        host.heap_goal = heap_goal;
        host.heap = heap;
        host.heap_snapshot = heap_snapshot;
    }
    assert_int_equal(weft_tracer_new(&host, &s->tracer), 0);
    for (unsigned i = 0; i <= SCRIPT_PS; i++) {
        s->p[i].p.id = i;
        s->p[i].m = -1;
    }
    for (unsigned i = 0; i < SCRIPT_MS; i++) {
        assert_int_equal(weft_trace_m_register(s->tracer, &s->m[i].m), 0);
        s->m[i].m.tid = SCRIPT_TID + i;
    }
    s->next_id = 1;
    script_create_blocked(s, -1);
    for (unsigned i = 0; i < SCRIPT_PS; i++)
        script_create(s, -1);
    script_procs(s, procs);
    return s;
}

script *script_new(unsigned procs)
{
    return script_new_with_heap(procs, NULL);
}

void script_free(script *s)
{
    for (unsigned i = 0; i < SCRIPT_MS; i++)
        weft_trace_m_unregister(s->tracer, &s->m[i].m);
    weft_tracer_free(s->tracer);
    free(s);
}

weft_trace_stream *script_stream(script *s, weft_trace_write_fn write, void *sink, unsigned format)
{
    weft_trace_options options = {
        .size = sizeof options, .format = format, .generation_ns = UINT64_MAX};
    weft_trace_stream *stream = NULL;
    assert_int_equal(weft_trace_start_callback(s->tracer, write, sink, &options, &stream), 0);
    return stream;
}
