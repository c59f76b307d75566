/* SPDX-License-Identifier: MIT */
/* The reader's own structures, each held against a plain one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "reader/map.h"
#include "reader/pairing.h"
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

/* Elements come and go in one of three heaps; the root of each is the least of its own. */
static void a_pairing_heap_knows_its_least(void **state)
{
    (void)state;
    enum { ELEMENTS = 300, HEAPS = 3 };
    struct reader_pairing pairing = {0};
    uint32_t heaps[HEAPS], heap_of[ELEMENTS];
    memset(heaps, 0xff, sizeof heaps);
    memset(heap_of, 0xff, sizeof heap_of);
    for (uint32_t i = 0; i < ELEMENTS; i++)
        assert_non_null(READER_PUSH(&pairing.at));
    for (unsigned step = 0; step < 20000; step++) {
        uint32_t one = (uint32_t)draw(ELEMENTS), heap = heap_of[one];
        if (heap != READER_ABSENT) {
            heaps[heap] = reader_pairing_remove(&pairing, heaps[heap], one);
            heap_of[one] = READER_ABSENT;
        } else {
            heap = heap_of[one] = (uint32_t)draw(HEAPS);
            reader_pairing_single(&pairing, one, (int64_t)draw(50) - 25);
            heaps[heap] = reader_pairing_meld(&pairing, heaps[heap], one);
        }
        uint32_t least = READER_ABSENT;
        for (uint32_t i = 0; i < ELEMENTS; i++)
            if (heap_of[i] == heap &&
                (least == READER_ABSENT || pairing.at.at[i].key < pairing.at.at[least].key))
                least = i;
        assert_int_equal(heaps[heap], least);
    }
    READER_VEC_FINI(&pairing.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_keeps_what_it_was_given),
        cmocka_unit_test(an_idmap_finds_ids_in_either_part),
        cmocka_unit_test(a_pool_has_one_number_for_equal_texts),
        cmocka_unit_test(a_pairing_heap_knows_its_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
