/* SPDX-License-Identifier: MIT */
/*
 * A thread has crashed in the middle of something of the tracer's: the trace is completed all the
 * same, with what that thread had written. Whole processes that crash: tests/flight.
 */
#include "base/cmocka_all.h"
#include "trace/check.h"
#include "trace/script.h"
#include "trace/streams.h"
#include "trace/tracer.h"

#include <string.h>

/* ---- A trace in which something was written before the crash ---- */

typedef struct trace_scene {
    script *s;
    sink out;
    weft_trace_stream *stream;
    uint64_t last; /* the G that was made last; 0 when it was found in the trace */
} trace_scene;

static void scene_begin(trace_scene *scene)
{
    script *s = script_new(2);
    *scene = (trace_scene){.s = s};
    scene->stream = script_stream(s, sink_write, &scene->out, 0);
    script_proc_start(s, 0, 1);
    script_proc_start(s, 1, 2);
    script_start(s, 0, &s->g[1]);
    scene->last = script_create(s, 0)->g.id;
}

static void find_last(void *arg, weft_reader *reader, const weft_event *event)
{
    trace_scene *scene = arg;
    (void)reader;
    if (event->kind == WEFT_EVENT_STATE_TRANSITION && event->resource == WEFT_RESOURCE_GOROUTINE &&
        event->id == scene->last)
        scene->last = 0;
}

static void scene_end(trace_scene *scene, const char *name)
{
    weft_tracer_stop_all(scene->s->tracer);
    base_locks_abandon(false);
    const char *complaint = check_sink(&scene->out, find_last, scene);
    if (complaint)
        fail_msg("%s: %s", name, complaint);
    assert_int_equal(scene->last, 0);
    sink_save(&scene->out, name);
    sink_free(&scene->out);
    script_free(scene->s);
}

/* ---- Situations ---- */

static void with_every_lock_of_the_tracer_held(void **state)
{
    (void)state;
    trace_scene scene;
    scene_begin(&scene);
    weft_tracer *tracer = scene.s->tracer;
    base_lock *const held[] = {&tracer->commands_lock, &tracer->ms_lock, &tracer->arena.lock,
                               &tracer->lock, &scene.stream->lock};
    for (unsigned i = 0; i < sizeof held / sizeof *held; i++)
        atomic_store_relaxed(&held[i]->word, 1); /* by a thread that is no more */
    weft_tracer_crashed(tracer);
    scene_end(&scene, "locks_held");
}

/* It waits for a lock of the host, or was opened by the thread that crashed. */
static void a_section_that_never_ends(void **state)
{
    (void)state;
    trace_scene scene;
    scene_begin(&scene);
    weft_trace_section section;
    assert_true(weft_trace_enter(scene.s->tracer, &scene.s->m[0].m, &section));
    weft_tracer_crashed(scene.s->tracer);
    weft_tracer_dying(scene.s->tracer);
    scene.s->p[1].m = -1; /* a host does not show such a P */
    weft_tracer_stop_all(scene.s->tracer);
    /* It ends after all, when nobody wants it any more. */
    weft_trace_go_stop(&section, (weft_trace_context){&scene.s->p[1].p, &scene.s->g[1].g},
                       WEFT_TRACE_STOP_GOSCHED, 0);
    weft_trace_leave(&section);
    scene_end(&scene, "section");
}

/* The buffer is in the queue, and the thread still has it. */
static void a_full_buffer_that_was_handed_over_half(void **state)
{
    (void)state;
    trace_scene scene;
    scene_begin(&scene);
    weft_tracer *tracer = scene.s->tracer;
    uint64_t n = weft_trace_generation(tracer);
    trace_buffer *buffer = scene.s->m[0].m.buffer[n % 2];
    trace_buffer_seal(tracer, n, buffer);
    trace_queue_push(&trace_slot_of(tracer, n)->full, buffer);
    weft_tracer_crashed(tracer);
    scene_end(&scene, "pushed");
}

/* It was small, and was copied behind another one. */
static void a_small_buffer_that_was_handed_over_half(void **state)
{
    (void)state;
    trace_scene scene;
    scene_begin(&scene);
    weft_tracer *tracer = scene.s->tracer;
    uint64_t n = weft_trace_generation(tracer);
    trace_buffer *first = scene.s->m[1].m.buffer[n % 2], *small = scene.s->m[0].m.buffer[n % 2];
    trace_queue *full = &trace_slot_of(tracer, n)->full;
    scene.s->m[1].m.buffer[n % 2] = NULL;
    trace_buffer_seal(tracer, n, first);
    trace_buffer_seal(tracer, n, small);
    trace_queue_push(full, first);
    assert_true(trace_queue_append(full, small, TRACE_CHUNK_SIZE));
    weft_tracer_crashed(tracer);
    scene_end(&scene, "appended");
    /* The chunk of the copy stays with the thread. */
}

/* Memory of a table was claimed, and not filled. */
static void an_entry_that_was_not_made(void **state)
{
    (void)state;
    trace_scene scene;
    scene_begin(&scene);
    weft_tracer *tracer = scene.s->tracer;
    trace_slot *slot = trace_slot_of(tracer, weft_trace_generation(tracer));
    wire_flight_table *chunk = (void *)slot->stacks.last;
    memset((uint8_t *)(chunk + 1) + chunk->used, 0xa5, 200);
    chunk->used += 200;
    scene.last = script_create(scene.s, 0)->g.id; /* behind it, with a stack of its own */
    script_block(scene.s, 0);
    weft_tracer_crashed(tracer);
    scene_end(&scene, "entry");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_every_lock_of_the_tracer_held),
        cmocka_unit_test(a_section_that_never_ends),
        cmocka_unit_test(a_full_buffer_that_was_handed_over_half),
        cmocka_unit_test(a_small_buffer_that_was_handed_over_half),
        cmocka_unit_test(an_entry_that_was_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
