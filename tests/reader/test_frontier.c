/* SPDX-License-Identifier: MIT */
/*
 * The frontier against a model: a plain array on which Go's reader's steps are made one by one, and
 * which is sorted as slices.SortFunc does it, comparing one entry after the other. After each step
 * both have the same entries at the same places.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "reader/frontier.h"

static uint64_t state_of_draw = 88172645463325252u;

static uint64_t draw(uint64_t below)
{
    state_of_draw ^= state_of_draw << 13;
    state_of_draw ^= state_of_draw >> 7;
    state_of_draw ^= state_of_draw << 17;
    return state_of_draw % below;
}

/* -------- the model: a heap -------- */

struct entry {
    int64_t time;
    uint32_t cursor;
};

static void swap(struct entry *at, int a, int b)
{
    struct entry was = at[a];
    at[a] = at[b];
    at[b] = was;
}

static int rise(struct entry *at, int i)
{
    for (; i > 0 && at[(i - 1) / 2].time > at[i].time; i = (i - 1) / 2)
        swap(at, i, (i - 1) / 2);
    return i;
}

static void sink(struct entry *at, int count, int i)
{
    for (int least = i;; i = least) {
        for (int child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++)
            least = at[child].time < at[least].time ? child : least;
        if (least == i)
            return;
        swap(at, i, least);
    }
}

static void rekey(struct entry *at, int count, int i, int64_t time)
{
    at[i].time = time;
    if (rise(at, i) == i)
        sink(at, count, i);
}

static void drop(struct entry *at, int count, int i)
{
    for (; i > 0; i = (i - 1) / 2)
        swap(at, i, (i - 1) / 2);
    swap(at, 0, count - 1);
    sink(at, count - 1, 0);
}

/* -------- the model: Go's sort of at[a] to at[b - 1] -------- */

/*
 * An adversary decides on times only when they are compared, so that pivots are as bad as they can
 * be (M. McIlroy, "A killer adversary for quicksort", Software: Practice and Experience 29, 1999).
 */
static struct {
    int64_t *times; /* by cursor, INT64_MAX while not decided on; NULL: there is no adversary */
    int64_t next;
    uint32_t candidate;
} adversary;

static bool adversary_less(uint32_t a, uint32_t b)
{
    int64_t *times = adversary.times;
    if (times[a] == INT64_MAX && times[b] == INT64_MAX)
        times[b == adversary.candidate ? b : a] = adversary.next++;
    if (times[a] == INT64_MAX)
        adversary.candidate = a;
    else if (times[b] == INT64_MAX)
        adversary.candidate = b;
    return times[a] < times[b];
}

static bool less(const struct entry *at, int a, int b)
{
    if (adversary.times)
        return adversary_less(at[a].cursor, at[b].cursor);
    return at[a].time < at[b].time;
}

static void insertion(struct entry *at, int a, int b)
{
    for (int i = a + 1; i < b; i++)
        for (int j = i; j > a && less(at, j, j - 1); j--)
            swap(at, j, j - 1);
}

static void heap_down(struct entry *at, int root, int count)
{
    for (int child; (child = 2 * root + 1) < count; root = child) {
        child += child + 1 < count && less(at, child, child + 1);
        if (!less(at, root, child))
            return;
        swap(at, root, child);
    }
}

static void heap(struct entry *at, int count)
{
    for (int i = (count - 1) / 2; i >= 0; i--)
        heap_down(at, i, count);
    for (int i = count - 1; i >= 0; i--) {
        swap(at, 0, i);
        heap_down(at, 0, i);
    }
}

static bool few(struct entry *at, int a, int b)
{
    int i = a + 1;
    for (int step = 0; step < 5; step++) {
        while (i < b && !less(at, i, i - 1))
            i++;
        if (i == b || b - a < 50)
            return i == b;
        swap(at, i, i - 1);
        for (int j = i - 1; i - a >= 2 && j >= 1 && less(at, j, j - 1); j--)
            swap(at, j, j - 1);
        for (int j = i + 1; b - i >= 2 && j < b && less(at, j, j - 1); j++)
            swap(at, j, j - 1);
    }
    return false;
}

static int median(const struct entry *at, int a, int b, int c, int *swaps)
{
    int order[] = {a, b, c};
    for (int i = 0; i < 3; i++) {
        int *two = order + (i & 1);
        if (!less(at, two[1], two[0]))
            continue;
        int was = two[0];
        two[0] = two[1];
        two[1] = was;
        ++*swaps;
    }
    return order[1];
}

