/* SPDX-License-Identifier: MIT */
/*
 * Design. A handler of a fatal signal may hold any lock of the C library or of weft, so it does
 * next to nothing: it wakes a thread that was made in time, which completes the traces by the usual
 * calls and prints goroutines, and waits for that thread, but not for ever. Then the signal goes on
 * to whoever had it before; mostly that is the default, and the process dies of it, with its core
 * and its status.
 *
 * A signal that another process sent says nothing about the thread that it meets, which may be in
 * the middle of anything: so that thread goes on at once, as if the signal had come a few
 * milliseconds later. The traces are completed with everybody at work, and then the same signal is
 * sent again to the same thread, to take its course.
 *
 * A thread that has failed does not go on. Where it was:
 *  - Outside the runtime, in user code. All is as it should be: for everybody else it is a
 *    goroutine that computes.
 *  - Inside. It will not leave, and whoever holds the world would wait for it. So it is marked, and
 *    then lets itself count as outside and its section as closed: the events in it are whole, and
 *    what it was about to do next is not in the trace. Nobody touches its P and goroutine, or says
 *    anything about them (trace_host.c, sysmon.c, world.c), because what they are at this moment
 *    cannot be known. As it may hold a lock for which others wait inside, nobody waits for the
 *    world to stand still from then on: the last generation ends without a description of what ran
 *    and did nothing in it. Sections that do not end, as they wait for such a lock, are cut where
 *    they are (trace/enroll.c).
 *  - With one of the tracer's own locks held. Who needs it takes it over after a second
 *    (base/lock.h): what it protects is in order between any two stores of its holder, or is looked
 *    at twice after a crash (trace/buffer.c, trace/intern.c).
 *  - On the tracer's thread. The generation that it worked on and the open one are left out, and
 *    the traces end with what it had handed over; one that was given nothing yet gets a generation
 *    that tells nothing (trace/advance.c), as no reader takes a trace without any.
 *
 * The first thread that fails waits for the completion; others that fail meanwhile wait for the
 * first.
 *
 * Rejected. Writing the last generation from the handler, or instead of the tracer's thread: it
 * takes a second way to write everything for a case in which memory cannot be trusted; a flight
 * file (WEFT_FLIGHT) has that generation without a line of code in the dying process. Completing
 * from the handler in general: names of functions need malloc, world stops need the scheduler.
 * Making the thread when it is needed: pthread_create() needs malloc as well. Taking a signal from
 * outside where it arrives: one that meets a thread with a lock held costs the last generation.
 * Keeping it until the thread leaves the runtime: not all threads have such a border.
 *
 * Corners. A handler of the program that recovers and returns: the program goes on, its traces have
 * ended. Installed later than weft_run(), it replaces this one, which is then not told.
 */
#define _GNU_SOURCE
#include "sched/crash.h"

#include "base/lock.h"
#include "base/os_tick.h"
#include "base/pages.h"
#include "base/thread.h"
#include "sched/dump.h"
#include "sched/goroutine.h"
#include "sched/lease.h"
#include "sched/quit.h"
#include "sched/trace_env.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_NS (10 * INT64_C(1000000000))

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { SIGNALS = sizeof signals / sizeof *signals };

/* A signal from outside that waits until the traces are complete. */
struct sent {
    uint32_t state; /* atomic: enum sent_state */
    uint64_t tid;   /* the thread that it met */
    siginfo_t info;
};

static struct {
    bool running; /* owner: who starts and stops the runtime */
    pthread_t thread;
    base_note wake, done;
    uint32_t state; /* atomic: enum crash_state */
    uint32_t stop;  /* atomic */

    /* Written by who takes the state from CALM, read by the thread. */
    bool dump;
    struct g *current; /* the goroutine that failed, or NULL */
    bool overflow;     /* it has used up its stack */

    struct sent sent[SIGNALS];
    bool is_watched; /* owner: the thread */
    pthread_t watch;
    base_note through; /* the watch sleeps */

    struct sigaction before[SIGNALS];
} crash;

/* TAKEN: by a thread that writes down what happened to it. */
enum crash_state { CALM, TAKEN, COMPLETING, COMPLETED };

enum sent_state { NONE, ARRIVING, WAITS };

static unsigned index_of(int number)
{
    unsigned i = 0;
    while (i < SIGNALS - 1 && signals[i] != number)
        i++;
    return i;
}

/* ---- Signals from outside ---- */

static bool is_complete(void)
{
    return atomic_load_acquire(&crash.state) == COMPLETED; /* pairs with who sets it */
}

