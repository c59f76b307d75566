/* SPDX-License-Identifier: MIT */
#include "base/fatal.h"
#include "base/thread.h"

#include <limits.h>
#include <stdio.h>

#include "base/cmocka_all.h"
#include "base/death.h"

static void say_everything(void *unused)
{
    (void)unused;
    fatal("%s|%d|%d|%u|%ld|%lu|%lld|%llu|%x|%lx|%zu|%c|%%|%p|%s", "text", -42, INT_MIN, UINT_MAX,
          LONG_MIN, ULONG_MAX, -1LL, 18446744073709551615ULL, 0xbeefu, 0xdeadbeeful, sizeof(int),
          'c', (void *)0x1234, (const char *)NULL);
}

static void message_has_every_format(void **unused)
{
    (void)unused;
    char expected[400];
    snprintf(expected, sizeof expected,
             "weft: fatal: text|-42|%d|%u|%ld|%lu|-1|18446744073709551615|beef|deadbeef|4|c|%%|"
             "0x1234|(null)\n",
             INT_MIN, UINT_MAX, LONG_MIN, ULONG_MAX);
    death d = death_of(say_everything, NULL);
    assert_string_equal(d.text, expected);
    assert_int_equal(death_signal(&d), SIGABRT);
}

static void say_too_much(void *unused)
{
    (void)unused;
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    fatal("%s%d", text, 7);
}

static void long_message_is_cut_and_ends_its_line(void **unused)
{
    (void)unused;
    death d = death_of(say_too_much, NULL);
    size_t n = strlen(d.text);
    assert_in_range(n, 500, 1100);
    assert_int_equal(d.text[n - 1], '\n');
    assert_int_equal(d.text[n - 2], 'x');
}

static void dump(void)
{
    base_warn("dump of %d goroutines", 3);
}

static void die_with_hook(void *unused)
{
    (void)unused;
    base_fatal_hook(dump);
    invariant(1 + 1 == 2, "not this one");
    invariant(1 + 1 == 3, "expected %d, found %d", 3, 2);
}

static void hook_runs_after_the_message(void **unused)
{
    (void)unused;
    death d = death_of(die_with_hook, NULL);
    assert_string_equal(d.text, "weft: fatal: expected 3, found 2\nweft: dump of 3 goroutines\n");
    assert_int_equal(death_signal(&d), SIGABRT);
}

static void dump_that_fails(void)
{
    fatal("the dump has failed");
}

static void die_twice(void *unused)
{
    (void)unused;
    base_fatal_hook(dump_that_fails);
    fatal("first");
}

static void failing_hook_ends_the_process_all_the_same(void **unused)
{
    (void)unused;
    death d = death_of(die_twice, NULL);
    assert_string_equal(d.text, "weft: fatal: first\nweft: fatal: the dump has failed\n");
    assert_int_equal(death_signal(&d), SIGABRT);
}

static void *die_beside(void *unused)
{
    (void)unused;
    fatal("second thread");
    return NULL;
}

/* The dump takes its time, so that the other thread's message comes meanwhile. */
static void slow_dump(void)
{
    pthread_t other;
    if (base_thread_start(&other, "other", die_beside, NULL) != 0)
        return;
    base_sleep_ns(200000000);
    base_warn("dump complete");
}

static void die_in_two_threads(void *unused)
{
    (void)unused;
    base_fatal_hook(slow_dump);
    fatal("first thread");
}

static void second_thread_does_not_cut_the_dump_short(void **unused)
{
    (void)unused;
    death d = death_of(die_in_two_threads, NULL);
    assert_string_equal(d.text, "weft: fatal: first thread\nweft: fatal: second thread\n"
                                "weft: dump complete\n");
    assert_int_equal(death_signal(&d), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_has_every_format),
        cmocka_unit_test(long_message_is_cut_and_ends_its_line),
        cmocka_unit_test(hook_runs_after_the_message),
        cmocka_unit_test(failing_hook_ends_the_process_all_the_same),
        cmocka_unit_test(second_thread_does_not_cut_the_dump_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
