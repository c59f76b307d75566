/* SPDX-License-Identifier: MIT */
/*
 * What trace_host.h promises of misuse: an error, or the end of the process with one message, and
 * a tracer that works as before. The host is the least that there can be: one thread besides the
 * tracer's, which has one P and runs one G.
 */
#include "base/cmocka_all.h"
#include "base/death.h"
#include "trace/check.h"

#include <weft/trace_host.h>

#include <errno.h>

typedef void (*any_fn)(void);

static struct {
    weft_tracer *tracer;
    weft_trace_m m, drainer;
    weft_trace_p p, drainer_p;
    weft_trace_g g, system;
    uint32_t system_status;
    bool no_thread;     /* thread_start has no memory */
    bool in_a_section;  /* shown at its safepoint within one */
    int waiting_result; /* of a call that waits, from a callback */
} least;

static weft_trace_m *thread_start(void *unused)
{
    (void)unused;
    return least.no_thread ? NULL : &least.drainer;
}

static void nothing(void *unused)
{
    (void)unused;
}

static int attach(void *unused, weft_trace_context *out)
{
    weft_trace_section s;
    (void)unused;
    *out = (weft_trace_context){&least.drainer_p, &least.system};
    bool open = weft_trace_enter(least.tracer, &least.drainer, &s);
    if (open) {
        weft_trace_proc_start(&s, (weft_trace_context){&least.drainer_p, NULL});
        weft_trace_go_unblock(&s, (weft_trace_context){&least.drainer_p, NULL}, &least.system, 0);
        weft_trace_go_start(&s, *out);
    }
    least.system_status = WEFT_TRACE_G_RUNNING;
    if (open)
        weft_trace_leave(&s);
    return 0;
}

static void detach(void *unused)
{
    weft_trace_section s;
    (void)unused;
    bool open = weft_trace_enter(least.tracer, &least.drainer, &s);
    if (open) {
        weft_trace_context c = {&least.drainer_p, &least.system};
        weft_trace_go_block(&s, c, WEFT_TRACE_BLOCK_SYSTEM, 0);
        weft_trace_proc_stop(&s, (weft_trace_context){&least.drainer_p, NULL});
    }
    least.system_status = WEFT_TRACE_G_WAITING;
    if (open)
        weft_trace_leave(&s);
}

static void hold(void *unused)
{
    (void)unused;
    least.waiting_result = weft_trace_advance(least.tracer);
}

static uint32_t proc_count(void *unused)
{
    (void)unused;
    return 2;
}

/* The thread does nothing while it waits for the tracer: it always stands still. */
static void each_p(void *unused, void (*fn)(void *arg, const weft_trace_p_view *view), void *arg)
{
    weft_trace_section s;
    weft_trace_p_view view = {&least.p, &least.m, &least.g};
    (void)unused;
    bool open = least.in_a_section && weft_trace_enter(least.tracer, &least.m, &s);
    fn(arg, &view);
    if (open)
        weft_trace_leave(&s);
}

static void each_dead_p(void *unused, void (*fn)(void *arg, weft_trace_p *p), void *arg)
{
    (void)unused, (void)fn, (void)arg;
}

static void each_g(void *unused, bool stacks, void (*fn)(void *arg, const weft_trace_g_view *view),
                   void *arg)
{
    (void)unused, (void)stacks;
    weft_trace_g_view main = {.g = &least.g, .id = least.g.id, .status = WEFT_TRACE_G_RUNNING};
    weft_trace_g_view system = {
        .g = &least.system, .id = least.system.id, .status = least.system_status};
    fn(arg, &main);
    fn(arg, &system);
}

static const weft_trace_host host = {.size = sizeof host,
                                     .thread_start = thread_start,
                                     .thread_stop = nothing,
                                     .attach = attach,
                                     .detach = detach,
                                     .world_hold = hold,
                                     .world_release = nothing,
                                     .world_stop = nothing,
                                     .world_start = nothing,
                                     .proc_count = proc_count,
                                     .each_p = each_p,
                                     .each_dead_p = each_dead_p,
                                     .each_g = each_g};

