/* SPDX-License-Identifier: MIT */
/* The strict validator's rules, each broken by events made for it. */
#include "trace_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static struct memory trace;
static weft_reader *reader;
static weft_validator *validator;
static weft_string text, other;
static weft_stack leaf_only, nameless_caller;
static int64_t now;

/* A reader stopped inside a generation whose strings and stacks the events use. */
static int set_up(void **state)
{
    (void)state;
    static const char raw[] =
        "Trace Go1.26\n" SYNC STRINGS NOBODY
        "Stacks\nStack id=1 nframes=1\npc=0 func=0 file=0 line=0\n"
        "Stack id=2 nframes=2\npc=5 func=1 file=1 line=1\npc=6 func=0 file=1 line=1\n" BATCH RUNNING
        "UserLog dt=1 task=0 key_string=1 value_string=2 stack=1\n"
        "UserLog dt=1 task=0 key_string=1 value_string=2 stack=2\n" END;
    weft_event event;
    trace = (struct memory){0};
    if (memory_assemble(&trace, raw, sizeof raw - 1, NULL) != 0 ||
        weft_reader_open_callback(&reader, memory_read, &trace) != 0 ||
        weft_validator_new(&validator, reader) != 0)
        return -1;
    for (unsigned i = 0; i < 5; i++) {
        if (weft_reader_next(reader, &event) != 1)
            return -1;
        if (event.kind == WEFT_EVENT_SYNC && weft_validator_event(validator, &event, NULL) != 0)
            return -1;
        leaf_only = i == 3 ? event.stack : leaf_only;
    }
    nameless_caller = event.stack;
    text = event.name;
    other = event.message;
    now = event.time;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weft_validator_free(validator);
    weft_reader_free(reader);
    free(trace.data);
    return 0;
}

/* The first complaint about an event begins with "rule: message"; NULL: there is none. */
static void expect(const weft_event *event, const char *said)
{
    weft_complaint complaint = {"none", ""};
    char found[1024];
    int status = weft_validator_event(validator, event, &complaint);
    snprintf(found, sizeof found, "%s: %s", complaint.rule, complaint.message);
    if (said && (status != 1 || strncmp(found, said, strlen(said)) != 0))
        fail_msg("expected %s, found %d %s", said, status, found);
    if (!said && status != 0)
        fail_msg("unexpected %s", found);
}

static weft_event make(weft_event_kind kind)
{
    return (weft_event){.time = ++now, .kind = kind, .m = 7, .p = 0, .g = 1, .name = text};
}

static weft_event transition(weft_resource resource, uint64_t id, weft_state from, weft_state to)
{
    weft_event e = make(WEFT_EVENT_STATE_TRANSITION);
    e.resource = resource;
    e.id = id;
    e.from = from;
    e.to = to;
    e.name = 0;
    return e;
}

static void go(uint64_t id, weft_state from, weft_state to, const char *said)
{
    weft_event e = transition(WEFT_RESOURCE_GOROUTINE, id, from, to);
    expect(&e, said);
}

static weft_event range(weft_event_kind kind, uint64_t g)
{
    weft_event e = make(kind);
    e.resource = WEFT_RESOURCE_GOROUTINE;
    e.id = g;
    return e;
}

static void times_grow(void **state)
{
    (void)state;
    weft_event e = make(WEFT_EVENT_LOG);
    expect(&e, NULL);
    expect(&e, "VAL-1: time");
}

static void syncs_count(void **state)
{
    (void)state;
    weft_event e = make(WEFT_EVENT_SYNC);
    e.id = 3;
    expect(&e, "VAL-2: sync 3 follows sync 1");
}

/* The reader still shows the snapshot of the first sync: it does not grow. */
static void clocks_grow(void **state)
{
    (void)state;
    weft_event e = make(WEFT_EVENT_SYNC);
    e.id = 2;
    expect(&e, "VAL-3: a clock of sync 1 is not later than in the snapshot before");
    weft_validator_ignore_clocks(validator);
    e = make(WEFT_EVENT_SYNC);
    e.id = 3;
    expect(&e, NULL);
}

