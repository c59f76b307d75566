/* SPDX-License-Identifier: MIT */
/*
 * Design. A signal handler can do next to nothing, so the one for snapshots rings a bell, and a
 * plain thread, which exists only if it is needed, does the rest. The same thread ends the trace
 * when its time is over. Signals that come while a snapshot is being written make one more.
 */
#include "sched/trace_env.h"

#include "base/clock.h"
#include "base/fatal.h"
#include "base/futex.h"
#include "base/thread.h"
#include "sched/environment.h"
#include "sched/sched.h"
#include "sched/signals.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* More than a recorder has by default: a file takes no memory that the program would miss. */
#define FLIGHT_WINDOW_BYTES ((size_t)64 << 20)

enum { CPU_HZ_MAX = 10000 };

static base_lock lock = BASE_LOCK_INIT(INSTANCE); /* guards whole_run */
static weft_trace_stream *whole_run;              /* of WEFT_TRACE */

static struct {
    weft_trace_recorder *recorder; /* for WEFT_TRACE_SNAPSHOT, WEFT_TRACE_ON_CRASH, WEFT_FLIGHT */
    bool has_flight;
    const char *crash_path; /* of WEFT_TRACE_ON_CRASH */
    const char *path;       /* of WEFT_TRACE_SNAPSHOT */
    unsigned written;       /* snapshots */
    int signal;             /* 0: none */
    struct signal_loan loan;
    uint64_t deadline; /* of WEFT_TRACE_SECONDS; UINT64_MAX: none */
    pthread_t thread;
    bool running;
    base_note bell;
    uint32_t wanted, ending; /* atomic */
} helper;

static int read_format(unsigned *format)
{
    static const char *const names[] = {"1.22", "1.23", "1.25", "1.26"};
    static const unsigned numbers[] = {22, 23, 25, 26};
    const char *text = environment_text("WEFT_TRACE_FORMAT");
    *format = 26;
    if (!text)
        return 0;
    for (unsigned i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            *format = numbers[i];
            return 0;
        }
    base_warn("WEFT_TRACE_FORMAT=%s is none of 1.22, 1.23, 1.25, 1.26", text);
    return -EINVAL;
}

/* ---- The trace of the whole run ---- */

static int start_whole_run(void)
{
    const char *path = environment_text("WEFT_TRACE");
    if (!path)
        return 0;
    weft_trace_options options = {.size = sizeof options};
    unsigned long hz = 0;
    int error = read_format(&options.format);
    if (!error && !environment_number("WEFT_TRACE_CPU", 0, CPU_HZ_MAX, &hz))
        error = -EINVAL;
    options.cpu_hz = (unsigned)hz;
    if (!error)
        error = weft_trace_start_path(sched.tracer, path, &options, &whole_run);
    if (error)
        base_warn("WEFT_TRACE=%s: cannot start the trace: %s", path, strerror(-error));
    return error;
}

void trace_env_complete(void)
{
    lock_acquire(&lock);
    weft_trace_stream *stream = whole_run;
    whole_run = NULL;
    lock_release(&lock);
    if (!stream)
        return;
    int error = weft_trace_stop(stream, NULL);
    if (error)
        base_warn("WEFT_TRACE: the trace is not complete: %s", strerror(-error));
}

/* ---- The flight file ---- */

static int open_flight(void)
{
    const char *path = environment_text("WEFT_FLIGHT");
    int error = path ? weft_tracer_flight(sched.tracer, path, 0) : 0;
    if (error)
        base_warn("WEFT_FLIGHT=%s: cannot make the file: %s", path, strerror(-error));
    helper.has_flight = path && !error;
    return error;
}

/* ---- The helper: snapshots on request, and the end of a trace that has a length ---- */

static void write_snapshot(void)
{
    char path[PATH_MAX + 16];
    if (helper.written == 0)
        snprintf(path, sizeof path, "%s", helper.path);
    else
        snprintf(path, sizeof path, "%s.%u", helper.path, helper.written);
    int error = weft_trace_snapshot_path(helper.recorder, path, NULL);
    if (error)
        base_warn("WEFT_TRACE_SNAPSHOT: cannot write %s: %s", path, strerror(-error));
    else
        helper.written++;
}

