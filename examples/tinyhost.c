/* SPDX-License-Identifier: MIT */
/*
 * A host for the tracer that is not weft's runtime: a small pool of threads that runs tasks in
 * steps.
 *
 *     tinyhost FILE        or WEFT_TRACE=FILE tinyhost        then: go tool trace FILE
 *
 * What a host has to do is all here, and marked with [T]: enroll its threads, bracket its changes
 * of state with sections, and answer the tracer's questions. A G is a task, a P is the right of a
 * worker to run tasks, an M is a worker's thread. A task is a function that is called again and
 * again until it says that it is done; it may say that it waits for a message. Everything the pool
 * knows is under one lock.
 */
#include <weft/trace.h>
#include <weft/trace_host.h>

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS   3
#define PROCS     (WORKERS + 1) /* the last one is the tracer's own */
#define TASKS_MAX 512
#define PAIRS     4
#define ROUNDS    200
#define SLICE     4 /* steps before a task gives way */

typedef enum step { STEP_AGAIN, STEP_WAIT, STEP_DONE } step;

struct task;
typedef step (*step_fn)(struct task *task);

typedef struct task {
    weft_trace_g g; /* [T] */
    int status;     /* atomic: WEFT_TRACE_G_… */
    step_fn run;
    struct task *next; /* in the run queue */
    struct task *peer;
    int messages, rounds;
    int waits; /* for a message */
} task;

typedef struct proc {
    weft_trace_p p; /* [T] */
    struct worker *worker;
} proc;

typedef struct worker {
    weft_trace_m m; /* [T] */
    pthread_t thread;
    proc *proc; /* these two are also read by the signal handler, atomically */
    task *task;
    int parked; /* at a safepoint, or without work */
    void *stack_end;
} worker;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work, parked, resumed, done;
    weft_tracer *tracer;
    task tasks[TASKS_MAX];
    int task_count, alive;
    task *first, **last; /* run queue */
    proc procs[PROCS];
    worker workers[WORKERS];
    worker drainer; /* [T] the tracer's thread */
    task system;    /* [T] the G that stands for it */
    int pausing, quitting;
    pthread_mutex_t world;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .parked = PTHREAD_COND_INITIALIZER,
          .resumed = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER,
          .world = PTHREAD_MUTEX_INITIALIZER,
          .last = &pool.first};

static __thread worker *self;

/* ---- Changes of state, each with its event. Under the lock. ---- */

static void set_status(task *t, int status)
{
    __atomic_store_n(&t->status, status, __ATOMIC_RELAXED);
}

static void set_task(worker *w, task *t)
{
    __atomic_store_n(&w->task, t, __ATOMIC_RELAXED);
}

static void set_proc(worker *w, proc *p)
{
    __atomic_store_n(&w->proc, p, __ATOMIC_RELAXED);
}

static weft_trace_context context(const worker *w)
{
    return (weft_trace_context){w->proc ? &w->proc->p : NULL, w->task ? &w->task->g : NULL};
}

static uint64_t here(weft_trace_section *section)
{
    uintptr_t pcs[WEFT_TRACE_MAX_FRAMES];
    void *frame = __builtin_frame_address(0);
    return weft_trace_stack(
        section, pcs, weft_trace_walk(frame, frame, self->stack_end, pcs, WEFT_TRACE_MAX_FRAMES));
}

static void queue_push(task *t)
{
    t->next = NULL;
    *pool.last = t;
    pool.last = &t->next;
    pthread_cond_signal(&pool.work);
}

static task *queue_pop(void)
{
    task *t = pool.first;
    if (t && !(pool.first = t->next))
        pool.last = &pool.first;
    return t;
}

static task *task_new(step_fn run)
{
    weft_trace_section section;
    task *t = &pool.tasks[pool.task_count++];
    t->g.id = (uint64_t)pool.task_count + 1;
    t->run = run;
    pool.alive++;
    if (self && weft_trace_enter(pool.tracer, &self->m, &section)) {
        weft_trace_go_create(&section, context(self), &t->g, (uintptr_t)run, false, here(&section));
        set_status(t, WEFT_TRACE_G_RUNNABLE);
        weft_trace_leave(&section);
    } else {
        set_status(t, WEFT_TRACE_G_RUNNABLE);
    }
    queue_push(t);
    return t;
}

