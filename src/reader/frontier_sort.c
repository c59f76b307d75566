/* SPDX-License-Identifier: MIT */
/*
 * Sorting the frontier as Go's slices.SortFunc does, which decides on the order among equal times.
 *
 * Design: that function is a pattern-defeating quicksort (O. Peters, "Pattern-defeating Quicksort",
 * arXiv:2106.05123) without randomness. Here it takes the same decisions and makes the same moves.
 * But where it would compare one entry after the other, this knows that those which did not move
 * since the last sort are in order among each other: it bisects these and looks at the others. A
 * range in which nothing moved takes no time. So the cost is that of the moved entries, each
 * something like the square root of the length, and not that of the length.
 *
 * Invariant: the list of moved places is sorted here, and all others are in order among each other.
 * An exchange lists both places, a shift the place where the shifted entry comes to lie.
 *
 * Rejected: a stable sort. It is Go's for twelve entries at most. Equal times are common where
 * clocks tick every 64 ns, and then events of different threads come in another order than Go's.
 *
 * Corners: Go falls back on heap sort when pivots are bad again and again, and reverses a range
 * that looks as if it were descending; both take time for the whole range.
 */
#include "reader/frontier.h"

#include <stdlib.h>
#include <string.h>

enum {
    INSERTION_MOST = 12, /* longest range that is sorted by insertion */
    SHIFT_LEAST = 50,    /* shortest one in which few entries out of order are shifted */
    SHIFT_STEPS = 5,
    NINTHER_LEAST = 50, /* shortest one whose pivot is a median of medians */
    SWAPS_DESCENDING = 12,
};

typedef struct reader_frontier frontier_t;

static int64_t time_at(const frontier_t *f, uint32_t place)
{
    return reader_frontier_at(f, place)->time;
}

static bool is_less(const frontier_t *f, uint32_t a, uint32_t b)
{
    return time_at(f, a) < time_at(f, b);
}

/* -------- what moved -------- */

/* Index in the list of the first place that is not before this one. */
static uint32_t first_moved(const frontier_t *f, uint32_t place)
{
    uint32_t low = 0, high = f->moves;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (f->moved[mid] < place)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Lists a place that may be in the list. Returns its index there. */
static uint32_t list(frontier_t *f, uint32_t place)
{
    uint32_t k = first_moved(f, place);
    if (k < f->moves && f->moved[k] == place)
        return k;
    memmove(f->moved + k + 1, f->moved + k, (f->moves - k) * sizeof *f->moved);
    f->moved[k] = place;
    f->moves++;
    return k;
}

static void exchange(frontier_t *f, uint32_t a, uint32_t b)
{
    if (a == b)
        return;
    const struct reader_frontier_entry was = *reader_frontier_at(f, a);
    reader_frontier_put(f, a, *reader_frontier_at(f, b));
    reader_frontier_put(f, b, was);
    list(f, a);
    list(f, b);
}

static void shift(frontier_t *f, uint32_t from, uint32_t to)
{
    if (from == to)
        return;
    reader_frontier_shift(f, from, to);
    uint32_t k = list(f, from);
    if (from < to)
        for (; k + 1 < f->moves && f->moved[k + 1] <= to; k++)
            f->moved[k] = f->moved[k + 1] - 1;
    else
        for (; k > 0 && f->moved[k - 1] >= to; k--)
            f->moved[k] = f->moved[k - 1] + 1;
    f->moved[k] = to;
}

/* -------- looking for entries -------- */

/* Whether a time is before a limit, or, if `same`, not behind it. */
static bool is_below(int64_t time, int64_t limit, bool same)
{
    return time < limit || (same && time == limit);
}

/* First place of a range of unmoved entries whose time is not below the limit; end if there is
 * none. */
static uint32_t bisect(const frontier_t *f, uint32_t low, uint32_t end, int64_t limit, bool same)
{
    while (low < end) {
        uint32_t mid = low + (end - low) / 2;
        if (is_below(time_at(f, mid), limit, same))
            low = mid + 1;
        else
            end = mid;
    }
    return low;
}

/* The same of any range. */
static uint32_t skip_below(const frontier_t *f, uint32_t at, uint32_t end, int64_t limit, bool same)
{
    for (uint32_t k = first_moved(f, at); at < end; k++) {
        uint32_t next = k < f->moves && f->moved[k] < end ? f->moved[k] : end;
        if (at < next && !is_below(time_at(f, next - 1), limit, same))
            return bisect(f, at, next, limit, same);
        if (next == end || !is_below(time_at(f, next), limit, same))
            return next;
        at = next + 1;
    }
    return end;
}

/* One behind the last place of a range whose time is below the limit; its begin if there is none.
 */
static uint32_t skip_above(const frontier_t *f, uint32_t begin, uint32_t end, int64_t limit,
                           bool same)
{
    for (uint32_t k = first_moved(f, end); begin < end; k--) {
        bool stop = k == 0 || f->moved[k - 1] < begin;
        uint32_t run = stop ? begin : f->moved[k - 1] + 1;
        if (run < end && is_below(time_at(f, run), limit, same))
            return bisect(f, run, end, limit, same);
        if (stop || is_below(time_at(f, run - 1), limit, same))
            return run;
        end = run - 1;
    }
    return begin;
}

/* First place of a range, which begins behind 0, that is less than the one before it, else end. */
static uint32_t find_descent(const frontier_t *f, uint32_t at, uint32_t end)
{
    for (uint32_t k = first_moved(f, at - 1); k < f->moves && f->moved[k] < end; k++) {
        uint32_t place = f->moved[k];
        if (place >= at && is_less(f, place, place - 1))
            return place;
        if (place + 1 < end && is_less(f, place + 1, place))
            return place + 1;
    }
    return end;
}

/* -------- ranges that need no partition -------- */

static void sort_by_insertion(frontier_t *f, uint32_t begin, uint32_t end)
{
    for (uint32_t i = begin + 1; i < end; i++) {
        uint32_t to = i;
        while (to > begin && is_less(f, i, to - 1))
            to--;
        shift(f, i, to);
    }
}

static void sift_down(frontier_t *f, uint32_t begin, uint32_t root, uint32_t count)
{
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && is_less(f, begin + child, begin + child + 1))
            child++;
        if (!is_less(f, begin + root, begin + child))
            return;
        exchange(f, begin + root, begin + child);
    }
}

