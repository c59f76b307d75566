/* SPDX-License-Identifier: MIT */
/*
 * Processes that are hit by a fatal signal wherever a thread of theirs happens to be, with locks
 * held, in the middle of an event: what they leave is a valid trace, and holds what they did last.
 *
 * WEFT_TEST_KILLS: how many for each test (tools/kill_storm asks for hundreds); WEFT_TEST_SEED:
 * repeats a run's choices.
 */
#define _GNU_SOURCE
#include "base/cmocka_all.h"
#include "base/atomic.h"
#include "flight/victim.h"

#include <weft/reader.h>

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HITS = 16, OVERRUN_US = 20000 };

static victim_news *news;

static bool is_stream(unsigned round)
{
    return round % 4 < 2;
}

/* ---- Checks ---- */

/* What is looked for in a trace: the first run of each of these goroutines. */
typedef struct last_steps {
    uint64_t goid[VICTIM_SPAWNERS];
    bool seen[VICTIM_SPAWNERS];
} last_steps;

static void note_event(last_steps *last, const weft_event *event)
{
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->resource != WEFT_RESOURCE_GOROUTINE ||
        event->to != WEFT_STATE_RUNNING)
        return;
    for (unsigned i = 0; i < VICTIM_SPAWNERS; i++)
        last->seen[i] |= event->id == last->goid[i];
}

/* Fails if the trace is not valid. Returns the number of its events. */
static uint64_t read_trace(const char *path, last_steps *last)
{
    weft_reader *reader;
    weft_validator *validator;
    weft_event event;
    weft_complaint complaint;
    uint64_t events = 0;
    int status = weft_reader_open_path(&reader, path);
    if (status < 0)
        fail_msg("%s: cannot be opened: %s", path, strerror(-status));
    assert_int_equal(weft_validator_new(&validator, reader), 0);
    while ((status = weft_reader_next(reader, &event)) == 1) {
        if (weft_validator_event(validator, &event, &complaint))
            fail_msg("%s: %s: %s", path, complaint.rule, complaint.message);
        note_event(last, &event);
        events++;
    }
    if (status < 0)
        fail_msg("%s: %s: %s", path, weft_reader_error_get(reader)->rule,
                 weft_reader_error_get(reader)->message);
    weft_validator_free(validator);
    weft_reader_free(reader);
    return events;
}

/* Right before the hit: a snapshot for a crash ends there, while the program goes on. */
static void note_steps(void)
{
    for (unsigned i = 0; i < VICTIM_SPAWNERS; i++)
        news->before[i] = atomic_load_acquire(&news->started[i].goid);
}

/* A stream goes on to the end. */
static void expect_last_steps(const char *path, unsigned round)
{
    last_steps last = {.goid = {0}};
    for (unsigned i = 0; i < VICTIM_SPAWNERS; i++)
        last.goid[i] = is_stream(round) ? news->started[i].goid : news->before[i];
    assert_true(read_trace(path, &last) > 0);
    for (unsigned i = 0; i < VICTIM_SPAWNERS; i++)
        if (last.goid[i] && !last.seen[i])
            fail_msg("%s: goroutine %llu ran, but is not in the trace", path,
                     (unsigned long long)last.goid[i]);
}

/* ---- Victims ---- */

static unsigned hits(void)
{
    const char *text = getenv("WEFT_TEST_KILLS");
    return text ? (unsigned)strtoul(text, NULL, 10) : HITS;
}

static void trace_path(char *path, size_t size, const char *name, unsigned round)
{
    snprintf(path, size, "%s/%s-%u.trace", getenv("WEFT_TRACE_DIR"), name, round);
}

static pid_t start(const char *path, unsigned round, void (*prepare)(void))
{
    static const char *const formats[] = {"1.26", "1.25", "1.23", "1.22"};
    victim_plan plan = {.work = victim_random(VICTIM_ALL + 1),
                        .procs = round % 2 ? 4 : 1,
                        .format = formats[victim_random(4)],
                        .variable = is_stream(round) ? "WEFT_TRACE" : "WEFT_TRACE_ON_CRASH",
                        .path = path,
                        .prepare = prepare};
    pid_t pid = victim_start(news, &plan);
    assert_true(pid > 0);
    return pid;
}

static void expect_death(pid_t pid, int number)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), number);
}

/* A thread of that process at random; `kind`: of those with this name, or NULL for all. 0: there is
 * none. */
