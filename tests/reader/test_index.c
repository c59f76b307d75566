/* SPDX-License-Identifier: MIT */
/* Indexes: from each generation on, a reader that was put there reads what others read. */
#include "trace_text.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/index.h>

enum { GENERATIONS = 9 };

static char trace_path[512], index_path[600];
static bool ends_wrongly; /* the outermost region, which began in generation 1, by another name */

/* -------- a trace of several generations -------- */

static void put(struct memory *text, const char *format, ...) WEFT_PRINTF(2, 3);

/* The clock of generation 4 is behind: what is shown goes on from generation 3 all the same. */
static unsigned clock_of(unsigned gen)
{
    return (gen == 4 ? 3 : gen) * 1000;
}

static void put(struct memory *text, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    append_text(text, line);
}

/* Ids change from one generation to the next; texts do not. */
static void put_tables(struct memory *text, unsigned gen, unsigned version)
{
    put(text, "EventBatch gen=%u m=" NO_ID " time=%u size=auto\n", gen, clock_of(gen));
    put(text, "%sFrequency freq=15625000\n", version >= 25 ? "Sync\n" : "");
    if (version >= 25)
        put(text, "ClockSnapshot dt=1 mono=%u sec=%u nsec=7\n", gen, gen);
    put(text, "EventBatch gen=%u m=" NO_ID " time=%u size=auto\n", gen, clock_of(gen));
    put(text, "Strings\nString id=%u\n\tdata=\"region\"\n", gen + 10);
    put(text, "String id=%u\n\tdata=\"task\"\n", gen + 20);
}

/* Goroutine 1 runs, 2 sleeps for ever, 3 has been in a call since the start, on thread 9. */
static void put_status(struct memory *text, unsigned gen)
{
    put(text, "EventBatch gen=%u m=7 time=%u size=auto\n", gen, clock_of(gen));
    put(text, "ProcStatus dt=1 p=0 pstatus=1\nGoStatus dt=1 g=1 m=7 gstatus=2\n");
    put(text, "GoStatus dt=1 g=2 m=" NO_ID " gstatus=4\nGoStatus dt=1 g=3 m=9 gstatus=3\n");
}

/* A collection and a sweep span two generations each, a task and regions span them all. */
static void put_events(struct memory *text, unsigned gen)
{
    unsigned collection = (gen - 1) / 2 * 3;
    if (gen == 1)
        put(text, "UserTaskBegin dt=1 task=5 parent_task=4 name_string=21 stack=0\n");
    put(text, "UserRegionBegin dt=1 task=5 name_string=%u stack=0\n",
        gen % 2 ? gen + 10 : gen + 20);
    if (gen % 2) {
        put(text, "GCBegin dt=1 gc_seq=%u stack=0\nGCSweepBegin dt=1 stack=0\n", collection + 1);
        put(text, "STWBegin dt=1 kind_string=%u stack=0\n", gen + 10);
        put(text, "GCMarkAssistBegin dt=1 stack=0\n");
    } else {
        put(text, "GCActive dt=1 gc_seq=%u\nGCEnd dt=1 gc_seq=%u\n", collection + 2,
            collection + 3);
        put(text, "GCSweepActive dt=1 p=0\nGCMarkAssistActive dt=1 g=1\nGCMarkAssistEnd "
                  "dt=1\nSTWEnd dt=1\n");
        put(text, "GCSweepEnd dt=1 swept_value=1 reclaimed_value=2\n");
    }
    put(text, "GoCreate dt=1 new_g=%u new_stack=0 stack=0\n", gen + 100);
    for (unsigned i = gen; gen == GENERATIONS && i > 0; i--)
        put(text, "UserRegionEnd dt=1 task=5 name_string=%u stack=0\n",
            gen + (i % 2 && !(i == 1 && ends_wrongly) ? 10 : 20));
    if (gen == GENERATIONS)
        put(text, "UserTaskEnd dt=1 task=5 stack=0\n");
}

