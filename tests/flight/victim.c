/* SPDX-License-Identifier: MIT */
#include "flight/victim.h"

#include "base/atomic.h"

#include <weft/weft.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static victim_news *news;
static unsigned work;
static void (*extra)(void *);

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
    atomic_store_release(&news->started[s->index].generation, s->generation);
    atomic_store_release(&news->started[s->index].goid, goid);
    atomic_store_relaxed(&news->ready, 1);
    (void)weft_chan_send(s->done, &goid);
}

static void spawn(void *arg)
{
    spawner *s = arg;
    uint64_t goid;
    for (;;) {
        s->generation = weft_trace_generation(weft_tracer_default());
        if (weft_go(child, s) == 0)
            (void)weft_chan_recv(s->done, &goid);
    }
}

/* ---- The rest ---- */

static void advance(void *arg)
{
    (void)arg;
    for (;;) {
        (void)weft_trace_advance(weft_tracer_default());
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

static int run(void *arg)
{
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
    if (extra)
        (void)weft_go(extra, arg);
    for (;;)
        weft_sleep(INT64_C(1000000000));
    return 0;
}

/* ---- The parent ---- */

victim_news *victim_news_new(void)
{
    void *page =
        mmap(NULL, sizeof(victim_news), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? NULL : page;
}

pid_t victim_start(victim_news *shared, unsigned what, const char *flight, unsigned procs,
                   const char *format, void (*fn)(void *arg))
{
    char number[16];
    memset(shared, 0, sizeof *shared);
    fflush(NULL);
    pid_t pid = fork();
    if (pid)
        return pid;
    news = shared;
    work = what;
    extra = fn;
    snprintf(number, sizeof number, "%u", procs);
    if (flight)
        setenv("WEFT_FLIGHT", flight, 1);
    setenv("WEFT_PROCS", number, 1);
    setenv("WEFT_TRACE_FORMAT", format, 1);
    _exit(weft_run(NULL, run, NULL) < 0 ? 3 : 0);
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
