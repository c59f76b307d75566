/* SPDX-License-Identifier: MIT */
/* The map behind the stack and string tables, and what comes of its entries in a trace. */
#include "base/cmocka_all.h"
#include "trace/check.h"
#include "trace/intern.h"
#include "trace/script.h"
#include "trace/tables.h"
#include "trace/tracer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 64
#define KEYS    10000

typedef struct racer {
    pthread_t thread;
    trace_map *map;
    pthread_barrier_t *start;
    uint64_t ids[KEYS];
} racer;

static void *race(void *arg)
{
    racer *r = arg;
    pthread_barrier_wait(r->start);
    for (uint64_t i = 0; i < KEYS; i++) {
        uint64_t key[3] = {i, i * i, ~i};
        const trace_map_entry *entry =
            trace_map_intern(r->map, base_hash(key, sizeof key), key, sizeof key);
        r->ids[i] = entry ? entry->id : 0;
    }
    return NULL;
}

static void many_threads_intern_the_same_keys(void **state)
{
    (void)state;
    trace_arena arena;
    trace_map *map = malloc(sizeof *map);
    racer *racers = calloc(THREADS, sizeof *racers);
    pthread_barrier_t start;
    trace_arena_init(&arena);
    trace_map_init(map, &arena, WIRE_FLIGHT_STACKS, 100);
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        racers[i].map = map;
        racers[i].start = &start;
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(racers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++)
        for (int k = 0; k < KEYS; k++)
            assert_int_equal(racers[i].ids[k], racers[0].ids[k]);
    uint8_t *seen = calloc(1, map->last_id + 1);
    unsigned count = 0;
    trace_map_cursor cursor;
    trace_map_start(map, &cursor);
    for (const trace_map_entry *entry; (entry = trace_map_next(&cursor)); count++) {
        assert_true(entry->id > 100 && entry->id <= map->last_id && !seen[entry->id]);
        assert_int_equal(racers[0].ids[entry->key[0]], entry->id);
        seen[entry->id] = 1;
    }
    assert_int_equal(count, KEYS);
    free(seen);
    trace_map_reset(map);
    assert_int_equal(arena.taken, 0);
    trace_arena_fini(&arena);
    pthread_barrier_destroy(&start);
    free(racers);
    free(map);
}

static void keys_with_one_hash_are_told_apart(void **state)
{
    (void)state;
    trace_arena arena;
    trace_map *map = malloc(sizeof *map);
    trace_arena_init(&arena);
    trace_map_init(map, &arena, WIRE_FLIGHT_STACKS, 0);
    for (int round = 0; round < 2; round++)
        for (uint64_t i = 0; i < 500; i++)
            assert_int_equal(trace_map_intern(map, 42, &i, sizeof i)->id, i + 1);
    trace_map_reset(map);
    trace_arena_fini(&arena);
    free(map);
}

static void hash_depends_on_every_byte(void **state)
{
    (void)state;
    uint8_t text[80] = {0};
    for (size_t size = 0; size < sizeof text; size++) {
        uint64_t hash = base_hash(text, size);
        assert_true(hash != base_hash(text, size + 1));
        for (size_t i = 0; i < size; i++) {
            text[i] ^= 1;
            assert_true(hash != base_hash(text, size));
            text[i] ^= 1;
        }
    }
}

static void limit_of_the_arena_is_kept(void **state)
{
    (void)state;
    trace_arena arena;
    trace_map *map = malloc(sizeof *map);
    trace_arena_init(&arena);
    trace_arena_limit(&arena, 3 * TRACE_CHUNK_SIZE + 1);
    trace_map_init(map, &arena, WIRE_FLIGHT_STACKS, 0);
    uint64_t interned = 0;
    while (trace_map_intern(map, base_hash(&interned, 8), &interned, 8))
        interned++;
    assert_int_equal(arena.taken, 3);
    assert_true(interned > 2000);
    for (uint64_t i = 0; i < interned; i++)
        assert_int_equal(trace_map_intern(map, base_hash(&i, 8), &i, 8)->id, i + 1);
    trace_map_reset(map);
    trace_arena_fini(&arena);
    free(map);
}

/* ---- In traces ---- */

typedef struct texts {
    char region[2048];
    unsigned regions, ends, logs, labels;
    size_t log_size, label_size;
} texts;

