/* SPDX-License-Identifier: MIT */
/* What the tests of the runtime share: bodies that run inside weft_run, checks that work on
 * goroutines. */
#ifndef WEFT_TESTS_SCHED_SUPPORT_H
#define WEFT_TESTS_SCHED_SUPPORT_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cmocka_all.h"
#include "base/death.h"
#include "base/fence.h"
#include "base/lock.h"
#include "sched/waiter.h"
#include "weft/weft.h"

/* cmocka's assertions jump, which a goroutine must not do out of its stack. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define CHECK_EQ(a, b)                                                                             \
    do {                                                                                           \
        long long check_a = (long long)(a), check_b = (long long)(b);                              \
        if (check_a != check_b) {                                                                  \
            fprintf(stderr, "%s:%d: %s is %lld, not %s = %lld\n", __FILE__, __LINE__, #a, check_a, \
                    #b, check_b);                                                                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Rounds for builds in which everything takes longer. */
#if defined(BASE_TSAN)
#define ROUNDS(n) ((n) / 20 > 0 ? (n) / 20 : 1)
#elif defined(__SANITIZE_ADDRESS__) || defined(WEFT_DEBUG)
#define ROUNDS(n) ((n) / 4 > 0 ? (n) / 4 : 1)
#else
#define ROUNDS(n) (n)
#endif

struct body {
    void (*fn)(void);
};

static int run_body(void *arg)
{
    ((struct body *)arg)->fn();
    return 0;
}

/* Runs a body as the main goroutine on that many Ps. */
static inline void run_on(unsigned procs, void (*fn)(void))
{
    struct body body = {fn};
    weft_options options = {.size = sizeof options, .procs = procs};
    CHECK_EQ(weft_run(&options, run_body, &body), 0);
}

static inline void run_everywhere(void (*fn)(void))
{
    static const unsigned procs[] = {1, 2, 4};
    for (size_t i = 0; i < sizeof procs / sizeof *procs; i++)
        run_on(procs[i], fn);
}

/* test_NAME runs NAME on 1, 2 and 4 Ps. */
#define ON_ALL_PROCS(name)                                                                         \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_everywhere(name);                                                                      \
    }

#define TEST(name)                                                                                 \
    {                                                                                              \
#name, test_##name, NULL, NULL, NULL                                                       \
    }

/* The program's argument, if any, is a pattern (with * and ?) of the tests to run. */
static inline void choose_tests(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
}

static inline void go(void (*fn)(void *), void *arg)
{
    CHECK_EQ(weft_go(fn, arg), 0);
}

static inline unsigned queue_length(struct waiter_queue *q, base_lock *lock)
{
    unsigned n = 0;
    lock_acquire(lock);
    for (struct waiter *w = q->head; w; w = w->next)
        n++;
    lock_release(lock);
    return n;
}

/* Lets others run until n goroutines wait on q. */
static inline void await_waiters(struct waiter_queue *q, base_lock *lock, unsigned n)
{
    while (queue_length(q, lock) != n)
        weft_yield();
}

/* ---- Programs that stop with a message ---- */

struct death_body {
    void (*fn)(void);
};

static inline void run_dying(void *arg)
{
    run_on(2, ((struct death_body *)arg)->fn);
}

/* In a child: the body must abort with that line on standard error. */
static inline void expect_fatal(void (*fn)(void), const char *message)
{
    struct death_body body = {fn};
    char line[256];
    death d = death_of(run_dying, &body);
    snprintf(line, sizeof line, "weft: fatal: %s\n", message);
    if (death_signal(&d) != SIGABRT || !strstr(d.text, line))
        fail_msg("expected \"%s\" and SIGABRT, got signal %d and: %s", message, death_signal(&d),
                 d.text);
}

#endif
