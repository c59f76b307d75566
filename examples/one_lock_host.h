/* SPDX-License-Identifier: MIT */
/*
 * A host of the tracer in one header, for programs in which one lock guards every change of state:
 * pool_trace.c and uv_trace.c include it; copy it into a program of yours, in C or C++.
 *
 * A *unit* is what the trace shows as a goroutine. A *worker* is a thread of the program; it has a
 * P of its own, idle while it has nothing to run. Functions act for the calling thread's worker,
 * and are called with the lock held unless their names begin with host_ or trace_.
 *
 * Every section is opened, and every state changed, under the lock. So who holds it has stopped the
 * world, nothing has to be owned in any other way, and the rules of trace_host.h need no thought.
 * The price is the lock itself: one more for each change of state, also while nothing is traced.
 */
#ifndef WEFT_EXAMPLES_ONE_LOCK_HOST_H
#define WEFT_EXAMPLES_ONE_LOCK_HOST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_getattr_np */
#endif

#include <weft/trace.h>
#include <weft/trace_host.h>

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_WORKERS_MAX 64

/* A function that takes a step is called, not inlined: stacks begin with its caller. */
#define HOST_STEP static __attribute__((noinline, unused))

typedef struct unit {
    weft_trace_g g;
    int status;         /* WEFT_TRACE_G_… */
    uint64_t tid;       /* of the thread, in a system call */
    uintptr_t entry;    /* of its function, which names it */
    struct unit *next;  /* all there are */
    struct unit *spare; /* dead ones */
} unit;

/* `proc` and `current` are also read by the signal handler, atomically. */
typedef struct worker {
    weft_trace_m m;
    weft_trace_p p;     /* its own for ever */
    weft_trace_p *proc; /* NULL: idle */
    unit *current;      /* runs on it, or is in a system call */
    char *stack_end;
} worker;

static struct {
    pthread_mutex_t lock;  /* everything here */
    pthread_mutex_t world; /* held by the tracer; who changed the number of Ps would take it, too */
    weft_tracer *tracer;
    worker workers[HOST_WORKERS_MAX]; /* the last one of `procs` is the tracer's thread */
    uint32_t procs, enrolled;
    unit *units, *spare;
    uint64_t last_id;
    unit *system; /* stands for the tracer's thread */
} host = {.lock = PTHREAD_MUTEX_INITIALIZER, .world = PTHREAD_MUTEX_INITIALIZER};

static __thread worker *self;

static inline void host_lock(void)
{
    pthread_mutex_lock(&host.lock);
}

static inline void host_unlock(void)
{
    pthread_mutex_unlock(&host.lock);
}

/* ---- Changes of state, each with its event ---- */

static inline weft_trace_context context(void)
{
    return (weft_trace_context){self->proc, self->current ? &self->current->g : NULL};
}

/* A thread that has not been enrolled changes states only before anything is traced. */
static inline bool enter(weft_trace_section *section)
{
    return self && weft_trace_enter(host.tracer, &self->m, section);
}

static inline __attribute__((always_inline)) uint64_t here(weft_trace_section *section)
{
    uintptr_t pcs[WEFT_TRACE_MAX_FRAMES];
    void *frame = __builtin_frame_address(0);
    return weft_trace_stack(
        section, pcs, weft_trace_walk(frame, frame, self->stack_end, pcs, WEFT_TRACE_MAX_FRAMES));
}

static inline void set_unit(unit *u)
{
    __atomic_store_n(&self->current, u, __ATOMIC_RELAXED);
}

static inline void set_proc(weft_trace_p *p)
{
    __atomic_store_n(&self->proc, p, __ATOMIC_RELAXED);
}

/* A record: one of a unit that has ended, or a new one. They are never freed. */
static inline unit *unit_record(void)
{
    unit *u = host.spare;
    if (u) {
        host.spare = u->spare;
        weft_trace_g_renew(&u->g);
        return u;
    }
    u = (unit *)calloc(1, sizeof *u);
    if (!u)
        abort();
    u->next = host.units;
    host.units = u;
    return u;
}

/* status: WEFT_TRACE_G_RUNNABLE, or WEFT_TRACE_G_WAITING. */
HOST_STEP unit *unit_new(void (*entry)(void), int status)
{
    weft_trace_section section;
    unit *u = unit_record();
    u->g.id = ++host.last_id;
    u->entry = (uintptr_t)entry;
    bool open = enter(&section);
    if (open)
        weft_trace_go_create(&section, context(), &u->g, u->entry, status == WEFT_TRACE_G_WAITING,
                             here(&section));
    u->status = status;
    if (open)
        weft_trace_leave(&section);
    return u;
}

HOST_STEP void unit_start(unit *u)
{
    weft_trace_section section;
    set_unit(u);
    u->status = WEFT_TRACE_G_RUNNING; /* before the section: the one change that is */
    if (enter(&section)) {
        weft_trace_go_start(&section, context());
        weft_trace_leave(&section);
    }
}

