/* SPDX-License-Identifier: MIT */
/*
 * The regression that started the project (Go issue 65318): Ps that die when their number shrinks
 * and come back in a later generation must not bring stale marks of the tracer along. The number of
 * whole generations which they are dead decides what a missing reset does: 1 and 2 together show
 * every variant of it.
 *
 *   dead_p advance|restart D [PROCS [FAULTS]]
 *
 *   advance   one trace; the Ps are dead for D generations that are ended by advances
 *   restart   a trace of one generation each; the Ps are dead for D traces; the last trace is the
 * one to look at FAULTS    in a build with WEFT_FAULTS: which parts of the reset are left out
 * (trace/status.h)
 *
 * Leaves $WEFT_TRACE_DIR/dead_p_MODE_D_PROCS.trace.
 */
#include "sched/on_runtime.h"

#ifdef WEFT_FAULTS
#include "trace/status.h"
#endif

static bool restart;
static int dead_for, procs = 2;
static char path[512];
static uint32_t running;

static void yield_until(void *arg)
{
    int64_t deadline = *(int64_t *)arg;
    while (weft_now() < deadline)
        weft_yield();
    __atomic_sub_fetch(&running, 1, __ATOMIC_RELEASE);
}

/* Every P runs goroutines for a while, after it has been idle for a moment: so its sequence numbers
 * move. */
static void keep_busy(void)
{
    weft_sleep(2 * WEFT_MILLISECOND);
    int64_t deadline = weft_now() + 10 * WEFT_MILLISECOND;
    running = 4 * (uint32_t)procs;
    for (uint32_t i = running; i > 0; i--)
        check(weft_go(yield_until, &deadline) == 0);
    while (__atomic_load_n(&running, __ATOMIC_ACQUIRE) > 0)
        weft_yield();
}

static weft_trace_stream *start(const char *to)
{
    weft_trace_options options = {.size = sizeof options, .generation_ns = UINT64_MAX};
    weft_trace_stream *stream;
    check(weft_trace_start_path(weft_tracer_default(), to, &options, &stream) == 0);
    return stream;
}

static void advance(void)
{
    check(weft_trace_advance(weft_tracer_default()) == 0);
}

static void die_over_advances(void)
{
    weft_trace_stream *stream = start(path);
    keep_busy();
    advance();
    keep_busy();
    check(weft_procs(1) == procs);
    advance();
    for (int i = 0; i < dead_for; i++)
        advance();
    check(weft_procs(procs) == 1);
    keep_busy(); /* at once: a P that stays idle writes nothing, and the fault would stay hidden */
    advance();
    keep_busy();
    check(weft_trace_stop(stream, NULL) == 0);
}

static void session(const char *to, bool busy)
{
    weft_trace_stream *stream = start(to);
    if (busy)
        keep_busy();
    check(weft_trace_stop(stream, NULL) == 0);
}

static void die_over_restarts(void)
{
    session("/dev/null", true);
    session("/dev/null", true);
    check(weft_procs(1) == procs);
    for (int i = 0; i < dead_for; i++)
        session("/dev/null", false);
    check(weft_procs(procs) == 1);
    session(path, true);
}

static int body(void *arg)
{
    (void)arg;
    if (restart)
        die_over_restarts();
    else
        die_over_advances();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: dead_p advance|restart D [PROCS [FAULTS]]\n");
        return 2;
    }
    restart = strcmp(argv[1], "restart") == 0;
    dead_for = atoi(argv[2]);
    if (argc > 3)
        procs = atoi(argv[3]);
    if (argc > 4) {
#ifdef WEFT_FAULTS
        trace_test_faults = (unsigned)atoi(argv[4]);
#else
        fprintf(stderr, "dead_p: this build has no faults\n");
        return 2;
#endif
    }
    const char *folder = getenv("WEFT_TRACE_DIR");
    snprintf(path, sizeof path, "%s/dead_p_%s_%d_%d.trace", folder ? folder : ".", argv[1],
             dead_for, procs);
    return run_with_procs((unsigned)procs, body, NULL);
}
