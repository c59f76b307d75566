/* SPDX-License-Identifier: MIT */
/* timers: 100,000 goroutines sleep three times each, up to 1 s: the process's CPU time for one
 * sleep, and how late they wake. */
#include <weft/weft.h>

#include "rounds.h"

enum { SLEEPERS = 100000, SLEEPS = 3 };

static double late[SLEEPERS * (SLEEPS - 1)];
static weft_waitgroup left;

static double cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void sleeper(void *arg)
{
    size_t index = (size_t)(uintptr_t)arg;
    uint64_t seed = (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < SLEEPS; i++) {
        int64_t duration = (int64_t)(seed >> (8 * i + 16) & 0xffff) * WEFT_SECOND / 0xffff;
        int64_t begin = weft_now();
        weft_sleep(duration);
        if (i > 0)
            late[index * (SLEEPS - 1) + i - 1] = (double)(weft_now() - begin - duration) / 1e3;
    }
    weft_waitgroup_done(&left);
}

static int run(void *arg)
{
    (void)arg;
    double begin = cpu_ns();
    weft_waitgroup_add(&left, SLEEPERS);
    for (uintptr_t i = 0; i < SLEEPERS; i++)
        if (weft_go(sleeper, (void *)i) < 0)
            return 1;
    weft_waitgroup_wait(&left);
    double used = cpu_ns() - begin;
    size_t n = sizeof late / sizeof *late;
    qsort(late, n, sizeof *late, bench_ascending);
    printf("sleep/cpu %.4g ns\n", used / (SLEEPERS * SLEEPS));
    printf("sleep/late_p50 %.4g us\nsleep/late_p99 %.4g us\n", late[n / 2], late[n / 100 * 99]);
    return 0;
}

int main(void)
{
    return weft_run(NULL, run, NULL);
}
