/* SPDX-License-Identifier: MIT */
/*
 * events: what the tracer's core takes to write one event, in ns: without a stack (a G that stops
 * and starts again), on one thread and on two, and with the stack of 8 frames of its emitter. The
 * host is the least one there can be: threads with a P and a G each, which never change hands.
 * `clock` is the read of the clock alone.
 */
#include <pthread.h>
#include <string.h>
#include <weft/trace.h>
#include <weft/trace_host.h>

#include "base/clock.h"
#include "rounds.h"

enum { WORKERS = 2, EVENTS = 400000, DEPTH = 8 };

typedef struct worker {
    weft_trace_m m;
    weft_trace_p p;
    weft_trace_g g;
    const void *stack_end;
    double took;
} worker;

static struct {
    weft_tracer *tracer;
    pthread_rwlock_t world;
    pthread_barrier_t together; /* of the workers, and who starts and stops the trace */
    worker workers[WORKERS];
    worker drainer;
    int threads; /* workers that take part */
} host = {.world = PTHREAD_RWLOCK_INITIALIZER};

/* ---- The host ---- */

static weft_trace_m *thread_start(void *context)
{
    (void)context;
    return &host.drainer.m;
}

static void thread_stop(void *context)
{
    (void)context;
}

static weft_trace_context of(worker *w)
{
    return (weft_trace_context){&w->p, &w->g};
}

static int attach(void *context, weft_trace_context *out)
{
    weft_trace_section s;
    worker *w = &host.drainer;
    (void)context;
    if (weft_trace_enter(host.tracer, &w->m, &s)) {
        weft_trace_go_unblock(&s, (weft_trace_context){NULL, NULL}, &w->g, 0);
        weft_trace_proc_start(&s, (weft_trace_context){&w->p, NULL});
        weft_trace_go_start(&s, of(w));
        weft_trace_leave(&s);
    }
    *out = of(w);
    return 0;
}

static void detach(void *context)
{
    weft_trace_section s;
    worker *w = &host.drainer;
    (void)context;
    if (weft_trace_enter(host.tracer, &w->m, &s)) {
        weft_trace_go_block(&s, of(w), WEFT_TRACE_BLOCK_SYSTEM, 0);
        weft_trace_proc_stop(&s, (weft_trace_context){&w->p, NULL});
        weft_trace_leave(&s);
    }
}

/* The workers emit under the read lock only, so this holds them all. */
static void hold(void *context)
{
    (void)context;
    pthread_rwlock_wrlock(&host.world);
}

static void release(void *context)
{
    (void)context;
    pthread_rwlock_unlock(&host.world);
}

static void nothing(void *context)
{
    (void)context;
}

static uint32_t proc_count(void *context)
{
    (void)context;
    return (uint32_t)host.threads + 1;
}

static void each_p(void *context, void (*fn)(void *, const weft_trace_p_view *), void *arg)
{
    (void)context;
    for (int i = 0; i < host.threads; i++) {
        worker *w = &host.workers[i];
        fn(arg, &(weft_trace_p_view){.p = &w->p, .m = &w->m, .g = &w->g});
    }
}

static void each_dead_p(void *context, void (*fn)(void *, weft_trace_p *), void *arg)
{
    (void)context, (void)fn, (void)arg;
}

static void each_g(void *context, bool stacks, void (*fn)(void *, const weft_trace_g_view *),
                   void *arg)
{
    (void)context, (void)stacks;
    for (int i = 0; i < host.threads; i++) {
        weft_trace_g *g = &host.workers[i].g;
        fn(arg, &(weft_trace_g_view){.g = g, .id = g->id, .status = WEFT_TRACE_G_RUNNING});
    }
    weft_trace_g *g = &host.drainer.g;
    fn(arg, &(weft_trace_g_view){.g = g, .id = g->id, .status = WEFT_TRACE_G_WAITING});
}

/* ---- What is measured: a G stops and starts again, which is two events ---- */

static void two_events(worker *w, uint64_t stack_of_one)
{
    weft_trace_section s;
    if (!weft_trace_enter(host.tracer, &w->m, &s))
        abort();
    weft_trace_go_stop(&s, of(w), WEFT_TRACE_STOP_GOSCHED, stack_of_one);
    weft_trace_leave(&s);
    if (!weft_trace_enter(host.tracer, &w->m, &s))
        abort();
    weft_trace_go_start(&s, of(w));
    weft_trace_leave(&s);
}

static void without_stack(worker *w)
{
    for (long i = 0; i < EVENTS / 2; i++)
        two_events(w, 0);
}

