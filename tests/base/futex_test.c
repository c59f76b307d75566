/* SPDX-License-Identifier: MIT */
#include "base/atomic.h"
#include "base/clock.h"
#include "base/futex.h"
#include "base/thread.h"

#include <errno.h>

#include "base/cmocka_all.h"

static void post_before_the_sleep_is_not_lost(void **unused)
{
    (void)unused;
    base_note n = {0};
    base_note_post(&n);
    assert_int_equal(base_note_wait(&n, -1), 0);
    assert_int_equal(base_note_wait(&n, 0), -ETIMEDOUT);
    base_note_post(&n);
    base_note_post(&n);
    assert_int_equal(base_note_wait(&n, 0), 0);
    assert_int_equal(base_note_wait(&n, 0), -ETIMEDOUT);
}

static void time_out_takes_its_time(void **unused)
{
    (void)unused;
    base_note n = {0};
    uint64_t start = base_clock_monotonic();
    assert_int_equal(base_note_wait(&n, 20000000), -ETIMEDOUT);
    assert_true(base_clock_monotonic() - start >= 20000000);
    assert_int_equal(n.word, 0);
}

static void futex_returns_at_once_on_another_value(void **unused)
{
    (void)unused;
    uint32_t word = 3;
    assert_int_equal(base_futex_wait(&word, 4, -1), 0);
    errno = 77;
    assert_int_equal(base_futex_wait(&word, 3, 1000000), -ETIMEDOUT);
    assert_int_equal(errno, 77);
    base_futex_wake(&word, 1);
}

typedef struct ball {
    base_note there, back;
    uint64_t value;
    int64_t limit;
    int rounds;
} ball;

/* With limit: gives up and tries again, so that withdrawals meet posts. */
static void take(base_note *n, int64_t limit)
{
    while (base_note_wait(n, limit) != 0)
        ;
}

static void *return_balls(void *arg)
{
    ball *b = arg;
    for (int i = 0; i < b->rounds; i++) {
        take(&b->there, b->limit);
        b->value++;
        base_note_post(&b->back);
    }
    return NULL;
}

static void play(int rounds, int64_t limit)
{
    ball b = {.limit = limit, .rounds = rounds};
    pthread_t other;
    assert_int_equal(base_thread_start(&other, "other", return_balls, &b), 0);
    for (int i = 0; i < rounds; i++) {
        b.value++;
        base_note_post(&b.there);
        take(&b.back, limit);
        assert_int_equal(b.value, 2 * (uint64_t)(i + 1));
    }
    pthread_join(other, NULL);
}

static void notes_play_ping_pong(void **unused)
{
    (void)unused;
    play(20000, -1);
}

static void posts_meet_withdrawals(void **unused)
{
    (void)unused;
    play(10000, 0);
    play(10000, 1);
    play(5000, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(post_before_the_sleep_is_not_lost),
        cmocka_unit_test(time_out_takes_its_time),
        cmocka_unit_test(futex_returns_at_once_on_another_value),
        cmocka_unit_test(notes_play_ping_pong),
        cmocka_unit_test(posts_meet_withdrawals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
