/* SPDX-License-Identifier: MIT */
/* files [FOLDER]: reads and writes of 4 KiB at random offsets of a file of 64 MiB, by some
 * goroutines, in the page cache and around it (O_DIRECT). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

enum { BLOCK = 4096, BLOCKS = 16384, READS = 20000 };

static int file;
static int reads_each;
static weft_waitgroup group;

static void read_some(void *arg)
{
    char *data = aligned_alloc(BLOCK, BLOCK);
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < reads_each; i++)
        if (weft_file_pread(file, data, BLOCK, (int64_t)(rand_r(&seed) % BLOCKS) * BLOCK) != BLOCK)
            abort();
    free(data);
    weft_waitgroup_done(&group);
}

static void write_some(void *arg)
{
    static const char data[BLOCK];
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < reads_each; i++)
        if (weft_file_pwrite(file, data, BLOCK, (int64_t)(rand_r(&seed) % BLOCKS) * BLOCK) != BLOCK)
            abort();
    weft_waitgroup_done(&group);
}

static void (*work)(void *) = read_some;

static void measure(const char *what, int goroutines)
{
    weft_stats stats = {.size = sizeof stats};
    int64_t best = INT64_MAX;
    for (int round = 0; round < 5; round++) {
        int64_t begin = weft_now();
        reads_each = READS / goroutines;
        weft_waitgroup_add(&group, goroutines);
        for (intptr_t i = 0; i < goroutines; i++)
            if (weft_go(work, (void *)(i + 1)) != 0)
                abort();
        weft_waitgroup_wait(&group);
        int64_t took = weft_now() - begin;
        best = took < best ? took : best;
    }
    weft_stats_get(&stats);
    printf("files/%s/%d %.4g ns\n", what, goroutines, (double)best / READS);
    printf("files/%s/%d/threads %lu count\n", what, goroutines, (unsigned long)stats.threads);
}

static int run(void *arg)
{
    static const int counts[] = {1, 16, 256};
    char path[4096];
    snprintf(path, sizeof path, "%s/weft-files-XXXXXX", (const char *)arg);
    file = mkstemp(path);
    char *data = calloc(BLOCKS, BLOCK);
    if (file < 0 || write(file, data, (size_t)BLOCKS * BLOCK) < 0 || fsync(file) != 0)
        return 1;
    free(data);
    for (int i = 0; i < 3; i++)
        measure("cached", counts[i]);
    work = write_some;
    for (int i = 0; i < 3; i++)
        measure("write", counts[i]);
    work = read_some;
    close(file);
    file = open(path, O_RDONLY | O_DIRECT);
    for (int i = 0; file >= 0 && i < 3; i++)
        measure("direct", counts[i]);
    unlink(path);
    return 0;
}

int main(int argc, char **argv)
{
    return weft_run(NULL, run, argc > 1 ? argv[1] : "/tmp");
}