static void set_up(void)
{
    memset(&least, 0, sizeof least);
    least.p.id = 1;
    least.g.id = 1;
    least.system.id = 2;
    least.system_status = WEFT_TRACE_G_WAITING;
    assert_int_equal(weft_tracer_new(&host, &least.tracer), 0);
    assert_int_equal(weft_trace_m_register(least.tracer, &least.m), 0);
}

static void tear_down(void)
{
    weft_trace_m_unregister(least.tracer, &least.m);
    weft_tracer_free(least.tracer);
}

/* What the G says, in the section of a generation that is open. */
static void say(const char *text)
{
    weft_trace_section s;
    assert_true(weft_trace_enter(least.tracer, &least.m, &s));
    weft_trace_log(&s, (weft_trace_context){&least.p, &least.g}, 0, "", 0, text, strlen(text), 0);
    weft_trace_leave(&s);
}

/* It still traces. */
static void assert_works(const char *name)
{
    sink out = {0};
    weft_trace_stream *stream;
    assert_int_equal(weft_trace_start_callback(least.tracer, sink_write, &out, NULL, &stream), 0);
    say("one");
    assert_int_equal(weft_trace_advance(least.tracer), 0);
    say("two");
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    assert_valid(&out, name);
    sink_free(&out);
}

/* ---- Errors ---- */

static void a_table_that_lacks_a_callback(void **state)
{
    static const size_t required[] = {
        offsetof(weft_trace_host, thread_start), offsetof(weft_trace_host, thread_stop),
        offsetof(weft_trace_host, attach),       offsetof(weft_trace_host, detach),
        offsetof(weft_trace_host, world_hold),   offsetof(weft_trace_host, world_release),
        offsetof(weft_trace_host, world_stop),   offsetof(weft_trace_host, world_start),
        offsetof(weft_trace_host, proc_count),   offsetof(weft_trace_host, each_p),
        offsetof(weft_trace_host, each_dead_p),  offsetof(weft_trace_host, each_g)};
    weft_tracer *tracer = NULL;
    (void)state;
    for (unsigned i = 0; i < sizeof required / sizeof *required; i++) {
        weft_trace_host partial = host;
        memset((char *)&partial + required[i], 0, sizeof(any_fn));
        assert_int_equal(weft_tracer_new(&partial, &tracer), -EINVAL);
    }
    assert_null(tracer);
}

static void a_table_that_is_too_small_or_unsound(void **state)
{
    static const weft_trace_heap no_units = {.page_size = 8192, .object_align = 8};
    weft_trace_host other = host;
    weft_tracer *tracer = NULL;
    (void)state;
    other.size--;
    assert_int_equal(weft_tracer_new(&other, &tracer), -EINVAL);
    other = host;
    other.heap = &no_units;
    assert_int_equal(weft_tracer_new(&other, &tracer), -EINVAL);
    assert_int_equal(weft_tracer_new(NULL, &tracer), -EINVAL);
    assert_int_equal(weft_tracer_new(&host, NULL), -EINVAL);
    assert_null(tracer);
}

static void nulls_where_objects_are_needed(void **state)
{
    (void)state;
    set_up();
    assert_int_equal(weft_trace_m_register(NULL, &least.m), -EINVAL);
    assert_int_equal(weft_trace_m_register(least.tracer, NULL), -EINVAL);
    assert_int_equal(weft_tracer_flight(NULL, "/dev/null", 0), -EINVAL);
    assert_int_equal(weft_tracer_flight(least.tracer, NULL, 0), -EINVAL);
    weft_tracer_free(NULL);
    assert_works("nulls");
    tear_down();
}

static void an_m_that_is_registered_twice(void **state)
{
    weft_trace_m other = {0};
    (void)state;
    set_up();
    assert_int_equal(weft_trace_m_register(least.tracer, &other), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(weft_trace_m_register(least.tracer, &least.m), -EALREADY);
        assert_int_equal(weft_trace_m_register(least.tracer, &other), -EALREADY);
    }
    weft_trace_m_unregister(least.tracer, &other);
    assert_works("registered_twice");
    assert_int_equal(weft_trace_m_register(least.tracer, &other), 0);
    weft_trace_m_unregister(least.tracer, &other);
    tear_down();
}

