/* SPDX-License-Identifier: MIT */
/* SQL over a trace made by hand (table_trace.h). */
#include "table_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include <weft/sql.h>

static struct table_input input;
static weft_sql *sql;

static int setup(void **state)
{
    (void)state;
    int status = table_input_make(&input, table_trace, sizeof table_trace - 1);
    return status ? status : weft_sql_new(&sql, table_open_view, &input);
}

static int teardown(void **state)
{
    (void)state;
    weft_sql_free(sql);
    free(input.bytes.data);
    return 0;
}

/* All values of the result, joined by blanks, rows ended by semicolons. */
static void print_result(char *text, size_t size)
{
    size_t used = 0;
    int status;
    *text = 0;
    while ((status = weft_sql_step(sql)) == 1) {
        for (size_t i = 0; i < weft_sql_columns(sql); i++) {
            weft_value value = weft_sql_value(sql, i);
            const char *blank = i ? " " : "";
            if (value.type == WEFT_VALUE_INTEGER)
                used += (size_t)snprintf(text + used, size - used, "%s%lld", blank,
                                         (long long)value.u.integer);
            else if (value.type == WEFT_VALUE_REAL)
                used += (size_t)snprintf(text + used, size - used, "%s%g", blank, value.u.real);
            else
                used += (size_t)snprintf(text + used, size - used, "%s%.*s", blank,
                                         value.type == WEFT_VALUE_TEXT ? (int)value.u.text.size : 1,
                                         value.type == WEFT_VALUE_TEXT ? value.u.text.data : "-");
        }
        used += (size_t)snprintf(text + used, size - used, ";");
    }
    assert_int_equal(status, 0);
}

static void expect(const char *query, const char *want)
{
    char text[4096];
    size_t used;
    int status = weft_sql_prepare(sql, query, strlen(query), &used);
    if (status != 1)
        print_message("%s: %s\n", query, weft_sql_error(sql, NULL));
    assert_int_equal(status, 1);
    print_result(text, sizeof text);
    assert_string_equal(text, want);
}

static void sums_are_those_found_by_hand(void **state)
{
    (void)state;
    expect("SELECT state, sum(duration) FROM intervals GROUP BY state ORDER BY state",
           "blocked 20;runnable 911;running 980;syscall 10;syscall-blocked 50;");
    expect("SELECT name, avg(running) FROM goroutines GROUP BY name", "root 490;");
}

static void joins_go_through_a_table_again_and_again(void **state)
{
    (void)state;
    unsigned before = input.used;
    expect("SELECT i.g, i.state, s.leaf, g.name FROM intervals i JOIN stacks s ON s.id = i.stack "
           "JOIN goroutines g ON g.id = i.g WHERE i.duration >= 20 ORDER BY i.begin, i.g",
           "2 runnable root root;1 blocked leaf root;2 syscall-blocked root root;");
    /* Each table is read from the trace a few times, however many rows there are. */
    assert_true(input.used - before <= 6);
    expect("SELECT count(*) FROM events a, events b", "676;");
}

static void order_by_time_and_bounds(void **state)
{
    (void)state;
    expect("SELECT time FROM logs ORDER BY time DESC", "1130;");
    expect("SELECT kind, time FROM events WHERE time BETWEEN 1020 AND 1040 ORDER BY time",
           "RegionBegin 1020;RegionBegin 1030;RegionEnd 1040;");
    expect("SELECT end FROM intervals WHERE end < 1080 ORDER BY end", "1060;1070;");
    expect("SELECT end FROM intervals WHERE end <= 1080.5 AND g = 1", "1060;1080;");
    expect("SELECT count(*) FROM intervals WHERE end = 1080 AND g = '1'", "1;");
    expect("SELECT id FROM stacks WHERE id <= 1", "1;");
    expect("SELECT count(*) FROM frames WHERE stack = 1 AND function = 'root'", "1;");
}

static void texts_outlive_the_generation_that_named_them(void **state)
{
    (void)state;
    expect("SELECT max(type), min(type) FROM regions", "outer inner;");
    expect("SELECT group_concat(DISTINCT name) FROM (SELECT name FROM events WHERE name NOTNULL "
           "ORDER BY name)",
           "/memory/classes/heap/objects:bytes,cat,inner,job,outer,sync;");
}

static void statements_one_after_the_other(void **state)
{
    (void)state;
    const char *text = "-- first\nSELECT 1; ; SELECT 2;\n";
    size_t size = strlen(text), used, sum = 0;
    while (weft_sql_prepare(sql, text, size, &used) == 1) {
        assert_int_equal(weft_sql_step(sql), 1);
        sum += (size_t)weft_sql_value(sql, 0).u.integer;
        text += used;
        size -= used;
    }
    assert_int_equal(sum, 3);
}

static void refuse(const char *query, const char *message, ptrdiff_t where)
{
    size_t used;
    ptrdiff_t offset;
    assert_int_equal(weft_sql_prepare(sql, query, strlen(query), &used), -EINVAL);
    assert_string_equal(weft_sql_error(sql, &offset), message);
    assert_int_equal(offset, where);
}

static void mistakes_have_a_place(void **state)
{
    (void)state;
    refuse("SELECT nope FROM events", "no such column: nope", 7);
    refuse("SELECT * FROM\n event", "no such table: event", -1);
    refuse("SELECT (1", "incomplete input", -1);
}

static void queries_only_read(void **state)
{
    (void)state;
    static const char *const writes[] = {
        "CREATE TABLE t(a)",
        "ATTACH 'x.db' AS x",
        "PRAGMA temp_store_directory = '/'",
        "DELETE FROM events",
        "BEGIN",
        "CREATE VIRTUAL TABLE t USING events",
        "INSERT INTO logs SELECT * FROM logs",
        "VACUUM INTO 'x.db'",
    };
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        size_t used;
        int status = weft_sql_prepare(sql, writes[i], strlen(writes[i]), &used);
        if (status == 1)
            status = weft_sql_step(sql);
        assert_int_equal(status, -EINVAL);
    }
}

static void a_query_without_end_runs_out_of_its_budget(void **state)
{
    (void)state;
    const char *query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                        "SELECT count(*) FROM n";
    size_t used;
    weft_sql_budget(sql, 100000);
    assert_int_equal(weft_sql_prepare(sql, query, strlen(query), &used), 1);
    assert_int_equal(weft_sql_step(sql), -ETIME);
    weft_sql_budget(sql, 0);
    expect("SELECT 1", "1;");
}

static void a_bad_trace_is_told_beside_the_result(void **state)
{
    (void)state;
    size_t whole = input.bytes.size;
    assert_null(weft_sql_trace_error(sql));
    input.bytes.size = whole - 3;
    expect("SELECT count(*), sum(duration) FROM intervals", "9 272;");
    assert_string_equal(weft_sql_trace_error(sql)->rule, "BAT-7");
    input.bytes.size = whole;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sums_are_those_found_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(joins_go_through_a_table_again_and_again, setup, teardown),
        cmocka_unit_test_setup_teardown(order_by_time_and_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_outlive_the_generation_that_named_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(statements_one_after_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_have_a_place, setup, teardown),
        cmocka_unit_test_setup_teardown(queries_only_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_query_without_end_runs_out_of_its_budget, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_bad_trace_is_told_beside_the_result, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