static int64_t time_left(void)
{
    uint64_t now = base_clock_monotonic();
    if (helper.deadline == UINT64_MAX)
        return -1;
    return helper.deadline > now ? (int64_t)(helper.deadline - now) : 0;
}

static void *helper_main(void *arg)
{
    (void)arg;
    while (!atomic_load_acquire(&helper.ending)) {  /* pairs with trace_env_stop() */
        if (atomic_swap_acquire(&helper.wanted, 0)) /* pairs with on_signal() */
            write_snapshot();
        if (time_left() == 0) {
            trace_env_complete();
            helper.deadline = UINT64_MAX;
        }
        (void)base_note_wait(&helper.bell, time_left());
    }
    return NULL;
}

static void on_signal(int number)
{
    int saved = errno;
    (void)signals_take(number);
    (void)atomic_swap_release(&helper.wanted, 1);
    base_note_post(&helper.bell);
    errno = saved;
}

static int start_helper(void)
{
    helper.loan = (struct signal_loan){.number = helper.signal};
    helper.loan.action.sa_handler = on_signal;
    helper.loan.action.sa_flags = SA_RESTART;
    if (!helper.path && helper.deadline == UINT64_MAX)
        return 0;
    int error = base_thread_start(&helper.thread, "weft-record", helper_main, NULL);
    helper.running = error == 0;
    if (error)
        base_warn("cannot start the thread that ends traces: %s", strerror(-error));
    else if (helper.signal)
        signals_borrow(&helper.loan);
    return error;
}

static int start_recorder(void)
{
    weft_trace_recorder_options options = {.size = sizeof options};
    if (helper.has_flight)
        options.window_bytes = FLIGHT_WINDOW_BYTES;
    int error = read_format(&options.format);
    if (!error)
        error = weft_trace_recorder_new(sched.tracer, &options, &helper.recorder);
    if (!error)
        error = weft_trace_recorder_start(helper.recorder);
    if (error)
        base_warn("the flight recorder cannot start: %s", strerror(-error));
    return error;
}

/* Nothing is started if anything is wrong. */
static int read_settings(void)
{
    uint64_t length = 0;
    helper.deadline = UINT64_MAX;
    helper.path = environment_text("WEFT_TRACE_SNAPSHOT");
    helper.crash_path = environment_text("WEFT_TRACE_ON_CRASH");
    helper.written = 0;
    if (!environment_seconds("WEFT_TRACE_SECONDS", &length) ||
        !environment_signal("WEFT_TRACE_SIGNAL", &helper.signal))
        return -EINVAL;
    if ((helper.signal != 0) != (helper.path != NULL)) {
        base_warn("WEFT_TRACE_SIGNAL and WEFT_TRACE_SNAPSHOT need each other");
        return -EINVAL;
    }
    if (length && environment_text("WEFT_TRACE"))
        helper.deadline = base_clock_monotonic() + length;
    return 0;
}

int trace_env_start(void)
{
    int error = read_settings();
    if (!error)
        error = open_flight();
    if (!error)
        error = start_whole_run();
    if (!error && (helper.path || helper.crash_path || helper.has_flight))
        error = start_recorder();
    return error ? error : start_helper();
}

void trace_env_crash(void)
{
    if (!helper.crash_path || !helper.recorder)
        return;
    int error = weft_trace_snapshot_path(helper.recorder, helper.crash_path, NULL);
    if (error)
        base_warn("WEFT_TRACE_ON_CRASH=%s: %s", helper.crash_path, strerror(-error));
}

void trace_env_stop(void)
{
    if (helper.running) {
        if (helper.signal)
            signals_give_back(&helper.loan);
        atomic_store_release(&helper.ending, 1); /* pairs with helper_main() */
        base_note_post(&helper.bell);
        pthread_join(helper.thread, NULL);
    }
    helper.running = false;
    helper.ending = helper.wanted = 0;
    helper.bell = (base_note){0};
    trace_env_complete();
    weft_trace_recorder *recorder = helper.recorder;
    helper.recorder = NULL;
    (void)weft_trace_recorder_free(recorder); /* behind the trace: a flight file keeps its window */
}

int trace_env_signal(void)
{
    return helper.running ? helper.signal : 0;
}

void trace_env_forget(void)
{
    lock_init(&lock, BASE_RANK_INSTANCE);
    whole_run = NULL;
    helper.recorder = NULL;
    helper.running = false;
}
