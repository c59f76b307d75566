/* SPDX-License-Identifier: MIT */
/* Exports of the trace made by hand in tests/tables. */
#include "tables/table_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>

#include <weft/export.h>

typedef int (*export_fn)(weft_reader *reader, weft_write_fn write, void *context);

/* Samples of G1 on thread 7, of a thread that is not known, and of one that has no stack. */
static const char sampled_trace[] = "Trace Go1.26\n" TABLE_CLOCK(1, 1000) TABLE_STRINGS(1, 1000)
    TABLE_STACKS(1, 1000) "EventBatch gen=1 m=" NO_ID " time=1000 size=auto\nCPUSamples\n"
                          "CPUSample time=1010 m=7 p=0 g=1 stack=1\n"
                          "CPUSample time=1011 m=" NO_ID " p=" NO_ID " g=0 stack=2\n"
                          "CPUSample time=1012 m=7 p=0 g=1 stack=0\n"
                          "EventBatch gen=1 m=7 time=1000 size=auto\n"
                          "ProcStatus dt=1 p=0 pstatus=1\nGoStatus dt=1 g=1 m=7 gstatus=2\n"
                          "GoBlock dt=20 reason_string=1 stack=1\n" END;

static struct table_input input, sampled;

static int setup(void **state)
{
    (void)state;
    return table_input_make(&input, table_trace, sizeof table_trace - 1) ||
           table_input_make(&sampled, sampled_trace, sizeof sampled_trace - 1);
}

static int teardown(void **state)
{
    (void)state;
    free(input.bytes.data);
    free(sampled.bytes.data);
    return 0;
}

/* The output as a string, to be freed. */
static char *output_of_input(struct table_input *from, export_fn convert, int want)
{
    weft_reader *reader;
    struct memory out = {0};
    assert_int_equal(table_open_view(from, &reader), 0);
    assert_int_equal(convert(reader, memory_write, &out), want);
    weft_reader_free(reader);
    assert_int_equal(memory_write(&out, "", 1), 0);
    return (char *)out.data;
}

static char *output_of(export_fn convert, int want)
{
    return output_of_input(&input, convert, want);
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        print_message("no %s in:\n%s\n", part, text);
    assert_non_null(strstr(text, part));
}

static void folded_states_add_up(void **state)
{
    (void)state;
    char *text = output_of(weft_export_states, 0);
    /* What comes with a stack and what stands below the entry function are lines of their own. */
    assert_string_equal(text, "?;[running] 60\n"
                              "root;[runnable] 20\n"
                              "root;leaf;[blocked: sync] 20\n"
                              "root;[running] 920\n"
                              "root;[syscall] 10\n"
                              "root;[runnable] 891\n"
                              "root;[syscall-blocked] 50\n");
    free(text);
}

static void chrome_has_tracks_slices_and_arrows(void **state)
{
    (void)state;
    char *text = output_of(weft_export_chrome, 0);
    has(text, "{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":"
              "\"Procs\"}}");
    has(text, "{\"ph\":\"M\",\"pid\":3,\"tid\":2,\"name\":\"thread_name\",\"args\":{\"name\":\"G2 "
              "root\"}}");
    has(text, "{\"ph\":\"B\",\"pid\":3,\"tid\":1,\"ts\":1.000,\"name\":\"running\"}");
    has(text, "{\"ph\":\"B\",\"pid\":3,\"tid\":1,\"ts\":1.060,\"name\":\"blocked: "
              "sync\",\"sf\":\"1.0\"}");
    has(text, "{\"ph\":\"B\",\"pid\":1,\"tid\":0,\"ts\":1.070,\"name\":\"root\",\"args\":{"
              "\"goroutine\":2}}");
    has(text, "{\"ph\":\"B\",\"pid\":3,\"tid\":2,\"ts\":1.110,\"name\":\"syscall-blocked\"");
    has(text, "{\"ph\":\"s\",\"pid\":3,\"tid\":2,\"ts\":1.080,\"cat\":\"wake\",\"name\":\"wakes\","
              "\"id\":1}");
    has(text, "{\"ph\":\"f\",\"pid\":3,\"tid\":1,\"ts\":1.120,\"cat\":\"wake\",\"name\":\"wakes\","
              "\"bp\":\"e\",\"id\":1}");
    has(text, "{\"ph\":\"B\",\"pid\":4,\"tid\":1,\"ts\":1.030,\"name\":\"inner\"");
    has(text, "{\"ph\":\"b\",\"pid\":5,\"tid\":0,\"ts\":1.010,\"cat\":\"task\",\"id\":\"5\","
              "\"name\":\"job\"");
    has(text, "{\"ph\":\"e\",\"pid\":5,\"tid\":0,\"ts\":1.150,\"cat\":\"task\",\"id\":\"5\","
              "\"name\":\"\"}");
    has(text, "{\"ph\":\"i\",\"pid\":3,\"tid\":1,\"ts\":1.130,\"s\":\"t\",\"name\":\"cat\","
              "\"args\":{\"message\":\"hello, \\\"you\\\"\"}}");
    has(text, "\"name\":\"Heap\",\"args\":{\"bytes\":4096}}");
    has(text, "\"1.0\":{\"category\":\"\",\"name\":\"leaf\",\"parent\":\"1.1\"}");
    has(text, "\"1.1\":{\"category\":\"\",\"name\":\"root\"}");
    has(text, "\"otherData\":{\"clock_ns\":1001,\"monotonic_ns\":1000,\"wall\":\"1.000000007\"}}");
    free(text);
}

