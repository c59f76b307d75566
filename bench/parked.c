/* SPDX-License-Identifier: MIT */
/* parked [GOROUTINES]: what a parked goroutine holds of resident memory and of page tables, how
 * many mappings all of them take, and what its start, and its wake-up and end, take. */
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

static FILE *open_or_exit(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        exit(1);
    return file;
}

static double resident(void)
{
    long total = 0, pages = 0;
    FILE *file = open_or_exit("/proc/self/statm");
    if (fscanf(file, "%ld %ld", &total, &pages) != 2)
        exit(1);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double page_tables(void)
{
    char line[256];
    long kib = 0;
    FILE *file = open_or_exit("/proc/self/status");
    while (fgets(line, sizeof line, file) && sscanf(line, "VmPTE: %ld kB", &kib) != 1)
        ;
    fclose(file);
    return (double)kib * 1024;
}

static long mappings(void)
{
    long lines = 0;
    FILE *file = open_or_exit("/proc/self/maps");
    for (int c; (c = getc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static int run(void *arg)
{
    long n = *(long *)arg;
    gate = weft_chan_new(0, 0);
    weft_waitgroup_add(&started, (int)n);
    weft_waitgroup_add(&left, (int)n);
    double before = resident(), tables = page_tables();
    int64_t begin = weft_now();
    for (long i = 0; i < n; i++)
        if (weft_go(park, NULL) < 0)
            return 1;
    weft_waitgroup_wait(&started);
    int64_t took = weft_now() - begin;
    printf("parked%ld/rss_each %.5g B\n", n, (resident() - before) / (double)n);
    printf("parked%ld/page_tables_each %.4g B\n", n, (page_tables() - tables) / (double)n);
    printf("parked%ld/mappings %ld count\n", n, mappings());
    printf("parked%ld/spawn_each %.4g ns\n", n, (double)took / (double)n);
    begin = weft_now();
    weft_chan_close(gate);
    weft_waitgroup_wait(&left);
    printf("parked%ld/wake_and_end_each %.4g ns\n", n, (double)(weft_now() - begin) / (double)n);
    weft_chan_free(gate);
    return 0;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 100000;
    return n > 0 ? weft_run(&(weft_options){.size = sizeof(weft_options), .procs = 1}, run, &n) : 2;
}
