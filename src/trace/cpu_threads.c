/* SPDX-License-Identifier: MIT */
/*
 * Design. Each thread has a record, found by its handler through a thread-local pointer. A timer of
 * the thread's own CPU time sends it SIGPROF; the handler asks the host what runs, walks the stack
 * of the interrupted code within its bounds, and puts the sample into the ring of the tracer's
 * generation and into that of the profile. It waits for nothing and calls nothing else.
 *
 * Handlers take part in the switch of generations like sections, but with a mark of their own,
 * `busy`, in place of the M's `writing`. That one need not be this thread's: who holds an M outside
 * the runtime sets and clears it (INV-16), so a handler that found it set could not rely on it to
 * stay, and one that set it would be found in a section that its M cannot be in.
 *
 * Invariants.
 *  1. A handler marks itself busy, then reads the generation and the rings' addresses; who changes
 *     one of them then waits until each mark was seen clear (trace_cpu_settle). The mark is a
 *     sequentially consistent read-modify-write and the changes are, or are followed by, as much:
 *     one of the two sees the other. Otherwise a sample would get into a ring that is drained
 *     already, or is freed.
 *  2. Records are never freed, only used again: a thread whose M was unregistered by another still
 *     points at its record. It is the record's owner only while `owner` is the address of its own
 *     thread-local pointer; a handler looks at that under its mark, and who takes the record away
 *     waits for the mark. The mark is a counter, because a former and the present owner may both
 *     look.
 *  3. Every signal but those of faults is blocked in the handler, so that it is short whatever else
 *     arrives.
 *
 * Rejected. timer_create by each thread itself (as Go): a thread that computes for minutes would
 * not begin to be sampled until it came by. setitimer: the kernel picks a thread, and one that
 * blocks signals gets no samples while others get its share.
 *
 * Corners. A thread made by others with SIGPROF blocked yields no samples. In the prologue and the
 * epilogue of a function the caller is taken from where the processor has it (os_tick.h); in code
 * without frame pointers frames are missing.
 */
#include "trace/cpu_threads.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/os_tick.h"
#include "base/pages.h"
#include "base/thread.h"
#include "base/torture.h"
#include "trace/cpu_samples.h"
#include "trace/tracer.h"
#include "wire/batch.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(uintptr_t) == sizeof(uint64_t), "addresses are words of a sample");

#define NO_SANITIZE __attribute__((no_sanitize("address"), no_sanitize("thread"), noinline))
#define SLAB_BYTES  ((size_t)16384)

#define PATIENT_SPINS 5000 /* of base_backoff(): a second */

typedef struct trace_cpu_thread {
    struct trace_cpu_thread *next; /* set once, before it is listed */
    const void *owner;             /* atomic: invariant 2; NULL: free */
    uint32_t busy;                 /* atomic: invariant 1 */
    weft_tracer *tracer;           /* these four: written before owner, constant while it is set */
    weft_trace_m *m;
    const void *low, *high; /* of the thread's own stack */
    uint64_t period_ns;     /* atomic, written under lock */
    os_tick_timer timer;    /* lock */
} trace_cpu_thread;

static struct {
    base_lock lock;          /* rank CPU */
    trace_cpu_thread *all;   /* atomic, pushed under lock: every record ever made */
    char *cut, *cut_end;     /* lock: what is left of the latest slab */
    trace_cpu_want *wants;   /* lock */
    unsigned hz;             /* lock: the highest that is wanted */
    uint64_t refused;        /* atomic */
    trace_cpu_ring *profile; /* atomic: invariant 1 */
    base_note *profile_wake; /* written before `profile` */
} cpu = {.lock = BASE_LOCK_INIT(CPU)};

static __thread trace_cpu_thread *self __attribute__((tls_model("initial-exec")));

/* ---- In the handler ---- */

/* A word of the stack, 0 for one that is not within [low, high). */
NO_SANITIZE static uintptr_t stacked(uintptr_t place, uintptr_t low, uintptr_t high)
{
    if (place < low || place >= high || high - place < sizeof(uintptr_t) ||
        place % sizeof(uintptr_t) != 0)
        return 0;
    return *(const volatile uintptr_t *)place;
}

/* The return address of a function that has no frame; 0: it has one, or that is not known. */
static uintptr_t frameless_caller(const os_interrupted *at, uintptr_t high)
{
    if (at->caller)
        return at->caller;
    if (at->caller_at)
        return stacked(at->caller_at, at->sp, high);
    uintptr_t top = stacked(at->sp, at->sp, high);
    return os_tick_was_called_from(at->pc, top) ? top : 0;
}

/* The stack of the interrupted code, into the sample's data; returns its depth: nothing but pc if
 * that code does not run on the stack given. */
