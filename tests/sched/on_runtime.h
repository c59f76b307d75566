/* SPDX-License-Identifier: MIT */
/* Helpers of the scheduler's tests: cmocka, and a body that runs as the main goroutine with a
 * number of Ps. */
#ifndef WEFT_TESTS_ON_RUNTIME_H
#define WEFT_TESTS_ON_RUNTIME_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/weft.h>

#if defined(__SANITIZE_THREAD__)
#define TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TEST_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_ASAN 1
#endif
#endif

/* Fewer rounds where every memory access costs ten times as much. */
#if defined(TEST_TSAN) || defined(TEST_ASAN)
#define ROUNDS(n) ((n) / 10 > 0 ? (n) / 10 : 1)
#else
#define ROUNDS(n) (n)
#endif

/* A failed check on a goroutine: cmocka's assertions jump to the test's own thread, which
 * goroutines must not do. */
#define check(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline int run_with_procs(unsigned procs, int (*body)(void *), void *arg)
{
    weft_options options = {.size = sizeof options, .procs = procs};
    return weft_run(&options, body, arg);
}

#endif