static void collect_texts(void *arg, weft_reader *reader, const weft_event *event)
{
    texts *t = arg;
    if (event->kind == WEFT_EVENT_REGION_BEGIN) {
        weft_text name = weft_reader_string(reader, event->name);
        snprintf(t->region, sizeof t->region, "%.*s", (int)name.size, name.data);
        t->regions++;
    }
    t->ends += event->kind == WEFT_EVENT_REGION_END;
    if (event->kind == WEFT_EVENT_LOG) {
        t->logs++;
        t->log_size = weft_reader_string(reader, event->message).size;
    }
    if (event->kind == WEFT_EVENT_LABEL) {
        t->labels++;
        t->label_size = weft_reader_string(reader, event->name).size;
    }
}

static weft_trace_context context_of(script *s, int m)
{
    return (weft_trace_context){&s->m[m].p->p, &s->m[m].g->g};
}

/* Everything with a text, twice, the second time with another end behind the first 1024 bytes. */
static void annotate(script *s, char *text, size_t size)
{
    weft_trace_context c = context_of(s, 0);
    for (int i = 0; i < 2; i++) {
        weft_trace_section section;
        assert_true(weft_trace_enter(s->tracer, &s->m[0].m, &section));
        weft_trace_task_begin(&section, c, 7, 0, text, size, 0);
        weft_trace_region_begin(&section, c, 7, text, size, 0);
        weft_trace_log(&section, c, 7, text, size, text, size, 0);
        weft_trace_label(&section, c, text, size);
        if (size > 1024)
            text[size - 1] ^= 1;
        weft_trace_region_end(&section, c, 7, text, size, 0);
        weft_trace_task_end(&section, c, 7, 0);
        weft_trace_leave(&section);
    }
}

static void long_texts_are_cut_before_they_are_entered(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 1023, 1024, 1025, 65536, 70000, 1 << 20};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        script *s = script_new(2);
        sink out = {0};
        texts t = {.region = ""};
        size_t size = sizes[i], expected = size < 1024 ? size : 1024;
        char *text = malloc(size + 1), name[32];
        memset(text, 'x', size);
        weft_trace_stream *stream = script_stream(s, sink_write, &out, 0);
        script_proc_start(s, 0, 1);
        script_start(s, 0, &s->g[1]);
        annotate(s, text, size);
        weft_trace_advance(s->tracer);
        annotate(s, text, size);
        assert_int_equal(weft_trace_stop(stream, NULL), 0);
        snprintf(name, sizeof name, "text_%zu", size);
        assert_valid(&out, name);
        assert_null(check_sink(&out, collect_texts, &t));
        assert_int_equal(t.regions, 4);
        assert_int_equal(t.ends, 4);
        assert_int_equal(strlen(t.region), expected);
        assert_int_equal(t.logs, 4);
        assert_int_equal(t.log_size, expected);
        assert_int_equal(t.labels, size ? 4 : 0);
        assert_int_equal(t.label_size, expected);
        free(text);
        sink_free(&out);
        script_free(s);
    }
}

/* More stacks than the caches hold, and more than one batch of each table. */
static void many_stacks(void **state)
{
    (void)state;
    script *s = script_new(2);
    sink out = {0};
    weft_trace_stream *stream = script_stream(s, sink_write, &out, 0);
    script_proc_start(s, 0, 1);
    script_start(s, 0, &s->g[1]);
    weft_trace_context c = context_of(s, 0);
    for (unsigned i = 0; i < 6000; i++) {
        weft_trace_section section;
        uintptr_t pcs[200];
        for (unsigned k = 0; k < 200; k++)
            pcs[k] = (uintptr_t)script_new + (k == 0 ? i % 3000 : k);
        assert_true(weft_trace_enter(s->tracer, &s->m[0].m, &section));
        uint64_t id = weft_trace_stack(&section, pcs, 1 + i % 200);
        assert_true(id != 0 && id == weft_trace_stack(&section, pcs, 1 + i % 200));
        weft_trace_log(&section, c, 0, "k", 1, "v", 1, id);
        weft_trace_leave(&section);
    }
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    assert_valid(&out, "many_stacks");
    sink_free(&out);
    script_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_intern_the_same_keys),
        cmocka_unit_test(keys_with_one_hash_are_told_apart),
        cmocka_unit_test(hash_depends_on_every_byte),
        cmocka_unit_test(limit_of_the_arena_is_kept),
        cmocka_unit_test(long_texts_are_cut_before_they_are_entered),
        cmocka_unit_test(many_stacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
