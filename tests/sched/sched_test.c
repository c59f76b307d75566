/* SPDX-License-Identifier: MIT */
/* Goroutines and the runtime's life: what holds without any waiting on objects. */
#include "sched/on_runtime.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const unsigned procs_tried[] = {1, 2, 4, 16};
#define FOR_PROCS(p) for (size_t i_ = 0; i_ < 4 && ((p) = procs_tried[i_], true); i_++)

static int return_arg(void *arg)
{
    return *(int *)arg;
}

static void main_result_is_returned(void **state)
{
    (void)state;
    int value = 42;
    assert_int_equal(weft_run(NULL, return_arg, &value), 42);
}

static void runtime_starts_and_ends_many_times(void **state)
{
    (void)state;
    int value = 1;
    for (int i = 0; i < ROUNDS(1000); i++)
        assert_int_equal(run_with_procs(1 + (unsigned)i % 4, return_arg, &value), 1);
}

static uint32_t counter;

static void count(void *arg)
{
    (void)arg;
    __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
}

static void wait_for_count(uint32_t n)
{
    while (__atomic_load_n(&counter, __ATOMIC_RELAXED) < n)
        weft_yield();
}

static int spawn_many(void *arg)
{
    uint32_t n = *(uint32_t *)arg;
    counter = 0;
    for (uint32_t i = 0; i < n; i++)
        check(weft_go(count, NULL) == 0);
    wait_for_count(n);
    return 0;
}

static void every_goroutine_runs_once(void **state)
{
    (void)state;
    uint32_t n = ROUNDS(100000);
    unsigned p;
    FOR_PROCS(p)
    {
        assert_int_equal(run_with_procs(p, spawn_many, &n), 0);
        assert_int_equal(counter, n);
    }
}

/* Each goroutine starts two more: a tree, which needs stealing to spread. */
static void grow_tree(void *arg)
{
    uintptr_t depth = (uintptr_t)arg;
    count(NULL);
    for (int i = 0; i < 2 && depth > 0; i++)
        check(weft_go(grow_tree, (void *)(depth - 1)) == 0);
}

static int tree(void *arg)
{
    uintptr_t depth = (uintptr_t)arg;
    counter = 0;
    grow_tree((void *)depth);
    wait_for_count((2u << depth) - 1);
    return 0;
}

static void a_tree_of_goroutines_is_complete(void **state)
{
    (void)state;
    unsigned p;
    FOR_PROCS(p)
    assert_int_equal(run_with_procs(p, tree, (void *)(uintptr_t)(ROUNDS(10) < 10 ? 9 : 14)), 0);
}

static void end_early(void *arg)
{
    (void)arg;
    count(NULL);
    weft_goexit();
}

static int goexit_body(void *arg)
{
    (void)arg;
    counter = 0;
    for (int i = 0; i < 100; i++)
        check(weft_go(end_early, NULL) == 0);
    wait_for_count(100);
    return 0;
}

static void goexit_ends_only_the_caller(void **state)
{
    (void)state;
    assert_int_equal(run_with_procs(2, goexit_body, NULL), 0);
}

static int main_leaves_by_goexit(void *arg)
{
    (void)arg;
    weft_stats stats = {.size = sizeof stats};
    weft_stats_get(&stats);
    check(stats.goroutines == 1 && stats.procs == 2);
    return 0;
}

static void stats_count_the_main_goroutine(void **state)
{
    (void)state;
    assert_int_equal(run_with_procs(2, main_leaves_by_goexit, NULL), 0);
    weft_stats stats = {.size = sizeof stats};
    weft_stats_get(&stats);
    assert_int_equal(stats.procs, 0);
}

enum { IDS = 1000 };
static uint64_t ids[IDS];

