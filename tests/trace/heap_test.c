/* SPDX-License-Identifier: MIT */
/* Collector, heap and objects of a host: its ranges cross generations and begin before traces, and
 * every reader understands them. */
#include "base/cmocka_all.h"

#include "trace/check.h"
#include "trace/script.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const unsigned formats[] = {22, 23, 25, 26};
enum { FORMATS = 4 };

static const weft_trace_heap heap = {
    .base = 0x10000, .page_size = 8192, .object_align = 8, .stack_min = 2048};

/* ---- Steps of a collector ---- */

typedef void (*range_fn)(weft_trace_section *s, weft_trace_context c);

static void sweep_begin(weft_trace_section *s, weft_trace_context c)
{
    weft_trace_sweep_begin(s, c, 0);
}

static void sweep_end(weft_trace_section *s, weft_trace_context c)
{
    weft_trace_sweep_end(s, c, 4096, 1024);
}

static void assist_begin(weft_trace_section *s, weft_trace_context c)
{
    weft_trace_assist_begin(s, c, 0);
}

static void mark_begin(weft_trace_section *s, weft_trace_context c)
{
    weft_trace_gc_begin(s, c, 0);
}

/* An event, and the mark that changes with it. */
static void change(script *s, int m, range_fn event, uint8_t *mark, uint8_t value)
{
    weft_trace_section section;
    weft_trace_context c;
    bool open = script_enter(s, m, &section, &c);
    if (open)
        event(&section, c);
    *mark = value;
    script_leave(s, open, &section);
}

static void sweep(script *s, int m, bool begins)
{
    change(s, m, begins ? sweep_begin : sweep_end, &s->m[m].p->p.in_sweep, begins);
}

static void assist(script *s, int m, bool begins)
{
    change(s, m, begins ? assist_begin : weft_trace_assist_end, &s->m[m].g->g.in_assist, begins);
}

static void mark(script *s, int m, bool begins)
{
    uint8_t marking;
    pthread_mutex_lock(&s->world);
    change(s, m, begins ? mark_begin : weft_trace_gc_end, &marking, begins);
    s->marking = begins;
    pthread_mutex_unlock(&s->world);
}

static void heap_is(script *s, int m, uint64_t bytes, uint64_t goal)
{
    weft_trace_section section;
    weft_trace_context c;
    bool open = script_enter(s, m, &section, &c);
    if (open) {
        weft_trace_heap_alloc(&section, c, bytes);
        weft_trace_heap_goal(&section, c, goal);
    }
    s->goal = goal;
    script_leave(s, open, &section);
}

static script *collecting_host(void)
{
    script *s = script_new_with_heap(2, &heap);
    for (int m = 0; m < 2; m++) {
        script_proc_start(s, m, (unsigned)m + 1);
        script_start(s, m, &s->g[m + 1]);
    }
    return s;
}

/* ---- What the reader says ---- */

struct seen {
    unsigned begins, active, ends;
    unsigned allocs, goals;
    uint64_t latest_goal, swept;
};

static bool is_named(weft_reader *reader, const weft_event *event, const char *name)
{
    weft_text text = weft_reader_string(reader, event->name);
    return text.size == strlen(name) && memcmp(text.data, name, text.size) == 0;
}

static void see(void *arg, weft_reader *reader, const weft_event *event)
{
    struct seen *seen = arg;
    bool stw = is_named(reader, event, "stop-the-world (start trace)");
    if (event->kind == WEFT_EVENT_RANGE_BEGIN && !stw)
        seen->begins++;
    if (event->kind == WEFT_EVENT_RANGE_ACTIVE)
        seen->active++;
    if (event->kind == WEFT_EVENT_RANGE_END && !stw)
        seen->ends++;
    if (event->kind == WEFT_EVENT_RANGE_END && event->argc == 2)
        seen->swept += event->u.sweep.bytes_swept;
    if (event->kind != WEFT_EVENT_METRIC)
        return;
    seen->allocs += is_named(reader, event, "/memory/classes/heap/objects:bytes");
    if (is_named(reader, event, "/gc/heap/goal:bytes")) {
        seen->goals++;
        seen->latest_goal = event->u.value;
    }
}

static struct seen look(const sink *out, const char *name, unsigned format)
{
    char file[64];
    struct seen seen = {0};
    snprintf(file, sizeof file, "%s_%u", name, format);
    assert_valid(out, file);
    assert_null(check_sink(out, see, &seen));
    return seen;
}

