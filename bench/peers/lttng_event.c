/* SPDX-License-Identifier: MIT */
/* lttng_event FIGURE: what an event of LTTng-UST with one integer takes in the session that is
 * there (lttng.sh makes it); without one, what a disabled tracepoint does. */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "lttng_event_tp.h"

#include "../rounds.h"

static void events(long n)
{
    for (long i = 0; i < n; i++)
        lttng_ust_tracepoint(weft_bench, event, (int)i);
}

int main(int argc, char **argv)
{
    bench_print(argc > 1 ? argv[1] : "lttng/event", events, 200000);
    return 0;
}
