/* SPDX-License-Identifier: MIT */
/*
 * sched: what the scheduler's basic operations cost, in ns for each, without tracing (off) and with
 * (discard: the trace is thrown away; file: it is written to a file).
 *
 * The modes take turns, round by round, in one process; printed are the medians, and the medians of
 * the rounds' ratios to off. Names and meaning are those of the Go programs which they are compared
 * with: pPROCS/OPERATION/MODE.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

enum { MAX_ROUNDS = 101, WORKERS = 4 };
enum mode { OFF, DISCARD, TO_FILE, MODES };
static const char *const mode_names[MODES] = {"off", "discard", "file"};

static unsigned rounds = 7;
static int64_t span = 100 * WEFT_MILLISECOND;
static const char *only = "";
static enum mode modes = MODES;
static int first_procs = 1, last_procs = 2;

/* ---- Workers ---- */

typedef struct {
    void (*fn)(long n);
    long n;
} work;

static weft_waitgroup finished;
static weft_chan *there, *back;

static void must(int error)
{
    if (error) {
        fprintf(stderr, "bench: %s\n", strerror(-error));
        exit(1);
    }
}

static void run_work(void *arg)
{
    work *w = arg;
    w->fn(w->n);
    weft_waitgroup_done(&finished);
}

/* Runs the functions as goroutines, n[i] operations each; returns how long all took. */
static int64_t together(work *all, int count)
{
    weft_waitgroup_add(&finished, count);
    int64_t start = weft_now();
    for (int i = 0; i < count; i++)
        must(weft_go(run_work, &all[i]));
    weft_waitgroup_wait(&finished);
    return weft_now() - start;
}

/* ---- Operations: each runs n of them and returns the time in ns ---- */

static void yield_loop(long n)
{
    while (n-- > 0)
        weft_yield();
}

static int64_t gosched(long n)
{
    work all[] = {{yield_loop, n / 2}, {yield_loop, n / 2}};
    return together(all, 2);
}

static void pinger(long n)
{
    for (long i = 0; i < n; i++) {
        must(weft_chan_send(there, &i));
        must(weft_chan_recv(back, NULL));
    }
}

static void ponger(long n)
{
    for (long value; n-- > 0;) {
        must(weft_chan_recv(there, &value));
        must(weft_chan_send(back, &value));
    }
}

static int64_t over_channels(size_t capacity, work *all)
{
    there = weft_chan_new(sizeof(long), capacity);
    back = weft_chan_new(sizeof(long), capacity);
    if (!there || !back)
        must(-ENOMEM);
    int64_t took = together(all, 2);
    weft_chan_free(there);
    weft_chan_free(back);
    return took;
}

static int64_t chan_pingpong(long n)
{
    work all[] = {{pinger, n}, {ponger, n}};
    return over_channels(0, all);
}

static void producer(long n)
{
    for (long i = 0; i < n; i++)
        must(weft_chan_send(there, &i));
}

static void consumer(long n)
{
    while (n-- > 0)
        must(weft_chan_recv(there, NULL));
}

static int64_t chan_buffered(long n)
{
    work all[] = {{producer, n}, {consumer, n}};
    return over_channels(128, all);
}

static weft_mutex mutex = WEFT_MUTEX_INIT;
static long counter;

static void count_locked(long n)
{
    while (n-- > 0) {
        weft_mutex_lock(&mutex);
        counter++;
        weft_mutex_unlock(&mutex);
    }
}

static void yield_locked(long n)
{
    while (n-- > 0) {
        weft_mutex_lock(&mutex);
        weft_yield();
        weft_mutex_unlock(&mutex);
    }
}

