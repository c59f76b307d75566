/* SPDX-License-Identifier: MIT */
/*
 * The handler only wakes the thread that helps when the process fails (crash.c): that thread is
 * there anyway, holds no lock, and disturbs nobody while it prints. Go's runtime exits after such a
 * dump; here the program goes on, so that one can look at a server without ending it.
 */
#define _GNU_SOURCE
#include "sched/quit.h"

#include <signal.h>

#include "sched/crash.h"
#include "sched/dump.h"
#include "sched/goroutine.h"
#include "sched/trace_env.h"

static struct {
    uint32_t wanted; /* atomic */
    bool installed;  /* owner: who starts and stops the runtime; as `before` */
    struct sigaction before;
} quit;

static void on_quit(int number, siginfo_t *info, void *context)
{
    atomic_store_release(&quit.wanted, 1); /* pairs with quit_look() */
    crash_wake();
    if (quit.before.sa_flags & SA_SIGINFO)
        quit.before.sa_sigaction(number, info, context);
    else if (quit.before.sa_handler != SIG_DFL)
        quit.before.sa_handler(number);
}

void quit_start(void)
{
    struct sigaction action = {.sa_sigaction = on_quit,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigfillset(&action.sa_mask);
    quit.wanted = 0;
    if (trace_env_signal() == SIGQUIT || sigaction(SIGQUIT, NULL, &quit.before) != 0 ||
        quit.before.sa_handler == SIG_IGN)
        return;
    quit.installed = sigaction(SIGQUIT, &action, NULL) == 0;
}

void quit_stop(void)
{
    struct sigaction now;
    if (quit.installed && sigaction(SIGQUIT, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
        now.sa_sigaction == on_quit)
        sigaction(SIGQUIT, &quit.before, NULL);
    quit.installed = false;
}

void quit_look(void)
{
    if (!atomic_swap_acquire(&quit.wanted, 0)) /* pairs with on_quit() */
        return;
    uint64_t created, alive;
    goroutines_count(&created, &alive);
    base_warn("SIGQUIT: %lu goroutines", (unsigned long)alive);
    dump_goroutines(NULL, DUMP_ALL);
}

int quit_is_chained(void)
{
    return quit.installed && quit.before.sa_handler != SIG_DFL;
}
