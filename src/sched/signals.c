/* SPDX-License-Identifier: MIT */
/*
 * include/weft/signal.h.
 *
 * Design. The handler counts the arrival and wakes a thread, which sends to the channels by the
 * calls that any plain thread may use; so it works with and without a runtime, and the handler
 * needs no lock. The thread is made by the first subscription and stays.
 *
 * Invariants
 *   S1. Handler: reads the use of the signal, counts, posts. Whoever ends a subscription delivers
 *       what is counted first, under the lock: an arrival whose handler has run before is not lost.
 *   S2. Sending happens under the lock only, so nothing is sent to a channel whose subscription has
 *       ended. The channel never blocks the sender (try), and whom it wakes does not need the lock
 *       to go on.
 *   S3. One handler for each signal: ours, or that of a loan (signals.h), which asks us. `before`
 * is what the program had under it. Installed on top of each other, one of two handlers that leave
 * in the wrong order would put the other one back for ever.
 *
 * Corners
 *   A handler that was entered before the last subscription ended finds no use for its signal: it
 *     does then what the signal did before.
 *   In a storm the thread may find many arrivals at once; each is sent or counted as dropped.
 */
#define _GNU_SOURCE
#include "sched/signals.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/futex.h"
#include "base/lock.h"
#include "base/thread.h"
#include "sched/chan_ops.h"
#include "weft/signal.h"

enum { NUMBERS = 65 };

enum use { FORMER, NOTIFY, IGNORE };

/* What the program does with one signal. */
struct disposition {
    uint32_t use;            /* atomic, written under lock: enum use */
    uint32_t arrived;        /* atomic: and not delivered yet */
    bool installed;          /* lock: lock; our handler, or SIG_IGN */
    bool on_loan;            /* lock: lock; S3 */
    struct sigaction before; /* lock: lock; constant while a handler of ours may run */
};

struct subscription {
    struct subscription *next;
    uint64_t signals; /* bit n: signal n */
    uint64_t dropped;
    weft_chan *chan;       /* NULL: it ends the context */
    weft_context *context; /* NULL: it sends to the channel */
    int ended_by;          /* the signal that is to end the context; 0: none */
};

static struct {
    base_lock lock; /* rank SIGNALS */
    bool has_thread;
    bool has_fork_hook;
    struct subscription *all;
    struct disposition of[NUMBERS];
    base_note arrival;
} signals = {.lock = BASE_LOCK_INIT(SIGNALS)};

/* ---- Handlers ---- */

bool signals_wants(int number)
{
    return atomic_load_acquire(&signals.of[number].use) != FORMER; /* pairs with settle() */
}

bool signals_take(int number)
{
    struct disposition *of = &signals.of[number];
    switch (atomic_load_acquire(&of->use)) { /* S1; pairs with settle() */
    case FORMER:
        return false;
    case NOTIFY:
        atomic_add_acqrel(&of->arrived, 1); /* pairs with deliver() */
        base_note_post(&signals.arrival);
        return true;
    default:
        return true;
    }
}

static void do_as_before(int number, siginfo_t *info, void *context)
{
    const struct sigaction *before = &signals.of[number].before;
    if (before->sa_flags & SA_SIGINFO) {
        before->sa_sigaction(number, info, context);
    } else if (before->sa_handler == SIG_DFL) {
        struct sigaction action = {.sa_handler = SIG_DFL};
        sigaction(number, &action, NULL);
        (void)raise(number); /* taken as soon as the handler has returned */
    } else if (before->sa_handler != SIG_IGN) {
        before->sa_handler(number);
    }
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    if (!signals_take(number))
        do_as_before(number, info, context);
}

/* ---- Delivery. The lock is held, inside the runtime; m is NULL on a plain thread. ---- */

static void settle(int number);

static uint64_t bit_of(int number)
{
    return UINT64_C(1) << (number - 1);
}

static bool send_one(struct m *m, weft_chan *chan, int number)
{
    const int element[2] = {number}; /* longer than what is copied: a compiler sees other sizes */
    struct waiter *partner;
    lock_acquire(&chan->lock);
    bool sent = chan_send_locked(chan, element, &partner) == 0;
    lock_release(&chan->lock);
    if (partner)
        waiter_wake(m, partner, 0);
    return sent;
}

static void send(struct m *m, struct subscription *s, int number, uint32_t count)
{
    while (count-- > 0)
        if (!send_one(m, s->chan, number))
            s->dropped++;
}

/* The first of its signals is the last (weft_signal_context). */
static void mark_ended(struct subscription *s, int number)
{
    uint64_t set = s->signals;
    s->signals = 0;
    s->ended_by = number; /* for end_contexts() */
    for (int i = 1; i < NUMBERS; i++)
        if (set & bit_of(i))
            settle(i);
}

static void deliver_one(struct m *m, int number)
{
    uint32_t *arrived = &signals.of[number].arrived;
    uint32_t count = atomic_load_relaxed(arrived) ? atomic_swap_acqrel(arrived, 0) : 0; /* S1 */
    if (count == 0)
        return;
    for (struct subscription *s = signals.all; s; s = s->next) {
        if (!(s->signals & bit_of(number)))
            continue;
        if (s->chan)
            send(m, s, number, count);
        else
            mark_ended(s, number);
    }
}

