/* SPDX-License-Identifier: MIT */
/* The hand-made traces of traces/, each an archive of an expectation and a raw text. */
#include "trace_text.h"

#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>

#include "reader/quote.h"

/* -------- archives -------- */

struct archive {
    char *expect, *trace; /* into the file's text */
};

static char *load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    struct memory m = {0};
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        memory_write(&m, chunk, n);
    fclose(file);
    memory_write(&m, "", 1);
    return (char *)m.data;
}

static struct archive split(char *text, const char *path)
{
    static const char first[] = "-- expect --\n", second[] = "\n-- trace --\n";
    char *middle = strstr(text, second);
    if (strncmp(text, first, sizeof first - 1) != 0 || !middle)
        fail_msg("%s is not an archive of expect and trace", path);
    *middle = 0;
    return (struct archive){text + sizeof first - 1, middle + sizeof second - 1};
}

/* -------- reading -------- */

struct outcome {
    int status;
    char rule[16], message[512];
    unsigned complaints;
    char complaint[512];
    size_t events;
    int64_t syncs[8];
    weft_sync clocks[8];
    unsigned sync_count;
};

static void note_sync(struct outcome *o, const weft_reader *reader, const weft_event *event)
{
    if (o->sync_count == 8)
        return;
    o->syncs[o->sync_count] = event->time;
    weft_reader_sync(reader, &o->clocks[o->sync_count++]);
}

static struct outcome read_trace(struct memory *m)
{
    struct outcome o = {0};
    weft_reader *reader;
    weft_validator *validator;
    weft_event event;
    weft_complaint complaint;
    o.status = weft_reader_open_callback(&reader, memory_read, m);
    assert_int_equal(weft_validator_new(&validator, reader), 0);
    while (o.status >= 0 && (o.status = weft_reader_next(reader, &event)) == 1) {
        o.events++;
        if (event.kind == WEFT_EVENT_SYNC)
            note_sync(&o, reader, &event);
        if (weft_validator_event(validator, &event, &complaint) && o.complaints++ == 0)
            snprintf(o.complaint, sizeof o.complaint, "%s: %s", complaint.rule, complaint.message);
    }
    snprintf(o.rule, sizeof o.rule, "%s", weft_reader_error_get(reader)->rule);
    snprintf(o.message, sizeof o.message, "%s", weft_reader_error_get(reader)->message);
    weft_validator_free(validator);
    weft_reader_free(reader);
    return o;
}

static void assemble(struct memory *m, const char *trace, const char *path)
{
    weft_reader_error error;
    if (memory_assemble(m, trace, strlen(trace), &error) != 0)
        fail_msg("%s: line %llu: %s", path, (unsigned long long)error.offset, error.message);
}

static void expect_failure(const char *expect, const struct outcome *o, const char *path)
{
    uint8_t pattern[512];
    assert_true(strlen(expect) < sizeof pattern);
    ptrdiff_t size = reader_unquote(expect, strlen(expect), pattern);
    assert_true(size > 0);
    pattern[size] = 0;
    regex_t regex;
    assert_int_equal(regcomp(&regex, (char *)pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (o->status != -EBADMSG || regexec(&regex, o->message, 0, NULL, 0) != 0)
        fail_msg("%s: expected an error like %s, found %d %s", path, pattern, o->status,
                 o->message);
    regfree(&regex);
}

static void check(const char *path)
{
    char *text = load(path);
    struct archive a = split(text, path);
    struct memory m = {0};
    assemble(&m, a.trace, path);
    struct outcome o = read_trace(&m);
    if (o.complaints)
        fail_msg("%s: %s", path, o.complaint);
    if (strncmp(a.expect, "SUCCESS", 7) == 0) {
        if (o.status != 0)
            fail_msg("%s: %s: %s", path, o.rule, o.message);
    } else {
        assert_memory_equal(a.expect, "FAILURE ", 8);
        expect_failure(a.expect + 8, &o, path);
    }
    free(m.data);
    free(text);
}

static void every_archive_is_as_it_expects(void **state)
{
    (void)state;
    DIR *dir = opendir(TRACES);
    assert_non_null(dir);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t size = strlen(entry->d_name);
        if (size < 5 || strcmp(entry->d_name + size - 5, ".test") != 0)
            continue;
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", TRACES, entry->d_name);
        check(path);
        count++;
    }
    closedir(dir);
    assert_true(count >= 20);
}

static struct outcome read_archive(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", TRACES, name);
    char *text = load(path);
    struct memory m = {0};
    assemble(&m, split(text, path).trace, path);
    struct outcome o = read_trace(&m);
    assert_int_equal(o.status, 0);
    free(m.data);
    free(text);
    return o;
}

static void syncs_have_the_time_of_the_earliest_batch(void **state)
{
    (void)state;
    static const int64_t times_123[] = {10, 40, 60, 63}, times_125[] = {9, 38, 58, 83};
    static const int64_t trace_times[] = {10, 40, 60};
    static const uint64_t monos[] = {99, 199, 299};
    struct outcome o = read_archive("sync_123.test");
    assert_int_equal(o.sync_count, 4);
    assert_memory_equal(o.syncs, times_123, sizeof times_123);
    assert_false(o.clocks[0].has_clock);
    o = read_archive("sync_125.test");
    assert_int_equal(o.sync_count, 4);
    assert_memory_equal(o.syncs, times_125, sizeof times_125);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(o.clocks[i].has_clock);
        assert_int_equal(o.clocks[i].number, i + 1);
        assert_int_equal(o.clocks[i].trace_time, trace_times[i]);
        assert_int_equal(o.clocks[i].mono, monos[i]);
        assert_int_equal(o.clocks[i].wall_sec, 1000 + i);
        assert_int_equal(o.clocks[i].wall_nsec, 7);
    }
    assert_false(o.clocks[3].has_clock);
}

