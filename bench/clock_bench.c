/* SPDX-License-Identifier: MIT */
/* clock_bench: what a reading of the clock costs, beside the bare counter and the C library's
 * clock. */
#include "base/atomic.h"
#include "base/clock.h"

#include "rounds.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static uint64_t sum; /* keeps the readings alive */

static void counter(long n)
{
    uint64_t s = 0;
    for (long i = 0; i < n; i++) {
#if defined(__x86_64__)
        s += __rdtsc();
#else
        uint64_t t;
        __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(t));
        s += t;
#endif
    }
    sum += s;
}

static void now(long n)
{
    for (long i = 0; i < n; i++)
        sum += base_clock_now();
}

static void now_loose(long n)
{
    for (long i = 0; i < n; i++)
        sum += base_clock_now_loose();
}

static void monotonic(long n)
{
    for (long i = 0; i < n; i++)
        sum += base_clock_monotonic();
}

static void libc_clock(long n)
{
    struct timespec ts;
    for (long i = 0; i < n; i++) {
        clock_gettime(CLOCK_MONOTONIC, &ts);
        sum += (uint64_t)ts.tv_nsec;
    }
}

static void snapshot(long n)
{
    base_clock_snapshot s;
    for (long i = 0; i < n; i++)
        base_clock_snap(&s);
}

int main(void)
{
    enum { N = 1000000 };
    bench_print("clock/counter_instruction", counter, N);
    bench_print("clock/now", now, N);
    bench_print("clock/now_loose", now_loose, N);
    bench_print("clock/monotonic", monotonic, N);
    bench_print("clock/clock_gettime", libc_clock, N);
    bench_print("clock/snapshot", snapshot, N / 1000);
    printf("clock/rate %llu Hz\n", (unsigned long long)base_clock_tsc_hz());
    return sum == 1;
}
