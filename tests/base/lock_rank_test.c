/* SPDX-License-Identifier: MIT */
/* What debug builds say about wrong use of locks. */
#include "base/lock.h"
#include "base/thread.h"

#include "base/cmocka_all.h"
#include "base/death.h"

static base_lock chan[2] = {BASE_LOCK_INIT(CHAN), BASE_LOCK_INIT(CHAN)};
static base_lock sched = BASE_LOCK_INIT(SCHED);
static base_lock leaf = BASE_LOCK_INIT(LEAF);

static void assert_dies_with(void (*fn)(void *), const char *first, const char *second)
{
    death d = death_of(fn, NULL);
    assert_int_equal(death_signal(&d), SIGABRT);
    assert_non_null(strstr(d.text, "weft: fatal: lock"));
    assert_non_null(strstr(d.text, first));
    assert_non_null(strstr(d.text, second));
}

static void invert(void *unused)
{
    (void)unused;
    lock_acquire(&sched);
    lock_acquire(&chan[0]);
}

static void invert_below_a_later_lock(void *unused)
{
    (void)unused;
    lock_acquire(&sched);
    lock_acquire(&leaf);
    lock_release(&sched);
    lock_acquire(&sched);
}

static void repeat_a_rank(void *unused)
{
    (void)unused;
    lock_acquire(&chan[0]);
    lock_acquire(&chan[1]);
}

static void descend_in_a_rank(void *unused)
{
    (void)unused;
    lock_acquire_same(&chan[1]);
    lock_acquire_same(&chan[0]);
}

static void take_twice(void *unused)
{
    (void)unused;
    lock_acquire_same(&chan[0]);
    lock_acquire_same(&chan[0]);
}

static void release_what_is_free(void *unused)
{
    (void)unused;
    lock_release(&chan[0]);
}

static void use_without_init(void *unused)
{
    (void)unused;
    base_lock l = {.rank = 999};
    lock_acquire(&l);
}

static void inversion_names_both_locks(void **unused)
{
    (void)unused;
    assert_dies_with(invert, "taking CHAN", "holding SCHED");
    assert_dies_with(invert_below_a_later_lock, "taking SCHED", "holding LEAF");
}

static void one_rank_is_taken_in_order_of_address_only(void **unused)
{
    (void)unused;
    assert_dies_with(repeat_a_rank, "taking CHAN", "holding CHAN");
    assert_dies_with(descend_in_a_rank, "taking CHAN", "holding CHAN");
    assert_dies_with(take_twice, "taking CHAN", "holding CHAN");
}

static void misuse_is_named(void **unused)
{
    (void)unused;
    assert_dies_with(release_what_is_free, "CHAN", "does not hold it");
    assert_dies_with(use_without_init, "has no rank", "");
}

static void *order_anew(void *arg)
{
    lock_acquire(&leaf);
    lock_release(&leaf);
    lock_acquire(&chan[0]);
    lock_release(&chan[0]);
    return arg;
}

static void right_order_passes(void **unused)
{
    (void)unused;
    lock_acquire_same(&chan[0]);
    lock_acquire_same(&chan[1]);
    lock_acquire(&sched);
    lock_acquire(&leaf);
    lock_release(&chan[1]);
    lock_release(&leaf);
    lock_release(&chan[0]);
    lock_release(&sched);
    lock_acquire(&chan[0]);
    lock_release(&chan[0]);
}

static void tries_are_free_of_the_order(void **unused)
{
    (void)unused;
    lock_acquire(&sched);
    assert_true(lock_try(&chan[1]));
    assert_true(lock_try(&chan[0]));
    assert_false(lock_try(&chan[0]));
    lock_release(&sched);
    lock_release(&chan[0]);
    lock_release(&chan[1]);
}

static void each_thread_has_its_own_list(void **unused)
{
    (void)unused;
    pthread_t other;
    lock_acquire(&sched);
    assert_int_equal(base_thread_start(&other, "other", order_anew, NULL), 0);
    pthread_join(other, NULL);
    lock_release(&sched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inversion_names_both_locks),
        cmocka_unit_test(one_rank_is_taken_in_order_of_address_only),
        cmocka_unit_test(misuse_is_named),
        cmocka_unit_test(right_order_passes),
        cmocka_unit_test(tries_are_free_of_the_order),
        cmocka_unit_test(each_thread_has_its_own_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
