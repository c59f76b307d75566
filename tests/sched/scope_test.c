/* SPDX-License-Identifier: MIT */
/* Scopes: groups of goroutines with one end, one error, one context and a limit. */
#include "sched/support.h"

#include "weft/scope.h"

struct job {
    weft_scope *scope;
    weft_chan *chan;
    int result;
    uint32_t running, done; /* atomic */
};

static int add_one(void *arg)
{
    struct job *j = arg;
    CHECK(weft_context_current() == weft_scope_context(j->scope));
    weft_yield();
    atomic_add_relaxed(&j->done, 1);
    return 0;
}

static void the_end_waits_for_all(void)
{
    struct job j = {.scope = weft_scope_new(NULL, 0)};
    for (int i = 0; i < 100; i++)
        CHECK_EQ(weft_scope_go(j.scope, add_one, &j), 0);
    CHECK_EQ(weft_scope_end(j.scope), 0);
    CHECK_EQ(j.done, 100);
    CHECK_EQ(weft_scope_end(weft_scope_new(NULL, 3)), 0);
}

static int wait_for_ever(void *arg)
{
    struct job *j = arg;
    int error = weft_chan_recv(j->chan, NULL);
    CHECK_EQ(error, -ECANCELED);
    atomic_add_relaxed(&j->done, 1);
    return error;
}

static int fail_with(void *arg)
{
    struct job *j = arg;
    return j->result;
}

