/* SPDX-License-Identifier: MIT */
/* Critical paths that are known because the traces were made for them. */
#include "analysis/made_trace.h"

#include <errno.h>

#include <weft/critical_path.h>

struct result {
    struct memory memory;
    weft_reader *reader;
    weft_path *path;
    const weft_path_step *steps;
    size_t count;
    int status;
};

/* Of a task if task is not 0, else of a goroutine. */
static void find(struct result *result, const char *text, uint64_t task, uint64_t goroutine,
                 int64_t from, int64_t to)
{
    weft_event event;
    int status;
    *result = (struct result){0};
    result->reader = made_open(&result->memory, text);
    assert_int_equal(weft_path_new(&result->path, result->reader), 0);
    if (task)
        weft_path_of_task(result->path, task);
    else
        weft_path_of_goroutine(result->path, goroutine, from, to);
    while ((status = weft_reader_next(result->reader, &event)) == 1)
        assert_int_equal(weft_path_event(result->path, &event), 0);
    assert_int_equal(status, 0);
    result->status = weft_path_finish(result->path);
    result->steps = weft_path_steps(result->path, &result->count);
}

static void release(struct result *result)
{
    weft_path_free(result->path);
    weft_reader_free(result->reader);
    free(result->memory.data);
}

/* Invariant 1: the steps that are no waits cover the path without gap. */
static void assert_whole(const struct result *result)
{
    weft_path_extent extent;
    weft_path_extent_get(result->path, &extent);
    int64_t at = extent.begin;
    for (size_t i = 0; i < result->count; i++) {
        assert_int_equal(result->steps[i].begin, at);
        if (result->steps[i].kind != WEFT_PATH_WAIT)
            at = result->steps[i].end;
    }
    assert_int_equal(at, extent.end);
}

struct want {
    int64_t begin, end;
    uint64_t goroutine;
    uint8_t kind;
    uint32_t depth;
    uint64_t by;
};

#define NONE WEFT_ID_NONE

static void assert_steps(const struct result *result, const struct want *want, size_t count)
{
    assert_int_equal(result->status, 0);
    for (size_t i = 0; i < result->count && i < count; i++) {
        const weft_path_step *step = &result->steps[i];
        assert_int_equal(step->begin, want[i].begin);
        assert_int_equal(step->end, want[i].end);
        assert_int_equal(step->goroutine, want[i].goroutine);
        assert_string_equal(weft_path_kind_name(step->kind), weft_path_kind_name(want[i].kind));
        assert_int_equal(step->depth, want[i].depth);
        assert_int_equal(step->by, want[i].by);
    }
    assert_int_equal(result->count, count);
    assert_whole(result);
}

#define ASSERT_STEPS(result, ...)                                                                  \
    assert_steps(result, (const struct want[]){__VA_ARGS__},                                       \
                 sizeof((const struct want[]){__VA_ARGS__}) / sizeof(struct want))

/*
 * Task 5 from 1110 on. Goroutine 1 creates 2 at 1120 and is blocked from 1140; 2 runs from 1150 and
 * wakes 1 at 1180, but keeps the proc up to 1200; 1 runs again from 1210, and ends the task at
 * 1250.
 */
#define RELEASE                                                                                    \
    TRACE(THREAD(7) ONE_RUNS                                                                       \
          "UserTaskBegin dt=10 task=5 parent_task=0 name_string=7 stack=1\n"                       \
          "GoCreate dt=10 new_g=2 new_stack=2 stack=1\n"                                           \
          "GoBlock dt=20 reason_string=2 stack=3\nGoStart dt=10 g=2 g_seq=1\n"                     \
          "GoUnblock dt=30 g=1 g_seq=1 stack=1\nGoDestroy dt=20\nGoStart dt=10 g=1 g_seq=2\n"      \
          "UserTaskEnd dt=40 task=5 stack=2\nGoStop dt=50 reason_string=1 stack=1\n")