static void task_start(worker *w, task *t)
{
    weft_trace_section section;
    set_task(w, t);
    set_status(t, WEFT_TRACE_G_RUNNING); /* before the section: the one change that is */
    if (weft_trace_enter(pool.tracer, &w->m, &section)) {
        weft_trace_go_start(&section, context(w));
        weft_trace_leave(&section);
    }
}

/* The worker's task leaves Running for `status`. */
static void task_leave(worker *w, int status, weft_trace_block_reason reason)
{
    weft_trace_section section;
    bool open = weft_trace_enter(pool.tracer, &w->m, &section);
    if (open && status == WEFT_TRACE_G_RUNNABLE)
        weft_trace_go_stop(&section, context(w), WEFT_TRACE_STOP_GOSCHED, here(&section));
    else if (open && status == WEFT_TRACE_G_WAITING)
        weft_trace_go_block(&section, context(w), reason, here(&section));
    else if (open)
        weft_trace_go_destroy(&section, context(w));
    set_status(w->task, status);
    set_task(w, NULL);
    if (open)
        weft_trace_leave(&section);
}

static void task_wake(task *t)
{
    weft_trace_section section;
    t->waits = 0;
    if (weft_trace_enter(pool.tracer, &self->m, &section)) {
        weft_trace_go_unblock(&section, context(self), &t->g, here(&section));
        set_status(t, WEFT_TRACE_G_RUNNABLE);
        weft_trace_leave(&section);
    } else {
        set_status(t, WEFT_TRACE_G_RUNNABLE);
    }
}

static void proc_take(worker *w, proc *p)
{
    weft_trace_section section;
    set_proc(w, p);
    p->worker = w;
    if (weft_trace_enter(pool.tracer, &w->m, &section)) {
        weft_trace_proc_start(&section, context(w));
        weft_trace_leave(&section);
    }
}

static void proc_drop(worker *w)
{
    weft_trace_section section;
    bool open = weft_trace_enter(pool.tracer, &w->m, &section);
    if (open)
        weft_trace_proc_stop(&section, context(w));
    w->proc->worker = NULL;
    set_proc(w, NULL);
    if (open)
        weft_trace_leave(&section);
}

/* ---- The pool. Under the lock. ---- */

static void park(worker *w, pthread_cond_t *until)
{
    w->parked = 1;
    pthread_cond_broadcast(&pool.parked);
    pthread_cond_wait(until, &pool.lock);
    w->parked = 0;
}

/* Nothing changes while the pool is paused. */
static void safepoint(worker *w)
{
    while (pool.pausing)
        park(w, &pool.resumed);
}

static void run_slice(worker *w)
{
    step result = STEP_AGAIN;
    for (int i = 0; i < SLICE && result == STEP_AGAIN; i++) {
        pthread_mutex_unlock(&pool.lock);
        result = w->task->run(w->task);
        pthread_mutex_lock(&pool.lock);
        safepoint(w);
    }
    task *t = w->task;
    if (result == STEP_DONE) {
        task_leave(w, WEFT_TRACE_G_DEAD, 0);
        if (--pool.alive == 0)
            pthread_cond_signal(&pool.done);
    } else if (result == STEP_WAIT && t->messages == 0) {
        t->waits = 1;
        task_leave(w, WEFT_TRACE_G_WAITING, WEFT_TRACE_BLOCK_CHAN_RECV);
    } else {
        task_leave(w, WEFT_TRACE_G_RUNNABLE, 0);
        queue_push(t);
    }
}

