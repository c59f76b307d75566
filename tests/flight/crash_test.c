/* SPDX-License-Identifier: MIT */
/*
 * Programs that end in every way but SIGKILL, at random moments, while they write a trace: the
 * trace is whole, up to the end, and the process dies as it would have died without (Go issues
 * 65316 and 65319). Signals that meet a thread anywhere: hit_test.c.
 */
#define _GNU_SOURCE
#include "base/cmocka_all.h"
#include "base/atomic.h"
#include "base/death.h"
#include "base/fence.h"
#include "flight/victim.h"

#include <weft/reader.h>
#include <weft/weft.h>

#include <stdio.h>
#include <sys/mman.h>

enum { ROUNDS = 3 };

static victim_news *news;

/* ---- Ways to end ---- */

static volatile uintptr_t nowhere = 4096; /* aligned for anything, and never mapped */
static volatile int zero;

static void wait_a_moment(void)
{
    weft_sleep(100000 + (int64_t)victim_random(20000000));
}

static void segfault(void *arg)
{
    (void)arg;
    wait_a_moment();
    *(volatile int *)nowhere = 1;
}

static void bus_error(void *arg)
{
    (void)arg;
    int fd = memfd_create("empty", 0);
    volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    wait_a_moment();
    zero = page[0];
}

static void divide_by_zero(void *arg)
{
    (void)arg;
    wait_a_moment();
#if defined(__x86_64__)
    __asm__ volatile("xorl %%ecx, %%ecx; movl $1, %%eax; cltd; idivl %%ecx" ::
                         : "eax", "ecx", "edx");
#else
    raise(SIGFPE);
#endif
}

static void illegal_instruction(void *arg)
{
    (void)arg;
    wait_a_moment();
#if defined(__x86_64__)
    __asm__ volatile("ud2");
#else
    __asm__ volatile(".inst 0");
#endif
}

static void call_abort(void *arg)
{
    (void)arg;
    wait_a_moment();
    abort();
}

static void misuse(void *arg)
{
    static weft_mutex mutex;
    (void)arg;
    wait_a_moment();
    weft_mutex_unlock(&mutex);
}

static void close_twice(void *arg)
{
    (void)arg;
    weft_chan *chan = weft_chan_new(1, 1);
    wait_a_moment();
    weft_chan_close(chan);
    weft_chan_close(chan);
}

/* The fault is in the runtime's own code. */
static void pass_nonsense(void *arg)
{
    char byte;
    (void)arg;
    wait_a_moment();
    (void)weft_chan_recv((weft_chan *)nowhere, &byte);
}

static __attribute__((noinline)) int recurse(volatile char *above)
{
    volatile char frame[512];
    frame[0] = above[0];
    return above[0] ? recurse(frame) + frame[0] : 0;
}

static void overflow(void *arg)
{
    volatile char top = 1;
    (void)arg;
    wait_a_moment();
    zero = recurse(&top);
}

static void call_exit(void *arg)
{
    (void)arg;
    wait_a_moment();
    exit(3);
}

static void leave_main(void *arg)
{
    wait_a_moment();
    atomic_store_release(&((victim_news *)arg)->leave, 1);
    for (;;)
        weft_sleep(1000000);
}

/* ---- Checks ---- */

/* How often a goroutine began to run; fails if the trace is not valid. */
static unsigned count_runs(const char *path, uint64_t goid)
{
    weft_reader *reader;
    weft_validator *validator;
    weft_event event;
    weft_complaint complaint;
    unsigned runs = 0;
    int status = weft_reader_open_path(&reader, path);
    assert_int_equal(weft_validator_new(&validator, reader), 0);
    while (status >= 0 && (status = weft_reader_next(reader, &event)) == 1) {
        if (weft_validator_event(validator, &event, &complaint))
            fail_msg("%s: %s: %s", path, complaint.rule, complaint.message);
        runs += event.kind == WEFT_EVENT_STATE_TRANSITION && event.id == goid &&
                event.resource == WEFT_RESOURCE_GOROUTINE && event.to == WEFT_STATE_RUNNING &&
                event.from != WEFT_STATE_RUNNING;
    }
    if (status < 0)
        fail_msg("%s: %s: %s", path, weft_reader_error_get(reader)->rule,
                 weft_reader_error_get(reader)->message);
    weft_validator_free(validator);
    weft_reader_free(reader);
    return runs;
}

static void trace_path(char *path, size_t size, const char *name, unsigned round)
{
    snprintf(path, size, "%s/%s-%u.trace", getenv("WEFT_TRACE_DIR"), name, round);
}

static const char *variable = "WEFT_TRACE";