static void wait_is_what_the_releaser_did_meanwhile(void **state)
{
    struct result result;
    weft_path_extent extent;
    weft_place place;
    (void)state;
    find(&result, RELEASE, 5, 0, 0, 0);
    ASSERT_STEPS(
        &result, {1110, 1140, 1, WEFT_PATH_RUNNING, 0, NONE}, {1140, 1180, 1, WEFT_PATH_WAIT, 0, 2},
        {1140, 1150, 2, WEFT_PATH_RUNNABLE, 1, 1}, {1150, 1180, 2, WEFT_PATH_RUNNING, 1, NONE},
        {1180, 1210, 1, WEFT_PATH_RUNNABLE, 0, 2}, {1210, 1250, 1, WEFT_PATH_RUNNING, 0, NONE});
    assert_string_equal(result.steps[1].reason.data, "sync");
    assert_int_equal(weft_path_frame(result.path, result.steps[1].stack), 1);
    assert_int_equal(weft_path_place(result.path, result.steps[1].stack, 1, &place), 0);
    assert_string_equal(place.function.data, "other");
    assert_int_equal(weft_path_place(result.path, result.steps[1].by_stack, 0, &place), 0);
    assert_string_equal(place.function.data, "leaf");
    assert_int_equal(result.steps[3].p, 0);
    assert_int_equal(result.steps[3].m, 7);
    assert_string_equal(result.steps[3].name.data, "root");
    weft_path_extent_get(result.path, &extent);
    assert_int_equal(extent.origin, 1000);
    assert_int_equal(extent.goroutine, 1);
    assert_string_equal(extent.task.data, "work; hard");
    assert_true(extent.ended);
    release(&result);
}

static void sums_are_by_cause_and_by_function(void **state)
{
    struct result result;
    size_t count;
    (void)state;
    find(&result, RELEASE, 5, 0, 0, 0);
    const weft_path_sum *sums = weft_path_causes(result.path, &count);
    assert_int_equal(count, 2);
    assert_int_equal(sums[0].kind, WEFT_PATH_RUNNING);
    assert_int_equal(sums[0].time, 30 + 30 + 40);
    assert_int_equal(sums[0].count, 3);
    assert_int_equal(sums[0].max, 40);
    assert_int_equal(sums[1].kind, WEFT_PATH_RUNNABLE);
    assert_int_equal(sums[1].time, 10 + 30);
    /* Running up to other (30), leaf (30), root (40); runnable: 2 in root (10), 1 in other (30). */
    sums = weft_path_functions(result.path, &count);
    assert_int_equal(count, 5);
    assert_string_equal(sums[0].name.data, "root");
    assert_int_equal(sums[0].time, 40);
    assert_int_equal(sums[4].kind, WEFT_PATH_RUNNABLE);
    assert_string_equal(sums[4].name.data, "root");
    assert_int_equal(sums[4].time, 10);
    release(&result);
}

/*
 * 1 waits from 1140 for 2, and 2 from 1160 for 3, which sleeps from 1170 until a timer wakes it at
 * 1190, wakes 2 at 1220 and goes on; 2 runs from 1240 and wakes 1 at 1250. 2 was blocked before as
 * well, up to 1130, for which 1 need not care.
 */
static void waits_for_waits_are_nested(void **state)
{
    struct result result;
    (void)state;
    find(&result,
         TRACE(THREAD(7) ONE_RUNS "GoStatusStack dt=1 g=2 m=" NO_ID " gstatus=4 stack=2\n"
                                  "UserTaskBegin dt=9 task=5 parent_task=0 name_string=7 stack=1\n"
                                  "GoCreate dt=10 new_g=3 new_stack=2 stack=1\n"
                                  "GoUnblock dt=10 g=2 g_seq=1 stack=1\n"
                                  "GoBlock dt=10 reason_string=2 stack=3\n"
                                  "GoStart dt=10 g=2 g_seq=2\n"
                                  "GoBlock dt=10 reason_string=1 stack=2\n"
                                  "GoStart dt=5 g=3 g_seq=1\n"
                                  "GoBlock dt=5 reason_string=3 stack=1\n"
                                  "GoUnblock dt=20 g=3 g_seq=2 stack=0\n"
                                  "GoStart dt=10 g=3 g_seq=3\n"
                                  "GoUnblock dt=20 g=2 g_seq=3 stack=2\n"
                                  "GoStop dt=10 reason_string=1 stack=1\n"
                                  "GoStart dt=10 g=2 g_seq=4\n"
                                  "GoUnblock dt=10 g=1 g_seq=1 stack=1\n"
                                  "GoDestroy dt=10\n"
                                  "GoStart dt=10 g=1 g_seq=2\n"
                                  "UserTaskEnd dt=10 task=5 stack=2\n"),
         5, 0, 0, 0);
    ASSERT_STEPS(
        &result, {1110, 1140, 1, WEFT_PATH_RUNNING, 0, NONE}, {1140, 1250, 1, WEFT_PATH_WAIT, 0, 2},
        {1140, 1150, 2, WEFT_PATH_RUNNABLE, 1, 1}, {1150, 1160, 2, WEFT_PATH_RUNNING, 1, NONE},
        {1160, 1220, 2, WEFT_PATH_WAIT, 1, 3}, {1160, 1165, 3, WEFT_PATH_RUNNABLE, 2, 2},
        {1165, 1170, 3, WEFT_PATH_RUNNING, 2, NONE}, {1170, 1190, 3, WEFT_PATH_BLOCKED, 2, NONE},
        {1190, 1200, 3, WEFT_PATH_RUNNABLE, 2, NONE}, {1200, 1220, 3, WEFT_PATH_RUNNING, 2, NONE},
        {1220, 1240, 2, WEFT_PATH_RUNNABLE, 1, 3}, {1240, 1250, 2, WEFT_PATH_RUNNING, 1, NONE},
        {1250, 1270, 1, WEFT_PATH_RUNNABLE, 0, 2}, {1270, 1280, 1, WEFT_PATH_RUNNING, 0, NONE});
    release(&result);
}