/* Async-signal-safe. False: it takes its course now. One that waits already stands for more of its
 * kind, as with every pending signal. */
static bool put_off(int number, const siginfo_t *info)
{
    struct sent *sent = &crash.sent[index_of(number)];
    uint32_t none = NONE;
    if (!crash.running || !atomic_load_acquire(&sched.running) || is_complete())
        return false;
    if (atomic_cas_acqrel(&sent->state, &none, ARRIVING)) { /* pairs with send_on() */
        sent->info = *info;
        sent->tid = base_thread_id();
        atomic_store_release(&sent->state, WAITS); /* pairs with send_on() */
    }
    base_note_post(&crash.wake);
    return true;
}

static bool has_arrived(void)
{
    bool any = false;
    for (unsigned i = 0; i < SIGNALS; i++)
        any |= atomic_load_acquire(&crash.sent[i].state) == WAITS; /* pairs with put_off() */
    return any;
}

/* All that wait. Two may do so at once. */
static void send_on(void)
{
    for (unsigned i = 0; i < SIGNALS; i++) {
        struct sent *sent = &crash.sent[i];
        uint32_t waits = WAITS;
        struct sent copy = *sent;
        if (atomic_cas_acqrel(&sent->state, &waits, NONE)) /* pairs with put_off() */
            os_signal_repeat(copy.tid, &copy.info);
    }
}

/* A completion that hangs does not keep the process from dying. */
static void *watch_main(void *arg)
{
    (void)arg;
    if (base_note_wait(&crash.through, PATIENCE_NS) < 0) {
        atomic_store_release(&crash.state, COMPLETED); /* pairs with is_complete() */
        send_on();
    }
    return NULL;
}

static void watch_begin(void)
{
    crash.is_watched = base_thread_start(&crash.watch, "weft-crash", watch_main, NULL) == 0;
}

static void watch_end(void)
{
    base_note_post(&crash.through);
    if (crash.is_watched)
        pthread_join(crash.watch, NULL);
    crash.is_watched = false;
}

/* ---- The thread that helps ---- */

static void print_overflow(const struct g *g)
{
    base_print("weft: fatal: goroutine %lu: stack overflow: its %lu KiB are used up "
               "(weft_options.stack_size, weft_go_stack)",
               (unsigned long)g->trace.id, (unsigned long)(g_stack_of(g)->stack_size >> 10));
}

static void complete_traces(void)
{
    if (crash.overflow)
        print_overflow(crash.current);
    if (crash.dump || crash.overflow)
        dump_goroutines(crash.current, DUMP_SOME);
    trace_env_crash();
    weft_tracer_stop_all(sched.tracer);
    base_locks_abandon(false);
    atomic_store_release(&crash.state, COMPLETED); /* pairs with is_complete() */
    base_note_post(&crash.done);
}

/* Looks for what has happened. */
static void look(void)
{
    uint32_t calm = CALM;
    if (has_arrived() && atomic_cas_acqrel(&crash.state, &calm, COMPLETING)) { /* as complete() */
        watch_begin();
        complete_traces();
        watch_end();
    } else if (atomic_load_acquire(&crash.state) == COMPLETING) { /* pairs with complete() */
        complete_traces();
    }
    if (is_complete())
        send_on();
}

static void *crash_main(void *arg)
{
    (void)arg;
    base_locks_take_any();
    for (;;) {
        (void)base_note_wait(&crash.wake, -1);
        quit_look();
        look();
        if (atomic_load_acquire(&crash.stop)) /* pairs with crash_stop() */
            return NULL;
    }
}

/* ---- The thread that fails ---- */

uint32_t crash_inside;

/* See the file's head. */
static void leave_for_good(struct m *m)
{
    if (!m || !fence_load(&m->in_runtime))
        return;
    weft_tracer_dying(sched.tracer);
    atomic_store_release(&m->crashed, 1);   /* pairs with crash_has_hit() */
    atomic_store_release(&crash_inside, 1); /* pairs with crash_is_inside() */
    m->trace.nested = 0;
    fence_store(&m->trace.writing, 0);
    lease_leave(m);
}

static void wait_for_the_first(void)
{
    for (int64_t waited = 0; waited < PATIENCE_NS; waited += 10000000) {
        if (is_complete())
            return;
        base_sleep_ns(10000000);
    }
}

static bool is_helper(void)
{
    return crash.running && pthread_equal(pthread_self(), crash.thread);
}

