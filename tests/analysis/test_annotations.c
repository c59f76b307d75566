/* SPDX-License-Identifier: MIT */
/* Annotations made by hand, and the figures that follow from them. */
#include "analysis/made_trace.h"

#include <errno.h>

#include <weft/analysis_tasks.h>

#define MOST 8

struct result {
    struct memory memory;
    weft_reader *reader;
    weft_annotations *annotations;
    weft_task_record tasks[MOST];
    weft_region_record regions[MOST];
    weft_log_record logs[MOST];
    size_t task_count, region_count, log_count;
    uint64_t unwanted; /* goroutine whose regions do not count */
};

static int on_task(void *context, const weft_task_record *task)
{
    struct result *result = context;
    result->tasks[result->task_count++] = *task;
    return 0;
}

static int on_region(void *context, const weft_region_record *region)
{
    struct result *result = context;
    result->regions[result->region_count++] = *region;
    return region->goroutine == result->unwanted;
}

static int on_log(void *context, const weft_log_record *log)
{
    struct result *result = context;
    assert_string_equal(log->category.data, "key");
    assert_int_equal(log->message.size, 5);
    assert_memory_equal(log->message.data, "other", 5);
    result->logs[result->log_count++] = *log;
    return 0;
}

static void analyse(struct result *result, const char *text, uint64_t unwanted)
{
    weft_event event;
    int status;
    weft_annotation_sink sink = {on_task, on_region, on_log, result};
    *result = (struct result){.unwanted = unwanted};
    result->reader = made_open(&result->memory, text);
    assert_int_equal(weft_annotations_new(&result->annotations, result->reader, &sink), 0);
    while ((status = weft_reader_next(result->reader, &event)) == 1)
        assert_int_equal(weft_annotations_event(result->annotations, &event), 0);
    assert_int_equal(status, 0);
    assert_int_equal(weft_annotations_finish(result->annotations), 0);
}

static void release(struct result *result)
{
    weft_annotations_free(result->annotations);
    weft_reader_free(result->reader);
    free(result->memory.data);
}

/*
 * Task 5 from 1110 to 1260. In it, on goroutine 1, a region from 1120 to 1250, and within that a
 * log at 1130; 1 creates 2 at 1140, is blocked from 1150 to 1200 and runs again from 1220. 2 runs
 * from 1160 on, has a region of the task from 1170, in which it begins task 6 at 1180, and ends at
 * 1210. At 1270 ends task 7, which began before the trace; task 6 does not end.
 */
#define TASKS                                                                                      \
    TRACE(THREAD(7) ONE_RUNS                                                                       \
          "UserTaskBegin dt=10 task=5 parent_task=0 name_string=7 stack=1\n"                       \
          "UserRegionBegin dt=10 task=5 name_string=9 stack=1\n"                                   \
          "UserLog dt=10 task=5 key_string=10 value_string=9 stack=2\n"                            \
          "GoCreate dt=10 new_g=2 new_stack=2 stack=1\n"                                           \
          "GoBlock dt=10 reason_string=2 stack=3\nGoStart dt=10 g=2 g_seq=1\n"                     \
          "UserRegionBegin dt=10 task=5 name_string=4 stack=2\n"                                   \
          "UserTaskBegin dt=10 task=6 parent_task=5 name_string=4 stack=2\n"                       \
          "GoUnblock dt=20 g=1 g_seq=1 stack=2\nGoDestroy dt=10\nGoStart dt=10 g=1 g_seq=2\n"      \
          "UserRegionEnd dt=30 task=5 name_string=9 stack=1\n"                                     \
          "UserTaskEnd dt=10 task=5 stack=1\nUserTaskEnd dt=10 task=7 stack=1\n"                   \
          "GoStop dt=30 reason_string=1 stack=1\n")

static void tasks_are_told_when_they_end(void **state)
{
    struct result result;
    weft_annotation_group group;
    (void)state;
    analyse(&result, TASKS, 0);
    assert_int_equal(result.task_count, 3);
    const weft_task_record *task = &result.tasks[0];
    assert_int_equal(task->id, 5);
    assert_string_equal(task->type.data, "work; hard");
    assert_true(task->parent == WEFT_ID_NONE);
    assert_int_equal(task->end - task->begin, 150);
    assert_true(task->seen_begin && task->seen_end);
    assert_int_equal(task->goroutine, 1);
    assert_int_equal(task->regions, 2);
    assert_int_equal(task->logs, 1);
    task = &result.tasks[1];
    assert_int_equal(task->id, 7);
    assert_false(task->seen_begin);
    assert_int_equal(task->begin, 1000);
    task = &result.tasks[2];
    assert_int_equal(task->id, 6);
    assert_int_equal(task->parent, 5);
    assert_false(task->seen_end);
    assert_int_equal(task->end, 1301);
    assert_int_equal(weft_annotations_group(result.annotations, WEFT_ANNOTATION_TASK, 0, &group),
                     0);
    assert_int_equal(group.count, 1);
    assert_int_equal(group.lengths->sum, 150);
    assert_int_equal(weft_annotations_group(result.annotations, WEFT_ANNOTATION_TASK, 3, &group),
                     -ERANGE);
    release(&result);
}

