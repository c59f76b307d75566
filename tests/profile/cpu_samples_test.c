/* SPDX-License-Identifier: MIT */
/*
 * CPU samples in traces: whose they are, also without a lease; in which shares; what finds no room;
 * at any moment, with everything that comes and goes. golang/go issues 52693, 52704, 53378, 65607.
 */
#include "profile/burn.h"

#include "base/atomic.h"
#include "base/torture.h"
#include "trace/tracer.h"

#include <pthread.h>
#include <unistd.h>

static uint32_t stop, ready, units_a, units_b;

/* Units in which a hog uses enough CPU time for a dozen samples. */
enum { ENOUGH = 60 };

static uint64_t id_a, id_b;

static void start_over(void)
{
    atomic_store_release(&stop, 0);
    atomic_store_release(&ready, 0);
    atomic_store_release(&units_a, 0);
    atomic_store_release(&units_b, 0);
}

/* The hogs call nothing of weft but at their beginning and end. */
static void hog_a(void *arg)
{
    (void)arg;
    id_a = weft_goid();
    atomic_add_acqrel(&ready, 1);
    while (!atomic_load_acquire(&stop)) {
        burn_a(1);
        atomic_add_acqrel(&units_a, 1);
    }
    weft_yield();
    atomic_sub_acqrel(&ready, 1);
}

static void hog_b(void *arg)
{
    (void)arg;
    id_b = weft_goid();
    atomic_add_acqrel(&ready, 1);
    while (!atomic_load_acquire(&stop)) {
        burn_b(1);
        atomic_add_acqrel(&units_b, 1);
    }
    weft_yield();
    atomic_sub_acqrel(&ready, 1);
}

static void reach(uint32_t n)
{
    while (atomic_load_acquire(&ready) != n)
        weft_sleep(WEFT_MILLISECOND);
}

static void let_both_burn(void)
{
    while (atomic_load_acquire(&units_a) < ENOUGH || atomic_load_acquire(&units_b) < ENOUGH)
        weft_sleep(5 * WEFT_MILLISECOND);
}

static weft_trace_stream *trace_to(const char *name, unsigned format, unsigned hz,
                                   uint64_t generation_ns)
{
    weft_trace_stream *stream;
    weft_trace_options options = {
        .size = sizeof options, .format = format, .generation_ns = generation_ns, .cpu_hz = hz};
    check(weft_trace_start_path(weft_tracer_default(), burn_path(name), &options, &stream) == 0);
    return stream;
}

static void end_trace(weft_trace_stream *stream)
{
    weft_trace_result result = {.size = sizeof result};
    check(weft_trace_stop(stream, &result) == 0);
    check(result.error == 0 && result.lost_generations == 0 && result.lost_samples == 0);
}

/* ---- Whose a sample is ---- */

typedef struct tally {
    uint64_t a, b, without_p, deepest;
    uint64_t procs;
} tally;

static void count_sample(void *arg, const burn_sample *sample)
{
    tally *t = arg;
    check(sample->m != WEFT_ID_NONE && sample->m != 0);
    check(sample->p == WEFT_ID_NONE || sample->p < t->procs);
    check(sample->depth > 0);
    check(!sample->a || sample->g == id_a);
    check(!sample->b || sample->g == id_b);
    t->a += sample->a;
    t->b += sample->b;
    t->without_p += (sample->a || sample->b) && sample->p == WEFT_ID_NONE;
    if (sample->depth > t->deepest)
        t->deepest = sample->depth;
}

static char trace_name[64];
static unsigned trace_format;

static int two_hogs(void *arg)
{
    (void)arg;
    start_over();
    weft_trace_stream *stream = trace_to(trace_name, trace_format, 250, 20 * WEFT_MILLISECOND);
    check(weft_go(hog_a, NULL) == 0 && weft_go(hog_b, NULL) == 0);
    reach(2);
    let_both_burn();
    atomic_store_release(&stop, 1);
    reach(0);
    end_trace(stream);
    return 0;
}