static int64_t contend(long n, void (*fn)(long))
{
    work all[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        all[i] = (work){fn, n / WORKERS};
    return together(all, WORKERS);
}

static int64_t mutex_count(long n)
{
    return contend(n, count_locked);
}

static int64_t mutex_handoff(long n)
{
    return contend(n, yield_locked);
}

static void end_at_once(void *group)
{
    weft_waitgroup_done(group);
}

static int64_t spawn_join(long n)
{
    int64_t start = weft_now();
    while (n-- > 0) {
        weft_waitgroup one = WEFT_WAITGROUP_INIT;
        weft_waitgroup_add(&one, 1);
        must(weft_go(end_at_once, &one));
        weft_waitgroup_wait(&one);
    }
    return weft_now() - start;
}

static int64_t fanout(long n)
{
    int64_t start = weft_now();
    for (weft_waitgroup all = WEFT_WAITGROUP_INIT; n > 0; n -= 100) {
        weft_waitgroup_add(&all, 100);
        for (int i = 0; i < 100; i++)
            must(weft_go(end_at_once, &all));
        weft_waitgroup_wait(&all);
    }
    return weft_now() - start;
}

static weft_chan *four[4];

static void send_in_turn(long n)
{
    for (long i = 0; i < n; i++)
        must(weft_chan_send(four[i % 4], &i));
}

static void select_of_four(long n)
{
    weft_select_case cases[4];
    for (int i = 0; i < 4; i++)
        cases[i] = (weft_select_case){.chan = four[i]};
    while (n-- > 0)
        if (weft_select(cases, 4, WEFT_NEVER) < 0)
            must(-EINVAL);
}

static int64_t select4(long n)
{
    work all[] = {{send_in_turn, n}, {select_of_four, n}};
    for (int i = 0; i < 4; i++)
        if (!(four[i] = weft_chan_new(sizeof(long), 0)))
            must(-ENOMEM);
    int64_t took = together(all, 2);
    for (int i = 0; i < 4; i++)
        weft_chan_free(four[i]);
    return took;
}

static const struct {
    const char *name;
    int64_t (*run)(long n);
} operations[] = {
    {"gosched", gosched},       {"chan_pingpong", chan_pingpong}, {"chan_buffered", chan_buffered},
    {"mutex", mutex_count},     {"mutex_handoff", mutex_handoff}, {"select4", select4},
    {"spawn_join", spawn_join}, {"wg_fanout100", fanout},
};

/* ---- Modes ---- */

static int forget(void *context, const void *data, size_t size)
{
    (void)context, (void)data, (void)size;
    return 0;
}

static double sample(enum mode mode, int64_t (*run)(long), long n)
{
    char path[] = "/tmp/weft-bench.XXXXXX";
    weft_trace_stream *stream = NULL;
    weft_tracer *tracer = weft_tracer_default();
    int file = -1;
    if (mode == DISCARD) {
        must(weft_trace_start_callback(tracer, forget, NULL, NULL, &stream));
    } else if (mode == TO_FILE) {
        file = mkstemp(path);
        unlink(path);
        must(weft_trace_start_fd(tracer, file, NULL, &stream));
    }
    double each = (double)run(n) / (double)n;
    if (stream)
        must(weft_trace_stop(stream, NULL));
    if (file >= 0)
        close(file);
    return each;
}

/* ---- Statistics ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values)
{
    double sorted[MAX_ROUNDS];
    memcpy(sorted, values, rounds * sizeof *values);
    qsort(sorted, rounds, sizeof *sorted, by_value);
    return (sorted[(rounds - 1) / 2] + sorted[rounds / 2]) / 2;
}

static long calibrate(int64_t (*run)(long))
{
    for (long n = 1000;; n *= 4) {
        int64_t took = run(n);
        if (took > span / 10 || n > 1L << 28)
            return (long)((double)n * (double)span / (double)took) / 400 * 400 + 400;
    }
}

static void compare(int procs, const char *name, int64_t (*run)(long))
{
    static double samples[MODES][MAX_ROUNDS], ratios[MODES][MAX_ROUNDS];
    long n = calibrate(run);
    for (unsigned round = 0; round < rounds; round++)
        for (enum mode mode = OFF; mode < modes; mode++) {
            samples[mode][round] = sample(mode, run, n);
            ratios[mode][round] = samples[mode][round] / samples[OFF][round];
        }
    for (enum mode mode = OFF; mode < modes; mode++)
        printf("p%d/%s/%s %.4g ns\n", procs, name, mode_names[mode], median(samples[mode]));
    for (enum mode mode = DISCARD; mode < modes; mode++)
        printf("p%d/%s/%s_ratio %.4g x\n", procs, name, mode_names[mode], median(ratios[mode]));
    fflush(stdout);
}

static int bench(void *arg)
{
    (void)arg;
    for (int procs = first_procs; procs <= last_procs; procs++) {
        weft_procs(procs);
        for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
            if (!*only || strcmp(only, operations[i].name) == 0)
                compare(procs, operations[i].name, operations[i].run);
    }
    return 0;
}

int main(int argc, char **argv)
{
    for (int option; (option = getopt(argc, argv, "b:op:r:t:")) != -1;) {
        if (option == 'b') {
            only = optarg;
        } else if (option == 'o') {
            modes = DISCARD;
        } else if (option == 'p') {
            first_procs = last_procs = atoi(optarg);
        } else if (option == 'r') {
            rounds = (unsigned)atoi(optarg);
        } else if (option == 't') {
            span = atoi(optarg) * WEFT_MILLISECOND;
        } else {
            fputs("usage: sched [-b OPERATION] [-o] [-p PROCS] [-r ROUNDS] [-t MILLISECONDS]\n"
                  "-o: without tracing only; without -p on 1 P and on 2\n",
                  stderr);
            return 2;
        }
    }
    if (rounds < 1 || rounds > MAX_ROUNDS || span <= 0 || first_procs < 1) {
        fputs("sched: ROUNDS is 1 to 101\n", stderr);
        return 2;
    }
    return weft_run(NULL, bench, NULL);
}
