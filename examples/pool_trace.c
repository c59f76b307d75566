/* SPDX-License-Identifier: MIT */
/*
 * A plain pool of threads, traced: blocking code, one lock, condition variables.
 *
 *     pool_trace FILE        or WEFT_TRACE=FILE pool_trace        then: go tool trace FILE
 *
 * A G is a work item, or main; a P is the right of a thread to run one; an M is a thread. What
 * waits in the queue is runnable; whoever waits for room in it or for the last item is blocked; an
 * item that sleeps in the kernel is in a system call. Each item is a task with a region for what it
 * computes, and CPU samples tell which item they belong to.
 *
 * Unlike tinyhost's, these threads have no safepoints, since every section is opened under the
 * pool's lock: who holds that lock has stopped the world.
 */
#include <weft/trace.h>
#include <weft/trace_host.h>

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORKERS 3
#define PROCS   (WORKERS + 2) /* one for main, one for the tracer */
#define ITEMS   400
#define ROOM    16 /* items in the queue */

typedef struct item {
    weft_trace_g g;
    int status; /* atomic: WEFT_TRACE_G_… */
    void (*run)(struct item *item);
    uint64_t tid; /* atomic: of the thread, in a system call */
    int waits;    /* for a signal */
} item;

/* A thread. `proc` and `item` are also read by the signal handler, atomically. */
typedef struct worker {
    weft_trace_m m;
    weft_trace_p p; /* its own for ever */
    weft_trace_p *proc;
    item *item;
    pthread_t thread;
    void *stack_end;
} worker;

static struct {
    pthread_mutex_t lock, world;
    pthread_cond_t work, woken;
    weft_tracer *tracer;
    item items[ITEMS];
    int created, started, finished;
    item main_item, system;
    worker workers[PROCS]; /* the last two: main, the tracer's thread */
    int quitting;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .world = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .woken = PTHREAD_COND_INITIALIZER};

#define MAIN    (&pool.workers[WORKERS])
#define DRAINER (&pool.workers[WORKERS + 1])

static __thread worker *self;

/* ---- Changes of state, each with its event. Under the lock. ---- */

static void set_status(item *i, int status)
{
    __atomic_store_n(&i->status, status, __ATOMIC_RELAXED);
}

static void set_item(item *i)
{
    __atomic_store_n(&self->item, i, __ATOMIC_RELAXED);
}

static void set_proc(weft_trace_p *p)
{
    __atomic_store_n(&self->proc, p, __ATOMIC_RELAXED);
}

static weft_trace_context context(void)
{
    return (weft_trace_context){self->proc, self->item ? &self->item->g : NULL};
}

static bool enter(weft_trace_section *section)
{
    return weft_trace_enter(pool.tracer, &self->m, section);
}

static uint64_t here(weft_trace_section *section)
{
    uintptr_t pcs[WEFT_TRACE_MAX_FRAMES];
    void *frame = __builtin_frame_address(0);
    return weft_trace_stack(
        section, pcs, weft_trace_walk(frame, frame, self->stack_end, pcs, WEFT_TRACE_MAX_FRAMES));
}

static void item_create(item *i)
{
    weft_trace_section section;
    bool open = enter(&section);
    if (open)
        weft_trace_go_create(&section, context(), &i->g, (uintptr_t)i->run, false, here(&section));
    set_status(i, WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&section);
}

static void item_start(item *i)
{
    weft_trace_section section;
    set_item(i);
    set_status(i, WEFT_TRACE_G_RUNNING); /* before the section: the one change that is */
    if (enter(&section)) {
        weft_trace_go_start(&section, context());
        weft_trace_leave(&section);
    }
}

static void item_block(weft_trace_block_reason reason)
{
    weft_trace_section section;
    bool open = enter(&section);
    if (open)
        weft_trace_go_block(&section, context(), reason, here(&section));
    set_status(self->item, WEFT_TRACE_G_WAITING);
    set_item(NULL);
    if (open)
        weft_trace_leave(&section);
}