/* Issue 52693: a sample's goroutine, proc and thread were those of another moment. */
static void samples_name_the_goroutine_that_ran_in_every_format(void **state)
{
    static const unsigned formats[] = {22, 23, 25, 26};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        tally t = {.procs = 3};
        trace_format = formats[i];
        snprintf(trace_name, sizeof trace_name, "two_hogs_%u.trace", trace_format);
        assert_int_equal(run_with_procs(3, two_hogs, NULL), 0);
        assert_true(burn_samples(burn_path(trace_name), count_sample, &t) > 0);
        assert_true(t.a > 0 && t.b > 0);
        assert_true(t.deepest >= 2); /* the hog itself, too */
    }
}

static void goroutines_whose_lease_was_taken_are_sampled_without_a_proc(void **state)
{
    tally t = {.procs = 1};
    (void)state;
    trace_format = 26;
    snprintf(trace_name, sizeof trace_name, "no_lease.trace");
    assert_int_equal(run_with_procs(1, two_hogs, NULL), 0);
    (void)burn_samples(burn_path(trace_name), count_sample, &t);
    assert_true(t.a > 0 && t.b > 0);
    assert_true(t.without_p > 0);
}

static int one_to_three(void *arg)
{
    (void)arg;
    id_a = id_b = weft_goid();
    weft_trace_stream *stream = trace_to("shares.trace", 26, 1000, WEFT_SECOND);
    for (uint64_t until = burn_cpu_ns() + WEFT_SECOND; burn_cpu_ns() < until;) {
        burn_a(1);
        burn_b(3);
    }
    end_trace(stream);
    return 0;
}

static void functions_have_samples_in_proportion_to_their_time(void **state)
{
    tally t = {.procs = 2};
    (void)state;
    assert_int_equal(run_with_procs(2, one_to_three, NULL), 0);
    (void)burn_samples(burn_path("shares.trace"), count_sample, &t);
    print_message("burn_a %llu, burn_b %llu samples\n", (unsigned long long)t.a,
                  (unsigned long long)t.b);
    assert_true(t.a >= 5);
    assert_in_range(t.b * 10 / t.a, 15, 60); /* 3, give or take a factor of 2 */
}

/* ---- Who asked ---- */

static int null_write(void *context, const void *data, size_t size)
{
    (void)context, (void)data, (void)size;
    return 0;
}

static int profile_beside_trace(void *arg)
{
    (void)arg;
    id_a = weft_goid();
    check(weft_cpu_profile_start_callback(null_write, NULL, NULL) == 0);
    weft_trace_stream *stream = trace_to("not_asked.trace", 26, 0, WEFT_SECOND);
    burn_a(ENOUGH);
    end_trace(stream);
    weft_cpu_profile_result result = {.size = sizeof result};
    check(weft_cpu_profile_stop(&result) == 0);
    check(result.samples > 0);
    return 0;
}

static void a_trace_that_asks_for_no_samples_has_none(void **state)
{
    (void)state;
    assert_int_equal(run_with_procs(2, profile_beside_trace, NULL), 0);
    assert_int_equal(burn_samples(burn_path("not_asked.trace"), NULL, NULL), 0);
}

static int join_later(void *arg)
{
    (void)arg;
    id_a = weft_goid();
    weft_trace_stream *first = trace_to("first.trace", 26, 0, WEFT_SECOND);
    burn_a(5);
    weft_trace_stream *second = trace_to("second.trace", 26, 1000, WEFT_SECOND);
    burn_a(ENOUGH);
    end_trace(second);
    uint64_t generation = weft_trace_generation(weft_tracer_default());
    burn_a(5);
    check(weft_trace_generation(weft_tracer_default()) >= generation);
    end_trace(first);
    return 0;
}

static void streams_share_the_rate_of_the_one_that_asks(void **state)
{
    (void)state;
    assert_int_equal(run_with_procs(2, join_later, NULL), 0);
    uint64_t first = burn_samples(burn_path("first.trace"), NULL, NULL);
    uint64_t second = burn_samples(burn_path("second.trace"), NULL, NULL);
    assert_true(second > 0);
    assert_true(first >= second);
}

static int bad_rate(void *arg)
{
    weft_trace_stream *stream;
    weft_trace_options options = {.size = sizeof options, .cpu_hz = 10001};
    (void)arg;
    check(weft_trace_start_callback(weft_tracer_default(), null_write, NULL, &options, &stream) ==
          -EINVAL);
    return 0;
}

