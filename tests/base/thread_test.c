/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/clock.h"
#include "base/thread.h"

#include <sched.h>
#include <signal.h>

#include "base/cmocka_all.h"

typedef struct report {
    char name[16];
    sigset_t mask;
    uint64_t id;
    bool stack_holds_local;
} report;

static void *look_around(void *arg)
{
    report *r = arg;
    void *low, *high;
    char local;
    pthread_getname_np(pthread_self(), r->name, sizeof r->name);
    pthread_sigmask(SIG_SETMASK, NULL, &r->mask);
    r->id = base_thread_id();
    if (base_thread_stack(&low, &high) == 0)
        r->stack_holds_local = (char *)low <= &local && &local < (char *)high;
    return arg;
}

static report report_of(const char *name)
{
    report r = {.id = 0};
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(base_thread_start(&thread, name, look_around, &r), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &r);
    return r;
}

static void thread_has_its_name_and_id(void **unused)
{
    (void)unused;
    report r = report_of("short");
    assert_string_equal(r.name, "short");
    assert_true(r.id != 0 && r.id != base_thread_id());
    r = report_of("a name of more than fifteen bytes");
    assert_string_equal(r.name, "a name of more ");
}

static void thread_takes_only_faults_and_the_profiler_tick(void **unused)
{
    (void)unused;
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGPROF};
    static const int blocked[] = {SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGALRM, SIGQUIT, SIGHUP};
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    report r = report_of("signals");
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        assert_int_equal(sigismember(&r.mask, open[i]), 0);
    for (size_t i = 0; i < sizeof blocked / sizeof blocked[0]; i++) {
        assert_int_equal(sigismember(&r.mask, blocked[i]), 1);
        assert_int_equal(sigismember(&before, blocked[i]), sigismember(&after, blocked[i]));
    }
}

static void stack_bounds_hold_the_locals(void **unused)
{
    (void)unused;
    report r = report_of("stack");
    assert_true(r.stack_holds_local);
    look_around(&r); /* the main thread, whose stack the kernel made */
    assert_true(r.stack_holds_local);
}

static void cpu_count_follows_the_affinity(void **unused)
{
    (void)unused;
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_int_equal(base_cpu_count(), CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(base_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

static void *quit(void *arg)
{
    return arg;
}

/* Threads that end before their creator looks at them again. */
static void many_short_threads(void **unused)
{
    (void)unused;
    for (int i = 0; i < 500; i++) {
        pthread_t thread;
        assert_int_equal(base_thread_start(&thread, "quit", quit, NULL), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

static void backoff_ends_in_short_sleeps(void **unused)
{
    (void)unused;
    unsigned spins = 0;
    uint64_t start = base_clock_monotonic();
    for (int i = 0; i < 100; i++)
        base_backoff(&spins);
    assert_int_equal(spins, 100);
    assert_true(base_clock_monotonic() - start >= 1000000);
    spins = ~0u;
    base_backoff(&spins);
    assert_int_equal(spins, ~0u);
}

static void sleep_lasts_as_long_as_asked(void **unused)
{
    (void)unused;
    uint64_t start = base_clock_monotonic();
    base_sleep_ns(3000000);
    base_sleep_ns(-5);
    assert_true(base_clock_monotonic() - start >= 3000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_has_its_name_and_id),
        cmocka_unit_test(thread_takes_only_faults_and_the_profiler_tick),
        cmocka_unit_test(stack_bounds_hold_the_locals),
        cmocka_unit_test(cpu_count_follows_the_affinity),
        cmocka_unit_test(many_short_threads),
        cmocka_unit_test(backoff_ends_in_short_sleeps),
        cmocka_unit_test(sleep_lasts_as_long_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
