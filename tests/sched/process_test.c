/* SPDX-License-Identifier: MIT */
/* Child processes: what they get, how they end, who ends them, and that nothing of them remains. */
#define _GNU_SOURCE
#include "sched/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include "sched/refuse.h"
#include "weft/process.h"

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SH(text)  ARGV("sh", "-c", text)

static weft_process_options plain(void)
{
    return (weft_process_options){.size = sizeof(weft_process_options)};
}

static weft_process *started(const char *const *argv, const weft_process_options *options)
{
    weft_process *process;
    CHECK_EQ(weft_process_start(argv, options, &process), 0);
    return process;
}

static weft_process_status end_of(weft_process *process)
{
    weft_process_status status;
    CHECK_EQ(weft_process_wait(process, WEFT_NEVER, &status), 0);
    weft_process_free(process);
    return status;
}

static weft_process_output captured(const char *const *argv, const weft_process_options *options)
{
    weft_process_output output;
    CHECK_EQ(weft_process_capture(argv, options, NULL, 0, 1 << 20, &output), 0);
    return output;
}

static void expect_output(const char *const *argv, const weft_process_options *options,
                          const char *out)
{
    weft_process_output output = captured(argv, options);
    if (strcmp(output.out, out) != 0) {
        fprintf(stderr, "\"%s\", not \"%s\"; errors: %s\n", output.out, out, output.err);
        abort();
    }
    weft_process_output_free(&output);
}

/* Those of the process now, but for the one that this needs. */
static int descriptors(void)
{
    int n = -1;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        n += entry->d_name[0] != '.';
    closedir(folder);
    return n;
}

static void expect_no_children(void)
{
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
}

/* Runs a body in which nothing of its children may remain. */
static void leaving_nothing(void (*body)(void))
{
    int before = descriptors();
    body();
    expect_no_children();
    CHECK_EQ(descriptors(), before);
}

#define LEAVES_NOTHING(name)                                                                       \
    static void name##_and_leaves_nothing(void)                                                    \
    {                                                                                              \
        leaving_nothing(name);                                                                     \
    }                                                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_everywhere(name##_and_leaves_nothing);                                                 \
    }

/* ---- How it ends ---- */

static void status_says_how_it_ended(void)
{
    weft_process_status status = end_of(started(ARGV("true"), NULL));
    CHECK_EQ(status.code, 0);
    CHECK_EQ(status.signal, 0);
    CHECK(status.max_resident > 0);
    CHECK_EQ(end_of(started(SH("exit 7"), NULL)).code, 7);
    status = end_of(started(SH("kill -KILL $$"), NULL));
    CHECK_EQ(status.code, -1);
    CHECK_EQ(status.signal, SIGKILL);
    status = end_of(started(SH("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done"), NULL));
    CHECK(status.user_time + status.system_time > 0);
}

static void wait_end_here(void *arg)
{
    weft_process_status status;
    CHECK_EQ(weft_process_wait(arg, WEFT_NEVER, &status), 0);
    CHECK_EQ(status.code, 4);
}

static void *wait_on_thread(void *arg)
{
    wait_end_here(arg);
    return NULL;
}

static int wait_in_scope(void *arg)
{
    wait_end_here(arg);
    return 0;
}

static void many_wait_for_one(void)
{
    weft_process_options options = plain();
    options.stdio[0] = WEFT_STDIO_PIPE;
    weft_process *process = started(SH("read line; exit 4"), &options);
    weft_scope *scope = weft_scope_new(NULL, 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, wait_on_thread, process), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(weft_scope_go(scope, wait_in_scope, process), 0);
    CHECK_EQ(weft_process_wait(process, weft_now() + WEFT_MILLISECOND, NULL), -ETIMEDOUT);
    CHECK_EQ(weft_process_kill(process, 0), 0);
    weft_process_close_pipe(process, 0);
    CHECK_EQ(weft_scope_end(scope), 0);
    pthread_join(thread, NULL);
    CHECK_EQ(weft_process_kill(process, SIGKILL), -ESRCH);
    CHECK_EQ(end_of(process).code, 4);
}

static void start_some(void *arg)
{
    for (int i = 0; i < ROUNDS(60); i++)
        CHECK_EQ(end_of(started(i % 2 ? ARGV("true") : ARGV("false"), NULL)).code, 1 - i % 2);
    weft_waitgroup_done(arg);
}