/* ---- Ranges ---- */

static void ranges_within_a_generation(void **state)
{
    (void)state;
    for (int i = 0; i < FORMATS; i++) {
        script *s = collecting_host();
        sink out = {0};
        weft_trace_stream *stream = script_stream(s, sink_write, &out, formats[i]);
        mark(s, 0, true);
        assist(s, 1, true);
        heap_is(s, 0, 1 << 20, 2 << 20);
        assist(s, 1, false);
        mark(s, 0, false);
        sweep(s, 0, true);
        sweep(s, 0, false);
        assert_int_equal(weft_trace_stop(stream, NULL), 0);
        struct seen seen = look(&out, "ranges", formats[i]);
        assert_int_equal(seen.begins, 3);
        assert_int_equal(seen.ends, 3);
        assert_int_equal(seen.active, 0);
        assert_int_equal(seen.allocs, 1);
        assert_int_equal(seen.goals, 2);
        assert_int_equal(seen.latest_goal, 2 << 20);
        assert_int_equal(seen.swept, 4096);
        sink_free(&out);
        script_free(s);
    }
}

static void ranges_across_generations(void **state)
{
    (void)state;
    for (int i = 0; i < FORMATS; i++) {
        script *s = collecting_host();
        sink out = {0};
        weft_trace_stream *stream = script_stream(s, sink_write, &out, formats[i]);
        mark(s, 0, true);
        assist(s, 1, true);
        sweep(s, 1, true);
        for (int n = 0; n < 4; n++)
            assert_int_equal(weft_trace_advance(s->tracer), 0);
        assist(s, 1, false);
        sweep(s, 1, false);
        mark(s, 0, false);
        mark(s, 1, true);
        assert_int_equal(weft_trace_advance(s->tracer), 0);
        mark(s, 1, false);
        assert_int_equal(weft_trace_stop(stream, NULL), 0);
        struct seen seen = look(&out, "ranges_across", formats[i]);
        assert_int_equal(seen.begins, 4);
        assert_int_equal(seen.ends, 4);
        assert_true(seen.active >= 3 * 4);
        assert_int_equal(seen.goals, 6);
        sink_free(&out);
        script_free(s);
    }
}

/* A stream that is there all the time, and one that comes in the middle of everything. */
static void ranges_from_before_the_trace(void **state)
{
    (void)state;
    for (int i = 0; i < FORMATS; i++) {
        script *s = collecting_host();
        sink out = {0}, late = {0};
        mark(s, 0, true);
        assist(s, 1, true);
        sweep(s, 0, true);
        weft_trace_stream *stream = script_stream(s, sink_write, &out, formats[i]);
        weft_trace_stream *second = script_stream(s, sink_write, &late, formats[i]);
        sweep(s, 0, false);
        assist(s, 1, false);
        mark(s, 0, false);
        assert_int_equal(weft_trace_stop(second, NULL), 0);
        assert_int_equal(weft_trace_stop(stream, NULL), 0);
        struct seen seen = look(&out, "ranges_before", formats[i]);
        assert_int_equal(seen.begins, 0);
        assert_int_equal(seen.ends, 3);
        seen = look(&late, "ranges_before_late", formats[i]);
        assert_int_equal(seen.active, 3);
        assert_int_equal(seen.ends, 3);
        sink_free(&out);
        sink_free(&late);
        script_free(s);
    }
}

/* A range that is open when a trace ends, and over when the next one begins. */
static void ranges_that_end_between_traces(void **state)
{
    (void)state;
    script *s = collecting_host();
    for (int round = 0; round < 4; round++) {
        sink out = {0};
        weft_trace_stream *stream = script_stream(s, sink_write, &out, 26);
        mark(s, 0, true);
        sweep(s, 1, true);
        assist(s, 0, true);
        assert_int_equal(weft_trace_stop(stream, NULL), 0);
        mark(s, 1, false);
        sweep(s, 1, false);
        assist(s, 0, false);
        struct seen seen = look(&out, "ranges_cut", (unsigned)round);
        assert_int_equal(seen.begins, 3);
        assert_int_equal(seen.ends + seen.active, 0);
        sink_free(&out);
    }
    script_free(s);
}

