/* SPDX-License-Identifier: MIT */
/*
 * annotate_bench: what annotations cost, in ns for each, while tracing is off (off) and while the
 * trace is thrown away (on). Twins of Go's BenchmarkStartRegion, BenchmarkNewTask and BenchmarkLog.
 * Begin and end count as one; `empty` is the loop itself.
 */
#include <stdio.h>
#include <weft/weft.h>

#include "rounds.h"

enum { N_OFF = 20 * 1000 * 1000, N_ON = 200 * 1000 };

#define BARRIER() __asm__ __volatile__("" ::: "memory")

static void empty(long n)
{
    while (n-- > 0)
        BARRIER();
}

static void region(long n)
{
    while (n-- > 0) {
        WEFT_REGION("region");
        BARRIER();
    }
}

static void task(long n)
{
    while (n-- > 0) {
        WEFT_TASK("task");
        BARRIER();
    }
}

static void log_text(long n)
{
    while (n-- > 0) {
        weft_log("key", "value");
        BARRIER();
    }
}

static void log_format(long n)
{
    while (n-- > 0) {
        weft_logf("key", "%ld", n);
        BARRIER();
    }
}

static int discard(void *context, const void *data, size_t size)
{
    (void)context, (void)data, (void)size;
    return 0;
}

static void measure(const char *mode, long n)
{
    static const struct {
        const char *name;
        void (*fn)(long);
    } all[] = {{"empty", empty},
               {"region", region},
               {"task", task},
               {"log", log_text},
               {"logf", log_format}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s/%s", all[i].name, mode);
        bench_print(name, all[i].fn, n);
    }
}

static int run(void *arg)
{
    (void)arg;
    measure("off", N_OFF);
    weft_trace_stream *stream;
    if (weft_trace_start_callback(weft_tracer_default(), discard, NULL, NULL, &stream))
        return 1;
    measure("on", N_ON);
    return weft_trace_stop(stream, NULL) != 0;
}

int main(void)
{
    return weft_run(NULL, run, NULL) != 0;
}
