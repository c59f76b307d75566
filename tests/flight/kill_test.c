/* SPDX-License-Identifier: MIT */
/*
 * Processes that are killed at random moments while they record into a flight file: what is
 * recovered is valid, and holds what they did last.
 *
 * WEFT_TEST_KILLS: how many for each number of Ps (tools/kill_storm asks for hundreds);
 * WEFT_TEST_SEED: repeats a run's choices.
 */
#include "base/cmocka_all.h"
#include "base/atomic.h"
#include "flight/victim.h"

#include <weft/reader.h>
#include <weft/recover.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLS = 16 };

static victim_news *news;
static unsigned found, gone; /* goroutines that were looked for, and those of dropped generations */

static int write_file(void *context, const void *data, size_t size)
{
    return fwrite(data, 1, size, context) == size ? 0 : -1;
}

/* True if the trace tells that the goroutine ran. */
static bool has_run(const char *path, uint64_t goid)
{
    weft_reader *reader;
    weft_event event;
    bool seen = false;
    assert_int_equal(weft_reader_open_path(&reader, path), 0);
    while (weft_reader_next(reader, &event) == 1)
        seen |= event.kind == WEFT_EVENT_STATE_TRANSITION &&
                event.resource == WEFT_RESOURCE_GOROUTINE && event.id == goid &&
                event.to == WEFT_STATE_RUNNING;
    weft_reader_free(reader);
    return seen;
}

static void check_last_steps(const char *path, const weft_recovery *recovery)
{
    for (unsigned i = 0; i < VICTIM_SPAWNERS; i++) {
        uint64_t goid = news->started[i].goid;
        if (!goid)
            continue;
        if (news->started[i].generation < recovery->first) {
            gone++;
            continue;
        }
        found++;
        if (!has_run(path, goid))
            fail_msg("%s: goroutine %llu ran, but is not in the trace", path,
                     (unsigned long long)goid);
    }
}

static void recover_to(const char *flight, const char *path)
{
    weft_recovery recovery = {.size = sizeof recovery};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    int status = weft_recover(flight, write_file, file, &recovery);
    fclose(file);
    if (status < 0)
        fail_msg("%s: %s", flight, recovery.message);
    if (recovery.dropped_events)
        fail_msg("%s: %llu events dropped: %s", flight, (unsigned long long)recovery.dropped_events,
                 recovery.message);
    check_last_steps(path, &recovery);
}

static void kill_one(unsigned round, unsigned procs)
{
    static const char *const formats[] = {"1.26", "1.26", "1.25", "1.23", "1.22"};
    const char *dir = getenv("WEFT_TRACE_DIR"), *format = formats[victim_random(5)];
    char flight[256], path[256];
    unsigned work = victim_random(VICTIM_ALL + 1), delay = victim_random(60000);
    int status;
    snprintf(flight, sizeof flight, "%s/p%u-%u.flight", dir, procs, round);
    snprintf(path, sizeof path, "%s/p%u-%u.trace", dir, procs, round);
    pid_t pid = victim_start(news, &(victim_plan){.work = work,
                                                  .procs = procs,
                                                  .format = format,
                                                  .variable = "WEFT_FLIGHT",
                                                  .path = flight});
    assert_true(pid > 0);
    victim_wait(news, pid);
    usleep(delay);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    recover_to(flight, path);
    unlink(flight);
}

static void kill_many(unsigned procs)
{
    const char *text = getenv("WEFT_TEST_KILLS");
    unsigned kills = text ? (unsigned)strtoul(text, NULL, 10) : KILLS;
    for (unsigned i = 0; i < kills; i++)
        kill_one(i, procs);
}

static void killed_on_one_proc(void **state)
{
    (void)state;
    kill_many(1);
}

static void killed_on_four_procs(void **state)
{
    (void)state;
    kill_many(4);
}

/* A thread that got no CPU for as long as the window may have been overtaken by it. */
static void last_steps_were_in_the_window(void **state)
{
    (void)state;
    print_message("last steps: %u found, %u in generations that were dropped\n", found, gone);
    assert_true(found > gone);
}

/* The main goroutine returns. */
static void a_process_that_ended_in_order_leaves_its_last_generations(void **state)
{
    const char *dir = getenv("WEFT_TRACE_DIR");
    char flight[256], path[256];
    int status;
    (void)state;
    snprintf(flight, sizeof flight, "%s/ended.flight", dir);
    snprintf(path, sizeof path, "%s/ended.trace", dir);
    pid_t pid = victim_start(news, &(victim_plan){.work = VICTIM_SLEEPS,
                                                  .procs = 2,
                                                  .format = "1.26",
                                                  .variable = "WEFT_FLIGHT",
                                                  .path = flight});
    victim_wait(news, pid);
    atomic_store_release(&news->leave, 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    memset(news->started, 0, sizeof news->started); /* they may have run on after the trace's end */
    recover_to(flight, path);
    unlink(flight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_on_one_proc),
        cmocka_unit_test(killed_on_four_procs),
        cmocka_unit_test(last_steps_were_in_the_window),
        cmocka_unit_test(a_process_that_ended_in_order_leaves_its_last_generations),
    };
    news = victim_news_new();
    return news ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
