/* SPDX-License-Identifier: MIT */
/* Design and conditions (D1 …) are in deadlock.h. */
#include "sched/deadlock.h"

#include <signal.h>

#include "base/thread.h"
#include "sched/dump.h"
#include "sched/goroutine.h"
#include "sched/lease.h"
#include "sched/post.h"
#include "sched/quit.h"
#include "sched/signals.h"
#include "sched/trace_env.h"
#include "sched/world.h"
#include "weft/time.h"

#define LOOK_AGAIN (1000 * WEFT_MILLISECOND)

enum { EXIT_STATUS = 2 };

/* ---- D3 ---- */

static uint64_t signal_bit(int number)
{
    return number > 0 ? UINT64_C(1) << (number - 1) : 0;
}

/* A signal that weft handles, 0 if the program has subscribed to it as well. */
static int unshared(int number)
{
    return signals_wants(number) ? 0 : number;
}

/* Those that do not come from outside, those that weft handles, and those of the C library (below
 * SIGRTMIN, which is above the kernel's first). */
static uint64_t harmless_signals(void)
{
    uint64_t set = signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGFPE) |
                   signal_bit(SIGILL) | signal_bit(SIGABRT) | signal_bit(SIGTRAP) |
                   signal_bit(SIGSYS) | signal_bit(SIGPROF) |
                   signal_bit(unshared(trace_env_signal())) |
                   signal_bit(quit_is_chained() ? 0 : unshared(SIGQUIT));
    for (int number = 32; number < SIGRTMIN; number++)
        set |= signal_bit(number);
    return set;
}

static bool somebody_outside(void)
{
    unsigned threads;
    uint64_t caught;
    if (base_process_census(&threads, &caught))
        return true;
    return threads > base_threads_alive() + 1 || (caught & ~harmless_signals()) != 0;
}

/* ---- D1, D2 ---- */

static bool is_asleep(const struct g *g)
{
    uint32_t status = atomic_load_relaxed(&g->status);
    if (status == G_DEAD || (atomic_load_relaxed(&g->system) && !g->stack_low))
        return true; /* the tracer's record: a thread of weft's */
    if (status != G_WAITING)
        return false;
    switch (atomic_load_relaxed(&g->wait_reason)) {
    case WEFT_TRACE_BLOCK_FOREVER:
    case WEFT_TRACE_BLOCK_SELECT:
    case WEFT_TRACE_BLOCK_COND:
    case WEFT_TRACE_BLOCK_SYNC:
    case WEFT_TRACE_BLOCK_CHAN_SEND:
    case WEFT_TRACE_BLOCK_CHAN_RECV:
    case WEFT_TRACE_BLOCK_UNSPECIFIED: /* a coroutine, for who resumes it */
    case WEFT_TRACE_BLOCK_SLEEP:       /* D2 is about its timer */
        return true;
    default:
        return atomic_load_relaxed(&g->system);
    }
}

static bool all_asleep(void)
{
    if (!atomic_load_acquire(&sched.main_runs) || atomic_load_relaxed(&sched.global_count) > 0 ||
        timers_earliest() != WEFT_NEVER || post_pending())
        return false;
    for (const struct g *g = goroutines_first(); g; g = g->all_next)
        if (!is_asleep(g))
            return false;
    return true;
}

/* ---- Both ---- */

enum verdict { ALIVE, WAITS_FOR_OUTSIDE, DEAD, UNKNOWN };

static enum verdict judge(struct m *m)
{
    if (!all_asleep())
        return ALIVE;
    if (!world_try())
        return UNKNOWN;
    world_stop(m);
    enum verdict verdict = somebody_outside() ? WAITS_FOR_OUTSIDE : all_asleep() ? DEAD : ALIVE;
    world_start(m);
    world_unlock();
    return verdict;
}

static _Noreturn void report(struct m *m)
{
    lease_leave(m);
    uint64_t created, alive;
    goroutines_count(&created, &alive);
    base_print(alive
                   ? "weft: fatal: all goroutines are asleep, and nothing can wake them"
                   : "weft: fatal: no goroutine is left, and the main goroutine has not returned");
    dump_goroutines(NULL, DUMP_ALL);
    trace_env_crash();
    runtime_complete_traces();
    base_exit(EXIT_STATUS);
}

int64_t deadlock_look(struct m *m)
{
    switch (judge(m)) {
    case DEAD:
        report(m);
    case WAITS_FOR_OUTSIDE:
    case UNKNOWN:
        return LOOK_AGAIN;
    default:
        return -1;
    }
}