/* The task is ended at 1160 by 2, which 1 created at 1120 while the task was under way. */
static void path_leads_from_a_goroutine_to_its_creator(void **state)
{
    struct result result;
    weft_path_extent extent;
    (void)state;
    find(&result,
         TRACE(THREAD(7) ONE_RUNS "UserTaskBegin dt=10 task=5 parent_task=0 name_string=7 stack=1\n"
                                  "GoCreate dt=10 new_g=2 new_stack=2 stack=1\n"
                                  "GoStop dt=20 reason_string=2 stack=3\n"
                                  "GoStart dt=10 g=2 g_seq=1\n"
                                  "UserTaskEnd dt=10 task=5 stack=2\nGoDestroy dt=10\n"),
         5, 0, 0, 0);
    ASSERT_STEPS(&result, {1110, 1120, 1, WEFT_PATH_RUNNING, 0, NONE},
                 {1120, 1150, 2, WEFT_PATH_RUNNABLE, 0, 1},
                 {1150, 1160, 2, WEFT_PATH_RUNNING, 0, NONE});
    assert_true(result.steps[1].created);
    weft_path_extent_get(result.path, &extent);
    assert_int_equal(extent.goroutine, 2);
    release(&result);
}

/*
 * 2 is created blocked at 1120, released at 1130 by 1 and runs from 1150. Its wait leads to 1, and
 * before that to 1 again, its creator.
 */
static void goroutine_that_was_created_blocked(void **state)
{
    struct result result;
    (void)state;
    find(&result,
         TRACE(THREAD(7) ONE_RUNS "UserTaskBegin dt=10 task=5 parent_task=0 name_string=7 stack=1\n"
                                  "GoCreateBlocked dt=10 new_g=2 new_stack=2 stack=1\n"
                                  "GoUnblock dt=10 g=2 g_seq=1 stack=1\n"
                                  "GoStop dt=10 reason_string=2 stack=3\n"
                                  "GoStart dt=10 g=2 g_seq=2\n"
                                  "UserTaskEnd dt=10 task=5 stack=2\nGoDestroy dt=10\n"),
         5, 0, 0, 0);
    ASSERT_STEPS(&result, {1110, 1120, 1, WEFT_PATH_RUNNING, 0, NONE},
                 {1120, 1130, 2, WEFT_PATH_WAIT, 0, 1}, {1120, 1130, 1, WEFT_PATH_RUNNING, 1, NONE},
                 {1130, 1150, 2, WEFT_PATH_RUNNABLE, 0, 1},
                 {1150, 1160, 2, WEFT_PATH_RUNNING, 0, NONE});
    release(&result);
}

/* From 1110 without a stack (a revoked lease), or with one; the proc is stolen at 1150, and the
 * call ends at 1180. */
#define SYSCALL_TRACE(stack)                                                                       \
    TRACE(THREAD(7) ONE_RUNS                                                                       \
          "GoSyscallBegin dt=10 p_seq=1 stack=" stack "\nGoSyscallEndBlocked dt=70\n"              \
          "ProcStart dt=5 p=0 p_seq=3\nGoStart dt=5 g=1 g_seq=1\n"                                 \
          "GoStop dt=10 reason_string=2 stack=1\n" THREAD(8) "ProcStatus dt=60 p=1 pstatus=1\n"    \
                                                             "ProcSteal dt=90 p=0 p_seq=2 m=7\n")

