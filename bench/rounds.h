/* SPDX-License-Identifier: MIT */
/* Figures of operations that take nanoseconds: the median of several rounds, printed as "NAME VALUE
 * UNIT". */
#ifndef WEFT_BENCH_ROUNDS_H
#define WEFT_BENCH_ROUNDS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_ROUNDS 15

static inline double bench_seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static inline int bench_ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* fn does its operation n times; prints what one takes. */
static inline void bench_print(const char *name, void (*fn)(long n), long n)
{
    double ns[BENCH_ROUNDS];
    fn(n / 10 + 1);
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        double start = bench_seconds();
        fn(n);
        ns[i] = (bench_seconds() - start) * 1e9 / (double)n;
    }
    qsort(ns, BENCH_ROUNDS, sizeof ns[0], bench_ascending);
    printf("%s %.2f ns\n", name, ns[BENCH_ROUNDS / 2]);
    fflush(stdout);
}

#endif
