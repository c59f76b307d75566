/* SPDX-License-Identifier: MIT */
/* Slices and merges of traces made by hand: tests/tables has the trace of two generations. */
#include "tables/table_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include <weft/slice.h>

static struct table_input input;

static int setup(void **state)
{
    (void)state;
    return table_input_make(&input, table_trace, sizeof table_trace - 1);
}

static int teardown(void **state)
{
    (void)state;
    free(input.bytes.data);
    return 0;
}

/* Leaves a trace for Go's reader. */
static void leave(const char *name, const struct memory *bytes)
{
    char path[4096];
    const char *folder = getenv("WEFT_TRACE_DIR");
    snprintf(path, sizeof path, "%s/%s.trace", folder ? folder : ".", name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes->data, 1, bytes->size, file), bytes->size);
    assert_int_equal(fclose(file), 0);
}

static struct table_input slice(int64_t from, int64_t to, uint64_t generations)
{
    struct table_input out = {0};
    weft_slice_info info;
    weft_reader_error error;
    assert_int_equal(
        weft_slice(table_open_view, &input, from, to, memory_write, &out.bytes, &info, &error), 0);
    assert_int_equal(info.generations, generations);
    assert_int_equal(info.bytes, out.bytes.size);
    return out;
}

static void a_slice_has_the_generations_that_have_a_part_in_the_time(void **state)
{
    (void)state;
    struct table_input all = slice(INT64_MIN, INT64_MAX, 2), first = slice(1100, 1101, 1),
                       second = slice(2000, 3000, 1), both = slice(1155, 2001, 2);
    assert_int_equal(all.bytes.size, input.bytes.size);
    assert_memory_equal(all.bytes.data, input.bytes.data, all.bytes.size);
    assert_int_equal(both.bytes.size, all.bytes.size);
    assert_int_equal(first.bytes.size + second.bytes.size, all.bytes.size + 16); /* a header */
    leave("first", &first.bytes);
    leave("second", &second.bytes);
    free(all.bytes.data);
    free(first.bytes.data);
    free(second.bytes.data);
    free(both.bytes.data);
}

static void nothing_in_the_time_is_told(void **state)
{
    (void)state;
    struct memory out = {0};
    assert_int_equal(
        weft_slice(table_open_view, &input, 5000, 6000, memory_write, &out, NULL, NULL), -ENODATA);
    assert_int_equal(weft_slice(table_open_view, &input, 0, 1000, memory_write, &out, NULL, NULL),
                     -ENODATA);
    assert_int_equal(out.size, 0);
}

static void damage_behind_the_slice_does_not_matter(void **state)
{
    (void)state;
    size_t whole = input.bytes.size;
    input.bytes.size = whole - 3;
    struct table_input first = slice(1000, 1100, 1);
    struct memory out = {0};
    weft_reader_error error;
    assert_int_equal(
        weft_slice(table_open_view, &input, 1000, 2005, memory_write, &out, NULL, &error),
        -EBADMSG);
    assert_string_equal(error.rule, "BAT-7");
    assert_int_equal(out.size, 0);
    input.bytes.size = whole;
    free(first.bytes.data);
}

static int merge(struct table_input *const *segments, size_t count, struct memory *out,
                 size_t *which, weft_reader_error *error)
{
    void *contexts[4];
    for (size_t i = 0; i < count; i++)
        contexts[i] = segments[i];
    return weft_merge(table_open_view, contexts, count, memory_write, out, NULL, which, error);
}

static void segments_are_put_together_again(void **state)
{
    (void)state;
    struct table_input first = slice(1000, 1100, 1), second = slice(2000, 3000, 1);
    struct memory out = {0}, overlapping = {0};
    size_t which;
    weft_reader_error error;
    assert_int_equal(merge((struct table_input *[]){&first, &second}, 2, &out, &which, &error), 0);
    assert_int_equal(out.size, input.bytes.size);
    assert_memory_equal(out.data, input.bytes.data, out.size);
    assert_int_equal(
        merge((struct table_input *[]){&first, &input, &second}, 3, &overlapping, &which, &error),
        0);
    assert_int_equal(overlapping.size, input.bytes.size);
    leave("merged", &out);
    free(out.data);
    free(overlapping.data);
    free(first.bytes.data);
    free(second.bytes.data);
}

static void refuse(struct table_input *const *segments, size_t count, const char *rule,
                   size_t segment)
{
    struct memory out = {0};
    size_t which;
    weft_reader_error error;
    assert_int_equal(merge(segments, count, &out, &which, &error), -EBADMSG);
    assert_string_equal(error.rule, rule);
    assert_int_equal(which, segment);
    assert_int_equal(out.size, 0);
}

static void make(struct table_input *other, const char *text)
{
    assert_int_equal(table_input_make(other, text, strlen(text)), 0);
}

/* An empty generation of another number and time. */
#define BARE(gen, time) TABLE_CLOCK(gen, time) END