static void *worker_main(void *arg)
{
    worker *w = self = arg;
    w->stack_end = __builtin_frame_address(0);
    if (weft_trace_m_register(pool.tracer, &w->m) < 0) /* [T] */
        abort();
    pthread_mutex_lock(&pool.lock);
    w->parked = 0;
    while (safepoint(w), !pool.quitting) {
        task *t = queue_pop();
        if (!t) {
            if (w->proc)
                proc_drop(w);
            park(w, &pool.work);
            continue;
        }
        if (!w->proc)
            proc_take(w, &pool.procs[w - pool.workers]);
        task_start(w, t);
        run_slice(w);
    }
    if (w->proc)
        proc_drop(w);
    w->parked = 1;
    pthread_cond_broadcast(&pool.parked);
    pthread_mutex_unlock(&pool.lock);
    weft_trace_m_unregister(pool.tracer, &w->m); /* [T] */
    return NULL;
}

static void pool_pause(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.pausing = 1;
    for (int i = 0; i < WORKERS; i++)
        while (!pool.workers[i].parked)
            pthread_cond_wait(&pool.parked, &pool.lock);
}

static void pool_resume(void)
{
    pool.pausing = 0;
    pthread_cond_broadcast(&pool.resumed);
    pthread_mutex_unlock(&pool.lock);
}

/* ---- [T] The tracer's questions ---- */

static weft_trace_m *host_thread_start(void *unused)
{
    (void)unused;
    self = &pool.drainer;
    self->stack_end = __builtin_frame_address(0);
    pool.system.g.id = 1;
    set_status(&pool.system, WEFT_TRACE_G_WAITING);
    return &pool.drainer.m;
}

static void host_thread_stop(void *unused)
{
    (void)unused;
}

static int host_attach(void *unused, weft_trace_context *out)
{
    worker *w = &pool.drainer;
    (void)unused;
    pthread_mutex_lock(&pool.lock);
    task_wake(&pool.system);
    proc_take(w, &pool.procs[PROCS - 1]);
    task_start(w, &pool.system);
    *out = context(w);
    pthread_mutex_unlock(&pool.lock);
    return 0;
}

static void host_detach(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&pool.lock);
    task_leave(&pool.drainer, WEFT_TRACE_G_WAITING, WEFT_TRACE_BLOCK_SYSTEM);
    proc_drop(&pool.drainer);
    pthread_mutex_unlock(&pool.lock);
}

/* Whoever else would stop the world or change the number of Ps would take this lock, too. */
static void host_hold(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&pool.world);
}

static void host_release(void *unused)
{
    (void)unused;
    pthread_mutex_unlock(&pool.world);
}

static void host_world_stop(void *unused)
{
    (void)unused;
    pool_pause();
}

static void host_world_start(void *unused)
{
    (void)unused;
    pool_resume();
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
    pool_pause();
    for (int i = 0; i < WORKERS; i++) {
        worker *w = pool.procs[i].worker;
        weft_trace_p_view view = {&pool.procs[i].p, w ? &w->m : NULL,
                                  w && w->task ? &w->task->g : NULL};
        fn(arg, &view);
    }
    pool_resume();
}

static void host_each_dead_p(void *unused, void (*fn)(void *arg, weft_trace_p *p), void *arg)
{
    (void)unused, (void)fn, (void)arg; /* this pool never shrinks */
}

static void view_task(task *t, void (*fn)(void *arg, const weft_trace_g_view *view), void *arg)
{
    uintptr_t entry = (uintptr_t)t->run;
    weft_trace_g_view view = {.g = &t->g,
                              .id = t->g.id,
                              .status = (uint32_t)__atomic_load_n(&t->status, __ATOMIC_RELAXED),
                              .pcs = &entry,
                              .depth = entry != 0};
    fn(arg, &view);
}

static void host_each_g(void *unused, bool stacks,
                        void (*fn)(void *arg, const weft_trace_g_view *view), void *arg)
{
    (void)unused, (void)stacks;
    pthread_mutex_lock(&pool.lock);
    int count = pool.task_count;
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < count; i++)
        view_task(&pool.tasks[i], fn, arg);
    view_task(&pool.system, fn, arg);
}

/* In a signal handler, in the middle of anything: two loads. Tasks are never freed. */
static void host_running(void *unused, weft_trace_m *m, const void *sp, weft_trace_running *out)
{
    worker *w = (worker *)(void *)((char *)m - offsetof(worker, m));
    const proc *p = __atomic_load_n(&w->proc, __ATOMIC_RELAXED);
    const task *t = __atomic_load_n(&w->task, __ATOMIC_RELAXED);
    (void)unused, (void)sp; /* every task runs on its worker's own stack */
    if (p)
        out->p = p->p.id;
    if (t)
        out->g = t->g.id;
}