/* The worked example of trace-format.md 12, byte by byte. */
static const uint8_t example[] =
    "go 1.26 trace\0\0\0"
    "\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xe8\x07"
    "\x91\x80\x80\x80\x80\x80\x80\x80\x80\x00"
    "\x32\x08\xa8\xd6\xb9\x07\x33\x01\xc0\xf4\x03\x80\xe2\xcf\xaa\x06\x05"
    "\x01\x01\x07\xea\x07\x0d\x0d\x01\x00\x01\x19\x02\x01\x07\x02\x14\x0a\x01\x01"
    "\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xeb\x07\x0b"
    "\x02\x03\x01\x01\x80\xa0\x80\x02\x02\x03\x2a"
    "\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xe8\x07\x1a"
    "\x04\x05\x01\x09\x63\x68\x61\x6e\x20\x73\x65\x6e\x64"
    "\x05\x02\x04\x6d\x61\x69\x6e\x05\x03\x03\x61\x2e\x63\x34";

static void next(weft_reader *reader, weft_event *event, int64_t time, unsigned kind)
{
    assert_int_equal(weft_reader_next(reader, event), 1);
    assert_int_equal(event->time, time);
    assert_int_equal(event->kind, kind);
}

static bool is_text(const weft_reader *reader, weft_string string, const char *text)
{
    weft_text found = weft_reader_string(reader, string);
    return found.size == strlen(text) && memcmp(found.data, text, found.size) == 0;
}

static void the_worked_example_has_its_events(void **state)
{
    (void)state;
    struct memory m = {(uint8_t *)(uintptr_t)example, sizeof example - 1, 0, 0, 1};
    weft_reader *reader;
    weft_event e;
    assert_int_equal(weft_reader_open_callback(&reader, memory_read, &m), 0);
    assert_int_equal(weft_reader_version(reader), 26);
    next(reader, &e, 64000, WEFT_EVENT_SYNC);
    assert_int_equal(e.id, 1);
    weft_sync sync;
    weft_reader_sync(reader, &sync);
    assert_int_equal(sync.trace_time, 64064);
    next(reader, &e, 64192, WEFT_EVENT_STATE_TRANSITION);
    assert_true(e.resource == WEFT_RESOURCE_PROC && e.id == 0 && e.m == 7 && e.p == WEFT_ID_NONE);
    assert_true(e.from == WEFT_STATE_UNDETERMINED && e.to == WEFT_STATE_RUNNING);
    next(reader, &e, 64320, WEFT_EVENT_STATE_TRANSITION);
    assert_true(e.resource == WEFT_RESOURCE_GOROUTINE && e.id == 1 && e.p == 0);
    assert_true(e.from == WEFT_STATE_UNDETERMINED && e.to == WEFT_STATE_RUNNING);
    next(reader, &e, 64960, WEFT_EVENT_STATE_TRANSITION);
    assert_true(e.from == WEFT_STATE_RUNNING && e.to == WEFT_STATE_WAITING && e.g == 1);
    assert_true(is_text(reader, e.name, "chan send"));
    assert_int_equal(weft_reader_generation(reader), 1);
    assert_int_equal(weft_reader_event_offset(reader), 16 + 41 + 6 + 9);
    assert_true(e.stack != 0 && e.resource_stack == e.stack);
    assert_int_equal(weft_reader_stack_depth(reader, e.stack), 1);
    weft_frame frame;
    assert_int_equal(weft_reader_stack_frame(reader, e.stack, 0, &frame), 0);
    assert_true(frame.pc == 0x401000 && frame.line == 42);
    assert_true(is_text(reader, frame.function, "main") && is_text(reader, frame.file, "a.c"));
    assert_int_equal(weft_reader_stack_frame(reader, e.stack, 1, &frame), -ERANGE);
    next(reader, &e, 64961, WEFT_EVENT_SYNC);
    assert_int_equal(e.id, 2);
    assert_int_equal(weft_reader_next(reader, &e), 0);
    assert_int_equal(weft_reader_next(reader, &e), 0);
    assert_int_equal(weft_reader_offset(reader), sizeof example - 1);
    weft_reader_free(reader);
}