static void sort_by_heap(frontier_t *f, uint32_t begin, uint32_t end)
{
    uint32_t count = end - begin;
    for (uint32_t i = (count - 1) / 2 + 1; i-- > 0;)
        sift_down(f, begin, i, count);
    for (uint32_t i = count; i-- > 0;) {
        exchange(f, begin, begin + i);
        sift_down(f, begin, 0, i);
    }
}

/* Shifts a few entries that are out of order. Returns whether the range is sorted then. */
static bool shift_few(frontier_t *f, uint32_t begin, uint32_t end)
{
    uint32_t i = begin + 1;
    for (unsigned step = 0; step < SHIFT_STEPS; step++) {
        i = find_descent(f, i, end);
        if (i == end)
            return true;
        if (end - begin < SHIFT_LEAST)
            return false;
        /* The lesser of the two goes back, even to before the range, then the greater goes on. */
        shift(f, i, i - begin >= 2 ? skip_above(f, 0, i - 1, time_at(f, i), true) : i - 1);
        if (end - i >= 2)
            shift(f, i, skip_below(f, i + 1, end, time_at(f, i), false) - 1);
    }
    return false;
}

/* -------- pivots -------- */

struct pivot {
    uint32_t place;
    unsigned swaps; /* of the entries from which it was chosen: 0 if they were in order */
};

static void order_two(const frontier_t *f, uint32_t *a, uint32_t *b, unsigned *swaps)
{
    if (!is_less(f, *b, *a))
        return;
    uint32_t was = *a;
    *a = *b;
    *b = was;
    ++*swaps;
}

static uint32_t median(const frontier_t *f, uint32_t a, uint32_t b, uint32_t c, unsigned *swaps)
{
    order_two(f, &a, &b, swaps);
    order_two(f, &b, &c, swaps);
    order_two(f, &a, &b, swaps);
    return b;
}

/* Of a range that is too long for insertion. */
static struct pivot choose_pivot(const frontier_t *f, uint32_t begin, uint32_t end)
{
    uint32_t quarter = (end - begin) / 4, at[3];
    struct pivot pivot = {0, 0};
    for (uint32_t i = 0; i < 3; i++) {
        at[i] = begin + quarter * (i + 1);
        if (end - begin >= NINTHER_LEAST)
            at[i] = median(f, at[i] - 1, at[i], at[i] + 1, &pivot.swaps);
    }
    pivot.place = median(f, at[0], at[1], at[2], &pivot.swaps);
    return pivot;
}

static void reverse(frontier_t *f, uint32_t begin, uint32_t end)
{
    for (; begin + 1 < end; begin++, end--)
        exchange(f, begin, end - 1);
}