/* A G in mark assist that blocks through whole generations. */
static void a_blocked_assist(void **state)
{
    (void)state;
    script *s = collecting_host();
    sink out = {0};
    weft_trace_stream *stream = script_stream(s, sink_write, &out, 26);
    script_g *g = s->m[1].g;
    assist(s, 1, true);
    script_block(s, 1);
    for (int n = 0; n < 3; n++)
        assert_int_equal(weft_trace_advance(s->tracer), 0);
    script_unblock(s, 0, g);
    script_start(s, 1, g);
    assist(s, 1, false);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    struct seen seen = look(&out, "assist_blocked", 26);
    assert_int_equal(seen.ends, 1);
    assert_int_equal(seen.active, 3);
    sink_free(&out);
    script_free(s);
}

/* ---- Stops of the world ---- */

static void count_stw(void *arg, weft_reader *reader, const weft_event *event)
{
    weft_text name = weft_reader_string(reader, event->name);
    if (event->kind == WEFT_EVENT_RANGE_END && name.size > 16 &&
        memcmp(name.data, "stop-the-world (", 16) == 0 && name.data[name.size - 1] == ')')
        ++*(unsigned *)arg;
}

static void every_reason_to_stop_the_world(void **state)
{
    (void)state;
    script *s = collecting_host();
    sink out = {0};
    weft_trace_stream *stream = script_stream(s, sink_write, &out, 26);
    for (int reason = 0; reason < WEFT_TRACE_STW_COUNT; reason++) {
        weft_trace_section section;
        weft_trace_context c;
        bool open = script_enter(s, 0, &section, &c);
        assert_true(open);
        weft_trace_stw_begin(&section, c, (weft_trace_stw_reason)reason, 0);
        weft_trace_stw_end(&section, c);
        script_leave(s, open, &section);
    }
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    assert_valid(&out, "stw_reasons");
    unsigned found = 0;
    assert_null(check_sink(&out, count_stw, &found));
    assert_int_equal(found, WEFT_TRACE_STW_COUNT + 1); /* the start of the trace is one */
    sink_free(&out);
    script_free(s);
}

/* ---- Objects ---- */

struct objects {
    unsigned events, batches, types;
    uint64_t args[9][3]; /* by event, 128 and up */
    uint8_t layout[64];
    size_t layout_size;
};

static void see_batches(struct objects *o, weft_reader *reader)
{
    weft_batch batch;
    for (size_t i = 0; weft_reader_batch(reader, i, &batch) == 0; i++) {
        const uint8_t *data = batch.data;
        assert_int_equal(batch.experiment, 1);
        o->batches++;
        if (data[0] == 0) {
            o->types++;
            assert_memory_equal(data + batch.size - 4, "node", 4);
        } else {
            assert_int_equal(data[0], 1);
            o->layout_size = batch.size;
            memcpy(o->layout, data, batch.size);
        }
    }
}

static void see_objects(void *arg, weft_reader *reader, const weft_event *event)
{
    struct objects *o = arg;
    if (event->kind == WEFT_EVENT_SYNC)
        see_batches(o, reader);
    if (event->kind != WEFT_EVENT_EXPERIMENTAL)
        return;
    o->events++;
    assert_in_range(event->wire, 128, 136);
    memcpy(o->args[event->wire - 128], event->u.args, event->argc * sizeof(uint64_t));
}

static void what_exists(weft_trace_section *section, weft_trace_context self)
{
    weft_trace_heap_span(section, self, WEFT_TRACE_HEAP_EXISTS, 0x10000, 1, 5);
    weft_trace_heap_object(section, self, WEFT_TRACE_HEAP_EXISTS, 0x10040, 0);
    weft_trace_heap_stack(section, self, WEFT_TRACE_HEAP_EXISTS, 0x12000, 2048);
}

static void make_and_free(script *s)
{
    weft_trace_section section;
    weft_trace_context c;
    bool open = script_enter(s, 0, &section, &c);
    if (open) {
        uint64_t type = weft_trace_heap_type(&section, 0x400100, 24, 16, "node", 4);
        assert_int_equal(type, weft_trace_heap_type(&section, 0x400100, 24, 16, "node", 4));
        assert_int_equal(type != 0, weft_trace_heap_reported(&section));
        weft_trace_heap_span(&section, c, WEFT_TRACE_HEAP_NEW, 0x14000, 2, WEFT_TRACE_SPAN_OTHER);
        weft_trace_heap_object(&section, c, WEFT_TRACE_HEAP_NEW, 0x14010, type);
        weft_trace_heap_stack(&section, c, WEFT_TRACE_HEAP_NEW, 0x16000, 65536);
        weft_trace_heap_object_free(&section, c, 0x14010);
        weft_trace_heap_span_free(&section, c, 0x14000);
        weft_trace_heap_stack_free(&section, c, 0x16000);
    }
    script_leave(s, open, &section);
}

