/* SPDX-License-Identifier: MIT */
/* Lets goroutines sleep and wake until its standard input ends; says when it is ready, and when a
 * trace that was on has ended. */
#include "base/atomic.h"

#include <weft/weft.h>

#include <stdio.h>
#include <unistd.h>

static uint32_t over;

static void tick(void *arg)
{
    (void)arg;
    int traced = weft_trace_enabled(weft_tracer_default());
    while (!atomic_load_relaxed(&over)) {
        weft_sleep(WEFT_MILLISECOND);
        if (traced && !weft_trace_enabled(weft_tracer_default())) {
            traced = 0;
            puts("stopped");
            fflush(stdout);
        }
    }
}

static int run(void *arg)
{
    char c;
    (void)arg;
    if (weft_go(tick, NULL) < 0)
        return 1;
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) == 1)
        ;
    atomic_store_relaxed(&over, 1);
    return 0;
}

int main(void)
{
    return weft_run(NULL, run, NULL) != 0;
}
