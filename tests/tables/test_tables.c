/* SPDX-License-Identifier: MIT */
/* The tables of a trace made by hand (table_trace.h), row by row. */
#include "table_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

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

/* The row at hand, its values joined by blanks: null is "-". */
static void print_row(const weft_rows *rows, char *text, size_t size)
{
    const weft_value *value;
    size_t used = 0;
    for (size_t i = 0; (value = weft_rows_value(rows, i)); i++) {
        const char *blank = i ? " " : "";
        if (value->type == WEFT_VALUE_INTEGER)
            used += (size_t)snprintf(text + used, size - used, "%s%lld", blank,
                                     (long long)value->u.integer);
        else if (value->type == WEFT_VALUE_TEXT)
            used += (size_t)snprintf(text + used, size - used, "%s%.*s", blank,
                                     (int)value->u.text.size, value->u.text.data);
        else
            used += (size_t)snprintf(text + used, size - used, "%s-", blank);
    }
}

static void expect_rows(weft_rows *rows, const char *const *want)
{
    char text[1024];
    int status;
    while ((status = weft_rows_next(rows)) == 1) {
        print_row(rows, text, sizeof text);
        assert_non_null(*want);
        assert_string_equal(text, *want);
        want++;
    }
    assert_int_equal(status, 0);
    assert_null(*want);
}

static void expect_table(const char *name, const char *const *want)
{
    weft_tables *tables;
    weft_rows *rows;
    assert_int_equal(weft_tables_new(&tables, table_open_view, &input), 0);
    assert_int_equal(weft_rows_open(&rows, tables, weft_table_find(name)), 0);
    expect_rows(rows, want);
    assert_int_equal(weft_rows_next(rows), 0);
    weft_rows_close(rows);
    weft_tables_free(tables);
}

static void intervals_follow_the_states_of_goroutines(void **state)
{
    (void)state;
    expect_table("intervals", (const char *const[]){
                                  /* g state begin end duration reason stack m p waker whole */
                                  "1 running 1000 1060 60 - - 7 0 - 0",
                                  "2 runnable 1050 1070 20 - 2 - - - 1",
                                  "1 blocked 1060 1080 20 sync 1 - - 2 1",
                                  "2 running 1070 1100 30 - - 7 0 - 1",
                                  "2 syscall 1100 1110 10 - 2 7 0 - 1",
                                  "1 runnable 1080 1120 40 - - - - - 1",
                                  "2 syscall-blocked 1110 1160 50 - 2 7 - - 1",
                                  "1 running 1120 2010 890 - - 8 0 - 1",
                                  "2 runnable 1160 2011 851 - - - - - 0",
                                  NULL,
                              });
}

static void goroutines_add_up_to_their_lifetimes(void **state)
{
    (void)state;
    expect_table("goroutines", (const char *const[]){
                                   "1 root 0 - 1000 1002 2010 0 1 950 40 20 0 0",
                                   "2 root 0 1 1050 1070 2011 1 0 30 871 0 10 50",
                                   NULL,
                               });
}

static void procs_count_the_time_in_use(void **state)
{
    (void)state;
    expect_table("procs", (const char *const[]){"0 1000 1006 2", NULL});
}

static void stacks_are_numbered_as_events_name_them(void **state)
{
    (void)state;
    expect_table("stacks", (const char *const[]){
                               "1 2 leaf root root;leaf",
                               "2 1 root root root",
                               NULL,
                           });
    expect_table("frames", (const char *const[]){
                               "1 0 16 leaf a.c 3",
                               "1 1 32 root a.c 9",
                               "2 0 32 root a.c 9",
                               NULL,
                           });
}

static void annotations_have_begin_and_end(void **state)
{
    (void)state;
    expect_table("tasks", (const char *const[]){"5 - job 1010 1150 140 1 1 1 1", NULL});
    expect_table("regions", (const char *const[]){
                                "1 5 inner 1030 1040 10 1 1",
                                "1 5 outer 1020 1140 120 1 1",
                                NULL,
                            });
    expect_table("logs", (const char *const[]){"1130 8 0 1 5 cat hello, \"you\" 1", NULL});
}

static void metrics_and_generations(void **state)
{
    (void)state;
    expect_table("metrics",
                 (const char *const[]){"1135 /memory/classes/heap/objects:bytes 4096", NULL});
    expect_table("generations", (const char *const[]){
                                    "1 1000 1001 1000 1000000007",
                                    "2 2000 2001 2000 2000000007",
                                    NULL,
                                });
}