static void check_text(const char *text, size_t events)
{
    struct memory m = {0};
    assemble(&m, text, text);
    struct outcome o = read_trace(&m);
    if (o.status != 0)
        fail_msg("%s: %s\n%s", o.rule, o.message, text);
    assert_int_equal(o.events, events);
    free(m.data);
}

/* Opens a text and goes to its n-th event. */
static weft_reader *go_to(struct memory *m, const char *text, unsigned n, weft_event *event)
{
    weft_reader *reader;
    assemble(m, text, text);
    assert_int_equal(weft_reader_open_callback(&reader, memory_read, m), 0);
    while (n-- > 0)
        assert_int_equal(weft_reader_next(reader, event), 1);
    return reader;
}

/* A proc known to be in a system call is said to be abandoned by another thread. */
static void a_promoted_status_is_shown_where_the_proc_is_bound(void **state)
{
    (void)state;
    struct memory m = {0};
    weft_event e;
    weft_reader *reader =
        go_to(&m,
              "Trace Go1.26\n" SYNC "EventBatch gen=1 m=9 time=1 size=auto\n"
              "ProcStatus dt=1 p=0 pstatus=3\n"
              "EventBatch gen=1 m=7 time=5 size=auto\nGoCreateSyscall dt=1 new_g=1\n"
              "ProcStatus dt=1 p=0 pstatus=3\n"
              "EventBatch gen=1 m=8 time=50 size=auto\nProcStatus dt=1 p=0 pstatus=4\n" END,
              5, &e);
    /* Of the threads that it is bound to, the lowest. */
    assert_true(e.resource == WEFT_RESOURCE_PROC && e.from == WEFT_STATE_RUNNING && e.to == e.from);
    assert_true(e.m == 7 && e.p == 0 && e.g == 1);
    weft_reader_free(reader);
    free(m.data);
}

static void a_status_in_a_system_call_is_shown_on_its_thread(void **state)
{
    (void)state;
    struct memory m = {0};
    weft_event e;
    weft_reader *reader = go_to(&m,
                                "Trace Go1.26\n" SYNC "EventBatch gen=1 m=9 time=1 size=auto\n"
                                "GoStatus dt=1 g=1 m=7 gstatus=3\n"
                                "GoStatus dt=1 g=1 m=7 gstatus=3\n" END,
                                2, &e);
    assert_true(e.m == 7 && e.p == WEFT_ID_NONE && e.g == WEFT_ID_NONE);
    assert_int_equal(weft_reader_next(reader, &e), 1);
    assert_true(e.m == 7 && e.g == 1 && e.from == WEFT_STATE_SYSCALL);
    weft_reader_free(reader);
    free(m.data);
}

static void nanoseconds_of_the_wall_clock_are_normalised(void **state)
{
    (void)state;
    struct memory m = {0};
    weft_event e;
    weft_sync sync;
    weft_reader *reader =
        go_to(&m,
              "Trace Go1.26\n" NOBODY "Sync\nFrequency freq=15625000\n"
              "ClockSnapshot dt=1 mono=5 sec=100 nsec=18446744073709551615\n" END
              "EventBatch gen=2 m=7 time=90 size=auto\nSync\nFrequency freq=15625000\n"
              "ClockSnapshot dt=1 mono=6 sec=100 nsec=2000000001\n" END,
              1, &e);
    weft_reader_sync(reader, &sync);
    assert_true(sync.wall_sec == 99 && sync.wall_nsec == 999999999);
    assert_int_equal(weft_reader_next(reader, &e), 1);
    weft_reader_sync(reader, &sync);
    assert_true(sync.wall_sec == 102 && sync.wall_nsec == 1);
    weft_reader_free(reader);
    free(m.data);
}

