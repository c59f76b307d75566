/* SPDX-License-Identifier: MIT */
/* parked [GOROUTINES]: what a parked goroutine holds of resident memory, and what its start takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weft/weft.h>

static weft_waitgroup started, left;
static weft_chan *gate;

static void park(void *arg)
{
    (void)arg;
    weft_waitgroup_done(&started);
    weft_chan_recv(gate, NULL);
    weft_waitgroup_done(&left);
}

static double resident(void)
{
    long total = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &total, &pages) != 2)
        exit(1);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static int run(void *arg)
{
    long n = *(long *)arg;
    gate = weft_chan_new(0, 0);
    weft_waitgroup_add(&started, (int)n);
    weft_waitgroup_add(&left, (int)n);
    double before = resident();
    int64_t begin = weft_now();
    for (long i = 0; i < n; i++)
        if (weft_go(park, NULL) < 0)
            return 1;
    weft_waitgroup_wait(&started);
    int64_t took = weft_now() - begin;
    printf("parked%ld/rss_each %.5g B\n", n, (resident() - before) / (double)n);
    printf("parked%ld/spawn_each %.4g ns\n", n, (double)took / (double)n);
    weft_chan_close(gate);
    weft_waitgroup_wait(&left);
    weft_chan_free(gate);
    return 0;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 100000;
    return n > 0 ? weft_run(&(weft_options){.size = sizeof(weft_options), .procs = 1}, run, &n) : 2;
}