static const weft_trace_host host = {.size = sizeof host,
                                     .thread_start = host_thread_start,
                                     .thread_stop = host_thread_stop,
                                     .attach = host_attach,
                                     .detach = host_detach,
                                     .world_hold = host_hold,
                                     .world_release = host_release,
                                     .world_stop = host_world_stop,
                                     .world_start = host_world_start,
                                     .proc_count = host_proc_count,
                                     .each_p = host_each_p,
                                     .each_dead_p = host_each_dead_p,
                                     .each_g = host_each_g,
                                     .running = host_running};

/* ---- Something to do ---- */

static void compute(int n)
{
    volatile double x = 1;
    while (n-- > 0)
        x = x * 1.000001 + 0.5;
}

static step child_step(task *t)
{
    compute(2000);
    return ++t->rounds < 3 ? STEP_AGAIN : STEP_DONE;
}

static step parent_step(task *t)
{
    pthread_mutex_lock(&pool.lock);
    task_new(child_step);
    pthread_mutex_unlock(&pool.lock);
    compute(500);
    return ++t->rounds < 60 ? STEP_AGAIN : STEP_DONE;
}

/* Sends a message for each one it gets. */
static step player_step(task *t)
{
    step result = STEP_WAIT;
    pthread_mutex_lock(&pool.lock);
    if (t->messages > 0) {
        t->messages--;
        t->rounds++;
        t->peer->messages++;
        if (t->peer->waits) {
            task_wake(t->peer);
            queue_push(t->peer);
        }
    }
    if (t->rounds == ROUNDS)
        result = STEP_DONE;
    pthread_mutex_unlock(&pool.lock);
    compute(300);
    return result;
}

static step root_step(task *t)
{
    (void)t;
    pthread_mutex_lock(&pool.lock);
    task_new(parent_step);
    for (int i = 0; i < PAIRS; i++) {
        task *ping = task_new(player_step), *pong = task_new(player_step);
        ping->peer = pong;
        pong->peer = ping;
        ping->messages = 1;
    }
    pthread_mutex_unlock(&pool.lock);
    return STEP_DONE;
}

static void set_up(void)
{
    for (uint32_t i = 0; i < PROCS; i++)
        pool.procs[i].p.id = i;
    for (int i = 0; i < WORKERS; i++)
        pool.workers[i].parked = 1; /* until its thread runs */
    task_new(root_step);
}

static void start_workers(void)
{
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&pool.workers[i].thread, NULL, worker_main, &pool.workers[i]);
}

static void work_until_done(void)
{
    pthread_mutex_lock(&pool.lock);
    while (pool.alive > 0)
        pthread_cond_wait(&pool.done, &pool.lock);
    pool.quitting = 1;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : getenv("WEFT_TRACE");
    const char *format = getenv("WEFT_TRACE_FORMAT");
    weft_trace_options options = {
        .size = sizeof options, .generation_ns = 20000000, .cpu_hz = 1000};
    weft_trace_stream *stream = NULL;
    weft_trace_result result = {.size = sizeof result};
    if (format && strncmp(format, "1.", 2) == 0)
        options.format = (unsigned)strtoul(format + 2, NULL, 10);
    if (weft_tracer_new(&host, &pool.tracer) < 0)
        return 1;
    set_up();
    int rc = path ? weft_trace_start_path(pool.tracer, path, &options, &stream) : 0;
    if (rc < 0)
        fprintf(stderr, "tinyhost: %s: %s\n", path, strerror(-rc));
    start_workers();
    work_until_done();
    if (stream)
        rc = weft_trace_stop(stream, &result);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(pool.workers[i].thread, NULL);
    weft_tracer_free(pool.tracer);
    printf("%d tasks, %llu generations, %llu bytes of trace\n", pool.task_count,
           (unsigned long long)result.generations, (unsigned long long)result.bytes);
    return rc < 0;
}