static void note_id(void *arg)
{
    ids[(uintptr_t)arg] = weft_goid();
    count(NULL);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int ids_body(void *arg)
{
    (void)arg;
    counter = 0;
    check(weft_goid() == 1);
    for (uintptr_t i = 0; i < IDS; i++)
        check(weft_go(note_id, (void *)i) == 0);
    wait_for_count(IDS);
    return 0;
}

static void numbers_are_unique_and_main_is_1(void **state)
{
    (void)state;
    assert_int_equal(run_with_procs(4, ids_body, NULL), 0);
    qsort(ids, IDS, sizeof *ids, by_value);
    assert_true(ids[0] > 1);
    for (int i = 1; i < IDS; i++)
        assert_true(ids[i] > ids[i - 1]);
}

/* Touches `depth` KiB of stack. */
static __attribute__((noinline)) unsigned use_stack(unsigned depth)
{
    volatile char block[1024];
    block[0] = (char)depth;
    return depth == 0 ? 0 : use_stack(depth - 1) + (unsigned char)block[0] * 0 + 1;
}

static void use_most(void *arg)
{
    unsigned kib = (unsigned)(uintptr_t)arg;
    check(use_stack(kib) == kib);
    count(NULL);
}

static int stacks_body(void *arg)
{
    (void)arg;
    counter = 0;
    check(weft_go_stack(16 * 1024 - 1, count, NULL) == -EINVAL);
    check(weft_go_stack((size_t)2 << 30, count, NULL) == -EINVAL);
    uint32_t n = 0;
    for (int round = 0; round < 3; round++) {
        check(weft_go_stack(1024 * 1024 + 17, use_most, (void *)(uintptr_t)300) == 0);
        check(weft_go_stack(16 * 1024, count, NULL) == 0);
        n += 2;
        wait_for_count(n);
    }
    return 0;
}

static void stack_sizes_are_chosen_for_each_goroutine(void **state)
{
    (void)state;
    assert_int_equal(run_with_procs(2, stacks_body, NULL), 0);
}

static void outside_of_goroutines_calls_are_refused(void **state)
{
    (void)state;
    assert_int_equal(weft_go(count, NULL), -EPERM);
    assert_int_equal(weft_go_stack(65536, count, NULL), -EPERM);
    assert_int_equal(weft_procs(0), -EPERM);
    assert_int_equal(weft_in_goroutine(), 0);
    assert_int_equal(weft_goid(), 0);
    assert_null(weft_tracer_default());
    weft_blocking_enter();
    weft_blocking_exit();
}

static int nested(void *arg)
{
    (void)arg;
    int value = 0;
    check(weft_run(NULL, return_arg, &value) == -EBUSY);
    return 0;
}

static void a_second_runtime_is_refused(void **state)
{
    (void)state;
    assert_int_equal(weft_run(NULL, nested, NULL), 0);
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    int value = 0;
    weft_options options = {.size = sizeof options, .procs = 1025};
    assert_int_equal(weft_run(&options, return_arg, &value), -EINVAL);
    options = (weft_options){.size = sizeof options, .stack_size = 4096};
    assert_int_equal(weft_run(&options, return_arg, &value), -EINVAL);
    options = (weft_options){.size = 1};
    assert_int_equal(weft_run(&options, return_arg, &value), -EINVAL);
    assert_int_equal(weft_run(NULL, NULL, NULL), -EINVAL);
    setenv("WEFT_PROCS", "many", 1);
    assert_int_equal(weft_run(NULL, return_arg, &value), -EINVAL);
    setenv("WEFT_PROCS", "3", 1);
    assert_int_equal(weft_run(NULL, return_arg, &value), 0);
    unsetenv("WEFT_PROCS");
}

static void wait_for_ever_on(void *chan)
{
    weft_chan_recv(chan, NULL);
}

static int exit_body(void *arg)
{
    (void)arg;
    exit(3);
}

/* Runs body in a child and returns its wait status. */
static int status_of_child(int (*body)(void *))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's handler would report a failure of the test */
        _exit(weft_run(NULL, body, NULL));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void exit_from_a_goroutine_ends_the_process(void **state)
{
    (void)state;
    int status = status_of_child(exit_body);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
}

static int exit_while_tracing(void *arg)
{
    (void)arg;
    weft_trace_stream *stream;
    char path[512];
    const char *folder = getenv("WEFT_TRACE_DIR");
    snprintf(path, sizeof path, "%s/exit_while_tracing.trace", folder ? folder : ".");
    check(weft_trace_start_path(weft_tracer_default(), path, NULL, &stream) == 0);
    weft_yield();
    exit(4);
}

static void exit_completes_the_traces(void **state)
{
    (void)state;
    int status = status_of_child(exit_while_tracing);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 4);
}

static int fork_body(void *arg)
{
    (void)arg;
    check(weft_go(wait_for_ever_on, NULL) == 0);
    weft_yield();
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        check(child >= 0);
        if (child == 0)
            execl("/bin/true", "true", (char *)NULL);
        int status;
        weft_blocking_enter();
        pid_t waited = waitpid(child, &status, 0);
        weft_blocking_exit();
        check(waited == child && status == 0);
    }
    return 0;
}

static void a_goroutine_may_fork_and_exec(void **state)
{
    (void)state;
    assert_int_equal(run_with_procs(2, fork_body, NULL), 0);
}

static __attribute__((noinline)) int overflow(int depth)
{
    volatile char block[4096];
    block[depth % 4096] = 1;
    return depth < 0 ? 0 : overflow(depth + 1) + block[1];
}

static int overflow_body(void *arg)
{
    (void)arg;
    return overflow(0);
}

static void a_stack_overflow_meets_the_guard(void **state)
{
    (void)state;
#if defined(TEST_TSAN) || defined(TEST_ASAN)
    skip();
#endif
    int status = status_of_child(overflow_body);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void wait_for_ever(void *arg)
{
    weft_chan_recv(arg, NULL);
    abort();
}

enum { LEFT = 20 };
static weft_chan *left[LEFT]; /* they cannot be freed: goroutines wait for them for ever */

static int leave_behind(void *arg)
{
    weft_chan *chan = *(weft_chan **)arg = weft_chan_new(0, 0);
    for (int i = 0; i < 100; i++)
        check(weft_go(wait_for_ever, chan) == 0);
    weft_yield();
    return 5;
}

static void goroutines_left_behind_never_continue(void **state)
{
    (void)state;
    for (int i = 0; i < LEFT; i++)
        assert_int_equal(run_with_procs(2, leave_behind, &left[i]), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(main_result_is_returned),
        cmocka_unit_test(runtime_starts_and_ends_many_times),
        cmocka_unit_test(every_goroutine_runs_once),
        cmocka_unit_test(a_tree_of_goroutines_is_complete),
        cmocka_unit_test(goexit_ends_only_the_caller),
        cmocka_unit_test(stats_count_the_main_goroutine),
        cmocka_unit_test(numbers_are_unique_and_main_is_1),
        cmocka_unit_test(stack_sizes_are_chosen_for_each_goroutine),
        cmocka_unit_test(outside_of_goroutines_calls_are_refused),
        cmocka_unit_test(a_second_runtime_is_refused),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(exit_from_a_goroutine_ends_the_process),
        cmocka_unit_test(exit_completes_the_traces),
        cmocka_unit_test(a_goroutine_may_fork_and_exec),
        cmocka_unit_test(a_stack_overflow_meets_the_guard),
        cmocka_unit_test(goroutines_left_behind_never_continue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