static void with_stack(worker *w)
{
    weft_trace_section s;
    uintptr_t pcs[DEPTH];
    void *frame = __builtin_frame_address(0);
    for (long i = 0; i < EVENTS / 2; i++) {
        if (!weft_trace_enter(host.tracer, &w->m, &s))
            abort();
        unsigned depth = weft_trace_walk(frame, frame, w->stack_end, pcs, DEPTH);
        weft_trace_go_stop(&s, of(w), WEFT_TRACE_STOP_GOSCHED, weft_trace_stack(&s, pcs, depth));
        weft_trace_leave(&s);
        if (!weft_trace_enter(host.tracer, &w->m, &s))
            abort();
        weft_trace_go_start(&s, of(w));
        weft_trace_leave(&s);
    }
}

/* Frames to walk through. */
__attribute__((noinline)) static void deep(int depth, void (*fn)(worker *), worker *w)
{
    if (depth == 0)
        fn(w);
    else
        deep(depth - 1, fn, w);
    __asm__ __volatile__("" ::: "memory");
}

static void (*task)(worker *);

static void *work(void *arg)
{
    worker *w = arg;
    w->stack_end = (char *)__builtin_frame_address(0) + 16;
    if (weft_trace_m_register(host.tracer, &w->m) < 0)
        exit(1);
    pthread_barrier_wait(&host.together); /* and the start */
    pthread_barrier_wait(&host.together);
    pthread_rwlock_rdlock(&host.world);
    double begin = bench_seconds();
    deep(DEPTH + 2, task, w);
    w->took = (bench_seconds() - begin) * 1e9 / EVENTS;
    pthread_rwlock_unlock(&host.world);
    pthread_barrier_wait(&host.together); /* the end of the generation describes what runs here */
    pthread_barrier_wait(&host.together);
    weft_trace_m_unregister(host.tracer, &w->m);
    return NULL;
}

static int forget(void *context, const void *data, size_t size)
{
    (void)context, (void)data, (void)size;
    return 0;
}

/* One run with a trace of its own; the slower of the threads. */
static double run(int threads, void (*fn)(worker *))
{
    pthread_t ids[WORKERS];
    weft_trace_stream *stream;
    weft_trace_options options = {.size = sizeof options, .generation_ns = UINT64_MAX};
    double took = 0;
    task = fn;
    host.threads = threads;
    pthread_barrier_init(&host.together, NULL, (unsigned)threads + 1);
    for (int i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, work, &host.workers[i]);
    pthread_barrier_wait(&host.together);
    if (weft_trace_start_callback(host.tracer, forget, NULL, &options, &stream) < 0)
        exit(1);
    pthread_barrier_wait(&host.together);
    pthread_barrier_wait(&host.together);
    weft_trace_stop(stream, NULL);
    pthread_barrier_wait(&host.together);
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        took = host.workers[i].took > took ? host.workers[i].took : took;
    }
    pthread_barrier_destroy(&host.together);
    return took;
}

static void print(const char *name, int threads, void (*fn)(worker *))
{
    double ns[BENCH_ROUNDS];
    for (int i = 0; i < BENCH_ROUNDS; i++)
        ns[i] = run(threads, fn);
    qsort(ns, BENCH_ROUNDS, sizeof *ns, bench_ascending);
    printf("event/%s %.4g ns\n", name, ns[BENCH_ROUNDS / 2]);
    fflush(stdout);
}

static void read_clock(long n)
{
    uint64_t sum = 0;
    while (n-- > 0)
        sum += base_clock_now();
    __asm__ __volatile__("" : : "r"(sum));
}

int main(void)
{
    weft_trace_host callbacks = {.size = sizeof callbacks,
                                 .thread_start = thread_start,
                                 .thread_stop = thread_stop,
                                 .attach = attach,
                                 .detach = detach,
                                 .world_hold = hold,
                                 .world_release = release,
                                 .world_stop = nothing,
                                 .world_start = nothing,
                                 .proc_count = proc_count,
                                 .each_p = each_p,
                                 .each_dead_p = each_dead_p,
                                 .each_g = each_g};
    if (weft_tracer_new(&callbacks, &host.tracer) < 0)
        return 1;
    for (int i = 0; i < WORKERS; i++) {
        host.workers[i].p.id = (uint32_t)i + 1;
        host.workers[i].g.id = (uint64_t)i + 2;
    }
    host.drainer.g.id = 1;
    bench_print("event/clock", read_clock, EVENTS);
    print("plain_1t", 1, without_stack);
    print("plain_2t", 2, without_stack);
    print("stack8_1t", 1, with_stack);
    weft_tracer_free(host.tracer);
    return 0;
}