static void very_many_come_and_go(void)
{
    enum { AT_ONCE = 10 };
    weft_waitgroup group = {0};
    weft_waitgroup_add(&group, AT_ONCE);
    for (int i = 0; i < AT_ONCE; i++)
        go(start_some, &group);
    weft_waitgroup_wait(&group);
}

static void one_that_nobody_awaits_is_taken_nevertheless(void)
{
    weft_process *process = started(ARGV("true"), NULL);
    pid_t pid = weft_process_pid(process);
    weft_process_free(process);
    while (kill(pid, 0) == 0)
        weft_sleep(WEFT_MILLISECOND);
}

LEAVES_NOTHING(status_says_how_it_ended)
LEAVES_NOTHING(many_wait_for_one)
LEAVES_NOTHING(very_many_come_and_go)
LEAVES_NOTHING(one_that_nobody_awaits_is_taken_nevertheless)

/* ---- What it gets ---- */

static void environment_and_directory_are_those_given(void)
{
    weft_process_options options = plain();
    options.env = ARGV("A=x y", "B=");
    options.dir = "/usr/bin";
    expect_output(SH("echo \"$A,$B,$HOME\"; pwd"), &options, "x y,,\n/usr/bin\n");
    expect_output(ARGV("./env"), &options, "A=x y\nB=\n");
}

static void streams_go_where_they_are_told(void)
{
    weft_process_options options = plain();
    char path[] = "/tmp/weft-process-XXXXXX", text[32] = "";
    int file = mkostemp(path, O_CLOEXEC);
    options.stdio[0] = WEFT_STDIO_NULL;
    options.stdio[1] = WEFT_STDIO_FD;
    options.fd[1] = file;
    options.stdio[2] = WEFT_STDIO_MERGE;
    CHECK_EQ(end_of(started(SH("cat; echo out; echo err >&2"), &options)).code, 0);
    CHECK_EQ(pread(file, text, sizeof text, 0), 8);
    CHECK(strcmp(text, "out\nerr\n") == 0);
    CHECK(fcntl(file, F_GETFD) == FD_CLOEXEC); /* it remains the caller's, as it was */
    close(file);
    unlink(path);
}

/* Descriptors 0 … 2 of this process, exchanged: no copy may overwrite what the next one needs. */
static void swap_outputs(void)
{
    weft_process_options options = plain();
    options.stdio[1] = options.stdio[2] = WEFT_STDIO_FD;
    options.fd[1] = 2;
    options.fd[2] = 1;
    CHECK_EQ(end_of(started(SH("echo to error; echo to output >&2"), &options)).code, 0);
}

static void standard_descriptors_can_be_exchanged(void)
{
    int saved[2] = {dup(1), dup(2)}, to[2][2];
    char text[2][32] = {"", ""};
    CHECK_EQ(pipe(to[0]) + pipe(to[1]), 0);
    dup2(to[0][1], 1);
    dup2(to[1][1], 2);
    swap_outputs();
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    CHECK(read(to[0][0], text[0], 31) > 0 && read(to[1][0], text[1], 31) > 0);
    CHECK(strcmp(text[0], "to output\n") == 0 && strcmp(text[1], "to error\n") == 0);
    for (int i = 0; i < 2; i++) {
        close(saved[i]);
        close(to[i][0]);
        close(to[i][1]);
    }
}

