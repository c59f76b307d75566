/* SPDX-License-Identifier: MIT */
/*
 * fence_bench [THREADS]: what the two sides of the asymmetric fence cost, the rare side with
 * 0 … THREADS busy threads beside it (usually twice the processors, at most 16), and a pair of
 * acquire and release of a lock.
 */
#include "base/atomic.h"
#include "base/fence.h"
#include "base/lock.h"
#include "base/thread.h"

#include "rounds.h"

static uint32_t here, there; /* atomic: the two variables of the pair */
static uint32_t over;        /* atomic */
static base_lock lock = BASE_LOCK_INIT(LEAF);
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t seen;

static void store_and_load(long n)
{
    for (long i = 0; i < n; i++) {
        fence_store(&here, (uint32_t)i);
        seen += fence_load(&there);
        compiler_barrier();
    }
}

static void light(long n)
{
    for (long i = 0; i < n; i++) {
        fence_store(&here, (uint32_t)i);
        fence_light();
        seen += fence_load(&there);
    }
}

static void full(long n)
{
    for (long i = 0; i < n; i++) {
        atomic_store_seqcst(&here, (uint32_t)i); /* for comparison; pairs with nothing */
        seen += atomic_load_seqcst(&there);
    }
}

static void heavy(long n)
{
    for (long i = 0; i < n; i++)
        fence_heavy();
}

static void lock_pair(long n)
{
    for (long i = 0; i < n; i++) {
        lock_acquire(&lock);
        seen++;
        lock_release(&lock);
    }
}

static void mutex_pair(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_mutex_lock(&mutex);
        seen++;
        pthread_mutex_unlock(&mutex);
    }
}

static void *be_busy(void *arg)
{
    uint32_t mine = 0;
    while (!atomic_load_relaxed(&over)) {
        fence_store(&mine, mine + 1);
        fence_light();
    }
    return arg;
}

static void *contend(void *arg)
{
    while (!atomic_load_relaxed(&over)) {
        lock_acquire(&lock);
        lock_release(&lock);
    }
    return arg;
}

enum { MOST = 64 };

/* Runs a figure while threads run beside it. */
static void beside(int threads, void *(*what)(void *), const char *name, void (*fn)(long), long n)
{
    pthread_t all[MOST];
    int started = 0;
    atomic_store_relaxed(&over, 0);
    while (started < threads && started < MOST &&
           base_thread_start(&all[started], "beside", what, NULL) == 0)
        started++;
    bench_print(name, fn, n);
    atomic_store_relaxed(&over, 1);
    while (started > 0)
        pthread_join(all[--started], NULL);
}

/* On so many threads whoever measures gets little of a processor. */
static long times_beside(int busy)
{
    return busy <= 16 ? 2000 : 200;
}

int main(int argc, char **argv)
{
    enum { N = 1000000 };
    int most = argc > 1 ? atoi(argv[1]) : 2 * (int)base_cpu_count();
    if (most > (argc > 1 ? MOST : 16))
        most = argc > 1 ? MOST : 16;
    printf("fence/asymmetric %d bool\n", base_fence_asymmetric);
    bench_print("fence/no_fence", store_and_load, N);
    bench_print("fence/light", light, N);
    bench_print("fence/seqcst", full, N);
    for (int busy = 0; busy <= most; busy = busy ? busy * 2 : 1) {
        char name[64];
        snprintf(name, sizeof name, "fence/heavy/busy_threads=%d", busy);
        beside(busy, be_busy, name, heavy, busy ? times_beside(busy) : N / 10);
    }
    bench_print("lock/pair", lock_pair, N);
    bench_print("lock/pthread_mutex_pair", mutex_pair, N);
    beside(1, contend, "lock/pair_contended_by_1", lock_pair, N / 10);
    return seen == 1;
}