static void system_calls_and_revoked_leases(void **state)
{
    struct result result;
    (void)state;
    find(&result, SYSCALL_TRACE("1"), 0, 1, 0, 195);
    ASSERT_STEPS(&result, {1000, 1110, 1, WEFT_PATH_RUNNING, 0, NONE},
                 {1110, 1150, 1, WEFT_PATH_SYSCALL, 0, NONE},
                 {1150, 1180, 1, WEFT_PATH_SYSCALL_BLOCKED, 0, NONE},
                 {1180, 1190, 1, WEFT_PATH_RUNNABLE, 0, NONE},
                 {1190, 1195, 1, WEFT_PATH_RUNNING, 0, NONE});
    release(&result);
    find(&result, SYSCALL_TRACE("0"), 0, 1, 120, 180);
    ASSERT_STEPS(&result, {1120, 1150, 1, WEFT_PATH_SYSCALL, 0, NONE},
                 {1150, 1180, 1, WEFT_PATH_REVOKED, 0, NONE});
    release(&result);
}

static void revoked_lease_has_the_reason_that_was_logged(void **state)
{
    struct result result;
    size_t count;
    (void)state;
    find(&result,
         TRACE(THREAD(7) ONE_RUNS "UserLog dt=5 task=0 key_string=14 value_string=15 stack=0\n"
                                  "GoSyscallBegin dt=5 p_seq=1 stack=1\nGoSyscallEndBlocked dt=70\n"
                                  "ProcStart dt=5 p=0 p_seq=3\nGoStart dt=5 g=1 g_seq=1\n" THREAD(
                                      8) "ProcStatus dt=60 p=1 pstatus=1\n"
                                         "ProcSteal dt=90 p=0 p_seq=2 m=7\n"),
         0, 1, 150, 180);
    ASSERT_STEPS(&result, {1150, 1180, 1, WEFT_PATH_REVOKED, 0, NONE});
    assert_string_equal(result.steps[0].reason.data, "computing");
    assert_string_equal(weft_path_causes(result.path, &count)->name.data, "computing");
    release(&result);
}

static void life_of_a_goroutine_begins_with_its_creation(void **state)
{
    struct result result;
    weft_path_extent extent;
    (void)state;
    find(&result, RELEASE, 0, 2, -1, 0);
    ASSERT_STEPS(&result, {1120, 1150, 2, WEFT_PATH_RUNNABLE, 0, 1},
                 {1150, 1200, 2, WEFT_PATH_RUNNING, 0, NONE});
    weft_path_extent_get(result.path, &extent);
    assert_true(extent.ended);
    release(&result);
    find(&result, RELEASE, 0, 1, -1, 0);
    weft_path_extent_get(result.path, &extent);
    assert_int_equal(extent.begin, 1000);
    assert_false(extent.ended);
    assert_whole(&result);
    release(&result);
}

/* The task is still waiting when the trace ends at 1150 + 1. */
static void task_that_does_not_end_is_told_up_to_the_end_of_the_trace(void **state)
{
    struct result result;
    weft_path_extent extent;
    (void)state;
    find(&result,
         TRACE(THREAD(7) ONE_RUNS "UserTaskBegin dt=10 task=5 parent_task=0 name_string=7 stack=1\n"
                                  "GoBlock dt=20 reason_string=2 stack=3\nProcStop dt=20\n"),
         5, 0, 0, 0);
    ASSERT_STEPS(&result, {1110, 1130, 1, WEFT_PATH_RUNNING, 0, NONE},
                 {1130, 1151, 1, WEFT_PATH_BLOCKED, 0, NONE});
    weft_path_extent_get(result.path, &extent);
    assert_false(extent.ended);
    release(&result);
}

static void what_is_not_in_the_trace_is_not_found(void **state)
{
    struct result result;
    (void)state;
    find(&result, RELEASE, 6, 0, 0, 0);
    assert_int_equal(result.status, -ENOENT);
    release(&result);
    find(&result, RELEASE, 0, 9, 0, INT64_MAX);
    assert_int_equal(result.status, -ENOENT);
    release(&result);
    /* 2 has ended at 1200. */
    find(&result, RELEASE, 0, 2, 220, INT64_MAX);
    assert_int_equal(result.status, -ENOENT);
    release(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_is_what_the_releaser_did_meanwhile),
        cmocka_unit_test(sums_are_by_cause_and_by_function),
        cmocka_unit_test(waits_for_waits_are_nested),
        cmocka_unit_test(path_leads_from_a_goroutine_to_its_creator),
        cmocka_unit_test(goroutine_that_was_created_blocked),
        cmocka_unit_test(system_calls_and_revoked_leases),
        cmocka_unit_test(revoked_lease_has_the_reason_that_was_logged),
        cmocka_unit_test(life_of_a_goroutine_begins_with_its_creation),
        cmocka_unit_test(task_that_does_not_end_is_told_up_to_the_end_of_the_trace),
        cmocka_unit_test(what_is_not_in_the_trace_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