static void an_m_that_is_unregistered_without_being_registered(void **state)
{
    weft_trace_m never = {0};
    (void)state;
    set_up();
    weft_trace_m_unregister(least.tracer, &never);
    assert_works("never_registered");
    weft_trace_m_unregister(least.tracer, &least.m);
    weft_trace_m_unregister(least.tracer, &least.m);
    weft_tracer_free(least.tracer);
}

static void a_host_without_memory_for_the_tracers_thread(void **state)
{
    weft_trace_stream *stream = NULL;
    sink out = {0};
    (void)state;
    set_up();
    least.no_thread = true;
    for (int i = 0; i < 3; i++)
        assert_int_equal(weft_trace_start_callback(least.tracer, sink_write, &out, NULL, &stream),
                         -ENOMEM);
    assert_int_equal(weft_trace_enabled(least.tracer), 0);
    least.no_thread = false;
    assert_works("thread_at_last");
    tear_down();
}

static void a_callback_that_waits_for_the_tracer(void **state)
{
    (void)state;
    set_up();
    assert_works("waiting_callback");
    assert_int_equal(least.waiting_result, -EDEADLK);
    tear_down();
}

/* ---- Ends ---- */

static void assert_dies_saying(void (*fn)(void *), const char *message)
{
    death d = death_of(fn, NULL);
    assert_int_equal(death_signal(&d), SIGABRT);
    if (!strstr(d.text, message))
        fail_msg("it says: %s", d.text);
}

static weft_trace_stream *traced(sink *out)
{
    weft_trace_stream *stream;
    set_up();
    assert_int_equal(weft_trace_start_callback(least.tracer, sink_write, out, NULL, &stream), 0);
    return stream;
}

static void unregister_within(void *unused)
{
    weft_trace_section s;
    sink out = {0};
    (void)unused;
    (void)traced(&out);
    if (weft_trace_enter(least.tracer, &least.m, &s))
        weft_trace_m_unregister(least.tracer, &least.m);
}

static void pair_within(void *unused)
{
    weft_trace_section s, own, other;
    weft_trace_m held = {0};
    sink out = {0};
    (void)unused;
    (void)traced(&out);
    if (weft_trace_m_register(least.tracer, &held) == 0 &&
        weft_trace_enter(least.tracer, &held, &s))
        (void)weft_trace_enter_pair(least.tracer, &least.m, &own, &held, &other);
}

static void safepoint_within(void *unused)
{
    sink out = {0};
    (void)unused;
    (void)traced(&out);
    least.in_a_section = true;
    (void)weft_trace_advance(least.tracer);
}

static void an_m_that_is_unregistered_within_a_section(void **state)
{
    (void)state;
    assert_dies_saying(unregister_within, "unregistered in a section");
}

static void a_pair_of_sections_with_one_open_already(void **state)
{
    (void)state;
    assert_dies_saying(pair_within, "a pair of sections with one open already");
}

static void an_m_that_is_shown_within_a_section(void **state)
{
    (void)state;
    assert_dies_saying(safepoint_within, "is at a safepoint within a section");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_that_lacks_a_callback),
        cmocka_unit_test(a_table_that_is_too_small_or_unsound),
        cmocka_unit_test(nulls_where_objects_are_needed),
        cmocka_unit_test(an_m_that_is_registered_twice),
        cmocka_unit_test(an_m_that_is_unregistered_without_being_registered),
        cmocka_unit_test(a_host_without_memory_for_the_tracers_thread),
        cmocka_unit_test(a_callback_that_waits_for_the_tracer),
        cmocka_unit_test(an_m_that_is_unregistered_within_a_section),
        cmocka_unit_test(a_pair_of_sections_with_one_open_already),
        cmocka_unit_test(an_m_that_is_shown_within_a_section),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
