/* SPDX-License-Identifier: MIT */
/* What a generation says about Gs and Ps, event by event, on the scripted host. */
#include "base/cmocka_all.h"
#include "trace/check.h"
#include "trace/script.h"
#include "trace/tracer.h"

#include <stdio.h>

static const unsigned formats[] = {22, 23, 25, 26};

/* Every kind of event, once, in an order that a reader can follow. */
static void do_everything(script *s)
{
    script_proc_start(s, 0, 1);
    script_proc_start(s, 1, 2);
    script_start(s, 0, &s->g[1]);
    script_g *child = script_create(s, 0);
    script_start(s, 1, child);
    script_block(s, 1);
    script_unblock(s, 0, child);
    script_start(s, 1, child);
    script_end(s, 1);
    script_g *partner = script_create_blocked(s, 0);
    script_switch(s, 0, partner, 0);
    script_switch(s, 0, &s->g[1], 1);
    script_syscall(s, 0);
    script_syscall_end(s, 0);
    script_syscall(s, 0);
    script_start(s, 1, &s->g[2]);
    script_steal(s, 1, 0);
    script_syscall_lost(s, 0);
    script_stop(s, 1);
    script_foreign_enter(s, 3);
    script_foreign_leave(s, 3);
    script_proc_stop(s, 1);
}

static void every_event_in_every_format(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        script *s = script_new(3);
        sink out = {0};
        char name[32];
        s->with_stacks = 1;
        weft_trace_stream *stream = script_stream(s, sink_write, &out, formats[i]);
        for (int round = 0; round < 4; round++) {
            do_everything(s);
            assert_int_equal(weft_trace_advance(s->tracer), 0);
        }
        do_everything(s);
        assert_int_equal(weft_trace_stop(stream, NULL), 0);
        snprintf(name, sizeof name, "every_event_%u", formats[i]);
        assert_valid(&out, name);
        assert_int_equal(count_generations(&out), 5);
        sink_free(&out);
        script_free(s);
    }
}

/* A boundary of generations between any two steps: each resource is described again before its next
 * event. */
static void boundary_after_every_step(void **state)
{
    (void)state;
    for (unsigned cut = 0; cut < 22; cut++) {
        script *s = script_new(3);
        sink out = {0};
        unsigned steps = 0;
        weft_trace_stream *stream = script_stream(s, sink_write, &out, 0);
        script_g *child = NULL, *partner = NULL;
#define STEP(what)                                                                                 \
    do {                                                                                           \
        what;                                                                                      \
        if (steps++ == cut)                                                                        \
            weft_trace_advance(s->tracer);                                                         \
    } while (0)
        STEP(script_proc_start(s, 0, 1));
        STEP(script_proc_start(s, 1, 2));
        STEP(script_start(s, 0, &s->g[1]));
        STEP(child = script_create(s, 0));
        STEP(script_start(s, 1, child));
        STEP(script_block(s, 1));
        STEP(script_unblock(s, 0, child));
        STEP(script_start(s, 1, child));
        STEP(script_end(s, 1));
        STEP(partner = script_create_blocked(s, 0));
        STEP(script_switch(s, 0, partner, 0));
        STEP(script_switch(s, 0, &s->g[1], 1));
        STEP(script_start(s, 1, &s->g[2]));
        STEP(script_syscall(s, 0));
        if (s->m[0].p) /* the barrier steals it */
            script_steal(s, 1, 0);
        STEP(script_syscall_lost(s, 0));
        STEP(script_stop(s, 1));
        STEP(script_foreign_enter(s, 3));
        STEP(script_foreign_leave(s, 3));
        STEP(script_proc_stop(s, 1));
#undef STEP
        weft_trace_advance(s->tracer);
        do_everything(s);
        assert_int_equal(weft_trace_stop(stream, NULL), 0);
        char name[32];
        snprintf(name, sizeof name, "boundary_%u", cut);
        assert_valid(&out, name);
        sink_free(&out);
        script_free(s);
    }
}