static struct memory make_trace(unsigned version)
{
    struct memory text = {0}, trace = {0};
    put(&text, "Trace Go1.%u\n", version);
    for (unsigned gen = 1; gen <= GENERATIONS; gen++) {
        put_tables(&text, gen, version);
        put_status(&text, gen);
        put_events(&text, gen);
        if (version >= 26)
            put(&text, END);
    }
    weft_reader_error error = {0};
    if (memory_assemble(&trace, (char *)text.data, text.size, &error) != 0)
        fail_msg("line %llu: %s", (unsigned long long)error.offset, error.message);
    free(text.data);
    return trace;
}

static void save(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Leaves the trace and its index in files. */
static void prepare(const struct memory *trace, int expected)
{
    weft_reader_error error;
    save(trace_path, trace->data, trace->size);
    int status = weft_index_build(trace_path, NULL, &error);
    if (status != expected)
        fail_msg("%d: %s: %s", status, error.rule, error.message);
}

static weft_index *open_index(void)
{
    weft_index *index;
    assert_int_equal(weft_index_open(&index, trace_path, NULL), 0);
    return index;
}

static weft_reader *open_reader(void)
{
    weft_reader *reader;
    assert_int_equal(weft_reader_open_path(&reader, trace_path), 0);
    return reader;
}

/* -------- seeking -------- */

/* An event and its text, which must not depend on where reading began. */
static void describe(const weft_reader *reader, const weft_event *event, char *text, size_t size)
{
    weft_text name = weft_reader_string(reader, event->name);
    weft_sync sync = {0};
    if (event->kind == WEFT_EVENT_SYNC)
        weft_reader_sync(reader, &sync);
    snprintf(text, size,
             "%lld m%lld p%lld g%lld kind %u from %u to %u resource %u id %llu name %.*s value "
             "%llu wire %u generation %llu of %llu at %llu clock %d %lld",
             (long long)event->time, (long long)event->m, (long long)event->p, (long long)event->g,
             event->kind, event->from, event->to, event->resource, (unsigned long long)event->id,
             (int)name.size, name.data, (unsigned long long)event->u.value, event->wire,
             (unsigned long long)weft_reader_generation(reader),
             (unsigned long long)weft_reader_generations(reader),
             (unsigned long long)weft_reader_event_offset(reader), sync.has_clock,
             (long long)sync.trace_time);
}

/* Reads a reader that was put somewhere beside another that has come there by itself. */
static void assert_rest_is_same(weft_reader *there, weft_reader *here)
{
    weft_event a, b;
    char x[512], y[512];
    int status;
    do {
        status = weft_reader_next(there, &a);
        assert_int_equal(weft_reader_next(here, &b), status);
        if (status != 1)
            break;
        describe(there, &a, x, sizeof x);
        describe(here, &b, y, sizeof y);
        assert_string_equal(x, y);
    } while (status == 1);
    assert_string_equal(weft_reader_error_get(there)->message,
                        weft_reader_error_get(here)->message);
}

static void skip_events(weft_reader *reader, uint64_t events)
{
    weft_event event;
    for (; events > 0; events--)
        assert_int_equal(weft_reader_next(reader, &event), 1);
}

/* One reader is put to each generation in turn, from the last to the first. */
static void check_each_generation(void)
{
    weft_index *index = open_index();
    weft_reader *here = open_reader();
    weft_index_entry entry;
    for (size_t i = weft_index_count(index); i-- > 0;) {
        uint64_t before = 0;
        for (size_t j = 0; j < i && weft_index_entry_get(index, j, &entry) == 0; j++)
            before += entry.events;
        assert_int_equal(weft_index_entry_get(index, i, &entry), 0);
        assert_true(entry.has_state);
        weft_reader *there = open_reader();
        skip_events(there, before);
        assert_int_equal(weft_index_seek(index, here, entry.begin + (int64_t)(i % 2)), 0);
        assert_rest_is_same(there, here);
        weft_reader_free(there);
    }
    weft_reader_free(here);
    weft_index_free(index);
}

static void each_generation_can_be_the_first(void **state)
{
    (void)state;
    static const unsigned versions[] = {22, 23, 25, 26};
    for (size_t i = 0; i < 4; i++) {
        struct memory trace = make_trace(versions[i]);
        prepare(&trace, 0);
        weft_index *index = open_index();
        assert_int_equal(weft_index_count(index), GENERATIONS);
        weft_index_free(index);
        check_each_generation();
        free(trace.data);
    }
}

/* What is sound can be sought; the error comes in its place. */
static void a_damaged_trace_has_an_index_too(void **state)
{
    (void)state;
    static const unsigned versions[] = {23, 26};
    for (size_t i = 0; i < 2; i++) {
        struct memory trace = make_trace(versions[i]);
        trace.size -= 40;
        prepare(&trace, -EBADMSG);
        weft_index *index = open_index();
        assert_in_range(weft_index_count(index), GENERATIONS - 1, GENERATIONS);
        weft_index_free(index);
        check_each_generation();
        free(trace.data);
    }
}

/* What was begun generations ago is known, and checked. */
static void an_error_is_found_from_wherever_one_starts(void **state)
{
    (void)state;
    ends_wrongly = true;
    struct memory trace = make_trace(26);
    ends_wrongly = false;
    prepare(&trace, -EBADMSG);
    check_each_generation();
    weft_reader *reader = open_reader();
    weft_event event;
    while (weft_reader_next(reader, &event) == 1)
        ;
    assert_string_equal(weft_reader_error_get(reader)->rule, "USR-4");
    weft_reader_free(reader);
    free(trace.data);
}

static void times_outside_lead_to_the_ends(void **state)
{
    (void)state;
    struct memory trace = make_trace(26);
    prepare(&trace, 0);
    weft_index *index = open_index();
    weft_reader *reader = open_reader();
    weft_event event;
    assert_int_equal(weft_index_seek(index, reader, INT64_MAX), 0);
    assert_int_equal(weft_reader_next(reader, &event), 1);
    assert_int_equal(event.id, GENERATIONS);
    assert_int_equal(weft_index_seek(index, reader, INT64_MIN), 0);
    assert_int_equal(weft_reader_next(reader, &event), 1);
    assert_int_equal(event.id, 1);
    weft_reader_free(reader);
    weft_index_free(index);
    free(trace.data);
}

/* -------- indexes that do not fit -------- */

static int open_status(void)
{
    weft_index *index;
    int status = weft_index_open(&index, trace_path, NULL);
    weft_index_free(index);
    return status;
}

static void an_index_of_another_state_is_stale(void **state)
{
    (void)state;
    struct memory trace = make_trace(26);
    prepare(&trace, 0);
    assert_int_equal(open_status(), 0);
    struct stat stat;
    assert_int_equal(lstat(trace_path, &stat), 0);
    const struct timespec times[2] = {stat.st_atim, stat.st_mtim};

    save(trace_path, trace.data, trace.size - 1); /* another size */
    assert_int_equal(utimensat(AT_FDCWD, trace_path, times, 0), 0);
    assert_int_equal(open_status(), -ESTALE);
    trace.data[trace.size - 9] ^= 1; /* another content */
    save(trace_path, trace.data, trace.size);
    assert_int_equal(utimensat(AT_FDCWD, trace_path, times, 0), 0);
    assert_int_equal(open_status(), -ESTALE);
    trace.data[trace.size - 9] ^= 1; /* the same, written later */
    save(trace_path, trace.data, trace.size);
    const struct timespec later[2] = {times[0], {times[1].tv_sec + 1, times[1].tv_nsec}};
    assert_int_equal(utimensat(AT_FDCWD, trace_path, later, 0), 0);
    assert_int_equal(open_status(), -ESTALE);
    assert_int_equal(utimensat(AT_FDCWD, trace_path, times, 0), 0);
    assert_int_equal(open_status(), 0);
    unlink(index_path);
    assert_int_equal(open_status(), -ENOENT);
    free(trace.data);
}

static struct memory load(const char *path)
{
    struct memory m = {0};
    char chunk[4096];
    size_t n;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        memory_write(&m, chunk, n);
    fclose(file);
    return m;
}

/* Whatever byte is changed: the index is refused, or the state that it is in. */
static void no_damaged_index_is_used(void **state)
{
    (void)state;
    struct memory trace = make_trace(26);
    prepare(&trace, 0);
    struct memory good = load(index_path);
    weft_reader *reader = open_reader();
    for (size_t at = 0; at < good.size; at++) {
        weft_index *index;
        bool used = true;
        good.data[at] ^= 0x15;
        save(index_path, good.data, good.size);
        int status = weft_index_open(&index, trace_path, NULL);
        assert_true(status == 0 || status == -EBADMSG);
        for (size_t i = 0; status == 0 && i < weft_index_count(index); i++) {
            weft_index_entry entry;
            assert_int_equal(weft_index_entry_get(index, i, &entry), 0);
            used = used && weft_index_seek(index, reader, entry.begin) == 0;
        }
        assert_true(status != 0 || !used);
        weft_index_free(index);
        good.data[at] ^= 0x15;
    }
    for (size_t size = 0; size < good.size; size += 7) {
        save(index_path, good.data, size);
        assert_int_equal(open_status(), -EBADMSG);
    }
    weft_reader_free(reader);
    free(good.data);
    free(trace.data);
}

static void a_refused_state_leaves_the_reader_where_it_was(void **state)
{
    (void)state;
    struct memory trace = make_trace(26);
    prepare(&trace, 0);
    struct memory good = load(index_path);
    weft_reader *here = open_reader(), *there = open_reader();
    weft_index *index;
    good.data[9] ^= 1; /* in the first state */
    save(index_path, good.data, good.size);
    assert_int_equal(weft_index_open(&index, trace_path, NULL), 0);
    skip_events(here, 20);
    skip_events(there, 20);
    assert_int_equal(weft_index_seek(index, here, 0), -EBADMSG);
    assert_rest_is_same(there, here);
    weft_index_free(index);
    weft_reader_free(here);
    weft_reader_free(there);
    free(good.data);
    free(trace.data);
}

static void what_cannot_seek_says_so(void **state)
{
    (void)state;
    struct memory trace = make_trace(26);
    prepare(&trace, 0);
    weft_index *index = open_index();
    weft_reader *reader;
    assert_int_equal(weft_reader_open_callback(&reader, memory_read, &trace), 0);
    assert_int_equal(weft_index_seek(index, reader, 0), -ESPIPE);
    weft_reader_free(reader);
    weft_index_free(index);
    weft_reader_error error;
    assert_int_equal(weft_index_build("/nonexistent/trace", NULL, &error), -ENOENT);
    assert_string_equal(error.rule, "IO");
    assert_int_equal(weft_index_build(trace_path, "/nonexistent/index", &error), -ENOENT);
    assert_string_equal(error.rule, "IO");
    free(trace.data);
}

int main(void)
{
    const char *dir = getenv("WEFT_TRACE_DIR");
    snprintf(trace_path, sizeof trace_path, "%s/index-test-%d.bin", dir ? dir : "/tmp",
             (int)getpid());
    snprintf(index_path, sizeof index_path, "%s" WEFT_INDEX_SUFFIX, trace_path);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_generation_can_be_the_first),
        cmocka_unit_test(a_damaged_trace_has_an_index_too),
        cmocka_unit_test(an_error_is_found_from_wherever_one_starts),
        cmocka_unit_test(times_outside_lead_to_the_ends),
        cmocka_unit_test(an_index_of_another_state_is_stale),
        cmocka_unit_test(no_damaged_index_is_used),
        cmocka_unit_test(a_refused_state_leaves_the_reader_where_it_was),
        cmocka_unit_test(what_cannot_seek_says_so),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(trace_path);
    unlink(index_path);
    return failed;
}
