/* SPDX-License-Identifier: MIT */
/*
 * revoke [THREADS]: how long it takes to take 1 … THREADS leases at once (64), in µs: the world is
 * stopped while so many goroutines (three quarters of them at least) compute, each with a P, and
 * never look at the runtime. Medians.
 */
#include "rounds.h"

#include "sched/world.h"
#include "weft/weft.h"

enum { MOST = 64 };

static int over;
static weft_waitgroup left;

static void compute(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
        ;
    weft_waitgroup_done(&left);
}

/* How many of them have a P. The world is stopped. */
static unsigned computing(void)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < sched.proc_count; i++)
        count += sched.all_p[i]->m != NULL;
    return count - 1;
}

static double stop_and_start(unsigned *held)
{
    struct m *m = world_lock(rt_enter());
    int64_t begin = weft_now();
    world_stop(m);
    double took = (double)(weft_now() - begin) / 1e3;
    *held = computing();
    world_start(m);
    world_unlock();
    rt_exit(m);
    return took;
}

static void measure(int threads)
{
    double took[BENCH_ROUNDS];
    int rounds = 0;
    unsigned held;
    weft_procs(threads + 1);
    __atomic_store_n(&over, 0, __ATOMIC_RELAXED);
    weft_waitgroup_add(&left, threads);
    for (int i = 0; i < threads; i++)
        if (weft_go(compute, NULL) < 0)
            exit(1);
    for (int tries = 0; rounds < BENCH_ROUNDS && tries < 10 * BENCH_ROUNDS; tries++) {
        weft_sleep(10 * WEFT_MILLISECOND);
        took[rounds] = stop_and_start(&held);
        rounds += 4 * held >= 3 * (unsigned)threads; /* others were late, or are taken already */
    }
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    weft_waitgroup_wait(&left);
    if (rounds == 0) /* the machine is too busy for so many */
        return;
    qsort(took, (size_t)rounds, sizeof *took, bench_ascending);
    printf("revoke/threads=%d %.4g us\n", threads, took[rounds / 2]);
    fflush(stdout);
}

static int run(void *arg)
{
    int most = *(int *)arg;
    for (int threads = 1; threads <= most; threads *= 2)
        measure(threads);
    return 0;
}

int main(int argc, char **argv)
{
    int most = argc > 1 ? atoi(argv[1]) : MOST;
    return weft_run(NULL, run, &most);
}
