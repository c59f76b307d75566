/* SPDX-License-Identifier: MIT */
/*
 * latency [MILLISECONDS]: how late goroutines run that were to run at an instant, in µs, on 2 Ps:
 * with nothing beside them (alone), beside goroutines that work 50 µs and sleep 100 µs (load), and
 * beside those and one that computes without a pause (load_and_hog). p50, p99 and p99.9.
 */
#include <weft/weft.h>

#include "rounds.h"

enum { PROCS = 2, SLEEPERS = 4, WORKERS = 4, MOST = 200000 };

static double late[MOST];
static long samples;
static int over;
static int64_t end;
static weft_waitgroup left, others;

static void compute(int64_t duration)
{
    double until = bench_seconds() + (double)duration * 1e-9;
    while (bench_seconds() < until)
        ;
}

static void sleeper(void *arg)
{
    (void)arg;
    while (weft_now() < end) {
        int64_t when = weft_now() + 500 * WEFT_MICROSECOND;
        if (weft_sleep_until(when) != 0)
            break;
        long i = __atomic_fetch_add(&samples, 1, __ATOMIC_RELAXED);
        if (i < MOST)
            late[i] = (double)(weft_now() - when) / 1e3;
    }
    weft_waitgroup_done(&left);
}

static void worker(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
        compute(50 * WEFT_MICROSECOND);
        weft_sleep(100 * WEFT_MICROSECOND);
    }
    weft_waitgroup_done(&others);
}

static void hog(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
        ;
    weft_waitgroup_done(&others);
}

static void start(weft_waitgroup *group, int count, void (*fn)(void *))
{
    weft_waitgroup_add(group, count);
    for (int i = 0; i < count; i++)
        if (weft_go(fn, NULL) < 0)
            exit(1);
}

static void print(const char *name, const char *quantile, long index)
{
    printf("latency/%s/%s %.4g us\n", name, quantile, late[index]);
}

static void measure(const char *name, int workers, int hogs, int64_t span)
{
    samples = over = 0;
    end = weft_now() + span;
    start(&others, workers, worker);
    start(&others, hogs, hog);
    start(&left, SLEEPERS, sleeper);
    weft_waitgroup_wait(&left);
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    weft_waitgroup_wait(&others);
    long n = samples < MOST ? samples : MOST;
    qsort(late, (size_t)n, sizeof *late, bench_ascending);
    print(name, "p50", n / 2);
    print(name, "p99", n * 99 / 100);
    print(name, "p99.9", n * 999 / 1000);
}

static int run(void *arg)
{
    int64_t span = *(int64_t *)arg;
    measure("alone", 0, 0, span);
    measure("load", WORKERS, 0, span);
    measure("load_and_hog", WORKERS, 1, span);
    return 0;
}

int main(int argc, char **argv)
{
    int64_t span = (argc > 1 ? atol(argv[1]) : 1000) * WEFT_MILLISECOND;
    return weft_run(&(weft_options){.size = sizeof(weft_options), .procs = PROCS}, run, &span);
}