/* Tracing starts while resources are in all states, and nothing happens to most of them. */
static void start_in_the_middle_of_everything(void **state)
{
    (void)state;
    script *s = script_new(4);
    sink out = {0};
    s->with_stacks = 1;
    script_proc_start(s, 0, 1);
    script_proc_start(s, 1, 2);
    script_proc_start(s, 2, 3);
    script_start(s, 0, &s->g[1]);
    script_start(s, 1, &s->g[2]);
    script_start(s, 2, &s->g[3]);
    script_syscall(s, 1);
    script_steal(s, 0, 1);
    script_block(s, 2);
    weft_trace_stream *stream = script_stream(s, sink_write, &out, 0);
    for (int i = 0; i < 5; i++)
        weft_trace_advance(s->tracer);
    script_syscall_lost(s, 1);
    script_unblock(s, 0, &s->g[3]);
    script_start(s, 2, &s->g[3]);
    weft_trace_advance(s->tracer);
    script_end(s, 2);
    script_stop(s, 0);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    assert_valid(&out, "start_in_the_middle");
    sink_free(&out);
    script_free(s);
}

static void nothing_happens_at_all(void **state)
{
    (void)state;
    script *s = script_new(2);
    sink out = {0};
    weft_trace_stream *stream = script_stream(s, sink_write, &out, 0);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    unsigned calls = out.calls;
    script_busy(s);
    assert_int_equal(out.calls, calls);
    assert_valid(&out, "nothing");
    assert_int_equal(count_generations(&out), 1);
    sink_free(&out);
    script_free(s);
}

/* The successor of the last number is 4; slots go on in step. */
static void generation_numbers_wrap(void **state)
{
    (void)state;
    script *s = script_new(4);
    sink out = {0};
    s->tracer->last_generation = UINT64_MAX - 3;
    weft_trace_stream *stream = script_stream(s, sink_write, &out, 26);
    assert_int_equal(weft_trace_generation(s->tracer), UINT64_MAX - 2);
    for (int i = 0; i < 7; i++) {
        script_procs(s, i % 3 == 0 ? 1 : 4);
        script_busy(s);
        weft_trace_advance(s->tracer);
    }
    script_busy(s);
    assert_int_equal(weft_trace_generation(s->tracer), 8);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    assert_valid(&out, "wrap");
    assert_int_equal(count_generations(&out), 8);
    sink_free(&out);
    script_free(s);
}

/* A record gets a new identity in the generation in which the old one died, and in later ones. */
static void record_of_a_dead_g_is_used_again(void **state)
{
    (void)state;
    for (int advances = 0; advances < 8; advances++) {
        script *s = script_new(2);
        sink out = {0};
        weft_trace_stream *stream = script_stream(s, sink_write, &out, 0);
        script_proc_start(s, 0, 1);
        for (int life = 0; life < 4; life++) {
            unsigned gs = s->gs;
            script_start(s, 0, &s->g[1]);
            script_g *g = script_create(s, 0);
            script_stop(s, 0);
            script_start(s, 0, g);
            script_stop(s, 0);
            script_start(s, 0, g);
            script_end(s, 0);
            for (int i = 0; i < advances; i++)
                weft_trace_advance(s->tracer);
            weft_trace_g_renew(&g->g);
            s->gs = gs;
        }
        assert_int_equal(weft_trace_stop(stream, NULL), 0);
        assert_valid(&out, "renewed");
        sink_free(&out);
        script_free(s);
    }
}

static void drainer_without_a_p(void **state)
{
    (void)state;
    script *s = script_new(2);
    sink out = {0};
    weft_trace_stream *stream;
    s->attach_error = -11;
    assert_int_equal(weft_trace_start_callback(s->tracer, sink_write, &out, NULL, &stream), -11);
    assert_int_equal(weft_trace_enabled(s->tracer), 0);
    s->attach_error = 0;
    stream = script_stream(s, sink_write, &out, 0);
    script_busy(s);
    s->attach_error = -11;
    weft_trace_advance(s->tracer);
    script_busy(s);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    assert_int_equal(s->refused_attaches, 3);
    assert_valid(&out, "without_p");
    sink_free(&out);
    script_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_in_every_format),
        cmocka_unit_test(boundary_after_every_step),
        cmocka_unit_test(start_in_the_middle_of_everything),
        cmocka_unit_test(nothing_happens_at_all),
        cmocka_unit_test(generation_numbers_wrap),
        cmocka_unit_test(record_of_a_dead_g_is_used_again),
        cmocka_unit_test(drainer_without_a_p),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