static void regions_know_what_their_goroutine_spent(void **state)
{
    struct result result;
    weft_annotation_group group;
    (void)state;
    analyse(&result, TASKS, 0);
    assert_int_equal(result.region_count, 2);
    const weft_region_record *region = &result.regions[0];
    assert_string_equal(region->name.data, "leaf");
    assert_int_equal(region->goroutine, 2);
    assert_false(region->seen_end); /* the goroutine ended first */
    assert_int_equal(region->end - region->begin, 40);
    assert_int_equal(region->spent[WEFT_SPENT_RUNNING], 40);
    region = &result.regions[1];
    assert_string_equal(region->name.data, "other");
    assert_int_equal(region->end - region->begin, 130);
    assert_int_equal(region->spent[WEFT_SPENT_RUNNING], 30 + 30);
    assert_int_equal(region->spent[WEFT_SPENT_BLOCKED], 50);
    assert_int_equal(region->spent[WEFT_SPENT_RUNNABLE], 20);
    assert_int_equal(weft_annotations_group(result.annotations, WEFT_ANNOTATION_REGION, 1, &group),
                     0);
    assert_int_equal(group.lengths->sum, 130);
    assert_int_equal(group.spent[WEFT_SPENT_BLOCKED], 50);
    release(&result);
}

static void what_the_sink_does_not_want_does_not_count(void **state)
{
    struct result result;
    weft_annotation_group group;
    (void)state;
    analyse(&result, TASKS, 1);
    assert_int_equal(weft_annotations_group(result.annotations, WEFT_ANNOTATION_REGION, 0, &group),
                     0);
    assert_string_equal(group.name.data, "leaf");
    assert_int_equal(group.count, 1);
    assert_int_equal(group.lengths->count, 0);
    assert_int_equal(weft_annotations_group(result.annotations, WEFT_ANNOTATION_REGION, 1, &group),
                     -ERANGE);
    release(&result);
}

static void logs_are_told_as_they_come(void **state)
{
    struct result result;
    weft_place place;
    (void)state;
    analyse(&result, TASKS, 0);
    assert_int_equal(result.log_count, 1);
    assert_int_equal(result.logs[0].time, 1130);
    assert_int_equal(result.logs[0].task, 5);
    assert_int_equal(weft_annotations_place(result.annotations, result.logs[0].stack, 0, &place),
                     0);
    assert_string_equal(place.function.data, "root");
    release(&result);
}

/* -------- the story of a task -------- */

struct want {
    int64_t begin, end;
    uint64_t goroutine;
    uint8_t kind, state;
};

#define STATE(kind) WEFT_MOMENT_STATE, WEFT_PATH_##kind

static void story_of_a_task(void **state)
{
    static const struct want want[] = {
        {1110, 1150, 1, STATE(RUNNING)},        {1120, 1250, 1, WEFT_MOMENT_REGION, 0},
        {1130, 1130, 1, WEFT_MOMENT_LOG, 0},    {1140, 1160, 2, STATE(RUNNABLE)},
        {1150, 1200, 1, STATE(BLOCKED)},        {1160, 1210, 2, STATE(RUNNING)},
        {1170, 1260, 2, WEFT_MOMENT_REGION, 0}, {1180, 1260, 2, WEFT_MOMENT_TASK, 0},
        {1200, 1220, 1, STATE(RUNNABLE)},       {1220, 1260, 1, STATE(RUNNING)}};
    struct memory memory = {0};
    weft_reader *reader = made_open(&memory, TASKS);
    weft_story *story;
    weft_event event;
    size_t count;
    int64_t origin;
    (void)state;
    assert_int_equal(weft_story_new(&story, reader, 5), 0);
    while (weft_reader_next(reader, &event) == 1)
        assert_int_equal(weft_story_event(story, &event), 0);
    assert_int_equal(weft_story_finish(story), 0);
    const weft_moment *moments = weft_story_moments(story, &count);
    assert_int_equal(count, sizeof want / sizeof *want);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(moments[i].begin, want[i].begin);
        assert_int_equal(moments[i].end, want[i].end);
        assert_int_equal(moments[i].goroutine, want[i].goroutine);
        assert_int_equal(moments[i].kind, want[i].kind);
        assert_int_equal(moments[i].state, want[i].state);
    }
    assert_int_equal(moments[7].id, 6);
    assert_false(moments[7].ended);
    assert_string_equal(moments[2].message.data, "other");
    const weft_worker *workers = weft_story_workers(story, &count);
    assert_int_equal(count, 2);
    assert_int_equal(workers[0].spent[WEFT_PATH_RUNNING], 40 + 40);
    assert_int_equal(workers[0].spent[WEFT_PATH_BLOCKED], 50);
    assert_string_equal(workers[1].name.data, "root");
    assert_int_equal(workers[1].spent[WEFT_PATH_RUNNING], 50);
    assert_int_equal(weft_story_task(story, &origin)->end, 1260);
    assert_int_equal(origin, 1000);
    weft_story_free(story);
    weft_reader_free(reader);
    free(memory.data);
}

static void story_of_a_task_that_is_not_there(void **state)
{
    struct memory memory = {0};
    weft_reader *reader = made_open(&memory, TASKS);
    weft_story *story;
    weft_event event;
    (void)state;
    assert_int_equal(weft_story_new(&story, reader, 7), 0);
    while (weft_reader_next(reader, &event) == 1)
        assert_int_equal(weft_story_event(story, &event), 0);
    assert_int_equal(weft_story_finish(story), -ENOENT);
    weft_story_free(story);
    weft_reader_free(reader);
    free(memory.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_are_told_when_they_end),
        cmocka_unit_test(regions_know_what_their_goroutine_spent),
        cmocka_unit_test(what_the_sink_does_not_want_does_not_count),
        cmocka_unit_test(logs_are_told_as_they_come),
        cmocka_unit_test(story_of_a_task),
        cmocka_unit_test(story_of_a_task_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