static void item_end(void)
{
    weft_trace_section section;
    bool open = enter(&section);
    if (open)
        weft_trace_go_destroy(&section, context());
    set_status(self->item, WEFT_TRACE_G_DEAD);
    set_item(NULL);
    if (open)
        weft_trace_leave(&section);
}

static void item_wake(item *i)
{
    weft_trace_section section;
    bool open = enter(&section);
    if (open)
        weft_trace_go_unblock(&section, context(), &i->g, here(&section));
    set_status(i, WEFT_TRACE_G_RUNNABLE);
    if (open)
        weft_trace_leave(&section);
}

static void proc_take(void)
{
    weft_trace_section section;
    set_proc(&self->p);
    if (enter(&section)) {
        weft_trace_proc_start(&section, context());
        weft_trace_leave(&section);
    }
}

static void proc_drop(void)
{
    weft_trace_section section;
    bool open = enter(&section);
    if (open)
        weft_trace_proc_stop(&section, context());
    set_proc(NULL);
    if (open)
        weft_trace_leave(&section);
}

/* ---- Waiting ---- */

/* Blocks the caller's item until somebody signals it. The lock is free meanwhile. */
static void wait_for_signal(weft_trace_block_reason reason)
{
    item *i = self->item;
    i->waits = 1;
    item_block(reason);
    proc_drop();
    while (i->waits)
        pthread_cond_wait(&pool.woken, &pool.lock);
    proc_take();
    item_start(i);
}

static void signal_item(item *i)
{
    if (!i->waits)
        return;
    i->waits = 0;
    item_wake(i);
    pthread_cond_broadcast(&pool.woken);
}

/* Around a call that blocks in the kernel: the P is given away for its duration. */
static void syscall_enter(void)
{
    weft_trace_section section;
    pthread_mutex_lock(&pool.lock);
    __atomic_store_n(&self->item->tid, self->m.tid, __ATOMIC_RELAXED);
    bool open = enter(&section);
    if (open)
        weft_trace_syscall_begin(&section, context(), here(&section));
    set_status(self->item, WEFT_TRACE_G_SYSCALL);
    if (open)
        weft_trace_leave(&section);
    proc_drop();
    pthread_mutex_unlock(&pool.lock);
}

static void syscall_leave(void)
{
    weft_trace_section section;
    item *i = self->item;
    pthread_mutex_lock(&pool.lock);
    proc_take();
    bool open = enter(&section);
    if (open)
        weft_trace_syscall_end_blocked(&section, context());
    set_status(i, WEFT_TRACE_G_RUNNABLE);
    set_item(NULL);
    if (open)
        weft_trace_leave(&section);
    item_start(i);
    pthread_mutex_unlock(&pool.lock);
}

/* ---- The pool ---- */

static void submit(void (*run)(item *i))
{
    pthread_mutex_lock(&pool.lock);
    while (pool.created - pool.started == ROOM)
        wait_for_signal(WEFT_TRACE_BLOCK_CHAN_SEND);
    item *i = &pool.items[pool.created];
    i->g.id = (uint64_t)pool.created + 3;
    i->run = run;
    item_create(i);
    pool.created++;
    pthread_cond_signal(&pool.work);
    pthread_mutex_unlock(&pool.lock);
}

static void wait_for_all(void)
{
    pthread_mutex_lock(&pool.lock);
    while (pool.finished < pool.created)
        wait_for_signal(WEFT_TRACE_BLOCK_SYNC);
    pthread_mutex_unlock(&pool.lock);
}

/* Under the lock, which is free while the item runs. */
static void run_next(void)
{
    item *i = &pool.items[pool.started++];
    item_start(i);
    if (pool.created - pool.started < ROOM / 2)
        signal_item(&pool.main_item);
    pthread_mutex_unlock(&pool.lock);
    i->run(i);
    pthread_mutex_lock(&pool.lock);
    item_end();
    if (++pool.finished == pool.created)
        signal_item(&pool.main_item);
}

static void enroll(worker *w)
{
    self = w;
    w->stack_end = __builtin_frame_address(0);
    if (weft_trace_m_register(pool.tracer, &w->m) < 0)
        abort();
}

