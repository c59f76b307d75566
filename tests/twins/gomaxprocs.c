/* SPDX-License-Identifier: MIT */
/* Twin of TestTraceGOMAXPROCS: the number of Ps goes up and down under load. Every change is in the
 * trace, in order, with its caller; and a P that comes back is used again. */
#include "twins/twin_walk.h"

enum { WORKERS = 24 };

static const int steps[] = {1, 2, 4, 8, 16, 8, 4, 2, 1};
enum { STEPS = sizeof steps / sizeof *steps };

static uint32_t stop, left;

/* In place of garbage collections: something that keeps all Ps busy, and idle at times. */
static void yield_and_sleep(void *arg)
{
    uintptr_t number = (uintptr_t)arg;
    for (unsigned i = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); i++) {
        weft_yield();
        if (i % 16 == number % 16)
            weft_sleep(50 * WEFT_MICROSECOND);
    }
    __atomic_sub_fetch(&left, 1, __ATOMIC_RELEASE);
}

static __attribute__((noinline)) void change(int n)
{
    check(weft_procs(n) > 0);
    check(weft_procs(0) == n);
    weft_sleep(WEFT_MILLISECOND);
}

static void body(void)
{
    stop = 0;
    left = WORKERS;
    weft_trace_stream *stream = twin_start(0);
    for (uintptr_t i = 0; i < WORKERS; i++)
        check(weft_go(yield_and_sleep, (void *)i) == 0);
    check(weft_procs(3) > 0); /* so that each step is a change */
    for (int i = 0; i < STEPS; i++)
        change(steps[i]);
    twin_stop(stream);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    twin_await(&left, 0);
}

struct found {
    int step;
    unsigned stops; /* of the world, by change() */
};

static void seen(void *arg, const weft_reader *reader, const weft_event *event)
{
    struct found *found = arg;
    bool by_change = twin_frame_is(reader, event->stack, 0, "weft_procs") &&
                     twin_frame_is(reader, event->stack, 1, "change");
    if (event->kind == WEFT_EVENT_RANGE_BEGIN && by_change &&
        twin_text_is(reader, event->name, "stop-the-world (GOMAXPROCS)"))
        found->stops++;
    if (event->kind == WEFT_EVENT_METRIC && by_change) {
        check(twin_text_is(reader, event->name, "/sched/gomaxprocs:threads"));
        check(found->step < STEPS && event->u.value == (uint64_t)steps[found->step]);
        found->step++;
    }
}

static void verify(void)
{
    struct found found = {0};
    twin_walk(twin_path(0), seen, &found);
    check(found.step == STEPS && found.stops == STEPS);
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