static void check_objects(const struct objects *o, unsigned generations)
{
    static const uint8_t layout[] = {1, 0x80, 0x80, 0x04, 0x80, 0x40, 8, 0x80, 0x10};
    static const uint64_t args[9][3] = {{0, 1, 10}, {2, 2, 1}, {2},      {8, 0}, {0x802, 1},
                                        {0x802},    {4, 12},   {12, 17}, {12}};
    assert_int_equal(o->events, 3 + 6 * generations);
    assert_int_equal(o->types, generations);
    assert_int_equal(o->batches, 2 * generations);
    assert_int_equal(o->layout_size, sizeof layout);
    assert_memory_equal(o->layout, layout, sizeof layout);
    assert_memory_equal(o->args, args, sizeof args);
}

static void objects_are_reported(void **state)
{
    (void)state;
    for (int i = 0; i < FORMATS; i++) {
        script *s = collecting_host();
        s->snapshot = what_exists;
        sink out = {0};
        weft_trace_stream *stream = script_stream(s, sink_write, &out, formats[i]);
        for (int n = 0; n < 3; n++) {
            make_and_free(s);
            if (n < 2)
                assert_int_equal(weft_trace_advance(s->tracer), 0);
        }
        assert_int_equal(weft_trace_stop(stream, NULL), 0);
        char name[32];
        snprintf(name, sizeof name, "objects_%u", formats[i]);
        assert_valid(&out, name);
        struct objects found = {0};
        assert_null(check_sink(&out, see_objects, &found));
        if (formats[i] == 22)
            assert_int_equal(found.events + found.batches, 0);
        else
            check_objects(&found, 3);
        sink_free(&out);
        script_free(s);
    }
}

/* Protocol 21 (b): a recorder that takes the experiment's byte for the generation drops its
 * batches. */
static void objects_are_in_a_snapshot(void **state)
{
    (void)state;
    script *s = collecting_host();
    sink out = {0};
    weft_trace_recorder_options options = {.size = sizeof options, .generation_ns = UINT64_MAX};
    weft_trace_recorder *recorder;
    s->snapshot = what_exists;
    assert_int_equal(weft_trace_recorder_new(s->tracer, &options, &recorder), 0);
    assert_int_equal(weft_trace_recorder_start(recorder), 0);
    for (int n = 0; n < 3; n++) {
        make_and_free(s);
        if (n < 2)
            assert_int_equal(weft_trace_advance(s->tracer), 0);
    }
    assert_int_equal(weft_trace_snapshot_callback(recorder, sink_write, &out, NULL), 0);
    assert_int_equal(weft_trace_recorder_free(recorder), 0);
    assert_valid(&out, "objects_recorded");
    struct objects found = {0};
    assert_null(check_sink(&out, see_objects, &found));
    check_objects(&found, 3);
    sink_free(&out);
    script_free(s);
}

static void a_host_without_a_heap_reports_nothing(void **state)
{
    (void)state;
    script *s = script_new(1);
    sink out = {0};
    weft_trace_stream *stream = script_stream(s, sink_write, &out, 26);
    script_proc_start(s, 0, 1);
    script_start(s, 0, &s->g[1]);
    make_and_free(s);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    assert_valid(&out, "no_heap");
    struct objects found = {0};
    assert_null(check_sink(&out, see_objects, &found));
    assert_int_equal(found.events + found.batches, 0);
    sink_free(&out);
    script_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_within_a_generation),
        cmocka_unit_test(ranges_across_generations),
        cmocka_unit_test(ranges_from_before_the_trace),
        cmocka_unit_test(ranges_that_end_between_traces),
        cmocka_unit_test(a_blocked_assist),
        cmocka_unit_test(every_reason_to_stop_the_world),
        cmocka_unit_test(objects_are_reported),
        cmocka_unit_test(objects_are_in_a_snapshot),
        cmocka_unit_test(a_host_without_a_heap_reports_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
