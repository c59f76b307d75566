/* SPDX-License-Identifier: MIT */
/* The reader's own structures, each held against a plain one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "reader/frontier.h"
#include "reader/map.h"
#include "reader/pool.h"

static uint64_t state_of_draw = 88172645463325252ull;

static uint64_t draw(uint64_t below)
{
    state_of_draw ^= state_of_draw << 13;
    state_of_draw ^= state_of_draw >> 7;
    state_of_draw ^= state_of_draw << 17;
    return state_of_draw % below;
}

static void a_map_keeps_what_it_was_given(void **state)
{
    (void)state;
    enum { KEYS = 500 };
    struct reader_map map = {0};
    uint32_t plain[KEYS];
    memset(plain, 0xff, sizeof plain);
    for (int i = 0; i < 200000; i++) {
        uint64_t key = draw(KEYS), id = key * (key % 3 ? 1 : 0x100000001ull);
        uint32_t found = reader_map_find(&map, id);
        assert_int_equal(found, plain[key]);
        if (found != READER_ABSENT && draw(2)) {
            reader_map_remove(&map, id);
            plain[key] = READER_ABSENT;
        } else if (found == READER_ABSENT) {
            plain[key] = (uint32_t)i;
            assert_true(reader_map_add(&map, id, (uint32_t)i));
        }
    }
    reader_map_remove(&map, UINT64_MAX);
    reader_map_clear(&map);
    for (uint64_t key = 0; key < KEYS; key++)
        assert_int_equal(reader_map_find(&map, key), READER_ABSENT);
    reader_map_fini(&map);
}

/* Ids in any order: what was hashed while it was an outlier stays when the array reaches it. */
static void an_idmap_finds_ids_in_either_part(void **state)
{
    (void)state;
    struct reader_idmap map = {0};
    static const uint64_t first[] = {0, 1, 100, 70, UINT64_MAX, 1ull << 40, 200, 5};
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 8; i++) {
            assert_int_equal(reader_idmap_find(&map, first[i]), READER_ABSENT);
            assert_true(reader_idmap_add(&map, first[i], i));
        }
        for (uint64_t id = 300; id < 2000; id++)
            assert_true(reader_idmap_add(&map, id, (uint32_t)id));
        for (uint32_t i = 0; i < 8; i++)
            assert_int_equal(reader_idmap_find(&map, first[i]), i);
        for (uint64_t id = 300; id < 2000; id++)
            assert_int_equal(reader_idmap_find(&map, id), id);
        assert_int_equal(reader_idmap_find(&map, 2), READER_ABSENT);
        assert_int_equal(reader_idmap_find(&map, 2000), READER_ABSENT);
        assert_int_equal(reader_idmap_find(&map, UINT64_MAX - 1), READER_ABSENT);
        assert_true(map.limit < 10000);
        reader_idmap_clear(&map);
    }
    reader_idmap_fini(&map);
}

static void a_pool_has_one_number_for_equal_texts(void **state)
{
    (void)state;
    struct reader_pool pool;
    assert_true(reader_pool_init(&pool));
    uint32_t a = reader_pool_add(&pool, "one", 3), b = reader_pool_add(&pool, "two", 3);
    assert_int_not_equal(a, b);
    assert_int_equal(reader_pool_add(&pool, "one", 3), a);
    assert_int_not_equal(reader_pool_add(&pool, "on", 2), a);
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_not_equal(reader_pool_add(&pool, &i, sizeof i), READER_ABSENT);
    reader_pool_hold(&pool, a);
    reader_pool_sweep(&pool);
    assert_int_equal(pool.live, 1);
    assert_int_equal(reader_pool_add(&pool, "one", 3), a);
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_not_equal(reader_pool_add(&pool, &i, sizeof i), a);
    assert_int_equal(pool.live, 5001);
    assert_true(pool.texts.count < 5010);
    reader_pool_release(&pool, a);
    reader_pool_sweep(&pool);
    assert_int_equal(pool.live, 0);
    reader_pool_fini(&pool);
}

static void check_heap(const struct reader_frontier *f)
{
    for (uint32_t i = 1; i < f->count; i++)
        assert_true(f->at[(i - 1) / 2].time <= f->at[i].time);
}

static void the_frontier_is_a_heap_after_each_step(void **state)
{
    (void)state;
    struct reader_frontier f = {0};
    for (uint32_t n = 1; n < 40; n++) {
        assert_true(reader_frontier_reset(&f, n));
        for (uint32_t i = 0; i < n; i++) {
            reader_frontier_push(&f, (int64_t)draw(20), i);
            check_heap(&f);
        }
        for (unsigned step = 0; step < 200; step++) {
            uint32_t i = (uint32_t)draw(f.count);
            reader_frontier_rekey(&f, i, (int64_t)draw(40) - 10);
            check_heap(&f);
        }
        reader_frontier_sort(&f);
        for (uint32_t i = 1; i < n; i++)
            assert_true(f.at[i - 1].time <= f.at[i].time);
        while (f.count > 0) {
            reader_frontier_remove(&f, (uint32_t)draw(f.count));
            check_heap(&f);
        }
    }
    reader_frontier_fini(&f);
}

static void sorting_the_frontier_is_stable(void **state)
{
    (void)state;
    struct reader_frontier f = {0};
    for (uint32_t n = 1; n < 100; n += 7) {
        assert_true(reader_frontier_reset(&f, n));
        for (uint32_t i = 0; i < n; i++)
            f.at[i] = (struct reader_frontier_entry){(int64_t)draw(4), i};
        f.count = n;
        reader_frontier_sort(&f);
        for (uint32_t i = 1; i < n; i++)
            assert_true(f.at[i - 1].time < f.at[i].time ||
                        (f.at[i - 1].time == f.at[i].time && f.at[i - 1].cursor < f.at[i].cursor));
    }
    reader_frontier_fini(&f);
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
        cmocka_unit_test(a_map_keeps_what_it_was_given),
        cmocka_unit_test(an_idmap_finds_ids_in_either_part),
        cmocka_unit_test(a_pool_has_one_number_for_equal_texts),
        cmocka_unit_test(the_frontier_is_a_heap_after_each_step),
        cmocka_unit_test(sorting_the_frontier_is_stable),
        cmocka_unit_test(ties_are_broken_as_specified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
