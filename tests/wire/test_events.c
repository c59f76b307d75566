/* SPDX-License-Identifier: MIT */
#include "wire/batch.h"
#include "wire/reasons.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

/* The table as the format's document lists it: id, name and arguments. */
static const char *const documented[] = {
    "1 EventBatch gen m time size",
    "2 Stacks",
    "3 Stack id nframes",
    "4 Strings",
    "5 String id",
    "6 CPUSamples",
    "7 CPUSample time m p g stack",
    "8 Frequency freq",
    "9 ProcsChange dt procs_value stack",
    "10 ProcStart dt p p_seq",
    "11 ProcStop dt",
    "12 ProcSteal dt p p_seq m",
    "13 ProcStatus dt p pstatus",
    "14 GoCreate dt new_g new_stack stack",
    "15 GoCreateSyscall dt new_g",
    "16 GoStart dt g g_seq",
    "17 GoDestroy dt",
    "18 GoDestroySyscall dt",
    "19 GoStop dt reason_string stack",
    "20 GoBlock dt reason_string stack",
    "21 GoUnblock dt g g_seq stack",
    "22 GoSyscallBegin dt p_seq stack",
    "23 GoSyscallEnd dt",
    "24 GoSyscallEndBlocked dt",
    "25 GoStatus dt g m gstatus",
    "26 STWBegin dt kind_string stack",
    "27 STWEnd dt",
    "28 GCActive dt gc_seq",
    "29 GCBegin dt gc_seq stack",
    "30 GCEnd dt gc_seq",
    "31 GCSweepActive dt p",
    "32 GCSweepBegin dt stack",
    "33 GCSweepEnd dt swept_value reclaimed_value",
    "34 GCMarkAssistActive dt g",
    "35 GCMarkAssistBegin dt stack",
    "36 GCMarkAssistEnd dt",
    "37 HeapAlloc dt heapalloc_value",
    "38 HeapGoal dt heapgoal_value",
    "39 GoLabel dt label_string",
    "40 UserTaskBegin dt task parent_task name_string stack",
    "41 UserTaskEnd dt task stack",
    "42 UserRegionBegin dt task name_string stack",
    "43 UserRegionEnd dt task name_string stack",
    "44 UserLog dt task key_string value_string stack",
    "45 GoSwitch dt g g_seq",
    "46 GoSwitchDestroy dt g g_seq",
    "47 GoCreateBlocked dt new_g new_stack stack",
    "48 GoStatusStack dt g m gstatus stack",
    "49 ExperimentalBatch exp gen m time",
    "50 Sync",
    "51 ClockSnapshot dt mono sec nsec",
    "52 EndOfGeneration",
    "128 Span dt id npages_value kindclass",
    "129 SpanAlloc dt id npages_value kindclass",
    "130 SpanFree dt id",
    "131 HeapObject dt id type",
    "132 HeapObjectAlloc dt id type",
    "133 HeapObjectFree dt id",
    "134 GoroutineStack dt id order",
    "135 GoroutineStackAlloc dt id order",
    "136 GoroutineStackFree dt id",
};

static void the_table_is_the_documented_one(void **state)
{
    (void)state;
    unsigned next = 0;
    for (unsigned id = 0; id < WIRE_EVENT_LIMIT; id++) {
        const struct wire_event_spec *spec = &wire_event_specs[id];
        if (!spec->name) {
            assert_int_equal(spec->shape, WIRE_SHAPE_UNUSED);
            continue;
        }
        char line[256];
        int n = snprintf(line, sizeof line, "%u %s%s", id, spec->name,
                         wire_event_is_timed(id) ? " dt" : "");
        for (unsigned i = 0; i < spec->argc; i++)
            n += snprintf(line + n, sizeof line - (size_t)n, " %s", spec->args[i].name);
        assert_true(next < sizeof documented / sizeof *documented);
        assert_string_equal(line, documented[next++]);
    }
    assert_int_equal(next, sizeof documented / sizeof *documented);
}

static void timed_events_have_at_most_four_arguments(void **state)
{
    (void)state;
    for (unsigned id = 0; id < 256; id++)
        if (wire_event_is_timed(id))
            assert_true(wire_event_specs[id].argc <= WIRE_TIMED_MAX_ARGS);
}

static void stacks_and_strings_are_marked_as_such(void **state)
{
    (void)state;
    for (unsigned id = 0; id < WIRE_EVENT_LIMIT; id++) {
        const struct wire_event_spec *spec = &wire_event_specs[id];
        for (unsigned i = 0; i < spec->argc; i++) {
            const struct wire_arg_spec *arg = &spec->args[i];
            assert_int_equal(strcmp(arg->name, "stack") == 0, arg->kind == WIRE_ARG_STACK);
            assert_int_equal(strcmp(arg->name, "new_stack") == 0, arg->kind == WIRE_ARG_NEW_STACK);
            assert_int_equal(strstr(arg->name, "_string") != NULL, arg->kind == WIRE_ARG_STRING);
            assert_int_equal(strstr(arg->name, "seq") != NULL, arg->kind == WIRE_ARG_SEQ);
        }
    }
}

/* Which ids have a name in which raw texts. */
static void names_depend_on_the_version(void **state)
{
    (void)state;
    for (unsigned id = 0; id < 300; id++) {
        assert_int_equal(wire_event_has_name(id, 22), id >= 1 && id <= 44);
        assert_int_equal(wire_event_has_name(id, 23), id >= 1 && id <= 49);
        assert_int_equal(wire_event_has_name(id, 25), id >= 1 && id <= 51);
        assert_int_equal(wire_event_has_name(id, 26),
                         (id >= 1 && id <= 52) || (id >= 128 && id <= 136));
    }
    assert_int_equal(wire_event_by_name("GoSwitch", 8, 22), -1);
    assert_int_equal(wire_event_by_name("GoSwitch", 8, 23), WIRE_EV_GO_SWITCH);
    assert_int_equal(wire_event_by_name("GoSwitchDestroy", 8, 26), WIRE_EV_GO_SWITCH);
    assert_int_equal(wire_event_by_name("", 0, 26), -1);
}

static void every_reason_has_a_text(void **state)
{
    (void)state;
    assert_string_equal(wire_stop_texts[WIRE_STOP_YIELD], "runtime.Gosched");
    assert_string_equal(wire_block_texts[WIRE_BLOCK_COND_WAIT], "sync.(*Cond).Wait");
    assert_string_equal(wire_stw_texts[WIRE_STW_PROCS], "GOMAXPROCS");
    assert_int_equal(WIRE_STOP_LIMIT, 3);
    assert_int_equal(WIRE_BLOCK_LIMIT, 17);
    assert_int_equal(WIRE_STW_LIMIT, 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_documented_one),
        cmocka_unit_test(timed_events_have_at_most_four_arguments),
        cmocka_unit_test(stacks_and_strings_are_marked_as_such),
        cmocka_unit_test(names_depend_on_the_version),
        cmocka_unit_test(every_reason_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