static unsigned take_stack(trace_cpu_sample *sample, const os_interrupted *at,
                           const weft_trace_running *running)
{
    uintptr_t low = (uintptr_t)running->stack_low, high = (uintptr_t)running->stack_high;
    uintptr_t *pcs = (uintptr_t *)sample->data;
    unsigned depth = 0;
    pcs[depth++] = at->pc;
    if (at->sp < low || at->sp >= high)
        return depth;
    uintptr_t caller = frameless_caller(at, high);
    if (caller)
        pcs[depth++] = caller;
    unsigned walked = weft_trace_walk((const void *)at->fp, (const void *)at->sp,
                                      running->stack_high, pcs + depth, TRACE_CPU_FRAMES - depth);
    if (walked > 0)
        pcs[depth]++; /* exact for the walk, whose leaf it is; here it is a return address again */
    return depth + walked;
}

/* The label, behind a stack of that depth; returns its size. */
static size_t take_label(trace_cpu_sample *sample, unsigned depth,
                         const weft_trace_running *running)
{
    size_t size = running->label ? running->label_size : 0;
    if (size == 0)
        return 0;
    if (size > TRACE_CPU_LABEL)
        size = TRACE_CPU_LABEL;
    sample->data[depth + (size - 1) / 8] = 0;
    memcpy(&sample->data[depth], running->label, size);
    return size;
}

static void put_into_trace(weft_tracer *tracer, const trace_cpu_sample *sample)
{
    uint64_t n = atomic_load_seqcst(&tracer->generation); /* invariant 1 */
    trace_cpu_ring *rings = atomic_load_seqcst(&tracer->cpu.rings);
    if (n == 0 || !rings)
        return;
    (void)trace_cpu_ring_put(&rings[n % 2], sample);
    if (trace_cpu_ring_is_half_full(&rings[n % 2]))
        base_note_post(&tracer->wake);
}

static void put_into_profile(const trace_cpu_sample *sample)
{
    trace_cpu_ring *ring = atomic_load_seqcst(&cpu.profile); /* invariant 1 */
    if (!ring)
        return;
    (void)trace_cpu_ring_put(ring, sample);
    if (trace_cpu_ring_is_half_full(ring))
        base_note_post(cpu.profile_wake);
}

static void take_sample(trace_cpu_thread *t, const os_interrupted *at, unsigned ticks)
{
    weft_tracer *tracer = t->tracer;
    weft_trace_running running = {.p = WIRE_NO_ID, .stack_low = t->low, .stack_high = t->high};
    trace_cpu_sample sample;
    if (tracer->host.running)
        tracer->host.running(tracer->host.context, t->m, (const void *)at->sp, &running);
    sample.time = base_clock_now();
    sample.tid = t->m->tid;
    sample.p = running.p;
    sample.g = running.g;
    sample.ticks = ticks;
    sample.ns = ticks * atomic_load_relaxed(&t->period_ns);
    unsigned depth = take_stack(&sample, at, &running);
    sample.shape = trace_cpu_shape(depth, take_label(&sample, depth, &running));
    put_into_trace(tracer, &sample);
    put_into_profile(&sample);
}

static void on_tick(const os_interrupted *at, unsigned ticks)
{
    trace_cpu_thread *t = self;
    if (!t)
        return;
    atomic_add_seqcst(&t->busy, 1);
    if (atomic_load_seqcst(&t->owner) == (const void *)&self)
        take_sample(t, at, ticks);
    atomic_sub_acqrel(&t->busy, 1); /* pairs with wait_idle() */
}

/* ---- Threads. `lock` is held where a name ends in _locked. ---- */

/* After a crash not for ever: that thread may be in its handler for good. */
static void wait_idle(const trace_cpu_thread *t)
{
    unsigned spins = 0;
    while (atomic_load_seqcst(&t->busy) != 0 && !(spins > PATIENT_SPINS && base_locks_abandoned()))
        base_backoff(&spins);
}

static trace_cpu_thread *all_threads(void)
{
    return atomic_load_acquire(&cpu.all); /* pairs with record_new_locked() */
}

static trace_cpu_thread *record_new_locked(void)
{
    if ((size_t)(cpu.cut_end - cpu.cut) < sizeof(trace_cpu_thread)) {
        char *slab = torture_refuse("trace cpu threads") ? NULL : base_pages_alloc(SLAB_BYTES);
        if (!slab)
            return NULL;
        cpu.cut = slab;
        cpu.cut_end = slab + SLAB_BYTES;
    }
    trace_cpu_thread *t = (trace_cpu_thread *)(void *)cpu.cut;
    cpu.cut += sizeof *t;
    t->next = cpu.all;
    atomic_store_release(&cpu.all, t); /* pairs with all_threads() */
    return t;
}