/* What this program was started with is none of weft's. */
static int keep_given_descriptors(void **state)
{
    (void)state;
    for (int fd = 3; fd < 1024; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

static void it_has_three_descriptors(void)
{
    weft_conn *pipe_ends[2];
    CHECK_EQ(weft_pipe(pipe_ends), 0); /* others of weft's are not passed on */
    expect_output(SH("ls /proc/$$/fd; exit 0"), NULL, "0\n1\n2\n");
    weft_conn_close(pipe_ends[0]);
    weft_conn_close(pipe_ends[1]);
}

static void ignore(int number)
{
    (void)number;
}

/* One of the sets of /proc/self/status, without the signals of the C library. */
static unsigned long long signal_set(const char *status, const char *name)
{
    const char *at = strstr(status, name);
    CHECK(at);
    return strtoull(at + strlen(name), NULL, 16) & ~(3ull << 31);
}

static void signals_are_as_at_login(void)
{
    signal(SIGUSR2, ignore);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    weft_process_output output = captured(ARGV("cat", "/proc/self/status"), NULL);
    CHECK_EQ(signal_set(output.out, "SigBlk:"), 0);
    CHECK_EQ(signal_set(output.out, "SigIgn:"), 1 << (SIGHUP - 1));
    CHECK_EQ(signal_set(output.out, "SigCgt:"), 0);
    weft_process_output_free(&output);
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

static void many_bytes_go_both_ways(void)
{
    enum { SIZE = 8 << 20 };
    char *data = malloc(SIZE);
    weft_process_output output;
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)(i * 31 >> 3);
    CHECK_EQ(weft_process_capture(ARGV("cat"), NULL, data, SIZE, SIZE, &output), 0);
    CHECK_EQ(output.out_size, SIZE);
    CHECK(memcmp(output.out, data, SIZE) == 0);
    CHECK_EQ(output.err_size, 0);
    weft_process_output_free(&output);
    free(data);
}

LEAVES_NOTHING(environment_and_directory_are_those_given)
LEAVES_NOTHING(streams_go_where_they_are_told)
LEAVES_NOTHING(it_has_three_descriptors)
LEAVES_NOTHING(signals_are_as_at_login)
LEAVES_NOTHING(many_bytes_go_both_ways)

static void test_standard_descriptors_can_be_exchanged(void **state)
{
    (void)state;
    fflush(stdout);
    run_on(2, standard_descriptors_can_be_exchanged);
}

/* ---- What cannot be started ---- */

static void expect_refused(const char *const *argv, weft_process_options *options, int error,
                           const char *message)
{
    weft_process *process;
    char text[256] = "";
    options->message = text;
    options->message_size = sizeof text;
    CHECK_EQ(weft_process_start(argv, options, &process), error);
    if (strcmp(text, message) != 0) {
        fprintf(stderr, "\"%s\", not \"%s\"\n", text, message);
        abort();
    }
}

static void what_cannot_be_started_is_said(void)
{
    weft_process_options options = plain();
    weft_process_output output;
    expect_refused(ARGV("weft-nosuch"), &options, -ENOENT,
                   "cannot start weft-nosuch: No such file or directory");
    expect_refused(ARGV("/etc/passwd"), &options, -EACCES,
                   "cannot start /etc/passwd: Permission denied");
    options.dir = "/nowhere";
    expect_refused(ARGV("true"), &options, -ENOENT,
                   "cannot start true: directory /nowhere: No such file or directory");
    options.dir = "/etc/passwd";
    expect_refused(ARGV("true"), &options, -ENOTDIR,
                   "cannot start true: directory /etc/passwd: Not a directory");
    options = plain();
    options.stdio[1] = WEFT_STDIO_FD;
    options.fd[1] = 999;
    expect_refused(ARGV("true"), &options, -EBADF,
                   "cannot start true: standard output: Bad file descriptor");
    options.stdio[1] = WEFT_STDIO_MERGE;
    expect_refused(ARGV("true"), &options, -EINVAL,
                   "cannot start true: standard output: Invalid argument");
    CHECK_EQ(weft_process_capture(ARGV("weft-nosuch"), NULL, NULL, 0, 1, &output), -ENOENT);
    CHECK(!output.out && !output.err);
}

LEAVES_NOTHING(what_cannot_be_started_is_said)

/* ---- Who ends it ---- */

static void a_context_ends_it(void)
{
    weft_process_options options = plain();
    options.context = weft_context_new(NULL);
    weft_process *process = started(ARGV("sleep", "1000"), &options);
    CHECK_EQ(weft_process_wait(process, weft_now() + WEFT_MILLISECOND, NULL), -ETIMEDOUT);
    weft_context_cancel(options.context, 0);
    CHECK_EQ(end_of(process).signal, SIGTERM);
    weft_context_free(options.context);
}

static void a_deadline_ends_it(void)
{
    weft_process_options options = plain();
    options.context = weft_context_with_timeout(NULL, 5 * WEFT_MILLISECOND);
    CHECK_EQ(end_of(started(ARGV("sleep", "1000"), &options)).signal, SIGTERM);
    weft_context_free(options.context);
}

/* The child says when it has made itself deaf. */
static void one_that_does_not_listen_is_killed(void)
{
    weft_process_options options = plain();
    char line[8];
    options.context = weft_context_new(NULL);
    options.grace = 20 * WEFT_MILLISECOND;
    options.stdio[1] = WEFT_STDIO_PIPE;
    options.group = true; /* sleep as well */
    weft_process *process =
        started(SH("trap '' TERM; echo deaf; while :; do sleep 1000; done"), &options);
    CHECK(weft_conn_read(weft_process_pipe(process, 1), line, sizeof line) > 0);
    weft_context_cancel(options.context, 0);
    CHECK_EQ(weft_conn_read(weft_process_pipe(process, 1), line, sizeof line), 0);
    CHECK_EQ(end_of(process).signal, SIGKILL);
    options.grace = -1;
    process = started(ARGV("sleep", "1000"), &options); /* the context has ended already */
    CHECK_EQ(end_of(process).signal, SIGKILL);
    weft_context_free(options.context);
}

/* The end of its output shows that the grandchildren have gone. */
static void a_group_ends_together(void)
{
    weft_process_options options = plain();
    char line[16];
    options.group = true;
    options.stdio[1] = WEFT_STDIO_PIPE;
    weft_process *process = started(SH("sleep 1000 & sleep 1000 & echo ready; wait"), &options);
    CHECK(weft_conn_read(weft_process_pipe(process, 1), line, sizeof line) > 0);
    CHECK_EQ(weft_process_kill(process, SIGTERM), 0);
    CHECK_EQ(weft_conn_read(weft_process_pipe(process, 1), line, sizeof line), 0);
    CHECK_EQ(end_of(process).signal, SIGTERM);
}

static void a_context_that_is_freed_early_ends_it(void)
{
    weft_process_options options = plain();
    options.context = weft_context_new(NULL);
    weft_process *process = started(ARGV("sleep", "1000"), &options);
    weft_context_free(options.context);
    CHECK_EQ(end_of(process).signal, SIGTERM);
}

static void many_are_cancelled_at_once(void)
{
    enum { MANY = 20 };
    weft_process *process[MANY];
    weft_process_options options = plain();
    options.context = weft_context_new(NULL);
    for (int i = 0; i < MANY; i++)
        process[i] = started(ARGV("sleep", "1000"), &options);
    weft_context_cancel(options.context, 0);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(end_of(process[i]).signal, SIGTERM);
    weft_context_free(options.context);
}

LEAVES_NOTHING(a_context_ends_it)
LEAVES_NOTHING(a_deadline_ends_it)
LEAVES_NOTHING(one_that_does_not_listen_is_killed)
LEAVES_NOTHING(a_group_ends_together)
LEAVES_NOTHING(a_context_that_is_freed_early_ends_it)
LEAVES_NOTHING(many_are_cancelled_at_once)

/* ---- Capture ---- */

static void both_outputs_are_captured(void)
{
    weft_process_output output;
    CHECK_EQ(weft_process_capture(SH("cat; echo no >&2; exit 3"), NULL, "in", 2, 100, &output), 0);
    CHECK_EQ(output.status.code, 3);
    CHECK(strcmp(output.out, "in") == 0 && strcmp(output.err, "no\n") == 0);
    weft_process_output_free(&output);
    CHECK_EQ(weft_process_capture(ARGV("true"), NULL, "unread", 6, 0, &output), 0);
    CHECK_EQ(output.out_size, 0);
    weft_process_output_free(&output);
}

static void output_beyond_the_limit_ends_it(void)
{
    weft_process_output output;
    CHECK_EQ(weft_process_capture(ARGV("printf", "12345"), NULL, NULL, 0, 5, &output), 0);
    CHECK_EQ(output.out_size, 5);
    weft_process_output_free(&output);
    CHECK_EQ(weft_process_capture(ARGV("printf", "12345"), NULL, NULL, 0, 4, &output), -EFBIG);
    CHECK(strcmp(output.out, "1234") == 0);
    weft_process_output_free(&output);
    CHECK_EQ(weft_process_capture(ARGV("yes"), NULL, NULL, 0, 10000, &output), -EFBIG);
    CHECK_EQ(output.out_size, 10000);
    CHECK(output.status.signal != 0);
    weft_process_output_free(&output);
}

static void a_context_ends_a_capture(void)
{
    weft_context *context = weft_context_with_timeout(NULL, 200 * WEFT_MILLISECOND);
    weft_process_output output;
    weft_context *before = weft_context_enter(context);
    CHECK_EQ(weft_process_capture(SH("echo begun; exec sleep 1000"), NULL, NULL, 0, 100, &output),
             -ETIMEDOUT);
    weft_context_enter(before);
    weft_process_output_free(&output);
    /* Its streams have ended, it has not. */
    weft_process_options options = plain();
    options.context = context;
    options.grace = -1;
    CHECK_EQ(weft_process_capture(SH("exec sleep 1000 >&- 2>&-"), &options, NULL, 0, 1, &output),
             -ETIMEDOUT);
    CHECK(output.status.signal == SIGTERM || output.status.signal == SIGKILL);
    weft_process_output_free(&output);
    weft_context_free(context);
}

LEAVES_NOTHING(both_outputs_are_captured)
LEAVES_NOTHING(output_beyond_the_limit_ends_it)
LEAVES_NOTHING(a_context_ends_a_capture)

/* ---- Kernels that refuse ---- */

static void without_pidfd(void *arg)
{
    (void)arg;
    refuse((struct refusal){.call = SYS_pidfd_open, .error = ENOSYS});
    run_everywhere(status_says_how_it_ended_and_leaves_nothing);
    run_on(2, many_wait_for_one_and_leaves_nothing);
    run_on(2, very_many_come_and_go_and_leaves_nothing);
    run_on(2, a_context_ends_it_and_leaves_nothing);
    run_on(2, one_that_does_not_listen_is_killed_and_leaves_nothing);
    run_on(2, both_outputs_are_captured_and_leaves_nothing);
}

static void without_pidfds_a_thread_waits(void **state)
{
    (void)state;
    death d = death_of(without_pidfd, NULL);
    if (d.status != 0)
        fail_msg("status %d: %s", d.status, d.text);
}

static void refused_process(void)
{
    weft_process_options options = plain();
    options.stdio[0] = options.stdio[1] = WEFT_STDIO_PIPE;
    expect_refused(ARGV("true"), &options, -EAGAIN,
                   "cannot start true: no process to be had: Resource temporarily unavailable");
}

static void no_more_processes(void *arg)
{
    (void)arg;
    refuse((struct refusal){.call = SYS_clone3, .error = ENOSYS});
    refuse((struct refusal){SYS_clone, EAGAIN, 0, CLONE_VFORK, CLONE_VFORK});
    run_on(2, refused_process);
}

static void a_refused_process_is_said(void **state)
{
    (void)state;
    death d = death_of(no_more_processes, NULL);
    if (d.status != 0)
        fail_msg("status %d: %s", d.status, d.text);
}

/* ---- In a trace ---- */

static void a_run_with_children_is_a_valid_trace(void **state)
{
    const char *folder = getenv("WEFT_TRACE_DIR");
    char path[4096];
    (void)state;
    if (!folder)
        skip();
    snprintf(path, sizeof path, "%s/children.trace", folder);
    setenv("WEFT_TRACE", path, 1);
    run_on(2, many_are_cancelled_at_once);
    unsetenv("WEFT_TRACE");
}

int main(int argc, char **argv)
{
    choose_tests(argc, argv);
    const struct CMUnitTest tests[] = {
        TEST(status_says_how_it_ended),
        TEST(many_wait_for_one),
        TEST(very_many_come_and_go),
        TEST(one_that_nobody_awaits_is_taken_nevertheless),
        TEST(environment_and_directory_are_those_given),
        TEST(streams_go_where_they_are_told),
        TEST(standard_descriptors_can_be_exchanged),
        TEST(it_has_three_descriptors),
        TEST(signals_are_as_at_login),
        TEST(many_bytes_go_both_ways),
        TEST(what_cannot_be_started_is_said),
        TEST(a_context_ends_it),
        TEST(a_deadline_ends_it),
        TEST(one_that_does_not_listen_is_killed),
        TEST(a_group_ends_together),
        TEST(a_context_that_is_freed_early_ends_it),
        TEST(many_are_cancelled_at_once),
        TEST(both_outputs_are_captured),
        TEST(output_beyond_the_limit_ends_it),
        TEST(a_context_ends_a_capture),
        cmocka_unit_test(without_pidfds_a_thread_waits),
        cmocka_unit_test(a_refused_process_is_said),
        cmocka_unit_test(a_run_with_children_is_a_valid_trace),
    };
    return cmocka_run_group_tests(tests, keep_given_descriptors, NULL);
}
