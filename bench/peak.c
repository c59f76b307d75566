/* SPDX-License-Identifier: MIT */
/*
 * peak COMMAND…: runs it and prints, as the last line of the standard error, the seconds that it
 * took, the seconds of processors that it used, and the most memory that it had (resident, MiB).
 * A small program for that, since a child's figure includes what its parent had.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rounds.h"

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;
    if (argc < 2)
        return 2;
    double begin = bench_seconds();
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[1], argv + 1);
        fprintf(stderr, "peak: %s: %s\n", argv[1], strerror(errno));
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
        fprintf(stderr, "peak: %s\n", strerror(errno));
        return 1;
    }
    fprintf(stderr, "%.3f %.3f %.1f\n", bench_seconds() - begin,
            seconds(usage.ru_utime) + seconds(usage.ru_stime), (double)usage.ru_maxrss / 1024);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