static trace_cpu_thread *record_take_locked(void)
{
    for (trace_cpu_thread *t = cpu.all; t; t = t->next)
        if (!atomic_load_relaxed(&t->owner))
            return t;
    return record_new_locked();
}

/* Starts or stops the timer, or gives it another period. The first tick comes somewhere within the
 * first period: in step, threads would be seen at the same points of their common work. */
static void set_timer_locked(trace_cpu_thread *t)
{
    os_tick_stop(&t->timer);
    if (cpu.hz == 0)
        return;
    uint64_t period = 1000000000u / cpu.hz;
    atomic_store_relaxed(&t->period_ns, period);
    uint64_t first = base_clock_now() * 0x9e3779b97f4a7c15u % period + 1;
    if (os_tick_start(&t->timer, t->m->tid, first, period) < 0)
        atomic_add_relaxed(&cpu.refused, 1);
}

int trace_cpu_thread_enter(weft_tracer *tracer, weft_trace_m *m)
{
    void *low = NULL, *high = NULL;
    m->sampled = NULL;
    if (self && atomic_load_relaxed(&self->owner) == (const void *)&self)
        return 0;
    if (base_thread_stack(&low, &high) < 0)
        low = high = NULL;
    lock_acquire(&cpu.lock);
    trace_cpu_thread *t = record_take_locked();
    if (t) {
        t->tracer = tracer;
        t->m = m;
        t->low = low;
        t->high = high;
        atomic_store_seqcst(&t->owner, (const void *)&self); /* pairs with on_tick() */
        self = t;
        m->sampled = t;
        set_timer_locked(t);
    }
    lock_release(&cpu.lock);
    return t ? 0 : -ENOMEM;
}

void trace_cpu_thread_leave(weft_trace_m *m)
{
    trace_cpu_thread *t = m->sampled;
    if (!t)
        return;
    m->sampled = NULL;
    lock_acquire(&cpu.lock);
    os_tick_stop(&t->timer);
    const void *owner = t->owner;
    /* Others must not take the record before it is idle; the lock sees to that. */
    atomic_store_seqcst(&t->owner, NULL); /* pairs with on_tick() */
    wait_idle(t);
    lock_release(&cpu.lock);
    if (owner == (const void *)&self)
        self = NULL;
}

void trace_cpu_settle(void)
{
    for (const trace_cpu_thread *t = all_threads(); t; t = t->next)
        wait_idle(t);
}

/* ---- Who wants samples ---- */

static void want_link_locked(trace_cpu_want *want, unsigned hz)
{
    trace_cpu_want **place = &cpu.wants;
    while (*place && *place != want)
        place = &(*place)->next;
    if (*place)
        *place = want->next;
    want->hz = hz;
    if (hz > 0) {
        want->next = cpu.wants;
        cpu.wants = want;
    }
}

static unsigned highest_hz_locked(void)
{
    unsigned hz = 0;
    for (const trace_cpu_want *want = cpu.wants; want; want = want->next)
        if (want->hz > hz)
            hz = want->hz;
    return hz;
}

int trace_cpu_want_set(trace_cpu_want *want, unsigned hz)
{
    int rc = 0;
    lock_acquire(&cpu.lock);
    if (hz > 0)
        rc = os_tick_install(on_tick);
    want_link_locked(want, rc < 0 ? 0 : hz);
    unsigned highest = highest_hz_locked();
    if (highest != cpu.hz) {
        cpu.hz = highest;
        for (trace_cpu_thread *t = cpu.all; t; t = t->next)
            if (atomic_load_relaxed(&t->owner))
                set_timer_locked(t);
    }
    lock_release(&cpu.lock);
    return rc;
}

uint64_t trace_cpu_timers_refused(void)
{
    return atomic_load_relaxed(&cpu.refused);
}

void trace_cpu_profile_set(trace_cpu_ring *ring, base_note *wake)
{
    if (ring)
        cpu.profile_wake = wake;
    atomic_store_seqcst(&cpu.profile, ring); /* pairs with put_into_profile() */
}

void trace_cpu_forget(void)
{
    lock_init(&cpu.lock, BASE_RANK_CPU);
    for (trace_cpu_thread *t = cpu.all; t; t = t->next) {
        atomic_store_relaxed(&t->owner, NULL);
        atomic_store_relaxed(&t->busy, 0);
        t->timer.made = false;
    }
    cpu.wants = NULL;
    cpu.hz = 0;
    atomic_store_relaxed(&cpu.profile, NULL);
    self = NULL;
}