static void what_is_not_one_run_is_refused(void **state)
{
    (void)state;
    struct table_input old, gap, back, other, bare;
    make(&old, "Trace Go1.22\n" NOBODY "Frequency freq=15625000\n");
    make(&gap, "Trace Go1.26\n" BARE(4, 9000));
    make(&back, "Trace Go1.26\n" BARE(3, 1500));
    make(&other, "Trace Go1.26\n" BARE(2, 7777));
    make(&bare, "Trace Go1.26\n");
    refuse((struct table_input *[]){&input, &old}, 2, "MRG-2", 1);
    refuse((struct table_input *[]){&input, &gap}, 2, "MRG-3", 1);
    refuse((struct table_input *[]){&input, &other}, 2, "MRG-4", 1);
    refuse((struct table_input *[]){&input, &input, &back}, 3, "MRG-5", 2);
    refuse((struct table_input *[]){&bare, &input}, 2, "MRG-1", 0);
    refuse((struct table_input *[]){&gap, &input}, 2, "MRG-6", 1);
    free(old.bytes.data);
    free(gap.bytes.data);
    free(back.bytes.data);
    free(other.bytes.data);
    free(bare.bytes.data);
}

/* The numbers go on, but a goroutine comes out of nowhere: the reader of the result says so. */
static void what_a_reader_rejects_is_refused(void **state)
{
    (void)state;
    struct table_input next;
    make(&next,
         "Trace Go1.26\n" TABLE_CLOCK(3, 3000) "EventBatch gen=3 m=" NO_ID " time=3000 size=auto\n"
                                               "GoStatus dt=1 g=99 m=" NO_ID " gstatus=4\n" END);
    refuse((struct table_input *[]){&input, &next}, 2, "GOR-3", 1);
    free(next.bytes.data);
}

/* -------- exactly -------- */

#define CLOCK(gen, time, nsec)                                                                     \
    "EventBatch gen=" gen " m=" NO_ID " time=" time " size=auto\nSync\n"                           \
    "Frequency freq=1000000000\nClockSnapshot dt=0 mono=" time " sec=1 nsec=" nsec "\n"
#define STREAM(gen, time)                                                                          \
    "EventBatch gen=" gen " m=7 time=" time " size=auto\n"                                         \
    "ProcStatus dt=1 p=0 pstatus=1\nGoStatus dt=1 g=1 m=7 gstatus=2\n"

/* The second generation's clocks are read at 1300, before the last event of the first, at 1402. */
static const char overlapping[] = "Trace Go1.26\n" CLOCK("1", "1000", "0") STREAM(
    "1", "1100") "HeapAlloc dt=100 heapalloc_value=1\nHeapAlloc dt=200 heapalloc_value=2\n" END
    CLOCK("2", "1300", "300") STREAM("2", "1450") "HeapAlloc dt=1 heapalloc_value=3\n" END;

/* The exact slice of that, which the strict validator takes; how many heap sizes it has. */
static unsigned slice_exactly(const char *name, int64_t from, int64_t to)
{
    struct table_input whole = {0}, part = {0};
    weft_reader_error error;
    weft_reader *reader;
    weft_validator *validator;
    weft_complaint complaint;
    weft_event event;
    unsigned sizes = 0;
    make(&whole, overlapping);
    if (weft_slice_exact(table_open_view, &whole, from, to, memory_write, &part.bytes, NULL,
                         &error) != 0)
        fail_msg("%s: %s", error.rule, error.message);
    leave(name, &part.bytes);
    assert_int_equal(table_open_view(&part, &reader), 0);
    assert_int_equal(weft_validator_new(&validator, reader), 0);
    while (weft_reader_next(reader, &event) == 1) {
        if (weft_validator_event(validator, &event, &complaint) != 0)
            fail_msg("%s: %s", complaint.rule, complaint.message);
        sizes += event.kind == WEFT_EVENT_METRIC;
    }
    assert_string_equal(weft_reader_error_get(reader)->message, "");
    weft_validator_free(validator);
    weft_reader_free(reader);
    free(whole.bytes.data);
    free(part.bytes.data);
    return sizes;
}

static void a_cut_behind_the_next_generations_clocks_keeps_their_order(void **state)
{
    (void)state;
    assert_int_equal(slice_exactly("behind_clocks", 1350, 2000), 2);
}

static void a_cut_between_a_sync_and_its_first_event_takes_the_generation(void **state)
{
    (void)state;
    assert_int_equal(slice_exactly("behind_sync", 1050, 2000), 3);
    assert_int_equal(slice_exactly("behind_last_sync", 1440, 2000), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slice_has_the_generations_that_have_a_part_in_the_time),
        cmocka_unit_test(nothing_in_the_time_is_told),
        cmocka_unit_test(damage_behind_the_slice_does_not_matter),
        cmocka_unit_test(segments_are_put_together_again),
        cmocka_unit_test(what_is_not_one_run_is_refused),
        cmocka_unit_test(what_a_reader_rejects_is_refused),
        cmocka_unit_test(a_cut_behind_the_next_generations_clocks_keeps_their_order),
        cmocka_unit_test(a_cut_between_a_sync_and_its_first_event_takes_the_generation),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