static void the_first_error_ends_the_others(void)
{
    struct job j = {.scope = weft_scope_new(NULL, 0), .result = -EIO};
    j.chan = weft_chan_new(0, 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(weft_scope_go(j.scope, wait_for_ever, &j), 0);
    CHECK_EQ(weft_scope_go(j.scope, fail_with, &j), 0);
    CHECK_EQ(weft_context_wait(weft_scope_context(j.scope)), -ECANCELED);
    CHECK_EQ(weft_context_cause(weft_scope_context(j.scope)), -EIO);
    CHECK_EQ(weft_scope_go(j.scope, add_one, &j), -ECANCELED);
    CHECK_EQ(weft_scope_end(j.scope), -EIO);
    CHECK_EQ(j.done, 20);
    weft_chan_free(j.chan);
}

static int be_counted(void *arg)
{
    struct job *j = arg;
    CHECK(atomic_add_acqrel(&j->running, 1) < 3);
    weft_sleep(10 * WEFT_MICROSECOND);
    atomic_sub_acqrel(&j->running, 1);
    atomic_add_relaxed(&j->done, 1);
    return 0;
}

static void a_limit_is_kept(void)
{
    struct job j = {.scope = weft_scope_new(NULL, 3)};
    for (int i = 0; i < 60; i++)
        CHECK_EQ(weft_scope_go(j.scope, be_counted, &j), 0);
    CHECK_EQ(weft_scope_end(j.scope), 0);
    CHECK_EQ(j.done, 60);
}

static void at_the_limit_a_try_is_refused(void)
{
    struct job j = {.scope = weft_scope_new(NULL, 2), .chan = weft_chan_new(0, 0)};
    CHECK_EQ(weft_scope_try_go(j.scope, wait_for_ever, &j), 0);
    CHECK_EQ(weft_scope_try_go(j.scope, wait_for_ever, &j), 0);
    CHECK_EQ(weft_scope_try_go(j.scope, wait_for_ever, &j), -EAGAIN);
    weft_context_cancel(weft_scope_context(j.scope), 0);
    CHECK_EQ(weft_scope_end(j.scope), -ECANCELED);
    CHECK_EQ(j.done, 2);
    weft_chan_free(j.chan);
}

static int cancel_scope(void *arg)
{
    struct job *j = arg;
    weft_yield();
    weft_context_cancel(weft_scope_context(j->scope), 0);
    return 0;
}

/* A starter that waits for a place is stopped as well. */
static void the_end_of_the_context_frees_who_waits_for_a_place(void)
{
    struct job j = {.scope = weft_scope_new(NULL, 2), .chan = weft_chan_new(0, 0)};
    CHECK_EQ(weft_scope_go(j.scope, wait_for_ever, &j), 0);
    CHECK_EQ(weft_scope_go(j.scope, cancel_scope, &j), 0);
    int error;
    while ((error = weft_scope_go(j.scope, wait_for_ever, &j)) == 0)
        ;
    CHECK_EQ(error, -ECANCELED);
    CHECK_EQ(weft_scope_end(j.scope), -ECANCELED);
    weft_chan_free(j.chan);
}

static int nest(void *arg)
{
    struct job *j = arg;
    struct job inner = {.scope = weft_scope_new(NULL, 0), .chan = j->chan};
    for (int i = 0; i < 4; i++)
        CHECK_EQ(weft_scope_go(inner.scope, wait_for_ever, &inner), 0);
    atomic_add_relaxed(&j->running, 1);
    int error = weft_scope_end(inner.scope);
    CHECK_EQ(error, -ECANCELED);
    atomic_add_relaxed(&j->done, inner.done);
    return error;
}

static void scopes_end_with_the_scope_around_them(void)
{
    struct job j = {.scope = weft_scope_new(NULL, 0), .chan = weft_chan_new(0, 0)};
    j.result = -EPROTO;
    for (int i = 0; i < 4; i++)
        CHECK_EQ(weft_scope_go(j.scope, nest, &j), 0);
    while (atomic_load_relaxed(&j.running) < 4)
        weft_yield();
    CHECK_EQ(weft_scope_go(j.scope, fail_with, &j), 0);
    CHECK_EQ(weft_scope_end(j.scope), -EPROTO);
    CHECK_EQ(j.done, 16);
    weft_chan_free(j.chan);
}

static int leave_early(void *arg)
{
    (void)arg;
    weft_goexit();
}

static void a_goroutine_may_leave_by_goexit(void)
{
    weft_scope *scope = weft_scope_new(NULL, 1);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(weft_scope_go(scope, leave_early, NULL), 0);
    CHECK_EQ(weft_scope_end(scope), 0);
}

static void errors_race_with_each_other_and_the_end(void)
{
    for (int i = 0; i < ROUNDS(1000); i++) {
        struct job j = {.scope = weft_scope_new(NULL, 0), .result = -1 - i % 7};
        for (int k = 0; k < 4; k++) {
            int error = weft_scope_go(j.scope, k % 2 ? fail_with : add_one, &j);
            CHECK(error == 0 || error == -ECANCELED);
        }
        CHECK_EQ(weft_scope_end(j.scope), j.result);
    }
}

static void test_a_plain_thread_has_no_goroutines_to_start(void **state)
{
    (void)state;
    weft_scope *scope = weft_scope_new(NULL, 0);
    assert_int_equal(weft_scope_go(scope, leave_early, NULL), -EPERM);
    assert_int_equal(weft_scope_end(scope), 0);
}

ON_ALL_PROCS(the_end_waits_for_all)
ON_ALL_PROCS(the_first_error_ends_the_others)
ON_ALL_PROCS(a_limit_is_kept)
ON_ALL_PROCS(at_the_limit_a_try_is_refused)
ON_ALL_PROCS(the_end_of_the_context_frees_who_waits_for_a_place)
ON_ALL_PROCS(scopes_end_with_the_scope_around_them)
ON_ALL_PROCS(a_goroutine_may_leave_by_goexit)
ON_ALL_PROCS(errors_race_with_each_other_and_the_end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_thread_has_no_goroutines_to_start),
        TEST(the_end_waits_for_all),
        TEST(the_first_error_ends_the_others),
        TEST(a_limit_is_kept),
        TEST(at_the_limit_a_try_is_refused),
        TEST(the_end_of_the_context_frees_who_waits_for_a_place),
        TEST(scopes_end_with_the_scope_around_them),
        TEST(a_goroutine_may_leave_by_goexit),
        TEST(errors_race_with_each_other_and_the_end),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
