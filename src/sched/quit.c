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
#include "sched/signals.h"
#include "sched/trace_env.h"

static struct {
    uint32_t wanted; /* atomic */
    bool installed;  /* owner: who starts and stops the runtime; as `loan` */
    struct signal_loan loan;
} quit;

static void on_quit(int number, siginfo_t *info, void *context)
{
    const struct sigaction *before = &quit.loan.before;
    if (signals_take(number))
        return;
    atomic_store_release(&quit.wanted, 1); /* pairs with quit_look() */
    crash_wake();
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(number, info, context);
    else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
        before->sa_handler(number);
}

void quit_start(void)
{
    quit.loan = (struct signal_loan){.number = SIGQUIT};
    quit.loan.action.sa_sigaction = on_quit;
    quit.loan.action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigfillset(&quit.loan.action.sa_mask);
    quit.wanted = 0;
    if (trace_env_signal() == SIGQUIT)
        return;
    signals_borrow(&quit.loan);
    quit.installed = quit.loan.before.sa_handler != SIG_IGN;
    if (!quit.installed)
        signals_give_back(&quit.loan);
}

void quit_stop(void)
{
    if (quit.installed)
        signals_give_back(&quit.loan);
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
    return quit.installed && quit.loan.before.sa_handler != SIG_DFL;
}
