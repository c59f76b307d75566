/* SPDX-License-Identifier: MIT */
/* The ring between signal handlers and the reader of CPU samples: order, wrapping around, no room,
 * a writer that stops half-way, many at once. */
#include "trace/cpu_ring.h"

#include "base/atomic.h"
#include "base/cmocka_all.h"

#include <pthread.h>
#include <string.h>

#define LEAST 4096

static trace_cpu_sample sample_of(uint64_t number, unsigned depth, size_t label_size)
{
    trace_cpu_sample sample = {.shape = trace_cpu_shape(depth, label_size),
                               .time = number,
                               .tid = number + 1,
                               .p = number + 2,
                               .g = number + 3,
                               .ticks = 1};
    for (size_t i = 0; i < trace_cpu_words(sample.shape); i++)
        sample.data[i] = number * 1000 + i;
    return sample;
}

static void assert_sample(const trace_cpu_sample *got, uint64_t number, unsigned depth,
                          size_t label_size)
{
    trace_cpu_sample want = sample_of(number, depth, label_size);
    size_t size = offsetof(trace_cpu_sample, data) + trace_cpu_words(want.shape) * 8;
    assert_memory_equal(got, &want, size);
}

static void samples_of_every_shape_come_out_in_order(void **state)
{
    (void)state;
    trace_cpu_ring ring;
    trace_cpu_sample sample;
    assert_int_equal(trace_cpu_ring_init(&ring, LEAST), 0);
    assert_false(trace_cpu_ring_take(&ring, &sample));
    for (uint64_t n = 0; n < 5000; n++) { /* far more words than there are: it goes round */
        unsigned depth = (unsigned)(n % (TRACE_CPU_FRAMES + 1));
        size_t label = n % (TRACE_CPU_LABEL + 1);
        sample = sample_of(n, depth, label);
        assert_true(trace_cpu_ring_put(&ring, &sample));
        sample = sample_of(n + 1, 1, 0);
        assert_true(trace_cpu_ring_put(&ring, &sample));
        assert_true(trace_cpu_ring_take(&ring, &sample));
        assert_sample(&sample, n, depth, label);
        assert_true(trace_cpu_ring_take(&ring, &sample));
        assert_sample(&sample, n + 1, 1, 0);
        assert_false(trace_cpu_ring_take(&ring, &sample));
    }
    assert_int_equal(ring.lost, 0);
    trace_cpu_ring_fini(&ring);
}

static void what_finds_no_room_is_counted_and_harms_nothing(void **state)
{
    (void)state;
    trace_cpu_ring ring;
    trace_cpu_sample sample = sample_of(0, TRACE_CPU_FRAMES, 0);
    uint64_t put = 0, taken = 0;
    assert_int_equal(trace_cpu_ring_init(&ring, LEAST), 0);
    for (unsigned round = 0; round < 100; round++) {
        uint64_t lost = ring.lost;
        while (sample = sample_of(put, put % (TRACE_CPU_FRAMES + 1), 0), sample.ticks = 3,
               trace_cpu_ring_put(&ring, &sample))
            put++;
        assert_int_equal(ring.lost, lost + 3);
        assert_true(trace_cpu_ring_is_half_full(&ring));
        while (trace_cpu_ring_take(&ring, &sample)) {
            assert_int_equal(sample.time, taken);
            assert_int_equal(trace_cpu_depth(sample.shape), taken % (TRACE_CPU_FRAMES + 1));
            taken++;
        }
        assert_int_equal(taken, put);
        assert_false(trace_cpu_ring_is_half_full(&ring));
    }
    trace_cpu_ring_fini(&ring);
}

/* Words are reserved, but the handler that did so was descheduled. */
static void a_record_that_is_not_complete_holds_up_those_behind_it(void **state)
{
    (void)state;
    trace_cpu_ring ring;
    trace_cpu_sample sample = sample_of(7, 2, 0);
    assert_int_equal(trace_cpu_ring_init(&ring, LEAST), 0);
    uint64_t hole = ring.head;
    ring.head += sizeof sample / 8;
    assert_true(trace_cpu_ring_put(&ring, &sample));
    assert_false(trace_cpu_ring_take(&ring, &sample));
    atomic_store_release(&ring.words[hole],
                         (uint64_t)1 << 63 | trace_cpu_shape(TRACE_CPU_FRAMES, TRACE_CPU_LABEL));
    assert_true(trace_cpu_ring_take(&ring, &sample));
    assert_true(trace_cpu_ring_take(&ring, &sample));
    assert_sample(&sample, 7, 2, 0);
    trace_cpu_ring_fini(&ring);
}

enum { WRITERS = 4, EACH = 20000 };

static trace_cpu_ring shared;
static uint32_t writers_left;

static void *write_many(void *arg)
{
    uint64_t writer = (uint64_t)(uintptr_t)arg;
    for (uint64_t i = 0; i < EACH; i++) {
        trace_cpu_sample sample = sample_of(writer * EACH + i, (unsigned)(i % 9), i % 3);
        (void)trace_cpu_ring_put(&shared, &sample);
    }
    atomic_sub_acqrel(&writers_left, 1);
    return NULL;
}

static uint64_t take_all(uint64_t next[WRITERS])
{
    trace_cpu_sample sample;
    uint64_t count = 0;
    for (; trace_cpu_ring_take(&shared, &sample); count++) {
        uint64_t writer = sample.time / EACH, i = sample.time % EACH;
        assert_true(i >= next[writer]); /* each writer's in order, some lost */
        next[writer] = i + 1;
        assert_sample(&sample, sample.time, (unsigned)(i % 9), i % 3);
    }
    return count;
}

static void many_writers_lose_nothing_but_what_is_counted(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    uint64_t next[WRITERS] = {0}, taken = 0;
    assert_int_equal(trace_cpu_ring_init(&shared, LEAST), 0);
    writers_left = WRITERS;
    for (uintptr_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, (void *)i), 0);
    while (atomic_load_acquire(&writers_left) != 0)
        taken += take_all(next);
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    taken += take_all(next);
    assert_int_equal(taken + shared.lost, WRITERS * EACH);
    trace_cpu_ring_fini(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_of_every_shape_come_out_in_order),
        cmocka_unit_test(what_finds_no_room_is_counted_and_harms_nothing),
        cmocka_unit_test(a_record_that_is_not_complete_holds_up_those_behind_it),
        cmocka_unit_test(many_writers_lose_nothing_but_what_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