/* Exchanges three entries in the middle with others, to get other pivots. */
static void break_patterns(frontier_t *f, uint32_t begin, uint32_t end)
{
    uint32_t length = end - begin, mid = begin + length / 4 * 2;
    uint64_t random = length, mask = ((uint64_t)2 << (31 - __builtin_clz(length))) - 1;
    for (uint32_t i = mid - 1; i <= mid + 1; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint32_t other = (uint32_t)(random & mask);
        exchange(f, i, begin + (other >= length ? other - length : other));
    }
}

/* -------- partitions -------- */

/*
 * Puts what is less than the pivot before it. Returns where that is then; *exchanged tells whether
 * more than the pivot moved.
 */
static uint32_t partition(frontier_t *f, uint32_t begin, uint32_t end, uint32_t pivot,
                          bool *exchanged)
{
    int64_t limit = time_at(f, pivot);
    *exchanged = false;
    if (skip_below(f, begin, pivot, limit, false) == pivot &&
        skip_above(f, pivot + 1, end, limit, false) == pivot + 1)
        return pivot; /* Go takes it away and puts it back */
    exchange(f, begin, pivot);
    for (uint32_t i = begin + 1;; i++, end--) {
        i = skip_below(f, i, end, limit, false);
        end = skip_above(f, i, end, limit, false);
        if (i >= end)
            break;
        exchange(f, i, end - 1);
        *exchanged = true;
    }
    exchange(f, begin, end - 1);
    return end - 1;
}

/* Of a range without lesser ones: puts what is equal to the pivot first. Returns where others
 * begin. */
static uint32_t partition_equal(frontier_t *f, uint32_t begin, uint32_t end, uint32_t pivot)
{
    exchange(f, begin, pivot);
    int64_t limit = time_at(f, begin);
    for (uint32_t i = begin + 1;; i++, end--) {
        i = skip_below(f, i, end, limit, true);
        end = skip_above(f, i, end, limit, true);
        if (i >= end)
            return i;
        exchange(f, i, end - 1);
    }
}

/* -------- the sort -------- */

static void sort_range(frontier_t *f, uint32_t begin, uint32_t end, unsigned limit)
{
    bool balanced = true, exchanged = false;
    for (;;) {
        uint32_t length = end - begin;
        if (length <= INSERTION_MOST) {
            sort_by_insertion(f, begin, end);
            return;
        }
        if (limit == 0) {
            sort_by_heap(f, begin, end);
            return;
        }
        if (balanced && !exchanged && find_descent(f, begin + 1, end) == end)
            return; /* what Go finds out further down, having looked at all */
        if (!balanced) {
            break_patterns(f, begin, end);
            limit--;
        }
        struct pivot pivot = choose_pivot(f, begin, end);
        if (pivot.swaps == SWAPS_DESCENDING) {
            reverse(f, begin, end);
            pivot = (struct pivot){end - 1 - (pivot.place - begin), 0};
        }
        if (balanced && !exchanged && pivot.swaps == 0 && shift_few(f, begin, end))
            return;
        if (begin > 0 && !is_less(f, begin - 1, pivot.place)) {
            begin = partition_equal(f, begin, end, pivot.place);
            continue;
        }
        uint32_t mid = partition(f, begin, end, pivot.place, &exchanged);
        uint32_t left = mid - begin, right = end - mid;
        balanced = (left < right ? left : right) >= length / 8;
        if (left < right) {
            sort_range(f, begin, mid, limit);
            begin = mid + 1;
        } else {
            sort_range(f, mid + 1, end, limit);
            end = mid;
        }
    }
}

static int compare_places(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorts the list, or lists all if that is less work. */
static void sort_moved(frontier_t *f)
{
    uint32_t kept = 0;
    for (uint32_t k = 0; k < f->moves; k++) {
        if (f->moved[k] >= f->count)
            continue; /* its entry was removed */
        reader_frontier_at(f, f->moved[k])->moved = false;
        f->moved[kept++] = f->moved[k];
    }
    f->moves = kept;
    if (kept < f->count / 8) {
        qsort(f->moved, kept, sizeof *f->moved, compare_places);
        return;
    }
    f->moves = f->count;
    for (uint32_t k = 0; k < f->count; k++)
        f->moved[k] = k;
}

void reader_frontier_sort(struct reader_frontier *frontier)
{
    sort_moved(frontier);
    if (frontier->count > 0)
        sort_range(frontier, 0, frontier->count, 32 - (unsigned)__builtin_clz(frontier->count));
    frontier->moves = 0;
}