static pid_t choose_thread(pid_t pid, const char *kind, unsigned (*random)(unsigned), pid_t not )
{
    char path[300], name[32];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    pid_t chosen = 0;
    unsigned seen = 0;
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        snprintf(path, sizeof path, "/proc/%d/task/%s/comm", (int)pid, entry->d_name);
        FILE *file = tid > 0 && tid != not ? fopen(path, "r") : NULL;
        bool fits = file && fgets(name, sizeof name, file);
        if (fits && kind)
            fits = strncmp(name, kind, strlen(kind)) == 0 && name[strlen(kind)] == '\n';
        if (file)
            fclose(file);
        if (fits && random(++seen) == 0)
            chosen = tid;
    }
    closedir(tasks);
    return chosen;
}

/* ---- Signals from outside ---- */

static const int numbers[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

/* At the process or at any of its threads, those of the tracer included. The tracer's threads block
 * SIGABRT: it would never arrive there. */
static void hit_from_outside(void **state)
{
    (void)state;
    for (unsigned round = 0; round < hits(); round++) {
        char path[256];
        trace_path(path, sizeof path, "outside", round);
        pid_t pid = start(path, round, NULL);
        victim_wait(news, pid);
        usleep(victim_random(OVERRUN_US));
        int number = numbers[victim_random(5)];
        pid_t thread = number == SIGABRT ? 0 : choose_thread(pid, NULL, victim_random, 0);
        note_steps();
        if (thread == 0 || syscall(SYS_tgkill, pid, thread, number) != 0)
            assert_int_equal(kill(pid, number), 0);
        expect_death(pid, number);
        expect_last_steps(path, round);
    }
}

/* ---- Faults, at any instruction ---- */

/* Set before the victim is made. */
static const char *target;
static unsigned delay_us, choice;

static unsigned chosen(unsigned limit)
{
    return choice % limit == 0 ? 0 : 1;
}

/* The handler that the victim had before weft. A fault that is only said to be one does not happen
 * again. */
static void die(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

/* A thread may say of a signal that it sends to itself that it is a fault. It does so in the
 * handler of another signal, at whatever instruction that has met it. */
static void strike_myself(int number)
{
    siginfo_t info = {.si_signo = SIGSEGV, .si_code = SEGV_MAPERR};
    (void)number;
    (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGSEGV, &info);
}

/* False: there is no such thread, or not any more. */
static bool strike(void)
{
    pid_t tid = choose_thread(getpid(), target, chosen, (pid_t)syscall(SYS_gettid));
    note_steps();
    return tid > 0 && syscall(SYS_tgkill, getpid(), tid, SIGPROF) == 0;
}

static void *striker(void *arg)
{
    (void)arg;
    while (!atomic_load_acquire(&news->ready))
        usleep(200);
    usleep(delay_us);
    while (!strike())
        usleep(100);
    return NULL;
}

static void prepare_striker(void)
{
    const struct sigaction action = {.sa_handler = strike_myself, .sa_flags = SA_ONSTACK};
    pthread_t thread;
    sigaction(SIGPROF, &action, NULL);
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], die);
    if (pthread_create(&thread, NULL, striker, NULL) != 0)
        abort();
}

static void strike_one(const char *name, const char *kind, unsigned round, char *path, size_t size)
{
    trace_path(path, size, name, round);
    target = kind;
    delay_us = victim_random(OVERRUN_US);
    choice = victim_random(1u << 20);
    expect_death(start(path, round, prepare_striker), SIGSEGV);
}

static void fault_within_the_runtime(void **state)
{
    (void)state;
    for (unsigned round = 0; round < hits(); round++) {
        char path[256];
        strike_one("fault", "weft", round, path, sizeof path);
        expect_last_steps(path, round);
    }
}

/* The generation at hand is lost with the thread that collects it; the rest is a trace. */
static void fault_within_the_tracer(void **state)
{
    (void)state;
    for (unsigned round = 0; round < hits(); round++) {
        char path[256];
        last_steps none = {.goid = {0}};
        strike_one("tracer", "weft-trace", round, path, sizeof path);
        assert_true(read_trace(path, &none) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hit_from_outside),
        cmocka_unit_test(fault_within_the_runtime),
        cmocka_unit_test(fault_within_the_tracer),
    };
    news = victim_news_new();
    return news ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
