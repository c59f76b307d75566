/* SPDX-License-Identifier: MIT */
/*
 * startstop [GOROUTINES…]: how long it takes to start and stop a trace, and to take a snapshot of
 * the flight recorder, while so many goroutines are parked; medians in µs. And how much longer than
 * its 100 µs a sleeper slept at worst meanwhile.
 */
#include <weft/weft.h>

#include "rounds.h"

enum { ROUNDS = 7 };

static weft_chan *gate;
static weft_waitgroup left;
static int64_t worst;
static int measuring;

static void park(void *arg)
{
    (void)arg;
    weft_chan_recv(gate, NULL);
    weft_waitgroup_done(&left);
}

static void watch(void *arg)
{
    (void)arg;
    while (__atomic_load_n(&measuring, __ATOMIC_ACQUIRE)) {
        int64_t begin = weft_now();
        weft_sleep(100 * WEFT_MICROSECOND);
        int64_t late = weft_now() - begin - 100 * WEFT_MICROSECOND;
        if (late > worst)
            worst = late;
    }
    weft_waitgroup_done(&left);
}

static int forget(void *context, const void *data, size_t size)
{
    (void)context, (void)data, (void)size;
    return 0;
}

static void must(int error)
{
    if (error < 0) {
        fprintf(stderr, "startstop: error %d\n", -error);
        exit(1);
    }
}

static double micros(int64_t since)
{
    return (double)(weft_now() - since) / 1e3;
}

static void one_round(double *start, double *stop, double *snapshot)
{
    weft_tracer *tracer = weft_tracer_default();
    weft_trace_stream *stream;
    weft_trace_recorder *recorder;
    int64_t t = weft_now();
    must(weft_trace_start_callback(tracer, forget, NULL, NULL, &stream));
    *start = micros(t);
    weft_sleep(20 * WEFT_MILLISECOND);
    t = weft_now();
    must(weft_trace_stop(stream, NULL));
    *stop = micros(t);
    must(weft_trace_recorder_new(
        tracer,
        &(weft_trace_recorder_options){.size = sizeof(weft_trace_recorder_options),
                                       .window_bytes = (size_t)256 << 20},
        &recorder));
    must(weft_trace_recorder_start(recorder));
    weft_sleep(20 * WEFT_MILLISECOND);
    t = weft_now();
    must(weft_trace_snapshot_callback(recorder, forget, NULL, NULL));
    *snapshot = micros(t);
    must(weft_trace_recorder_free(recorder));
}

static void print(long n, const char *what, double *values)
{
    qsort(values, ROUNDS, sizeof *values, bench_ascending);
    printf("g%ld/%s %.4g us\n", n, what, values[ROUNDS / 2]);
    fflush(stdout);
}

static void measure(long n)
{
    double start[ROUNDS], stop[ROUNDS], snapshot[ROUNDS];
    gate = weft_chan_new(0, 0);
    weft_waitgroup_add(&left, (int)n + 1);
    for (long i = 0; i < n; i++)
        must(weft_go(park, NULL));
    weft_sleep(10 * WEFT_MILLISECOND);
    measuring = 1;
    worst = 0;
    must(weft_go(watch, NULL));
    for (int i = 0; i < ROUNDS; i++)
        one_round(&start[i], &stop[i], &snapshot[i]);
    __atomic_store_n(&measuring, 0, __ATOMIC_RELEASE);
    print(n, "start", start);
    print(n, "stop", stop);
    print(n, "snapshot", snapshot);
    printf("g%ld/worst_delay %.4g us\n", n, (double)worst / 1e3);
    weft_chan_close(gate);
    weft_waitgroup_wait(&left);
    weft_chan_free(gate);
}

static int run(void *arg)
{
    for (char **count = arg; *count; count++)
        measure(atol(*count));
    return 0;
}

int main(int argc, char **argv)
{
    char *usual[] = {"10", "100000", NULL};
    return weft_run(NULL, run, argc > 1 ? argv + 1 : usual);
}
