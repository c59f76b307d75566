/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/pages.h"
#include "base/torture.h"

#include <errno.h>

#include "base/cmocka_all.h"
#include "base/death.h"

static void points_delay_but_return(void **unused)
{
    (void)unused;
    uint64_t start = base_clock_monotonic();
    for (int i = 0; i < 2000; i++)
        torture_point("test");
    uint64_t ns = base_clock_monotonic() - start;
    print_message("%llu ns a point on average\n", (unsigned long long)(ns / 2000));
    assert_true(ns > 1000000);
}

/* The rate is read once in a process, so each case has its own. */
static void count_refusals(void *rate)
{
    int refused = 0;
    if (rate)
        setenv("WEFT_TORTURE_ALLOC", rate, 1);
    for (int i = 0; i < 8000; i++)
        refused += torture_refuse("test");
    bool right = rate ? refused > 500 && refused < 1500 : refused == 0;
    _exit(right ? 0 : 1);
}

static void allocations_fail_when_asked_for(void **unused)
{
    (void)unused;
    char rate[] = "8";
    unsetenv("WEFT_TORTURE_ALLOC");
    assert_int_equal(death_of(count_refusals, NULL).status, 0);
    assert_int_equal(death_of(count_refusals, rate).status, 0);
}

static void refuse_all(void *unused)
{
    (void)unused;
    setenv("WEFT_TORTURE_ALLOC", "1", 1);
    bool right = base_pages_alloc(4096) == NULL && base_guard_install(&right, 0) == -ENOMEM;
    _exit(right ? 0 : 1);
}

static void refusals_look_like_the_kernel(void **unused)
{
    (void)unused;
    assert_int_equal(death_of(refuse_all, NULL).status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_delay_but_return),
        cmocka_unit_test(allocations_fail_when_asked_for),
        cmocka_unit_test(refusals_look_like_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
