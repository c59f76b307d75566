/* SPDX-License-Identifier: MIT */
/* Ms: threads of the runtime. */
#include "sched/machine.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/os_tick.h"
#include "base/pages.h"
#include "base/thread.h"
#include "sched/context.h"
#include "sched/lease.h"
#include "sched/schedule.h"
#include "sched/world.h"

struct machines machines;

static __thread struct m *self __attribute__((tls_model("initial-exec")));

__attribute__((noinline)) struct m *m_self(void)
{
    struct m *m = self;
    __asm__ __volatile__("" : "+r"(m)); /* not a pure function: the answer changes over a switch */
    return m;
}

__attribute__((noinline)) void machine_set_self(struct m *m)
{
    self = m;
    compiler_barrier();
}

struct m *machine_try_new_locked(void)
{
    /* A new M is not held: it would walk into a world that others believe to stand still. */
    invariant(!sched.world_stopped, "a thread was to be made while the world is stopped");
    if (machines.count >= sched.max_threads)
        return NULL;
    struct m *m = torture_refuse("machine_new") ? NULL : base_pages_alloc(sizeof *m);
    if (!m)
        return NULL;
    m->random = (uint32_t)((uintptr_t)m >> 6) * 2654435761u | 1;
    m->id = machines.count++;
    if (atomic_load_relaxed(
            &sched.ending)) /* set with the world stopped: whoever makes an M sees it */
        m->attention = M_ENDING;
    m->all_next = machines.head;
    atomic_store_release(&machines.head, m); /* pairs with machines_first() */
    return m;
}

struct m *machine_new_locked(void)
{
    struct m *m = machine_try_new_locked();
    if (m)
        return m;
    if (machines.count >= sched.max_threads)
        fatal("the limit of %u threads is reached: too many goroutines block outside the runtime "
              "(weft_options.max_threads)",
              sched.max_threads);
    fatal("no memory for another thread (%u threads)", machines.count);
}

static void *thread_main(void *arg)
{
    struct m *m = arg;
    machine_adopt(m);
    lease_return(m);
    sched_run(m);
    uint32_t expected = M_RUNS;
    if (atomic_cas_acqrel(&m->finished, &expected, M_ENDS)) { /* pairs with give_up_on() */
        machine_disown(m);
        atomic_store_release(&m->finished, M_ENDED); /* pairs with join_within() */
    }
    return NULL;
}

void machine_start(struct m *m)
{
    int error = base_thread_start(&m->thread, "weft", thread_main, m);
    if (error)
        fatal("cannot start thread %u: error %d", m->id, -error);
}

int machine_try_adopt(struct m *m)
{
    int error = base_thread_stack(&m->stack_low, &m->stack_high);
    if (!error)
        error = weft_trace_m_register(sched.tracer, &m->trace);
    if (error)
        return error;
    os_signal_stack_set(m->signal_stack, sizeof m->signal_stack);
#ifdef BASE_TSAN
    m->fiber = __tsan_get_current_fiber();
#endif
    atomic_store_relaxed(&m->tid, m->trace.tid);
    machine_set_self(m);
    return 0;
}

void machine_adopt(struct m *m)
{
    int error = machine_try_adopt(m);
    if (!error)
        return;
    machine_set_self(m); /* whoever waits for m is told that it fails (crash.c) */
    fatal("a thread of the runtime cannot begin: %s", error == -ENOMEM
                                                          ? "no memory for its trace buffers"
                                                          : "the bounds of its stack are unknown");
}

void machine_disown(struct m *m)
{
    weft_trace_m_unregister(sched.tracer, &m->trace);
    os_signal_stack_clear(m->signal_stack);
    machine_set_self(NULL);
    lease_leave(m);
}

struct m *machine_new_service(void)
{
    lock_acquire(&sched.lock);
    struct m *m = machine_try_new_locked();
    if (m)
        m->service = true;
    lock_release(&sched.lock);
    return m;
}

static void wake_sleepers(void)
{
    lock_acquire(&sched.lock);
    for (struct m *m = sched.idle_ms; m; m = m->idle_next)
        base_note_post(&m->wake);
    sched.idle_ms = NULL;
    lock_release(&sched.lock);
}

/* Marks m if it is out in user code: whenever it comes back, it touches nothing but its own record.
 * A thread that starts, or is on its way through the scheduler, touches more, and ends soon,
 * however busy the machine is. */
static bool abandon(struct m *m)
{
    uint32_t expected = M_RUNS;
    world_lock_outside();
    lease_hold(m);
    fence_heavy(); /* L1: now m->g is the caller's to read */
    bool abandoned = lease_is_outside(m) && m->g &&
                     atomic_cas_acqrel(&m->finished, &expected, M_ABANDONED); /* thread_main() */
    lease_release(m);
    world_unlock();
    return abandoned;
}

static bool give_up_on(struct m *m)
{
    if (!abandon(m))
        return false;
    weft_trace_m_unregister(sched.tracer, &m->trace);
    pthread_detach(m->thread);
    return true;
}

static bool join_within(struct m *m, uint64_t until)
{
    unsigned spins = 0;
    while (atomic_load_acquire(&m->finished) != M_ENDED) { /* pairs with thread_main() */
        if (base_clock_now() > until && give_up_on(m))
            return false;
        wake_sleepers();
        base_note_post(&m->wake); /* it may rest with a goroutine that is locked to it */
        base_backoff(&spins);
    }
    pthread_join(m->thread, NULL);
    return true;
}

unsigned machines_end(int64_t patience_ns)
{
    uint64_t until = base_clock_now() + (uint64_t)patience_ns;
    unsigned out = 0;
    /* An M on its way out may still have made another one, which is in front of the list. */
    for (struct m *done = NULL, *first; (first = machines_first()) != done; done = first)
        for (struct m *m = first; m != done; m = m->all_next)
            if (!m->service && !join_within(m, until))
                out++;
    return out;
}

void machines_free(void)
{
    for (struct m *m = machines.head, *next; m; m = next) {
        next = m->all_next;
        uint32_t expected = M_ENDS; /* an attached thread's: who comes last frees it */
        if (m->own)
            atomic_cas_acqrel(&m->finished, &expected, M_ABANDONED); /* pairs with free_stale() */
        if (atomic_load_acquire(&m->finished) != M_ABANDONED)
            base_pages_free(m, sizeof *m);
    }
    machines.head = NULL;
    machines.count = 0;
}
