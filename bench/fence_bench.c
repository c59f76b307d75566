/* SPDX-License-Identifier: MIT */
/*
 * fence_bench: what the two sides of the asymmetric fence cost, the rare side with 0 … n busy
 * threads beside it, and a pair of acquire and release of a lock.
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

/* Runs a figure while threads run beside it. */
static void beside(int threads, void *(*what)(void *), const char *name, void (*fn)(long), long n)
{
    enum { MOST = 64 };
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

int main(void)
{
    enum { N = 1000000 };
    int cpus = (int)base_cpu_count();
    printf("fence/asymmetric %d bool\n", base_fence_asymmetric);
    bench_print("fence/no_fence", store_and_load, N);
    bench_print("fence/light", light, N);
    bench_print("fence/seqcst", full, N);
    for (int busy = 0; busy <= 2 * cpus && busy <= 16; busy = busy ? busy * 2 : 1) {
        char name[64];
        snprintf(name, sizeof name, "fence/heavy/busy_threads=%d", busy);
        beside(busy, be_busy, name, heavy, busy ? 2000 : N / 10);
    }
    bench_print("lock/pair", lock_pair, N);
    bench_print("lock/pthread_mutex_pair", mutex_pair, N);
    beside(1, contend, "lock/pair_contended_by_1", lock_pair, N / 10);
    return seen == 1;
}