static void *worker_main(void *arg)
{
    enroll(arg);
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (pool.started == pool.created && !pool.quitting)
            pthread_cond_wait(&pool.work, &pool.lock);
        if (pool.started == pool.created)
            break;
        proc_take();
        while (pool.started < pool.created)
            run_next();
        proc_drop();
    }
    pthread_mutex_unlock(&pool.lock);
    weft_trace_m_unregister(pool.tracer, &self->m);
    return NULL;
}

/* ---- The tracer's questions ---- */

static weft_trace_m *host_thread_start(void *unused)
{
    (void)unused;
    self = DRAINER;
    self->stack_end = __builtin_frame_address(0);
    return &self->m;
}

static void host_thread_stop(void *unused)
{
    (void)unused;
}

static int host_attach(void *unused, weft_trace_context *out)
{
    (void)unused;
    pthread_mutex_lock(&pool.lock);
    item_wake(&pool.system);
    proc_take();
    item_start(&pool.system);
    *out = context();
    pthread_mutex_unlock(&pool.lock);
    return 0;
}

static void host_detach(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&pool.lock);
    item_block(WEFT_TRACE_BLOCK_SYSTEM);
    proc_drop();
    pthread_mutex_unlock(&pool.lock);
}

static void host_world_hold(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&pool.world);
}

static void host_world_release(void *unused)
{
    (void)unused;
    pthread_mutex_unlock(&pool.world);
}

static void host_world_stop(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&pool.lock);
}

static void host_world_start(void *unused)
{
    (void)unused;
    pthread_mutex_unlock(&pool.lock);
}

static uint32_t host_proc_count(void *unused)
{
    (void)unused;
    return PROCS;
}

static void host_each_p(void *unused, void (*fn)(void *arg, const weft_trace_p_view *view),
                        void *arg)
{
    (void)unused;
    pthread_mutex_lock(&pool.lock);
    for (worker *w = pool.workers; w < DRAINER; w++) {
        weft_trace_p_view view = {&w->p, w->proc ? &w->m : NULL,
                                  w->proc && w->item ? &w->item->g : NULL};
        fn(arg, &view);
    }
    pthread_mutex_unlock(&pool.lock);
}

static void host_each_dead_p(void *unused, void (*fn)(void *arg, weft_trace_p *p), void *arg)
{
    (void)unused, (void)fn, (void)arg; /* this pool never shrinks */
}

static void view_item(item *i, void (*fn)(void *arg, const weft_trace_g_view *view), void *arg)
{
    uintptr_t entry = (uintptr_t)i->run;
    weft_trace_g_view view = {.g = &i->g,
                              .id = i->g.id,
                              .m_tid = __atomic_load_n(&i->tid, __ATOMIC_RELAXED),
                              .status = (uint32_t)__atomic_load_n(&i->status, __ATOMIC_RELAXED),
                              .pcs = &entry,
                              .depth = entry != 0};
    fn(arg, &view);
}

static void host_each_g(void *unused, bool stacks,
                        void (*fn)(void *arg, const weft_trace_g_view *view), void *arg)
{
    (void)unused, (void)stacks;
    pthread_mutex_lock(&pool.lock);
    int count = pool.created;
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < count; i++)
        view_item(&pool.items[i], fn, arg);
    view_item(&pool.main_item, fn, arg);
    view_item(&pool.system, fn, arg);
}

/* In a signal handler, in the middle of anything: two loads. The items are never freed. */
static void host_running(void *unused, weft_trace_m *m, const void *sp, weft_trace_running *out)
{
    worker *w = (worker *)(void *)((char *)m - offsetof(worker, m));
    const weft_trace_p *p = __atomic_load_n(&w->proc, __ATOMIC_RELAXED);
    const item *i = __atomic_load_n(&w->item, __ATOMIC_RELAXED);
    (void)unused, (void)sp; /* every item runs on its thread's own stack */
    if (p)
        out->p = p->id;
    if (i)
        out->g = i->g.id;
}

