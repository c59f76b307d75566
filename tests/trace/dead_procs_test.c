/* SPDX-License-Identifier: MIT */
/*
 * Ps that a shrink of the procs count leaves behind and a later growth brings back (Go issue
 * 65318): in one trace, and in the next one. Built against a copy of the tracer in which the reset
 * of dead Ps can be left out, to show that these tests would see it.
 */
#include "base/cmocka_all.h"
#include "trace/check.h"
#include "trace/script.h"
#include "trace/status.h"

#include <stdio.h>
#include <stdlib.h>

#define PROCS 4

/* How the Ps are left when the count shrinks. */
enum manner { ACTED, IDLE_ALL_ALONG, IN_SYSCALLS, RIGHT_AFTER_ADVANCE, MANNERS };

static void shrink(script *s, enum manner manner)
{
    if (manner == ACTED)
        script_busy(s);
    if (manner == RIGHT_AFTER_ADVANCE) {
        script_busy(s);
        weft_trace_advance(s->tracer);
    }
    for (int i = 0; manner == IN_SYSCALLS && i < PROCS; i++) {
        script_proc_start(s, i, (unsigned)i + 1);
        script_start(s, i, &s->g[i + 1]);
        script_syscall(s, i);
    }
    for (int i = 0; manner == IN_SYSCALLS && i < PROCS; i++)
        script_steal(s, SCRIPT_MS - 1, i);
    script_procs(s, 1);
}

static void leave_syscalls(script *s)
{
    for (int i = 0; i < PROCS; i++)
        if (s->m[i].g)
            script_syscall_lost(s, i);
}

static void advance(script *s, unsigned times)
{
    while (times-- > 0)
        weft_trace_advance(s->tracer);
}

/* a generations alive, b dead, stop, c generations alive again. */
static void stop_and_restart(unsigned a, unsigned b, unsigned c, enum manner manner, unsigned stops)
{
    char name[64];
    sink first = {0}, second = {0}, between = {0};
    script *s = script_new(PROCS);
    weft_trace_stream *stream = script_stream(s, sink_write, &first, 0);
    for (unsigned i = 0; i < a; i++) {
        script_busy(s);
        advance(s, 1);
    }
    shrink(s, manner);
    advance(s, b);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    for (unsigned i = 1; i < stops; i++)
        weft_trace_stop(script_stream(s, sink_write, &between, 0), NULL);
    leave_syscalls(s);
    script_procs(s, PROCS);
    stream = script_stream(s, sink_write, &second, 0);
    for (unsigned i = 0; i < c; i++) {
        script_busy(s);
        advance(s, 1);
    }
    script_busy(s);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    snprintf(name, sizeof name, "restart_%u_%u_%u_%u_%u_first", a, b, c, manner, stops);
    assert_valid(&first, name);
    snprintf(name, sizeof name, "restart_%u_%u_%u_%u_%u_second", a, b, c, manner, stops);
    assert_valid(&second, name);
    sink_free(&first);
    sink_free(&second);
    sink_free(&between);
    script_free(s);
}

static void every_number_of_generations(void **state)
{
    (void)state;
    for (unsigned a = 0; a <= 4; a++)
        for (unsigned b = 0; b <= 4; b++)
            for (unsigned c = 0; c <= 4; c++)
                stop_and_restart(a, b, c, ACTED, 1);
}

static void every_manner_of_dying(void **state)
{
    (void)state;
    for (unsigned a = 1; a <= 2; a++)
        for (unsigned b = 0; b <= 2; b++)
            for (unsigned manner = 0; manner < MANNERS; manner++)
                for (unsigned stops = 1; stops <= 3; stops++)
                    stop_and_restart(a, b, 1, manner, stops);
}