/* The worker's unit waits for something. */
HOST_STEP void unit_block(weft_trace_block_reason reason)
{
    weft_trace_section section;
    bool open = enter(&section);
    if (open)
        weft_trace_go_block(&section, context(), reason, here(&section));
    self->current->status = WEFT_TRACE_G_WAITING;
    set_unit(NULL);
    if (open)
        weft_trace_leave(&section);
}

/* The worker's unit gives way. */
HOST_STEP void unit_stop(void)
{
    weft_trace_section section;
    bool open = enter(&section);
    if (open)
        weft_trace_go_stop(&section, context(), WEFT_TRACE_STOP_GOSCHED, here(&section));
    self->current->status = WEFT_TRACE_G_RUNNABLE;
    set_unit(NULL);
    if (open)
        weft_trace_leave(&section);
}

HOST_STEP void unit_end(void)
{
    weft_trace_section section;
    unit *u = self->current;
    bool open = enter(&section);
    if (open)
        weft_trace_go_destroy(&section, context());
    u->status = WEFT_TRACE_G_DEAD;
    set_unit(NULL);
    if (open)
        weft_trace_leave(&section);
    u->spare = host.spare;
    host.spare = u;
}

HOST_STEP void unit_wake(unit *u)
{
    weft_trace_section section;
    bool open = enter(&section);
    if (open)
        weft_trace_go_unblock(&section, context(), &u->g, here(&section));
    u->status = WEFT_TRACE_G_RUNNABLE;
    if (open)
        weft_trace_leave(&section);
}

HOST_STEP void proc_take(void)
{
    weft_trace_section section;
    set_proc(&self->p);
    if (enter(&section)) {
        weft_trace_proc_start(&section, context());
        weft_trace_leave(&section);
    }
}

HOST_STEP void proc_drop(void)
{
    weft_trace_section section;
    bool open = enter(&section);
    if (open)
        weft_trace_proc_stop(&section, context());
    set_proc(NULL);
    if (open)
        weft_trace_leave(&section);
}

/* Around a call that blocks in the kernel: the P is given up for its duration. */
HOST_STEP void host_syscall_begin(void)
{
    weft_trace_section section;
    host_lock();
    self->current->tid = self->m.tid;
    bool open = enter(&section);
    if (open)
        weft_trace_syscall_begin(&section, context(), here(&section));
    self->current->status = WEFT_TRACE_G_SYSCALL;
    proc_drop(); /* in the same section, which is open still */
    if (open)
        weft_trace_leave(&section);
    host_unlock();
}

HOST_STEP void host_syscall_end(void)
{
    weft_trace_section section;
    unit *u = self->current;
    host_lock();
    proc_take();
    bool open = enter(&section);
    if (open)
        weft_trace_syscall_end_blocked(&section, context());
    u->status = WEFT_TRACE_G_RUNNABLE;
    set_unit(NULL);
    if (open)
        weft_trace_leave(&section);
    unit_start(u);
    host_unlock();
}

/* ---- Annotations of the unit that runs. Without the lock. ---- */

typedef enum note { TASK_BEGIN, TASK_END, REGION_BEGIN, REGION_END } note;

/* task: a number that no other has; 0 for a region: none. */
HOST_STEP void host_annotate(note what, uint64_t task, const char *name)
{
    weft_trace_section s;
    host_lock();
    if (enter(&s)) {
        weft_trace_context c = context();
        if (what == TASK_BEGIN)
            weft_trace_task_begin(&s, c, task, 0, name, strlen(name), here(&s));
        else if (what == TASK_END)
            weft_trace_task_end(&s, c, task, here(&s));
        else if (what == REGION_BEGIN)
            weft_trace_region_begin(&s, c, task, name, strlen(name), here(&s));
        else
            weft_trace_region_end(&s, c, task, name, strlen(name), here(&s));
        weft_trace_leave(&s);
    }
    host_unlock();
}

/* ---- The tracer's questions ---- */

static inline void find_stack_end(void)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return; /* NULL: no frame is within such bounds */
    if (pthread_attr_getstack(&attributes, &low, &size) == 0)
        self->stack_end = (char *)low + size;
    pthread_attr_destroy(&attributes);
}

static weft_trace_m *trace_thread_start(void *unused)
{
    (void)unused;
    self = &host.workers[host.procs - 1];
    find_stack_end();
    return &self->m;
}

static void trace_thread_stop(void *unused)
{
    (void)unused;
}

static int trace_attach(void *unused, weft_trace_context *out)
{
    (void)unused;
    host_lock();
    proc_take();
    unit_wake(host.system);
    unit_start(host.system);
    *out = context();
    host_unlock();
    return 0;
}

static void trace_detach(void *unused)
{
    (void)unused;
    host_lock();
    unit_block(WEFT_TRACE_BLOCK_SYSTEM);
    proc_drop();
    host_unlock();
}

