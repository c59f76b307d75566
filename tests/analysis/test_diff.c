/* SPDX-License-Identifier: MIT */
/* Runs compared, of goroutines that are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include <weft/diff.h>

static weft_text text(const char *string)
{
    return (weft_text){string, strlen(string)};
}

/* A goroutine that ran, and was blocked for a reason. */
static void add(weft_diff *diff, unsigned side, const char *name, int64_t running,
                const char *reason, int64_t blocked)
{
    weft_share share = {text(reason), 2, blocked, blocked};
    weft_goroutine_stats goroutine = {.name = text(name), .blocked = {&share, 1}};
    goroutine.times.time[WEFT_SPENT_RUNNING] = running;
    goroutine.times.count[WEFT_SPENT_RUNNING] = 1;
    goroutine.times.time[WEFT_SPENT_BLOCKED] = blocked;
    goroutine.times.count[WEFT_SPENT_BLOCKED] = 2;
    assert_int_equal(weft_diff_goroutine(diff, side, &goroutine), 0);
}

static const weft_diff_row *find(const weft_diff *diff, const char *group, weft_spent spent)
{
    size_t count;
    const weft_diff_row *rows = weft_diff_rows(diff, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].group.data, group) == 0 && rows[i].spent == spent)
            return &rows[i];
    fail_msg("no row for %s", group);
    return NULL;
}

/*
 * Twice as many of "work" in the second run, which run as long each, and are blocked for 30 each
 * instead of 10. "old" is in the first run only, "new" in the second only.
 */
static void effect_is_held_against_as_many_goroutines(void **state)
{
    weft_diff *diff;
    size_t count;
    (void)state;
    assert_int_equal(weft_diff_new(&diff), 0);
    add(diff, 0, "work", 100, "sync", 10);
    add(diff, 0, "old", 7, "sleep", 0);
    for (int i = 0; i < 2; i++)
        add(diff, 1, "work", 100, "sync", 30);
    add(diff, 1, "new", 5, "network", 25);
    assert_int_equal(weft_diff_finish(diff), 0);
    const weft_diff_row *row = find(diff, "work", WEFT_SPENT_RUNNING);
    assert_int_equal(row->effect, 0);
    assert_int_equal(row->side[0].time, 100);
    assert_int_equal(row->side[1].time, 200);
    assert_int_equal(row->side[1].goroutines, 2);
    row = find(diff, "work", WEFT_SPENT_BLOCKED);
    assert_string_equal(row->reason.data, "sync");
    assert_int_equal(row->effect, 2 * 30 - 2 * 10);
    assert_int_equal(row->side[1].count, 4);
    assert_int_equal(row->side[1].with, 2);
    assert_int_equal(row->side[1].p50, 30);
    assert_int_equal(find(diff, "new", WEFT_SPENT_BLOCKED)->effect, 25);
    assert_int_equal(find(diff, "old", WEFT_SPENT_RUNNING)->effect, -7);
    const weft_diff_row *rows = weft_diff_rows(diff, &count);
    assert_int_equal(count, 6);
    for (size_t i = 1; i < count; i++)
        assert_true(rows[i - 1].effect >= rows[i].effect);
    assert_int_equal(rows[0].effect, 40);
    weft_diff_free(diff);
}

static void reasons_of_one_group_are_rows_of_their_own(void **state)
{
    weft_diff *diff;
    size_t count;
    (void)state;
    assert_int_equal(weft_diff_new(&diff), 0);
    add(diff, 0, "work", 1, "sync", 10);
    add(diff, 1, "work", 1, "select", 10);
    assert_int_equal(weft_diff_finish(diff), 0);
    const weft_diff_row *rows = weft_diff_rows(diff, &count);
    assert_int_equal(count, 3);
    assert_string_equal(rows[0].reason.data, "select");
    assert_int_equal(rows[0].effect, 10);
    assert_string_equal(rows[2].reason.data, "sync");
    assert_int_equal(rows[2].effect, -10);
    weft_diff_free(diff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(effect_is_held_against_as_many_goroutines),
        cmocka_unit_test(reasons_of_one_group_are_rows_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