static void the_first_sync_has_a_snapshot(void **state)
{
    (void)state;
    struct memory m = {0};
    weft_reader *empty;
    weft_validator *v;
    weft_event e;
    weft_complaint complaint;
    assert_int_equal(memory_assemble(&m, "Trace Go1.26\n", 13, NULL), 0);
    assert_int_equal(weft_reader_open_callback(&empty, memory_read, &m), 0);
    assert_int_equal(weft_validator_new(&v, empty), 0);
    assert_int_equal(weft_reader_next(empty, &e), 1);
    assert_int_equal(weft_validator_event(v, &e, &complaint), 1);
    assert_string_equal(complaint.rule, "VAL-3");
    weft_validator_free(v);
    weft_reader_free(empty);
    free(m.data);
}

static void metrics_have_units(void **state)
{
    (void)state;
    weft_event e = make(WEFT_EVENT_METRIC);
    expect(&e, "VAL-4: metric's name has no unit");
}

static void labels_are_texts_of_known_resources(void **state)
{
    (void)state;
    weft_event e = make(WEFT_EVENT_LABEL);
    e.resource = WEFT_RESOURCE_GOROUTINE;
    e.id = 1;
    expect(&e, "VAL-5: label of Goroutine 1, which is not known");
    go(1, WEFT_STATE_UNDETERMINED, WEFT_STATE_RUNNING, NULL);
    e.time = ++now;
    expect(&e, NULL);
    e.time = ++now;
    e.name = 0;
    expect(&e, "VAL-5: empty label");
}

static void undetermined_is_for_the_first_generation(void **state)
{
    (void)state;
    go(1, WEFT_STATE_UNDETERMINED, WEFT_STATE_UNDETERMINED,
       "VAL-6: Goroutine 1 goes to state Undetermined");
    go(2, WEFT_STATE_UNDETERMINED, WEFT_STATE_WAITING, NULL);
    weft_validator_ignore_clocks(validator);
    weft_event e = make(WEFT_EVENT_SYNC);
    e.id = 2;
    expect(&e, NULL);
    go(3, WEFT_STATE_UNDETERMINED, WEFT_STATE_WAITING,
       "VAL-7: Goroutine 3 appears from state Undetermined after the second sync");
}

static void states_follow_each_other(void **state)
{
    (void)state;
    go(1, WEFT_STATE_RUNNABLE, WEFT_STATE_RUNNING,
       "VAL-8: Goroutine 1 leaves state Runnable but was not known");
    go(2, WEFT_STATE_NOT_EXIST, WEFT_STATE_RUNNABLE, NULL);
    go(2, WEFT_STATE_WAITING, WEFT_STATE_RUNNABLE,
       "VAL-8: Goroutine 2 leaves state Waiting but was in Runnable");
    go(2, WEFT_STATE_RUNNABLE, WEFT_STATE_NOT_EXIST, NULL);
    go(2, WEFT_STATE_NOT_EXIST, WEFT_STATE_RUNNABLE, NULL);
}

static void nothing_dies_in_a_range(void **state)
{
    (void)state;
    go(1, WEFT_STATE_UNDETERMINED, WEFT_STATE_RUNNING, NULL);
    weft_event e = range(WEFT_EVENT_RANGE_BEGIN, 1);
    expect(&e, NULL);
    go(1, WEFT_STATE_RUNNING, WEFT_STATE_NOT_EXIST, "VAL-9: Goroutine 1 ends with an open range");
}

static void execution_is_bound_to_one_thread(void **state)
{
    (void)state;
    weft_event e =
        transition(WEFT_RESOURCE_GOROUTINE, 1, WEFT_STATE_UNDETERMINED, WEFT_STATE_RUNNING);
    e.m = WEFT_ID_NONE;
    expect(&e, "VAL-10: Goroutine 1 goes to Running on no thread");
    go(2, WEFT_STATE_UNDETERMINED, WEFT_STATE_RUNNING, NULL);
    go(3, WEFT_STATE_UNDETERMINED, WEFT_STATE_SYSCALL,
       "VAL-10: Goroutine 3 goes to Syscall on thread 7, which has 2");
    e = transition(WEFT_RESOURCE_PROC, 0, WEFT_STATE_UNDETERMINED, WEFT_STATE_RUNNING);
    expect(&e, NULL);
    e = transition(WEFT_RESOURCE_PROC, 1, WEFT_STATE_UNDETERMINED, WEFT_STATE_RUNNING);
    expect(&e, "VAL-10: Proc 1 goes to Running on thread 7, which has 0");
    e = transition(WEFT_RESOURCE_PROC, 2, WEFT_STATE_UNDETERMINED, WEFT_STATE_IDLE);
    expect(&e, NULL);
}

