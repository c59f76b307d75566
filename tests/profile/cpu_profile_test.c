/* SPDX-License-Identifier: MIT */
/* Starting and stopping CPU profiles: errors, receivers, with and without a runtime, a fork. What
 * is in them: pprof.sh. */
#include "profile/burn.h"

#include "base/atomic.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct memory {
    uint8_t data[1 << 16];
    size_t size;
    int error, stop_result;
} memory;

static int keep(void *context, const void *data, size_t size)
{
    memory *m = context;
    if (m->error)
        return m->error;
    check(m->size + size <= sizeof m->data);
    memcpy(m->data + m->size, data, size);
    m->size += size;
    m->stop_result = weft_cpu_profile_stop(NULL); /* from within: there is none any more */
    return 0;
}

static void misuse_is_an_error(void **state)
{
    (void)state;
    memory m = {.size = 0};
    weft_cpu_profile_options options = {.size = sizeof options, .hz = 10001};
    assert_int_equal(weft_cpu_profile_stop(NULL), -EINVAL);
    assert_int_equal(weft_cpu_profile_start_callback(keep, &m, &options), -EINVAL);
    options = (weft_cpu_profile_options){.size = 4};
    assert_int_equal(weft_cpu_profile_start_callback(keep, &m, &options), -EINVAL);
    assert_int_equal(weft_cpu_profile_start_callback(NULL, &m, NULL), -EINVAL);
    assert_int_equal(weft_cpu_profile_start_fd(-1, NULL), -EBADF);
    assert_int_equal(weft_cpu_profile_start_path("/nowhere/at/all", NULL), -ENOENT);
    assert_int_equal(weft_cpu_profile_start_callback(keep, &m, NULL), 0);
    assert_int_equal(weft_cpu_profile_start_callback(keep, &m, NULL), -EBUSY);
    assert_int_equal(weft_cpu_profile_stop(NULL), 0);
    assert_int_equal(m.stop_result, -EINVAL);
    assert_int_equal(weft_cpu_profile_stop(NULL), -EINVAL);
}

static void without_a_runtime_it_is_empty_but_whole(void **state)
{
    (void)state;
    memory m = {.size = 0};
    weft_cpu_profile_result result = {.size = sizeof result};
    assert_int_equal(weft_cpu_profile_start_callback(keep, &m, NULL), 0);
    burn_a(10);
    assert_int_equal(weft_cpu_profile_stop(&result), 0);
    assert_int_equal(result.samples, 0);
    assert_int_equal(result.bytes, m.size);
    assert_true(m.size > 20);
}

static void a_receiver_that_fails_is_reported(void **state)
{
    (void)state;
    memory m = {.error = -ENOSPC};
    weft_cpu_profile_result result = {.size = sizeof result};
    assert_int_equal(weft_cpu_profile_start_callback(keep, &m, NULL), 0);
    assert_int_equal(weft_cpu_profile_stop(&result), -ENOSPC);
    assert_int_equal(result.error, -ENOSPC);
    assert_int_equal(result.bytes, 0);
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(weft_cpu_profile_start_fd(fd, NULL), 0);
    assert_int_equal(weft_cpu_profile_stop(NULL), -ENOSPC);
    close(fd);
}

static weft_cpu_profile_result last;

/* On a goroutine: the stack that the profile needs is not ours. */
static int profile_a_run(void *arg)
{
    memory *m = arg;
    const weft_cpu_profile_options options = {.size = sizeof options, .hz = 250};
    last = (weft_cpu_profile_result){.size = sizeof last};
    check(weft_cpu_profile_start_callback(keep, m, &options) == 0);
    burn_a(100);
    check(weft_cpu_profile_stop(&last) == 0);
    return 0;
}

static void samples_add_up_to_the_time_that_was_used(void **state)
{
    (void)state;
    memory m = {.size = 0};
    uint64_t before = burn_cpu_ns();
    assert_int_equal(run_with_procs(1, profile_a_run, &m), 0);
    uint64_t used = burn_cpu_ns() - before;
    assert_true(last.samples > 0);
    assert_int_equal(last.cpu_ns, last.samples * 4000000);
    assert_int_equal(last.lost_samples, 0);
    assert_int_equal(last.refused_threads, 0);
    assert_int_equal(last.bytes, m.size);
    assert_true(last.cpu_ns <= used + 100000000); /* a tick for each thread may be begun */
}

/* The highest rate is that of all; a profile's time stays right. */
static int profile_beside_a_faster_trace(void *arg)
{
    memory *m = arg;
    weft_trace_stream *stream;
    weft_trace_options options = {.size = sizeof options, .cpu_hz = 1000};
    check(weft_trace_start_path(weft_tracer_default(), burn_path("beside.trace"), &options,
                                &stream) == 0);
    int result = profile_a_run(m);
    check(weft_trace_stop(stream, NULL) == 0);
    return result;
}

static void rates_of_others_do_not_change_the_time(void **state)
{
    (void)state;
    memory m = {.size = 0};
    assert_int_equal(run_with_procs(1, profile_beside_a_faster_trace, &m), 0);
    assert_true(last.samples > 0);
    assert_int_equal(last.cpu_ns, last.samples * 1000000);
}

static int fork_within(void *arg)
{
    memory *m = arg;
    check(weft_cpu_profile_start_callback(keep, m, NULL) == 0);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        burn_a(20); /* nothing ticks here */
        _exit(weft_cpu_profile_stop(NULL) == -EINVAL ? 0 : 1);
    }
    int status;
    check(waitpid(child, &status, 0) == child);
    check(weft_cpu_profile_stop(NULL) == 0);
    return status;
}

static void the_child_of_a_fork_has_no_profile(void **state)
{
    (void)state;
    memory m = {.size = 0};
    assert_int_equal(run_with_procs(2, fork_within, &m), 0);
}

static int leave_it(void *arg)
{
    (void)arg;
    check(weft_cpu_profile_start_path(burn_path("at_exit.pb.gz"), NULL) == 0);
    burn_a(20);
    exit(0);
}

static void exit_completes_a_profile(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(run_with_procs(2, leave_it, NULL) ? 1 : 2);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    int fd = open(burn_path("at_exit.pb.gz"), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(lseek(fd, 0, SEEK_END) > 20);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            exit_completes_a_profile), /* first: it forks, and there are no threads yet */
        cmocka_unit_test(misuse_is_an_error),
        cmocka_unit_test(without_a_runtime_it_is_empty_but_whole),
        cmocka_unit_test(a_receiver_that_fails_is_reported),
        cmocka_unit_test(samples_add_up_to_the_time_that_was_used),
        cmocka_unit_test(rates_of_others_do_not_change_the_time),
        cmocka_unit_test(the_child_of_a_fork_has_no_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