static const weft_trace_host host = {.size = sizeof host,
                                     .thread_start = host_thread_start,
                                     .thread_stop = host_thread_stop,
                                     .attach = host_attach,
                                     .detach = host_detach,
                                     .world_hold = host_world_hold,
                                     .world_release = host_world_release,
                                     .world_stop = host_world_stop,
                                     .world_start = host_world_start,
                                     .proc_count = host_proc_count,
                                     .each_p = host_each_p,
                                     .each_dead_p = host_each_dead_p,
                                     .each_g = host_each_g,
                                     .running = host_running};

/* ---- Something to do ---- */

typedef enum note { TASK_BEGIN, TASK_END, COMPUTE_BEGIN, COMPUTE_END } note;

/* An item's task has the item's number. */
static void annotate(note what)
{
    weft_trace_section s;
    uint64_t task = self->item->g.id;
    pthread_mutex_lock(&pool.lock);
    if (enter(&s)) {
        weft_trace_context c = context();
        if (what == TASK_BEGIN)
            weft_trace_task_begin(&s, c, task, 0, "item", 4, here(&s));
        else if (what == TASK_END)
            weft_trace_task_end(&s, c, task, here(&s));
        else if (what == COMPUTE_BEGIN)
            weft_trace_region_begin(&s, c, task, "compute", 7, here(&s));
        else
            weft_trace_region_end(&s, c, task, "compute", 7, here(&s));
        weft_trace_leave(&s);
    }
    pthread_mutex_unlock(&pool.lock);
}

static void compute(int n)
{
    volatile double x = 1;
    while (n-- > 0)
        x = x * 1.000001 + 0.5;
}

static void work(item *i)
{
    const struct timespec moment = {.tv_nsec = 100000};
    annotate(TASK_BEGIN);
    annotate(COMPUTE_BEGIN);
    compute(100000);
    annotate(COMPUTE_END);
    if (i->g.id % 4 == 0) {
        syscall_enter();
        nanosleep(&moment, NULL);
        syscall_leave();
    }
    annotate(TASK_END);
}

static void set_up(void)
{
    for (uint32_t i = 0; i < PROCS; i++)
        pool.workers[i].p.id = i;
    pool.main_item.g.id = 1;
    pool.system.g.id = 2;
    set_status(&pool.system, WEFT_TRACE_G_WAITING);
    enroll(MAIN);
    pthread_mutex_lock(&pool.lock);
    proc_take();
    item_start(&pool.main_item);
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&pool.workers[i].thread, NULL, worker_main, &pool.workers[i]) != 0)
            abort();
}

static void tear_down(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.quitting = 1;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(pool.workers[i].thread, NULL);
    weft_trace_m_unregister(pool.tracer, &MAIN->m);
    weft_tracer_free(pool.tracer);
}

static int start(const char *path, weft_trace_stream **stream)
{
    const char *format = getenv("WEFT_TRACE_FORMAT");
    weft_trace_options options = {
        .size = sizeof options, .generation_ns = 20000000, .cpu_hz = 1000};
    if (format && strncmp(format, "1.", 2) == 0)
        options.format = (unsigned)strtoul(format + 2, NULL, 10);
    int rc = weft_trace_start_path(pool.tracer, path, &options, stream);
    if (rc < 0)
        fprintf(stderr, "pool_trace: %s: %s\n", path, strerror(-rc));
    return rc;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : getenv("WEFT_TRACE");
    weft_trace_stream *stream = NULL;
    weft_trace_result result = {.size = sizeof result};
    if (weft_tracer_new(&host, &pool.tracer) < 0)
        return 1;
    set_up();
    int rc = path ? start(path, &stream) : 0;
    for (int i = 0; i < ITEMS; i++)
        submit(work);
    wait_for_all();
    if (stream)
        rc = weft_trace_stop(stream, &result);
    tear_down();
    printf("%d items, %llu generations, %llu bytes of trace\n", pool.finished,
           (unsigned long long)result.generations, (unsigned long long)result.bytes);
    return rc < 0;
}