static void execution_ends_where_it_was_bound(void **state)
{
    (void)state;
    /* Two stacks. */
    go(1, WEFT_STATE_UNDETERMINED, WEFT_STATE_RUNNING, NULL);
    weft_event e = transition(WEFT_RESOURCE_GOROUTINE, 1, WEFT_STATE_RUNNING, WEFT_STATE_WAITING);
    e.stack = leaf_only;
    expect(&e, "VAL-11: Goroutine 1 stops executing with two different stacks");
    /* Another one took the thread. */
    go(2, WEFT_STATE_UNDETERMINED, WEFT_STATE_RUNNING, NULL);
    go(3, WEFT_STATE_UNDETERMINED, WEFT_STATE_RUNNING,
       "VAL-10: Goroutine 3 goes to Running on thread 7, which has 2");
    go(2, WEFT_STATE_RUNNING, WEFT_STATE_WAITING,
       "VAL-11: Goroutine 2 stops executing but its thread has another");
    /* It never was on a thread. */
    e = transition(WEFT_RESOURCE_GOROUTINE, 4, WEFT_STATE_UNDETERMINED, WEFT_STATE_RUNNING);
    e.m = WEFT_ID_NONE;
    expect(&e, "VAL-10: Goroutine 4 goes to Running on no thread");
    go(4, WEFT_STATE_RUNNING, WEFT_STATE_WAITING,
       "VAL-11: Goroutine 4 stops executing but was on no thread");
}

static void ranges_begin_and_end_once(void **state)
{
    (void)state;
    weft_event e = range(WEFT_EVENT_RANGE_BEGIN, 1);
    expect(&e, NULL);
    e.time = ++now;
    expect(&e, "VAL-12: range 'text' on Goroutine 1 begins twice");
    e = range(WEFT_EVENT_RANGE_BEGIN, 1);
    e.name = other;
    expect(&e, NULL);
    e = range(WEFT_EVENT_RANGE_ACTIVE, 2);
    expect(&e, NULL);
    e = range(WEFT_EVENT_RANGE_ACTIVE, 2);
    expect(&e, NULL);
    e = range(WEFT_EVENT_RANGE_END, 2);
    expect(&e, NULL);
    e = range(WEFT_EVENT_RANGE_END, 2);
    expect(&e, "VAL-12: range 'text' on Goroutine 2 ends but is not active");
}

static void tasks_have_ids_and_keep_their_type(void **state)
{
    (void)state;
    weft_event e = make(WEFT_EVENT_TASK_BEGIN);
    e.u.parent = WEFT_ID_NONE;
    e.id = 0;
    expect(&e, "VAL-13: task with the reserved id 0 begins");
    e.time = ++now, e.id = WEFT_ID_NONE;
    expect(&e, "VAL-13: task with the reserved id 18446744073709551615 begins");
    e.time = ++now, e.id = 5, e.u.parent = 0;
    expect(&e, "VAL-13: task 5 has the background task as parent");
    e.time = ++now, e.id = 6, e.u.parent = 5;
    expect(&e, NULL);
    e = make(WEFT_EVENT_TASK_END);
    e.id = 6, e.name = other;
    expect(&e, "VAL-13: task 6 ends with another type than it began with");
    e = make(WEFT_EVENT_TASK_END);
    e.id = 99, e.name = 0;
    expect(&e, NULL);
}

static void callers_in_stacks_are_complete(void **state)
{
    (void)state;
    weft_event e = make(WEFT_EVENT_LOG);
    e.stack = leaf_only;
    expect(&e, NULL);
    e = make(WEFT_EVENT_LOG);
    e.stack = nameless_caller;
    expect(&e, "VAL-14: frame 1 of a stack lacks its function, file, line or pc");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(times_grow),
        TEST(syncs_count),
        TEST(clocks_grow),
        TEST(the_first_sync_has_a_snapshot),
        TEST(metrics_have_units),
        TEST(labels_are_texts_of_known_resources),
        TEST(undetermined_is_for_the_first_generation),
        TEST(states_follow_each_other),
        TEST(nothing_dies_in_a_range),
        TEST(execution_is_bound_to_one_thread),
        TEST(execution_ends_where_it_was_bound),
        TEST(ranges_begin_and_end_once),
        TEST(tasks_have_ids_and_keep_their_type),
        TEST(callers_in_stacks_are_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