/* What must be accepted though it looks wrong. */
static void oddities_are_accepted(void **state)
{
    (void)state;
    /* A header alone: one sync. */
    check_text("Trace Go1.26\n", 1);
    /* An unfinished generation without event batches is dropped. */
    check_text("Trace Go1.26\n" SYNC STRINGS, 1);
    /* Generations need neither be consecutive nor different. */
    check_text("Trace Go1.26\n" SYNC END SYNC2 END SYNC END, 4);
    /* Newer events in an older version. */
    struct memory m = {0};
    assemble(&m, "Trace Go1.22\n" OLD, "");
    static const char blocked[] = "\x01\x01\x07\x01\x09\x0d\x01\x00\x01\x2f\x01\x05\x00\x00";
    memory_write(&m, blocked, sizeof blocked - 1);
    assert_int_equal(read_trace(&m).status, 0);
    free(m.data);
    /* End of a task that never began, twice; end of a region that began before the trace. */
    check_text("Trace Go1.26\n" SYNC STRINGS BATCH RUNNING "UserTaskEnd dt=1 task=9 stack=0\n"
               "UserTaskEnd dt=1 task=9 stack=0\n"
               "UserRegionEnd dt=1 task=9 name_string=1 stack=0\n" END,
               7);
    /* Padded header blanks and numbers. */
    static const uint8_t padded[] = "go \t1. 0026\xc2\xa0trace\0\0\0";
    struct memory h = {(uint8_t *)(uintptr_t)padded, sizeof padded - 1, 0, 0, 0};
    assert_int_equal(read_trace(&h).status, 0);
}

static void warnings_tell_of_what_go_does_not_see(void **state)
{
    (void)state;
    static const char text[] = "Trace Go1.26\n" SYNC BATCH RUNNING NOBODY
                               "CPUSamples\nCPUSample time=3 m=7 p=0 g=1 stack=77\n"
                               "ExperimentalBatch exp=9 gen=1 m=7 time=1\n\tdata=\"x\"\n" END
                               "EventBatch gen=2 m=1 time=1 size=auto\nSync\nFrequency freq=0\n"
                               "ClockSnapshot dt=1 mono=5 sec=6 nsec=7\n" END NOBODY "Strings\n";
    struct memory m = {0};
    assemble(&m, text, text);
    weft_reader *reader;
    weft_event event;
    assert_int_equal(weft_reader_open_callback(&reader, memory_read, &m), 0);
    int status;
    bool sampled = false;
    while ((status = weft_reader_next(reader, &event)) == 1)
        if (event.kind == WEFT_EVENT_STACK_SAMPLE) {
            sampled = true;
            assert_int_equal(event.stack, 0);
        }
    assert_int_equal(status, 0);
    assert_true(sampled);
    weft_reader_warning warning;
    size_t n = 0;
    while (weft_reader_warning_get(reader, n, &warning)) {
        assert_int_equal(warning.count, 1);
        assert_true(warning.offset > 16 && warning.offset <= m.size && *warning.text);
        n++;
    }
    assert_int_equal(n, 4);
    weft_reader_free(reader);
    free(m.data);
}

static ptrdiff_t broken_read(void *context, void *data, size_t size)
{
    (void)data, (void)size;
    return (*(int *)context)-- > 0 ? -EIO : -EIO;
}

static void failed_reads_are_told(void **state)
{
    (void)state;
    int n = 0;
    weft_reader *reader;
    assert_int_equal(weft_reader_open_callback(&reader, broken_read, &n), -EIO);
    assert_string_equal(weft_reader_error_get(reader)->rule, "IO");
    weft_reader_free(reader);
    assert_int_equal(weft_reader_open_path(&reader, "/nonexistent/trace"), -ENOENT);
    assert_string_equal(weft_reader_error_get(reader)->rule, "IO");
    weft_event event;
    assert_int_equal(weft_reader_next(reader, &event), -ENOENT);
    weft_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_archive_is_as_it_expects),
        cmocka_unit_test(syncs_have_the_time_of_the_earliest_batch),
        cmocka_unit_test(the_worked_example_has_its_events),
        cmocka_unit_test(a_promoted_status_is_shown_where_the_proc_is_bound),
        cmocka_unit_test(a_status_in_a_system_call_is_shown_on_its_thread),
        cmocka_unit_test(nanoseconds_of_the_wall_clock_are_normalised),
        cmocka_unit_test(oddities_are_accepted),
        cmocka_unit_test(warnings_tell_of_what_go_does_not_see),
        cmocka_unit_test(failed_reads_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