/* One pass over many tables gives the rows that passes over each give. */
static void a_pass_over_all_tables_gives_the_rows_of_each(void **state)
{
    (void)state;
    const weft_table *all[16];
    size_t count = 0, together[16] = {0};
    while (weft_table_get(count)) {
        all[count] = weft_table_get(count);
        assert_ptr_equal(weft_table_find(all[count]->name), all[count]);
        count++;
    }
    weft_tables *tables;
    weft_rows *rows;
    assert_int_equal(weft_tables_new(&tables, table_open_view, &input), 0);
    assert_int_equal(weft_rows_open_many(&rows, tables, all, count), 0);
    while (weft_rows_next(rows) == 1)
        together[weft_rows_table(rows)]++;
    weft_rows_close(rows);
    for (size_t i = 0; i < count; i++) {
        size_t alone = 0;
        assert_int_equal(weft_rows_open(&rows, tables, all[i]), 0);
        while (weft_rows_next(rows) == 1)
            alone++;
        weft_rows_close(rows);
        assert_int_equal(alone, together[i]);
    }
    weft_tables_free(tables);
}

/* Two passes under way at a time, one ahead of the other, agree about stacks. */
static void passes_in_different_generations_agree_about_stacks(void **state)
{
    (void)state;
    weft_tables *tables;
    weft_rows *ahead, *behind;
    char text[1024];
    assert_int_equal(weft_tables_new(&tables, table_open_view, &input), 0);
    assert_int_equal(weft_rows_open(&behind, tables, weft_table_find("stacks")), 0);
    assert_int_equal(weft_rows_open(&ahead, tables, weft_table_find("events")), 0);
    while (weft_rows_next(ahead) == 1 && weft_rows_value(ahead, 1)->u.integer < 2000)
        continue;
    expect_rows(behind,
                (const char *const[]){"1 2 leaf root root;leaf", "2 1 root root root", NULL});
    weft_rows_close(behind);
    assert_int_equal(weft_rows_next(ahead), 1);
    print_row(ahead, text, sizeof text);
    assert_string_equal(text, "22 2001 2 StateTransition 8 0 1 proc 0 Running Running - - - - -");
    weft_rows_close(ahead);
    weft_tables_free(tables);
}

static void a_bound_on_time_ends_the_pass(void **state)
{
    (void)state;
    weft_tables *tables;
    weft_rows *rows;
    assert_int_equal(weft_tables_new(&tables, table_open_view, &input), 0);
    assert_int_equal(weft_rows_open(&rows, tables, weft_table_find("intervals")), 0);
    weft_rows_until(rows, 1080);
    weft_rows_where(rows, 0, 1);
    expect_rows(rows, (const char *const[]){"1 running 1000 1060 60 - - 7 0 - 0",
                                            "1 blocked 1060 1080 20 sync 1 - - 2 1", NULL});
    weft_rows_close(rows);
    weft_tables_free(tables);
}

static void a_cut_off_trace_gives_what_is_sound_and_then_the_error(void **state)
{
    (void)state;
    weft_tables *tables;
    weft_rows *rows;
    size_t whole = input.bytes.size, count = 0;
    input.bytes.size = whole - 3;
    assert_int_equal(weft_tables_new(&tables, table_open_view, &input), 0);
    assert_int_equal(weft_rows_open(&rows, tables, weft_table_find("intervals")), 0);
    int status;
    while ((status = weft_rows_next(rows)) == 1)
        count++;
    assert_int_equal(status, -EBADMSG);
    assert_int_equal(count, 9); /* the stays under way end there */
    assert_string_equal(weft_rows_error(rows)->rule, "BAT-7");
    assert_int_equal(weft_rows_next(rows), -EBADMSG);
    weft_rows_close(rows);
    weft_tables_free(tables);
    input.bytes.size = whole;
}

static void what_is_no_trace_is_explained(void **state)
{
    (void)state;
    struct table_input other = {.bytes = {(uint8_t[]){"not a trace at all"}, 18, 18, 0, 0}};
    weft_tables *tables;
    weft_rows *rows;
    assert_int_equal(weft_tables_new(&tables, table_open_view, &other), 0);
    assert_int_equal(weft_rows_open(&rows, tables, weft_table_find("events")), -EBADMSG);
    assert_string_equal(weft_rows_error(rows)->rule, "HDR-1");
    weft_rows_close(rows);
    weft_tables_free(tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_follow_the_states_of_goroutines),
        cmocka_unit_test(goroutines_add_up_to_their_lifetimes),
        cmocka_unit_test(procs_count_the_time_in_use),
        cmocka_unit_test(stacks_are_numbered_as_events_name_them),
        cmocka_unit_test(annotations_have_begin_and_end),
        cmocka_unit_test(metrics_and_generations),
        cmocka_unit_test(a_pass_over_all_tables_gives_the_rows_of_each),
        cmocka_unit_test(passes_in_different_generations_agree_about_stacks),
        cmocka_unit_test(a_bound_on_time_ends_the_pass),
        cmocka_unit_test(a_cut_off_trace_gives_what_is_sound_and_then_the_error),
        cmocka_unit_test(what_is_no_trace_is_explained),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
