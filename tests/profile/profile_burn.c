/* SPDX-License-Identifier: MIT */
/* A program to profile from outside: burn_b gets three times the CPU time of burn_a, on goroutines
 * of which one at least has no P most of the time. They are labelled. */
#include "profile/burn.h"

static weft_waitgroup done;

static void share(void *arg)
{
    check(weft_label_set(arg) == 0);
    for (unsigned i = 0; i < 50; i++) {
        burn_a(1);
        burn_b(3);
    }
    weft_waitgroup_done(&done);
}

static int run(void *arg)
{
    (void)arg;
    weft_waitgroup_add(&done, 2);
    check(weft_go(share, "left") == 0 && weft_go(share, "right") == 0);
    weft_waitgroup_wait(&done);
    return 0;
}

int main(void)
{
    return run_with_procs(1, run, NULL);
}