static void chrome_has_samples_as_instants_with_stacks(void **state)
{
    (void)state;
    char *text = output_of_input(&sampled, weft_export_chrome, 0);
    has(text,
        "{\"ph\":\"i\",\"pid\":2,\"tid\":7,\"ts\":1.010,\"s\":\"t\",\"cat\":\"cpu\",\"name\":"
        "\"CPU sample\",\"sf\":\"1.0\",\"args\":{\"stack\":\"leaf\\nroot\",\"goroutine\":1}}");
    has(text, "{\"ph\":\"i\",\"pid\":6,\"tid\":2,\"ts\":1.011,\"s\":\"t\",\"cat\":\"cpu\",\"name\":"
              "\"CPU sample\",\"sf\":\"2.0\",\"args\":{\"stack\":\"root\"}}");
    has(text,
        "\"ts\":1.012,\"s\":\"t\",\"cat\":\"cpu\",\"name\":\"CPU sample\",\"args\":{\"stack\":\"\","
        "\"goroutine\":1}}");
    has(text, "\"args\":{\"name\":\"CPU samples of other threads\"}");
    has(text, "\"2.0\":{\"category\":\"\",\"name\":\"root\"}");
    free(text);
}

/* How often bytes are in the output in Perfetto's format. */
static size_t count_in_perfetto(struct table_input *from, const void *part, size_t size)
{
    weft_reader *reader;
    struct memory out = {0};
    assert_int_equal(table_open_view(from, &reader), 0);
    assert_int_equal(weft_export_perfetto(reader, memory_write, &out), 0);
    weft_reader_free(reader);
    assert_int_equal(out.data[0], 0x0a); /* field 1, a message: a packet */
    size_t seen = 0;
    for (size_t i = 0; i + size <= out.size; i++)
        seen += memcmp(out.data + i, part, size) == 0;
    free(out.data);
    return seen;
}

static void perfetto_interns_its_names(void **state)
{
    (void)state;
    assert_int_equal(count_in_perfetto(&input, "blocked: sync", 13), 1);
    assert_int_equal(count_in_perfetto(&input, "leaf", 4), 1);
}

static void perfetto_has_samples_with_stacks(void **state)
{
    (void)state;
    /* Field 56 of an event, a varint: the stack. G1's is also that of where it blocked. */
    assert_int_equal(count_in_perfetto(&sampled, "\xc0\x03\x01", 3), 2);
    assert_int_equal(count_in_perfetto(&sampled, "\xc0\x03\x02", 3), 1);
    assert_int_equal(count_in_perfetto(&sampled, "CPU sample", 10), 2); /* the track's name, too */
}

static void a_bad_trace_ends_the_output_properly(void **state)
{
    (void)state;
    size_t whole = input.bytes.size;
    input.bytes.size = whole - 3;
    char *text = output_of(weft_export_chrome, -EBADMSG);
    has(text, "},\"displayTimeUnit\":\"ns\"");
    has(text, "\"ts\":1.160,\"name\":\"runnable\"");
    free(text);
    input.bytes.size = whole;
}

static int refuse(void *context, const void *data, size_t size)
{
    (void)context, (void)data, (void)size;
    return -ENOSPC;
}

static void output_that_is_refused_is_told(void **state)
{
    (void)state;
    static const export_fn all[] = {weft_export_perfetto, weft_export_chrome, weft_export_states};
    for (unsigned i = 0; i < 3; i++) {
        weft_reader *reader;
        assert_int_equal(table_open_view(&input, &reader), 0);
        assert_int_equal(all[i](reader, refuse, NULL), -ENOSPC);
        weft_reader_free(reader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folded_states_add_up),
        cmocka_unit_test(chrome_has_tracks_slices_and_arrows),
        cmocka_unit_test(chrome_has_samples_as_instants_with_stacks),
        cmocka_unit_test(perfetto_interns_its_names),
        cmocka_unit_test(perfetto_has_samples_with_stacks),
        cmocka_unit_test(a_bad_trace_ends_the_output_properly),
        cmocka_unit_test(output_that_is_refused_is_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
