/* SPDX-License-Identifier: MIT */
#include "flight/victim.h"

#include "base/atomic.h"

#include <weft/weft.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static victim_news *news;
static victim_plan plan;

enum { PASSERS = 4, IDLERS = 50 };

/* ---- Spawners ---- */

typedef struct spawner {
    unsigned index;
    uint64_t generation; /* before the child was made */
    weft_chan *done;
} spawner;

static void child(void *arg)
{
    const spawner *s = arg;
    uint64_t goid = weft_goid();
    const weft_tracer *tracer = weft_tracer_default(); /* NULL: it ends */
    if (tracer && weft_trace_generation(tracer)) {     /* else the trace has ended */
        atomic_store_release(&news->started[s->index].generation, s->generation);
        atomic_store_release(&news->started[s->index].goid, goid);
    }
    atomic_store_relaxed(&news->ready, 1);
    (void)weft_chan_send(s->done, &goid);
}

static void spawn(void *arg)
{
    spawner *s = arg;
    uint64_t goid;
    for (;;) {
        const weft_tracer *tracer = weft_tracer_default(); /* NULL: it ends */
        s->generation = tracer ? weft_trace_generation(tracer) : 0;
        if (weft_go(child, s) == 0)
            (void)weft_chan_recv(s->done, &goid);
    }
}

/* ---- The rest ---- */

static void advance(void *arg)
{
    (void)arg;
    for (;;) {
        weft_tracer *tracer = weft_tracer_default(); /* NULL: it ends */
        if (tracer)
            (void)weft_trace_advance(tracer);
        weft_yield();
    }
}

static void resize(void *arg)
{
    (void)arg;
    for (int n = 0;; n++) {
        (void)weft_procs(1 + n % 4);
        weft_sleep(200000);
    }
}

static void pause_thread(long ns)
{
    struct timespec pause = {.tv_nsec = ns};
    nanosleep(&pause, NULL);
}

static void block(void *arg)
{
    (void)arg;
    for (unsigned n = 0;; n++) {
        if (n % 2)
            weft_blocking_enter();
        pause_thread(n % 2 ? 100000 : 12000000);
        if (n % 2)
            weft_blocking_exit();
        weft_yield();
    }
}

static void pass(void *arg)
{
    weft_chan **ring = arg;
    uint64_t token = 0;
    for (;;) {
        (void)weft_chan_recv(ring[0], &token);
        token++;
        if (token % 64 == 0)
            weft_sleep(10000);
        (void)weft_chan_send(ring[1], &token);
    }
}

static void idle(void *arg)
{
    weft_sleep(INT64_C(1000000) * (1 + (int64_t)(uintptr_t)arg % 40));
    weft_sleep(INT64_C(3600) * 1000000000);
}

static void start_passers(void)
{
    static weft_chan *ring[PASSERS + 1];
    uint64_t token = 0;
    for (unsigned i = 0; i < PASSERS; i++)
        ring[i] = weft_chan_new(sizeof token, 1);
    ring[PASSERS] = ring[0];
    for (unsigned i = 0; i < PASSERS; i++)
        (void)weft_go(pass, &ring[i]);
    (void)weft_chan_send(ring[0], &token);
    for (uintptr_t i = 0; i < IDLERS; i++)
        (void)weft_go(idle, (void *)i);
}

static void be_extra(void *arg)
{
    (void)arg;
    news->extra = weft_goid();
    plan.fn(news);
}

static int run(void *arg)
{
    const unsigned work = plan.work;
    static spawner spawners[VICTIM_SPAWNERS];
    for (unsigned i = 0; i < VICTIM_SPAWNERS; i++) {
        spawners[i] = (spawner){.index = i, .done = weft_chan_new(sizeof(uint64_t), 0)};
        (void)weft_go(spawn, &spawners[i]);
    }
    if (work & VICTIM_SLEEPS)
        start_passers();
    if (work & VICTIM_ADVANCES)
        (void)weft_go(advance, arg);
    if (work & VICTIM_RESIZES)
        (void)weft_go(resize, arg);
    if (work & VICTIM_BLOCKS)
        (void)weft_go(block, arg);
    if (plan.fn)
        (void)weft_go(be_extra, arg);
    while (!atomic_load_acquire(&news->leave))
        weft_sleep(INT64_C(1000000));
    return 0;
}

/* ---- The parent ---- */

victim_news *victim_news_new(void)
{
    void *page =
        mmap(NULL, sizeof(victim_news), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? NULL : page;
}

static void die_plainly(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (unsigned i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], SIG_DFL);
}

pid_t victim_start(victim_news *shared, const victim_plan *given)
{
    char number[16];
    memset(shared, 0, sizeof *shared);
    fflush(NULL);
    pid_t pid = fork();
    if (pid)
        return pid;
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    news = shared;
    plan = *given;
    (plan.prepare ? plan.prepare : die_plainly)();
    snprintf(number, sizeof number, "%u", plan.procs);
    setenv(plan.variable, plan.path, 1);
    setenv("WEFT_PROCS", number, 1);
    setenv("WEFT_TRACE_FORMAT", plan.format, 1);
    _exit(weft_run(NULL, run, NULL) < 0 ? 3 : 0);
}

void victim_wait(const victim_news *shared, pid_t pid)
{
    while (!atomic_load_acquire(&shared->ready)) {
        if (waitpid(pid, NULL, WNOHANG) != 0) {
            fprintf(stderr, "the victim has ended by itself\n");
            abort();
        }
        usleep(200);
    }
}

unsigned victim_random(unsigned limit)
{
    static uint64_t state;
    const char *seed = getenv("WEFT_TEST_SEED");
    if (!state)
        state = seed ? strtoull(seed, NULL, 10) | 1 : (uint64_t)getpid() << 20 | 1;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 16) % limit);
}