static int pivot_of(const struct entry *at, int a, int b, int *swaps)
{
    int quarter = (b - a) / 4, i = a + quarter, j = a + quarter * 2, k = a + quarter * 3;
    *swaps = 0;
    if (b - a >= 50) {
        i = median(at, i - 1, i, i + 1, swaps);
        j = median(at, j - 1, j, j + 1, swaps);
        k = median(at, k - 1, k, k + 1, swaps);
    }
    return median(at, i, j, k, swaps);
}

static void scatter(struct entry *at, int a, int b)
{
    uint64_t length = (uint64_t)(b - a), random = length, size = 1;
    while (size <= length)
        size *= 2;
    for (int i = a + (b - a) / 4 * 2 - 1, n = 0; n < 3; n++, i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint64_t other = random & (size - 1);
        swap(at, i, a + (int)(other >= length ? other - length : other));
    }
}

/* What is equal to the pivot comes first if `equal`, else what is less. */
static int part(struct entry *at, int a, int b, int pivot, bool equal, bool *moved)
{
    int i = a + 1, j = b - 1;
    *moved = false;
    swap(at, a, pivot);
    for (;; *moved = true) {
        while (i <= j && (equal ? !less(at, a, i) : less(at, i, a)))
            i++;
        while (i <= j && (equal ? less(at, a, j) : !less(at, j, a)))
            j--;
        if (i > j)
            break;
        swap(at, i++, j--);
    }
    if (!equal)
        swap(at, a, j);
    return equal ? i : j;
}

static unsigned heaps, reversals; /* that is how often the corners were seen */

static void quick(struct entry *at, int a, int b, int limit)
{
    for (bool balanced = true, moved = false, any;;) {
        int length = b - a, swaps;
        if (length <= 12) {
            insertion(at, a, b);
            return;
        }
        if (limit == 0) {
            heaps++;
            adversary.times = NULL;
            heap(at + a, length);
            return;
        }
        if (!balanced) {
            scatter(at, a, b);
            limit--;
        }
        int pivot = pivot_of(at, a, b, &swaps);
        if (swaps == 12) {
            reversals++;
            for (int i = a, j = b - 1; i < j; i++, j--)
                swap(at, i, j);
            pivot = b - 1 - (pivot - a);
            swaps = 0;
        }
        if (balanced && !moved && swaps == 0 && few(at, a, b))
            return;
        if (a > 0 && !less(at, a - 1, pivot)) {
            a = part(at, a, b, pivot, true, &any);
            continue;
        }
        int mid = part(at, a, b, pivot, false, &moved);
        if (mid - a < b - mid) {
            balanced = mid - a >= length / 8;
            quick(at, a, mid, limit);
            a = mid + 1;
        } else {
            balanced = b - mid >= length / 8;
            quick(at, mid + 1, b, limit);
            b = mid;
        }
    }
}

static void sort(struct entry *at, int count)
{
    int bits = 0;
    while (count >> bits)
        bits++;
    quick(at, 0, count, bits);
}

/* -------- comparing -------- */

static void assert_same(const struct reader_frontier *f, const struct entry *at, uint32_t count)
{
    assert_int_equal(f->count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct reader_frontier_entry *entry = reader_frontier_at(f, i);
        if (entry->time != at[i].time || entry->cursor != at[i].cursor)
            fail_msg("of %u the one at %u is %u, not %u", count, i, entry->cursor, at[i].cursor);
    }
}

/* Both filled with n cursors whose times are below a limit. */
static void fill(struct reader_frontier *f, struct entry *at, uint32_t n, uint64_t times)
{
    assert_true(reader_frontier_reset(f, n));
    for (uint32_t i = 0; i < n; i++) {
        at[i] = (struct entry){(int64_t)draw(times), i};
        reader_frontier_push(f, at[i].time, i);
        rise(at, (int)i);
    }
    assert_same(f, at, n);
}

/* An entry at a place goes to another time, mostly a later one, or is removed. */
static void step(struct reader_frontier *f, struct entry *at, uint32_t *count, uint64_t times)
{
    uint32_t place = (uint32_t)(draw(2) ? draw(1 + draw(*count)) : 0);
    if (draw(1 + *count / 4) == 0 && draw(2)) {
        drop(at, (int)(*count)--, (int)place);
        reader_frontier_remove(f, place);
        return;
    }
    int64_t time = at[place].time + (int64_t)draw(times / (draw(2) ? 1 : 8) + 1);
    time -= draw(20) ? 0 : (int64_t)draw(times);
    rekey(at, (int)*count, (int)place, time);
    reader_frontier_rekey(f, place, time);
}