static void a_rate_out_of_range_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(run_with_procs(1, bad_rate, NULL), 0);
}

/* ---- No room ---- */

static int fill_the_ring(void *arg)
{
    weft_trace_stream *stream;
    weft_tracer *tracer = weft_tracer_default();
    weft_trace_options options = {.size = sizeof options,
                                  .generation_ns = WEFT_MILLISECOND,
                                  .memory_budget = 1,
                                  .cpu_hz = 10000};
    weft_trace_result result = {.size = sizeof result};
    (void)arg;
    check(weft_trace_start_callback(tracer, null_write, NULL, &options, &stream) == 0);
    /* The tracer's thread is held up as soon as a generation ends: nobody drains the ring. */
    lock_acquire(&tracer->ms_lock);
    const trace_cpu_ring *rings = tracer->cpu.made;
    while (!atomic_load_relaxed(&rings[0].lost) && !atomic_load_relaxed(&rings[1].lost))
        burn_deep(TRACE_CPU_FRAMES);
    lock_release(&tracer->ms_lock);
    check(weft_trace_stop(stream, &result) == 0);
    check(result.lost_samples > 0);
    check(result.error == 0);
    return 0;
}

/* Issues 52704 and 53378: what a full ring left behind was taken for a sample. */
static void samples_that_find_no_room_are_counted(void **state)
{
    (void)state;
    assert_int_equal(run_with_procs(2, fill_the_ring, NULL), 0);
}

/* ---- Everything at once ---- */

enum { TINY = 16 * 1024 };

static weft_chan *there, *back;
static weft_mutex mutex;
static uint32_t working;

static void answer(void *arg)
{
    int value;
    (void)arg;
    while (weft_chan_recv(there, &value) == 0)
        check(weft_chan_send(back, &value) == 0);
    atomic_sub_acqrel(&working, 1);
}

static int compare(const void *left, const void *right)
{
    const int *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* Code of the C library, which has no frame pointers. */
static void library(void *arg)
{
    int numbers[256];
    char text[256];
    (void)arg;
    while (!atomic_load_acquire(&stop)) {
        for (int i = 0; i < 256; i++)
            numbers[i] = (i * 7919) % 256;
        qsort(numbers, 256, sizeof *numbers, compare);
        memset(text, numbers[3], sizeof text);
        snprintf(text, sizeof text, "%d %s", numbers[17], "abc");
        free(malloc((size_t)numbers[200] + 1));
        if (numbers[5] % 4 == 1)
            weft_yield();
    }
    atomic_sub_acqrel(&working, 1);
}

static void lock_and_wait(void *arg)
{
    (void)arg;
    while (!atomic_load_acquire(&stop)) {
        weft_mutex_lock(&mutex);
        weft_mutex_unlock(&mutex);
        weft_blocking_enter();
        usleep(100);
        weft_blocking_exit();
        weft_sleep(WEFT_MICROSECOND);
    }
    atomic_sub_acqrel(&working, 1);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void spawn(void *arg)
{
    (void)arg;
    while (!atomic_load_acquire(&stop)) {
        check(weft_go_stack(TINY, nothing, NULL) == 0);
        weft_sleep(50 * WEFT_MICROSECOND);
    }
    atomic_sub_acqrel(&working, 1);
}

static void begin_work(void)
{
    static void (*const bodies[])(void *) = {answer, library, lock_and_wait, spawn};
    start_over();
    there = weft_chan_new(sizeof(int), 0);
    back = weft_chan_new(sizeof(int), 0);
    working = 8;
    for (unsigned i = 0; i < 8; i++)
        check(weft_go_stack(i == 1 ? 256 * 1024 : TINY, bodies[i % 4 == 1 ? 1 : i % 4], NULL) == 0);
}

static void end_work(void)
{
    atomic_store_release(&stop, 1);
    weft_chan_close(there);
    while (atomic_load_acquire(&working) != 0)
        weft_sleep(WEFT_MILLISECOND);
    weft_yield();
    weft_chan_free(there);
    weft_chan_free(back);
}

/* The main goroutine's part: round trips, other numbers of Ps, ends of generations. */
static void work(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        check(weft_chan_send(there, &i) == 0);
        check(weft_chan_recv(back, &(int){0}) == 0);
        if (i % 50 == 0)
            check(weft_procs(1 + i / 50 % 4) > 0);
        if (i % 20 == 0)
            check(weft_trace_advance(weft_tracer_default()) == 0);
    }
}

static int all_states(void *arg)
{
    char name[64];
    (void)arg;
    for (unsigned format = 22; format <= 26; format++) {
        if (format == 24)
            continue;
        snprintf(name, sizeof name, "all_states_%u.trace", format);
        check(weft_cpu_profile_start_callback(null_write, NULL, NULL) == 0);
        weft_trace_stream *stream = trace_to(name, format, 10000, WEFT_MILLISECOND);
        begin_work();
        work(ROUNDS(500));
        end_work();
        end_trace(stream);
        weft_cpu_profile_result result = {.size = sizeof result};
        check(weft_cpu_profile_stop(&result) == 0);
        check(result.lost_samples == 0);
    }
    return 0;
}

static void ticks_in_every_state_and_on_tiny_stacks_do_no_harm(void **state)
{
    (void)state;
    assert_int_equal(run_with_procs(3, all_states, NULL), 0);
}

/* ---- Starts and stops ---- */

static uint32_t storm_left;
static uint64_t profiles;

static void *storm_traces(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < ROUNDS(60); i++) {
        weft_trace_stream *stream;
        weft_trace_options options = {.size = sizeof options,
                                      .generation_ns = WEFT_MILLISECOND,
                                      .cpu_hz = (seed + (unsigned)i) % 3 * 2000};
        check(weft_trace_start_callback(weft_tracer_default(), null_write, NULL, &options,
                                        &stream) == 0);
        check(weft_trace_stop(stream, NULL) == 0);
    }
    atomic_sub_acqrel(&storm_left, 1);
    return NULL;
}

