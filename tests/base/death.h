/* SPDX-License-Identifier: MIT */
/* Runs code that is expected to end the process in a forked child, and tells how it ended. */
#ifndef WEFT_TESTS_DEATH_H
#define WEFT_TESTS_DEATH_H

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct death {
    int status;      /* as from waitpid() */
    char text[8192]; /* what the child wrote to standard error */
} death;

/* Sanitizers catch the fault signals to print a report; the test wants the plain death. */
static inline void death_prepare_child(int fd)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(fd, STDERR_FILENO);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    signal(SIGABRT, SIG_DFL);
    alarm(30);
}

/* qemu-user adds a line of its own when its program dies of a signal. */
static inline void death_forget_emulator(char *text)
{
    char *line = strstr(text, "qemu: uncaught target signal");
    char *end = line ? strchr(line, '\n') : NULL;
    if (end)
        memmove(line, end + 1, strlen(end + 1) + 1);
}

static inline death death_of(void (*fn)(void *), void *arg)
{
    death d = {0, ""};
    int ends[2];
    if (pipe(ends) != 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        death_prepare_child(ends[1]);
        fn(arg);
        _exit(0);
    }
    close(ends[1]);
    size_t used = 0;
    ssize_t n;
    while (used < sizeof d.text - 1 &&
           (n = read(ends[0], d.text + used, sizeof d.text - 1 - used)) > 0)
        used += (size_t)n;
    d.text[used] = 0;
    death_forget_emulator(d.text);
    close(ends[0]);
    waitpid(child, &d.status, 0);
    return d;
}

static inline int death_signal(const death *d)
{
    return WIFSIGNALED(d->status) ? WTERMSIG(d->status) : 0;
}

#endif