static void deliver(struct m *m)
{
    for (int number = 1; number < NUMBERS; number++)
        deliver_one(m, number);
}

/* The lock is held, and released meanwhile: what follows the end of a context may wait for a P. */
static bool end_one_context(struct m *m)
{
    struct subscription *s = signals.all;
    while (s && !s->ended_by)
        s = s->next;
    if (!s)
        return false;
    weft_context *context = s->context;
    int number = s->ended_by;
    s->ended_by = 0;
    context_hold(context);
    lock_release(&signals.lock);
    context_cancel(m, context, number);
    context_release(context);
    lock_acquire(&signals.lock);
    return true;
}

static void unlock(struct m *m)
{
    while (end_one_context(m))
        ;
    lock_release(&signals.lock);
}

static void *deliver_main(void *arg)
{
    (void)arg;
    for (;;) {
        (void)base_note_wait(&signals.arrival, -1);
        lock_acquire(&signals.lock);
        deliver(NULL);
        unlock(NULL);
    }
    return NULL;
}

/* ---- Dispositions. The lock is held. ---- */

static struct sigaction action_for(enum use use)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    action.sa_sigaction = on_signal;
    sigfillset(&action.sa_mask);
    if (use == IGNORE)
        action = (struct sigaction){.sa_handler = SIG_IGN};
    return action;
}

/* Both are one union on Linux: the handler, whatever its form. */
static bool same_handler(const struct sigaction *a, const struct sigaction *b)
{
    return a->sa_handler == b->sa_handler;
}

static bool is_in_place(int number, const struct sigaction *action)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && same_handler(&now, action);
}

static void install(int number, enum use use)
{
    struct disposition *of = &signals.of[number];
    struct sigaction action = action_for(use), *before = of->installed ? NULL : &of->before;
    of->installed = sigaction(number, &action, before) == 0;
}

static void restore(int number, enum use was)
{
    struct disposition *of = &signals.of[number];
    struct sigaction ours = action_for(was);
    if (of->installed && is_in_place(number, &ours)) {
        if (was == IGNORE)
            sigaction(number, &ours, NULL); /* the kernel forgets what a thread had blocked */
        sigaction(number, &of->before, NULL);
    }
    of->installed = false;
}

static void change_use(int number, enum use use)
{
    struct disposition *of = &signals.of[number];
    enum use was = atomic_load_relaxed(&of->use);
    if (use == was)
        return;
    if (use != FORMER)
        atomic_store_release(&of->use, use); /* pairs with signals_take(); before the handler */
    if (!of->on_loan && use == FORMER)
        restore(number, was);
    else if (!of->on_loan)
        install(number, use);
    atomic_store_release(&of->use, use);
}

/* The use that follows from the subscriptions; nobody ignores it any more. */
static void settle(int number)
{
    for (struct subscription *s = signals.all; s; s = s->next)
        if (s->signals & bit_of(number)) {
            change_use(number, NOTIFY);
            return;
        }
    change_use(number, FORMER);
}

static void settle_all(uint64_t set)
{
    for (int number = 1; number < NUMBERS; number++)
        if (set & bit_of(number))
            settle(number);
}

/* ---- Loans ---- */

void signals_borrow(struct signal_loan *loan)
{
    struct disposition *of = &signals.of[loan->number];
    lock_acquire(&signals.lock);
    sigaction(loan->number, &loan->action, &loan->before);
    if (of->installed)
        loan->before = of->before;
    of->installed = false;
    of->on_loan = true;
    lock_release(&signals.lock);
}

void signals_give_back(const struct signal_loan *loan)
{
    struct disposition *of = &signals.of[loan->number];
    lock_acquire(&signals.lock);
    enum use use = atomic_load_relaxed(&of->use);
    bool in_place = is_in_place(loan->number, &loan->action);
    of->on_loan = false;
    of->before = loan->before;
    of->installed = in_place && use != FORMER;
    if (of->installed)
        install(loan->number, use);
    else if (in_place)
        sigaction(loan->number, &loan->before, NULL);
    lock_release(&signals.lock);
}

/* ---- Subscriptions ---- */

/* Taken inside the runtime only (by plain threads outside, who do not move): who holds the lock
 * goes on on the same thread. */
static void leave(struct m *m)
{
    unlock(m);
    rt_exit_any(m);
}

static bool may_be_had(int number)
{
    static const int refused[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,  SIGFPE,
                                  SIGILL,  SIGTRAP, SIGSYS,  SIGABRT, SIGPROF};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (number == refused[i])
            return false;
    return number > 0 && number < NUMBERS && (number < 32 || number >= SIGRTMIN);
}

/* All of them as a set, or 0. */
static uint64_t set_of(const int *numbers, size_t count)
{
    uint64_t set = 0;
    for (size_t i = 0; i < count; i++) {
        if (!may_be_had(numbers[i]))
            return 0;
        set |= bit_of(numbers[i]);
    }
    return set;
}