static void check_steps(uint32_t n, uint64_t times, unsigned steps)
{
    struct reader_frontier f = {0};
    struct entry *at = malloc(n * sizeof *at);
    assert_non_null(at);
    fill(&f, at, n, times);
    for (uint32_t count = n; count > 0 && steps > 0; steps--) {
        step(&f, at, &count, times);
        assert_same(&f, at, count);
        if (draw(3) == 0)
            continue;
        sort(at, (int)count);
        reader_frontier_sort(&f);
        assert_same(&f, at, count);
    }
    reader_frontier_fini(&f);
    free(at);
}

static void entries_are_where_go_has_them(void **state)
{
    (void)state;
    for (uint32_t n = 1; n < 150; n++)
        for (uint64_t times = 2; times < 1000000; times *= 17)
            check_steps(n, times, 60);
    for (uint64_t times = 2; times < 100000000; times *= 17) {
        check_steps(500, times, 300);
        check_steps(5000, times, 300);
        check_steps(20000, times, 60);
    }
}

/* Sorts times, of cursors 0 to n - 1, by both. */
static void check_sort(const int64_t *times, uint32_t n)
{
    struct reader_frontier f = {0};
    struct entry *at = malloc(n * sizeof *at);
    assert_non_null(at);
    assert_true(reader_frontier_reset(&f, n));
    for (uint32_t i = 0; i < n; i++)
        reader_frontier_push(&f, 0, i); /* equal times: it stays behind the others */
    for (uint32_t i = 0; i < n; i++) {
        reader_frontier_at(&f, i)->time = times[i];
        at[i] = (struct entry){times[i], i};
    }
    sort(at, (int)n);
    reader_frontier_sort(&f);
    assert_same(&f, at, n);
    reader_frontier_fini(&f);
    free(at);
}

/* All the same, saw teeth, organ pipes, backwards, every other one, few times. */
static int64_t pattern(unsigned kind, uint32_t i, uint32_t n)
{
    const int64_t of[] = {7, i % 7, i < n / 2 ? i : n - i, n - i, i % 2 ? i : n, (int64_t)draw(3)};
    return of[kind];
}

enum { LONGEST = 3000 };

static void any_array_is_sorted_as_go_sorts_it(void **state)
{
    (void)state;
    static int64_t times[LONGEST];
    for (uint32_t n = 1; n < LONGEST; n += 1 + n / 5)
        for (unsigned kind = 0; kind < 6; kind++) {
            for (uint32_t i = 0; i < n; i++)
                times[i] = pattern(kind, i, n);
            check_sort(times, n);
        }
    assert_true(reversals > 0);
}

static void where_all_pivots_are_bad_the_order_is_that_of_go(void **state)
{
    (void)state;
    static int64_t times[LONGEST];
    static struct entry at[LONGEST];
    for (uint32_t i = 0; i < LONGEST; i++) {
        times[i] = INT64_MAX;
        at[i].cursor = i;
    }
    adversary.times = times;
    sort(at, LONGEST); /* of whose times it has decided on when it gives up, and others are equal */
    assert_int_equal(heaps, 1);
    check_sort(times, LONGEST);
    assert_int_equal(heaps, 2);
}

/* Equal times: the parent wins over its children, the left child over the right. */
static void ties_are_broken_as_specified(void **state)
{
    (void)state;
    struct reader_frontier f = {0};
    assert_true(reader_frontier_reset(&f, 3));
    for (uint32_t i = 0; i < 3; i++)
        reader_frontier_push(&f, 5, i);
    reader_frontier_rekey(&f, 0, 5);
    assert_int_equal(f.at[0].cursor, 0);
    reader_frontier_rekey(&f, 0, 6);
    assert_int_equal(f.at[0].cursor, 1);
    assert_int_equal(f.at[1].cursor, 0);
    assert_int_equal(f.at[2].cursor, 2);
    reader_frontier_remove(&f, 2);
    assert_int_equal(f.at[0].cursor, 1);
    reader_frontier_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_where_go_has_them),
        cmocka_unit_test(any_array_is_sorted_as_go_sorts_it),
        cmocka_unit_test(where_all_pivots_are_bad_the_order_is_that_of_go),
        cmocka_unit_test(ties_are_broken_as_specified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
