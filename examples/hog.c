/* SPDX-License-Identifier: MIT */
/*
 * hog: what an endless computation and a forgotten blocking read() do to everybody else: nothing.
 *
 * One goroutine computes for ever, another one blocks in read() of a pipe into which nobody writes;
 * neither tells the runtime. With a single P (WEFT_PROCS, here 1 unless set), others play 1,000
 * rounds of ping-pong, the number of Ps is changed, a trace is started, advanced and stopped, and a
 * goroutine sleeps. The program prints how long each took; what had to wait for a hog would wait
 * for ever.
 *
 * In the trace: each hog runs for at most 10 ms, then loses its P and is shown as in a system call
 * to the end, on a thread of its own, while the P goes on with the others.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

enum { ROUNDS = 1000 };

static int pipe_ends[2];
static volatile unsigned long computed;
static int failed;

static void compute(void *arg)
{
    (void)arg;
    for (;;)
        computed = computed * 6364136223846793005u + 1442695040888963407u;
}

static void read_nothing(void *arg)
{
    char byte;
    (void)arg;
    if (read(pipe_ends[0], &byte, 1) != 1)
        abort();
}

static void player(void *arg)
{
    weft_chan **table = arg;
    int n;
    while (weft_chan_recv(table[0], &n) == 0)
        weft_chan_send(table[1], &n);
    weft_chan_close(table[1]);
}

static int play(void)
{
    weft_chan *table[2] = {weft_chan_new(sizeof(int), 0), weft_chan_new(sizeof(int), 0)};
    int error = table[0] && table[1] ? weft_go(player, table) : -ENOMEM;
    if (error)
        return error;
    for (int n = 0; n < ROUNDS; n++) {
        weft_chan_send(table[0], &n);
        weft_chan_recv(table[1], NULL);
    }
    weft_chan_close(table[0]);
    weft_chan_recv(table[1], NULL);
    weft_chan_free(table[0]);
    weft_chan_free(table[1]);
    return 0;
}

static int change_procs(void)
{
    int before = weft_procs(0);
    int old = weft_procs(before + 3);
    return old < 0 ? old : weft_procs(before) == before + 3 ? 0 : -EIO;
}

static int forget(void *context, const void *data, size_t size)
{
    (void)context, (void)data, (void)size;
    return 0;
}

static int trace(void)
{
    weft_trace_stream *stream;
    int error = weft_trace_start_callback(weft_tracer_default(), forget, NULL, NULL, &stream);
    if (error == -EBUSY) /* the whole run is traced, in a format of an older version */
        return weft_trace_advance(weft_tracer_default());
    if (error)
        return error;
    error = weft_trace_advance(weft_tracer_default());
    int stopped = weft_trace_stop(stream, NULL);
    return error ? error : stopped;
}

static int doze(void)
{
    weft_sleep(WEFT_MILLISECOND);
    return 0;
}

static void measure(const char *what, int (*step)(void))
{
    int64_t start = weft_now();
    int error = step();
    int64_t took = weft_now() - start;

    printf("%-44s %9.3f ms\n", what, (double)took / 1e6);
    if (error)
        fprintf(stderr, "hog: %s: %s\n", what, strerror(-error));
    failed |= error != 0;
}

static int hogs(void *arg)
{
    (void)arg;
    if (pipe(pipe_ends) != 0 || weft_go(compute, NULL) != 0 || weft_go(read_nothing, NULL) != 0)
        return 1;
    weft_yield(); /* both hogs have the P now, one after the other */
    measure("1,000 round trips of ping-pong", play);
    measure("the number of Ps changed up and down", change_procs);
    measure("a trace started, advanced and stopped", trace);
    measure("a sleep of 1 ms", doze);
    measure("1,000 round trips of ping-pong, once more", play);
    return failed;
}

int main(int argc, char **argv)
{
    weft_options options = {.size = sizeof options, .procs = getenv("WEFT_PROCS") ? 0 : 1};

    (void)argv;
    if (argc > 1) {
        puts("usage: hog\nTwo goroutines hog their threads; prints how long others wait for that.");
        return 0;
    }
    return weft_run(&options, hogs, NULL);
}
