/* SPDX-License-Identifier: MIT */
/* What the classic problems of synchronisation share: each runs on 1, 2 and 4 Ps as it is, and once
 * more with few rounds and a trace of all, which CTest has validated. A. Downey's "The Little Book
 * of Semaphores" tells them all. */
#ifndef WEFT_TESTS_SCHED_LITMUS_H
#define WEFT_TESTS_SCHED_LITMUS_H

#include "sched/support.h"

enum { TRACED_ROUNDS = 60 };

static bool litmus_is_traced;

/* How often a problem is gone through. */
static inline int litmus_rounds(int n)
{
    return litmus_is_traced ? TRACED_ROUNDS : ROUNDS(n);
}

struct litmus {
    const char *name;
    unsigned procs;
    void (*fn)(void);
};

static inline int run_litmus(void *arg)
{
    const struct litmus *l = arg;
    const char *folder = getenv("WEFT_TRACE_DIR");
    weft_trace_stream *stream;
    char path[512];
    snprintf(path, sizeof path, "%s/%s_%u.trace", folder ? folder : ".", l->name, l->procs);
    CHECK_EQ(weft_trace_start_path(weft_tracer_default(), path, NULL, &stream), 0);
    l->fn();
    CHECK_EQ(weft_trace_stop(stream, NULL), 0);
    return 0;
}

static inline void run_traced(const char *name, void (*fn)(void))
{
    litmus_is_traced = true;
    for (unsigned procs = 1; procs <= 4; procs *= 2) {
        struct litmus l = {name, procs, fn};
        weft_options options = {.size = sizeof options, .procs = procs};
        CHECK_EQ(weft_run(&options, run_litmus, &l), 0);
    }
    litmus_is_traced = false;
}

#define LITMUS(name)                                                                               \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_everywhere(name);                                                                      \
        run_traced(#name, name);                                                                   \
    }

#endif