/* Async-signal-safe. */
static void complete(struct m *m, bool dump, bool overflow)
{
    uint32_t calm = CALM;
    if (!crash.running || !atomic_load_acquire(&sched.running) || is_helper() || is_complete())
        return;
    bool first = atomic_cas_acqrel(&crash.state, &calm, TAKEN); /* pairs with look() */
    weft_tracer_crashed(sched.tracer);
    leave_for_good(m);
    if (!first) {
        wait_for_the_first();
        return;
    }
    crash.current = m ? m->g : NULL;
    crash.dump = dump;
    crash.overflow = overflow;
    atomic_store_release(&crash.state, COMPLETING); /* pairs with look() */
    base_note_post(&crash.wake);
    (void)base_note_wait(&crash.done, PATIENCE_NS);
}

static void on_fatal(void)
{
    struct m *m = m_self();
    if (m && m->g) /* its stack begins here, not where it entered the runtime last */
        g_set_place(m->g, __builtin_frame_address(0), (uintptr_t)__builtin_return_address(0));
    complete(m, true, false);
}

/* ---- Signals ---- */

static bool is_overflow(const struct m *m, const siginfo_t *info)
{
    const struct g *g = m ? m->g : NULL;
    if (!g || !g_stack_of(g)->stack_low ||
        (info->si_signo != SIGSEGV && info->si_signo != SIGBUS) || info->si_code <= 0)
        return false;
    uintptr_t at = (uintptr_t)info->si_addr, low = (uintptr_t)g_stack_of(g)->stack_low;
    return at < low && at >= low - base_page_size();
}

/* What had the signal before weft. */
static const struct sigaction *action_before(int number)
{
    return &crash.before[index_of(number)];
}

/* The default action: a fault happens again when the handler returns; what was sent is sent again,
 * and taken as soon as the handler has returned. */
static void die_of(int number, const siginfo_t *info)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(number, &action, NULL);
    if (info->si_code <= 0)
        (void)raise(number);
}

static void pass_on(int number, siginfo_t *info, void *context)
{
    const struct sigaction *before = action_before(number);
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(number, info, context);
    else if (before->sa_handler == SIG_DFL ||
             (before->sa_handler == SIG_IGN && info->si_code > 0)) /* a fault is not ignored */
        die_of(number, info);
    else if (before->sa_handler != SIG_IGN)
        before->sa_handler(number);
}

/* By another process: raise() and abort() expect the end, and what a program sends to itself comes
 * from a place that has failed. */
static bool is_from_outside(const siginfo_t *info)
{
    return info->si_code <= 0 && info->si_pid != getpid();
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    bool is_ignored = action_before(number)->sa_handler == SIG_IGN;
    if (is_from_outside(info) && !is_ignored && put_off(number, info))
        return;
    struct m *m = m_self();
    bool overflow = is_overflow(m, info);
    if (overflow) {
        os_interrupted at;
        os_signal_place(context, &at);
        g_set_place(m->g, (const void *)at.fp, at.pc);
    }
    if (!is_ignored || info->si_code > 0)
        complete(m, false, overflow);
    pass_on(number, info, context);
}

static void install_handlers(void)
{
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigfillset(&action.sa_mask);
    for (unsigned i = 0; i < SIGNALS; i++) /* the others are faults, which cannot be blocked */
        sigdelset(&action.sa_mask, signals[i]);
    for (unsigned i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &action, &crash.before[i]);
}

/* Those that are still ours. */
static void remove_handlers(void)
{
    for (unsigned i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        if (sigaction(signals[i], NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
            now.sa_sigaction == on_signal)
            sigaction(signals[i], &crash.before[i], NULL);
    }
}

/* ---- With the runtime ---- */

int crash_start(void)
{
    crash.wake = crash.done = crash.through = (base_note){0};
    for (unsigned i = 0; i < SIGNALS; i++)
        crash.sent[i].state = NONE;
    crash.state = CALM;
    crash_inside = 0;
    crash.stop = 0;
    int rc = base_thread_start(&crash.thread, "weft-crash", crash_main, NULL);
    if (rc < 0)
        return rc;
    crash.running = true;
    base_fatal_hook(on_fatal);
    install_handlers();
    return 0;
}

void crash_stop(void)
{
    if (!crash.running)
        return;
    remove_handlers();
    base_fatal_hook(NULL);
    atomic_store_release(&crash.stop, 1); /* pairs with crash_main() */
    base_note_post(&crash.wake);
    pthread_join(crash.thread, NULL);
    crash.running = false;
}

void crash_wake(void)
{
    base_note_post(&crash.wake);
}

void crash_forget(void)
{
    crash.running = false;
}