static pid_t start(const char *path, unsigned round, void (*fn)(void *), void (*prepare)(void))
{
    static const char *const formats[] = {"1.26", "1.25", "1.23", "1.22"};
    victim_plan plan = {.work = victim_random(VICTIM_ALL + 1),
                        .procs = round % 2 ? 4 : 1,
                        .format = formats[victim_random(4)],
                        .variable = variable,
                        .path = path,
                        .fn = fn,
                        .prepare = prepare};
    pid_t pid = victim_start(news, &plan);
    assert_true(pid > 0);
    return pid;
}

static int wait_for(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* `fn` runs, sleeps, runs on, and ends the process: all of that is in the trace. */
static void dies(const char *name, void (*fn)(void *), int signal)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        char path[256];
        trace_path(path, sizeof path, name, round);
        int status = wait_for(start(path, round, fn, NULL));
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signal);
        assert_true(count_runs(path, news->extra) >= 2);
    }
}

static void exits(const char *name, void (*fn)(void *), int code)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        char path[256];
        trace_path(path, sizeof path, name, round);
        int status = wait_for(start(path, round, fn, NULL));
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), code);
        assert_true(count_runs(path, news->extra) >= 2);
    }
}

#define DIES(name, number)                                                                         \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        dies(#name, name, number);                                                                 \
    }
DIES(segfault, SIGSEGV)
DIES(bus_error, SIGBUS)
DIES(divide_by_zero, SIGFPE)
DIES(illegal_instruction, SIGILL)
DIES(call_abort, SIGABRT)
DIES(misuse, SIGABRT)
DIES(close_twice, SIGABRT)
DIES(pass_nonsense, SIGSEGV)
DIES(overflow, SIGSEGV)

/* No trace is written as long as the program lives. */
static void a_failure_dumps_the_recorder(void **state)
{
    (void)state;
    variable = "WEFT_TRACE_ON_CRASH";
    dies("dumped_segfault", segfault, SIGSEGV);
    dies("dumped_misuse", misuse, SIGABRT);
    dies("dumped_nonsense", pass_nonsense, SIGSEGV);
    variable = "WEFT_TRACE";
}

static void test_exit(void **state)
{
    (void)state;
#ifdef BASE_TSAN /* whose own exit() fails when other threads go on meanwhile */
    skip();
#endif
    exits("exit", call_exit, 3);
}

static void test_return_from_main(void **state)
{
    (void)state;
    exits("return", leave_main, 0);
}

/* ---- Handlers of the program ---- */

static void on_fault(int number)
{
    _exit(100 + number);
}

static void install_own_handler(void)
{
    signal(SIGSEGV, on_fault);
}

static void a_handler_of_the_program_is_called_behind(void **state)
{
    char path[256];
    (void)state;
#ifdef BASE_TSAN /* as with test_exit() */
    skip();
#endif
    trace_path(path, sizeof path, "chained", 0);
    int status = wait_for(start(path, 1, segfault, install_own_handler));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 100 + SIGSEGV);
    assert_true(count_runs(path, news->extra) >= 2);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void handlers_are_as_before_when_the_runtime_has_ended(void **state)
{
    struct sigaction action;
    (void)state;
    void (*before)(int) = signal(SIGFPE, on_fault);
    assert_int_equal(weft_run(NULL, nothing, NULL), 0);
    assert_int_equal(sigaction(SIGFPE, NULL, &action), 0);
    assert_true(action.sa_handler == on_fault);
    signal(SIGFPE, before);
}

/* ---- What is printed ---- */

static int run_overflow(void *arg)
{
    (void)weft_go(overflow, arg);
    for (;;)
        weft_sleep(1000000);
    return 0;
}

static void overflow_alone(void *arg)
{
    exit(weft_run(NULL, run_overflow, arg));
}

static void an_overflow_names_the_goroutine_and_its_stack(void **state)
{
    (void)state;
    death d = death_of(overflow_alone, NULL);
    assert_int_equal(death_signal(&d), SIGSEGV);
    assert_non_null(strstr(d.text, "stack overflow: its 256 KiB are used up"));
    assert_non_null(strstr(d.text, "(the one that failed)"));
    assert_non_null(strstr(d.text, "recurse"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segfault),
        cmocka_unit_test(test_bus_error),
        cmocka_unit_test(test_divide_by_zero),
        cmocka_unit_test(test_illegal_instruction),
        cmocka_unit_test(test_call_abort),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_close_twice),
        cmocka_unit_test(test_pass_nonsense),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(a_failure_dumps_the_recorder),
        cmocka_unit_test(test_exit),
        cmocka_unit_test(test_return_from_main),
        cmocka_unit_test(a_handler_of_the_program_is_called_behind),
        cmocka_unit_test(handlers_are_as_before_when_the_runtime_has_ended),
        cmocka_unit_test(an_overflow_names_the_goroutine_and_its_stack),
    };
    news = victim_news_new();
    return news ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