static void *storm_profiles(void *arg)
{
    const weft_cpu_profile_options options = {.size = sizeof options, .hz = 1000};
    (void)arg;
    while (atomic_load_acquire(&storm_left) > 0) {
        int rc = weft_cpu_profile_start_callback(null_write, NULL, &options);
        check(rc == 0 || rc == -EBUSY);
        usleep(1000);
        rc = weft_cpu_profile_stop(NULL);
        check(rc == 0 || rc == -EINVAL);
        __atomic_add_fetch(&profiles, rc == 0, __ATOMIC_RELAXED);
    }
    return NULL;
}

static int storm(void *arg)
{
    pthread_t threads[4];
    (void)arg;
    begin_work();
    storm_left = 2;
    weft_trace_stream *stream = trace_to("storm.trace", 26, 1000, 5 * WEFT_MILLISECOND);
    for (uintptr_t i = 0; i < 4; i++)
        check(pthread_create(&threads[i], NULL, i < 2 ? storm_traces : storm_profiles, (void *)i) ==
              0);
    while (atomic_load_acquire(&storm_left) > 0)
        work(10);
    for (unsigned i = 0; i < 4; i++) {
        weft_blocking_enter();
        pthread_join(threads[i], NULL);
        weft_blocking_exit();
    }
    end_trace(stream);
    end_work();
    return 0;
}

static void traces_profiles_and_threads_come_and_go(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(run_with_procs(4, storm, NULL), 0);
    assert_true(profiles > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_name_the_goroutine_that_ran_in_every_format),
        cmocka_unit_test(goroutines_whose_lease_was_taken_are_sampled_without_a_proc),
        cmocka_unit_test(functions_have_samples_in_proportion_to_their_time),
        cmocka_unit_test(a_trace_that_asks_for_no_samples_has_none),
        cmocka_unit_test(streams_share_the_rate_of_the_one_that_asks),
        cmocka_unit_test(a_rate_out_of_range_is_an_error),
        cmocka_unit_test(samples_that_find_no_room_are_counted),
        cmocka_unit_test(ticks_in_every_state_and_on_tiny_stacks_do_no_harm),
        cmocka_unit_test(traces_profiles_and_threads_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
