/* SPDX-License-Identifier: MIT */
/* Twin of TestTraceStress: a bit of everything, with goroutines that were blocked before the trace
 * began. Reading the trace twice gives the same events. */
#include "twins/twin_load.h"
#include "twins/twin_walk.h"

static void body(void)
{
    twin_load_block();
    weft_trace_stream *stream = twin_start(0);
    twin_load_run();
    twin_stop(stream);
}

/* What the load is for. */
struct found {
    unsigned network, sleep, receive, syscalls, procs;
};

static void seen(void *arg, const weft_reader *reader, const weft_event *event)
{
    struct found *found = arg;
    bool waits = twin_goroutine_goes(event, WEFT_STATE_RUNNING, WEFT_STATE_WAITING);
    found->network += waits && twin_text_is(reader, event->name, "network");
    found->sleep += waits && twin_text_is(reader, event->name, "sleep");
    found->receive += waits && twin_text_is(reader, event->name, "chan receive");
    found->syscalls += twin_goroutine_goes(event, WEFT_STATE_RUNNING, WEFT_STATE_SYSCALL);
    found->procs += event->kind == WEFT_EVENT_STATE_TRANSITION &&
                    event->resource == WEFT_RESOURCE_PROC && event->from == WEFT_STATE_IDLE;
}

static void verify(void)
{
    struct found found = {0};
    twin_walk(twin_path(0), seen, &found);
    check(found.network > 0 && found.sleep > 0 && found.receive > 0);
    check(found.syscalls > 0 && found.procs > 0);
    twin_walk_twice(twin_path(0));
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, body, verify);
}
