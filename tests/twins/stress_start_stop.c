/* SPDX-License-Identifier: MIT */
/* Twin of TestTraceStressStartStop: the load goes on while five traces of a millisecond start and
 * stop; all are valid. */
#include "twins/load.h"

static void program(struct twin_run *run)
{
    struct load load;
    load_before(&load);
    load_start(&load);
    for (int i = 0; i < 5; i++) {
        twin_start(run);
        if (i == 2)
            load_play(&load);
        weft_sleep(WEFT_MILLISECOND);
        twin_stop(run);
    }
    load_stop(&load);
}

int main(int argc, char **argv)
{
    static const struct twin twin = {"stress_start_stop", program, NULL};
    return twin_main(&twin, argc, argv);
}