static void trace_world_hold(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&host.world);
}

static void trace_world_release(void *unused)
{
    (void)unused;
    pthread_mutex_unlock(&host.world);
}

static void trace_world_stop(void *unused)
{
    (void)unused;
    host_lock();
}

static void trace_world_start(void *unused)
{
    (void)unused;
    host_unlock();
}

static uint32_t trace_proc_count(void *unused)
{
    (void)unused;
    return host.procs;
}

static void trace_each_p(void *unused, void (*fn)(void *arg, const weft_trace_p_view *view),
                         void *arg)
{
    (void)unused;
    host_lock();
    for (uint32_t i = 0; i < host.procs - 1; i++) {
        worker *w = &host.workers[i];
        weft_trace_p_view view = {&w->p, w->proc ? &w->m : NULL,
                                  w->proc && w->current ? &w->current->g : NULL};
        fn(arg, &view);
    }
    host_unlock();
}

static void trace_each_dead_p(void *unused, void (*fn)(void *arg, weft_trace_p *p), void *arg)
{
    (void)unused, (void)fn, (void)arg; /* the number of Ps never changes */
}

static void trace_each_g(void *unused, bool stacks,
                         void (*fn)(void *arg, const weft_trace_g_view *view), void *arg)
{
    (void)unused, (void)stacks;
    host_lock();
    for (unit *u = host.units; u; u = u->next) {
        weft_trace_g_view view = {.g = &u->g,
                                  .id = u->g.id,
                                  .m_tid = u->tid,
                                  .status = (uint32_t)u->status,
                                  .pcs = &u->entry,
                                  .depth = u->entry != 0};
        fn(arg, &view);
    }
    host_unlock();
}

/* In a signal handler, in the middle of anything: two loads. Records are never freed. */
static void trace_running(void *unused, weft_trace_m *m, const void *sp, weft_trace_running *out)
{
    worker *w = (worker *)(void *)((char *)m - offsetof(worker, m));
    const weft_trace_p *p = __atomic_load_n(&w->proc, __ATOMIC_RELAXED);
    const unit *u = __atomic_load_n(&w->current, __ATOMIC_RELAXED);
    (void)unused, (void)sp; /* every unit runs on its thread's own stack */
    if (p)
        out->p = p->id;
    if (u)
        out->g = u->g.id;
}

/* ---- The program's side. Without the lock. ---- */

/* threads: how many will be enrolled, at most HOST_WORKERS_MAX - 1. */
static inline void host_open(uint32_t threads)
{
    const weft_trace_host table = {.size = sizeof table,
                                   .thread_start = trace_thread_start,
                                   .thread_stop = trace_thread_stop,
                                   .attach = trace_attach,
                                   .detach = trace_detach,
                                   .world_hold = trace_world_hold,
                                   .world_release = trace_world_release,
                                   .world_stop = trace_world_stop,
                                   .world_start = trace_world_start,
                                   .proc_count = trace_proc_count,
                                   .each_p = trace_each_p,
                                   .each_dead_p = trace_each_dead_p,
                                   .each_g = trace_each_g,
                                   .running = trace_running};
    host.procs = threads + 1;
    for (uint32_t i = 0; i < host.procs; i++)
        host.workers[i].p.id = i;
    if (weft_tracer_new(&table, &host.tracer) < 0)
        abort();
    host.system = unit_new(NULL, WEFT_TRACE_G_WAITING);
}

/* The calling thread becomes a worker. */
static inline void host_enroll(void)
{
    host_lock();
    if (host.enrolled == host.procs - 1)
        abort();
    self = &host.workers[host.enrolled++];
    host_unlock();
    find_stack_end();
    if (weft_trace_m_register(host.tracer, &self->m) < 0)
        abort();
}

/* It is one no more: it has no P and no unit. */
static inline void host_retire(void)
{
    weft_trace_m_unregister(host.tracer, &self->m);
    self = NULL;
}

/* Every worker has retired. */
static inline void host_close(void)
{
    weft_tracer_free(host.tracer);
    for (unit *u = host.units; u; u = host.units) {
        host.units = u->next;
        free(u);
    }
}

/* Traces from here on, in the format of WEFT_TRACE_FORMAT, with CPU samples. path NULL: does not.
 */
static inline int host_trace(const char *path, weft_trace_stream **stream)
{
    const char *format = getenv("WEFT_TRACE_FORMAT");
    weft_trace_options options = {
        .size = sizeof options, .generation_ns = 20000000, .cpu_hz = 1000};
    if (!path)
        return 0;
    if (format && strncmp(format, "1.", 2) == 0)
        options.format = (unsigned)strtoul(format + 2, NULL, 10);
    int rc = weft_trace_start_path(host.tracer, path, &options, stream);
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", path, strerror(-rc));
    return rc;
}

#endif