void signals_forget(void)
{
    lock_init(&signals.lock, BASE_RANK_SIGNALS);
    signals.has_thread = false;
    signals.all = NULL;
    for (int number = 1; number < NUMBERS; number++) {
        struct disposition *of = &signals.of[number];
        if (atomic_load_relaxed(&of->use) == NOTIFY)
            change_use(number, FORMER);
        atomic_store_relaxed(&of->arrived, 0);
    }
}

/* The lock is held. */
static int prepare(void)
{
    pthread_t thread;
    if (!signals.has_fork_hook && pthread_atfork(NULL, NULL, signals_forget) != 0)
        return -ENOMEM;
    signals.has_fork_hook = true;
    if (signals.has_thread)
        return 0;
    int error = base_thread_start(&thread, "weft-signals", deliver_main, NULL);
    if (error)
        return error;
    pthread_detach(thread);
    signals.has_thread = true;
    return 0;
}

static struct subscription **find(const weft_chan *chan, const weft_context *context)
{
    struct subscription **link = &signals.all;
    while (*link && ((*link)->chan != chan || (*link)->context != context))
        link = &(*link)->next;
    return link;
}

/* The lock is held. */
static int subscribe(weft_chan *chan, weft_context *context, uint64_t set)
{
    struct subscription **link = find(chan, context);
    int error = prepare();
    if (error)
        return error;
    if (!*link)
        *link = calloc(1, sizeof **link);
    if (!*link)
        return -ENOMEM;
    (*link)->chan = chan;
    (*link)->context = context;
    (*link)->signals |= set;
    settle_all(set);
    return 0;
}

/* The lock is held. Returns what the caller frees, or NULL. */
static struct subscription *unsubscribe(struct m *m, const weft_chan *chan,
                                        const weft_context *context)
{
    deliver(m); /* S1 */
    struct subscription **link = find(chan, context), *gone = *link;
    if (gone) {
        *link = gone->next;
        settle_all(gone->signals);
    }
    return gone;
}

int weft_signal_notify(weft_chan *chan, const int *numbers, size_t count)
{
    uint64_t set = set_of(numbers, count);
    if (!chan || chan->element_size != sizeof(int) || chan->capacity == 0 || !set)
        return -EINVAL;
    struct m *m = rt_enter();
    lock_acquire(&signals.lock);
    int error = subscribe(chan, NULL, set);
    leave(m);
    return error;
}

uint64_t weft_signal_stop(weft_chan *chan)
{
    struct m *m = rt_enter();
    lock_acquire(&signals.lock);
    struct subscription *gone = unsubscribe(m, chan, NULL);
    leave(m);
    uint64_t dropped = gone ? gone->dropped : 0;
    free(gone);
    return dropped;
}

uint64_t weft_signal_dropped(const weft_chan *chan)
{
    struct m *m = rt_enter();
    lock_acquire(&signals.lock);
    deliver(m);
    const struct subscription *s = *find(chan, NULL);
    uint64_t dropped = s ? s->dropped : 0;
    leave(m);
    return dropped;
}

/* Nobody has subscribed to these any more. The lock is held. */
static void drop_from_all(struct m *m, uint64_t set)
{
    deliver(m); /* S1 */
    for (struct subscription *s = signals.all; s; s = s->next)
        s->signals &= ~set;
}

int weft_signal_ignore(const int *numbers, size_t count)
{
    uint64_t set = set_of(numbers, count);
    if (!set)
        return -EINVAL;
    struct m *m = rt_enter();
    lock_acquire(&signals.lock);
    drop_from_all(m, set);
    for (int number = 1; number < NUMBERS; number++)
        if (set & bit_of(number))
            change_use(number, IGNORE);
    leave(m);
    return 0;
}

int weft_signal_reset(const int *numbers, size_t count)
{
    uint64_t set = count ? set_of(numbers, count) : UINT64_MAX;
    if (!set)
        return -EINVAL;
    struct m *m = rt_enter();
    lock_acquire(&signals.lock);
    drop_from_all(m, set);
    settle_all(set);
    leave(m);
    return 0;
}

/* ---- Contexts ---- */

int weft_signal_context(weft_context *parent, const int *numbers, size_t count, weft_context **out)
{
    uint64_t set = set_of(numbers, count);
    if (!set)
        return -EINVAL;
    weft_context *context = weft_context_new(parent);
    if (!context)
        return -ENOMEM;
    struct m *m = rt_enter();
    lock_acquire(&signals.lock);
    int error = subscribe(NULL, context, set);
    leave(m);
    if (error)
        weft_context_free(context);
    else
        *out = context;
    return error;
}

void weft_signal_context_free(weft_context *context)
{
    if (!context)
        return;
    struct m *m = rt_enter();
    lock_acquire(&signals.lock);
    struct subscription *gone = unsubscribe(m, NULL, context);
    leave(m);
    free(gone);
    weft_context_free(context);
}