/* (a) of the regression: dead for `dead` generations within one trace. Null if it is valid. */
static const char *come_back_in_one_trace(unsigned dead)
{
    sink out = {0};
    script *s = script_new(PROCS);
    weft_trace_stream *stream = script_stream(s, sink_write, &out, 0);
    script_busy(s);
    advance(s, 1);
    script_busy(s);
    script_procs(s, 1);
    advance(s, 1 + dead);
    script_procs(s, PROCS);
    script_busy(s);
    advance(s, 1);
    script_busy(s);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    const char *complaint = check_sink(&out, NULL, NULL);
    sink_free(&out);
    script_free(s);
    return complaint;
}

/* (b): each trace is one generation; the last one is looked at. */
static const char *come_back_in_a_later_trace(unsigned dead)
{
    sink out = {0}, last = {0};
    script *s = script_new(PROCS);
    for (int i = 0; i < 2; i++) {
        weft_trace_stream *stream = script_stream(s, sink_write, &out, 0);
        script_busy(s);
        weft_trace_stop(stream, NULL);
    }
    script_procs(s, 1);
    for (unsigned i = 0; i < dead; i++)
        weft_trace_stop(script_stream(s, sink_write, &out, 0), NULL);
    script_procs(s, PROCS);
    weft_trace_stream *stream = script_stream(s, sink_write, &last, 0);
    script_busy(s);
    weft_trace_stop(stream, NULL);
    const char *complaint = check_sink(&last, NULL, NULL);
    sink_free(&out);
    sink_free(&last);
    script_free(s);
    return complaint;
}

typedef const char *(*scenario)(unsigned dead);

/* broken: bit D is set if D dead generations break the trace with these faults. */
static void expect(scenario run, unsigned faults, unsigned broken)
{
    for (unsigned dead = 0; dead <= 6; dead++) {
        trace_test_faults = faults;
        const char *complaint = run(dead);
        trace_test_faults = 0;
        bool expected = broken >> dead & 1;
        if (expected != (complaint != NULL))
            fail_msg("faults %u, %u dead generations: %s", faults, dead,
                     complaint ? complaint : "valid");
    }
}

static void without_faults(void **state)
{
    (void)state;
    expect(come_back_in_one_trace, 0, 0);
    expect(come_back_in_a_later_trace, 0, 0);
}

/* The tests above can fail: only 0 and 6 dead generations would hide the fault. */
static void without_the_reset_when_advancing(void **state)
{
    (void)state;
    expect(come_back_in_one_trace, TRACE_FAULT_ADVANCE, 0x3e);
    expect(come_back_in_a_later_trace, TRACE_FAULT_ADVANCE, 0);
}

static void without_the_reset_when_stopping(void **state)
{
    (void)state;
    expect(come_back_in_one_trace, TRACE_FAULT_STOP, 0);
    expect(come_back_in_a_later_trace, TRACE_FAULT_STOP, 0x3e);
}

static void without_any_reset(void **state)
{
    (void)state;
    expect(come_back_in_one_trace, TRACE_FAULT_ADVANCE | TRACE_FAULT_STOP, 0x3e);
    expect(come_back_in_a_later_trace, TRACE_FAULT_ADVANCE | TRACE_FAULT_STOP, 0x3e);
}

static void with_stale_sequence_numbers_only(void **state)
{
    (void)state;
    expect(come_back_in_one_trace, TRACE_FAULT_SEQ, 0x2a);
    expect(come_back_in_a_later_trace, TRACE_FAULT_SEQ, 0x2a);
}

static void with_stale_marks_only(void **state)
{
    (void)state;
    expect(come_back_in_one_trace, TRACE_FAULT_TRACED, 0x36);
    expect(come_back_in_a_later_trace, TRACE_FAULT_TRACED, 0x36);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_of_generations),
        cmocka_unit_test(every_manner_of_dying),
        cmocka_unit_test(without_faults),
        cmocka_unit_test(without_the_reset_when_advancing),
        cmocka_unit_test(without_the_reset_when_stopping),
        cmocka_unit_test(without_any_reset),
        cmocka_unit_test(with_stale_sequence_numbers_only),
        cmocka_unit_test(with_stale_marks_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
