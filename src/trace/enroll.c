/* SPDX-License-Identifier: MIT */
/*
 * Design. One list under a lock. Leaving it and queueing what the M still holds is one step under
 * the lock, so a buffer is queued either by the drainer that finds the M on the list or by the M
 * that leaves, and never by both.
 *
 * trace_ms_flush() waits for sections to close, but not while it holds the lock: a section may wait
 * for a lock of the host under which another thread enrolls its M. It starts from the front again
 * instead; each M carries the generation for which it is done. Ms that come later see the new
 * generation, which was published before the lock was taken.
 *
 * After a crash (base/lock.h) a section may not end: its M waits for a lock of the host that the
 * crashed thread holds, or the crashed thread had opened it on the stream of an M that it held.
 * Then such an M's events are taken as they are. Its buffer is closed by moving the end to the
 * front, so that its next event finds no room, and none is given to it. Behind the heavy fence
 * every M that goes on sees that. So of each such M at most the one event that it was writing when
 * the fence passed may still appear, or not: none of these follows from another, as what follows
 * from an event is checked for room after that event was written. Whichever of them are in the
 * copies, the events are closed under causes.
 */
#include "trace/enroll.h"

#include "base/fatal.h"
#include "base/fence.h"
#include "base/thread.h"
#include "base/torture.h"
#include "trace/buffer.h"
#include "trace/cpu_threads.h"
#include "trace/tables.h"
#include "trace/tracer.h"

#include <errno.h>

/* Each of them sleeps for 0.2 ms: longer than any thread that goes on is in a section. */
#define PATIENT_ROUNDS 10000

/* A record of which others may read the thread's id already, though it has none yet. */
static void renew(weft_trace_m *m, struct trace_stack_cache *cache)
{
    m->writing = m->nested = 0;
    m->generation = m->last_time = m->flushed = 0;
    m->buffer[0] = m->buffer[1] = NULL;
    m->cache = cache;
    m->sampled = NULL;
    atomic_store_relaxed(&m->tid, base_thread_id());
}

static bool is_registered(weft_tracer *tracer, const weft_trace_m *m)
{
    lock_acquire(&tracer->ms_lock);
    bool registered = m->link != NULL;
    lock_release(&tracer->ms_lock);
    return registered;
}

int weft_trace_m_register(weft_tracer *tracer, weft_trace_m *m)
{
    if (!tracer || !m)
        return -EINVAL;
    if (is_registered(tracer, m)) /* a second time it would follow itself on the list */
        return -EALREADY;
    struct trace_stack_cache *cache = trace_stack_cache_new();
    if (!cache)
        return -ENOMEM;
    renew(m, cache);
    if (trace_cpu_thread_enter(tracer, m) < 0) {
        trace_stack_cache_free(cache);
        return -ENOMEM;
    }
    lock_acquire(&tracer->ms_lock);
    m->next = tracer->ms;
    m->link = &tracer->ms;
    if (m->next)
        m->next->link = &m->next;
    compiler_barrier();
    tracer->ms = m; /* last, so that a fork at any moment leaves a list that can be walked */
    lock_release(&tracer->ms_lock);
    return 0;
}

void weft_trace_m_unregister(weft_tracer *tracer, weft_trace_m *m)
{
    invariant(!atomic_load_relaxed(&m->writing), "trace: thread %lu unregistered in a section",
              (unsigned long)m->tid);
    trace_cpu_thread_leave(m);
    lock_acquire(&tracer->ms_lock);
    if (!m->link) { /* forgotten after a fork */
        lock_release(&tracer->ms_lock);
        return;
    }
    /* Both slots: of the generation that is written, and of one that is being drained. The number
     * matters by its parity only. */
    trace_buffer_flush(tracer, m, 0);
    trace_buffer_flush(tracer, m, 1);
    *m->link = m->next;
    if (m->next)
        m->next->link = m->link;
    lock_release(&tracer->ms_lock);
    trace_stack_cache_free(m->cache);
    m->cache = NULL;
    m->link = NULL;
}

/* ms_lock held. False: an M is still in a section. */
static bool flush_round(weft_tracer *tracer, uint64_t n)
{
    bool done = true;
    for (weft_trace_m *m = tracer->ms; m; m = m->next) {
        if (m->flushed == n)
            continue;
        if (fence_load(&m->writing)) { /* pairs with the stores in section.c */
            done = false;
            continue;
        }
        trace_buffer_flush(tracer, m, n);
        m->flushed = n;
    }
    return done;
}

/* See the file's head. */
static void flush_as_they_are(weft_tracer *tracer, uint64_t n)
{
    atomic_store_relaxed(&tracer->frozen, n);
    fence_heavy(); /* pairs with what orders a section's stores, before refill() looks */
    lock_acquire(&tracer->ms_lock);
    for (weft_trace_m *m = tracer->ms; m; m = m->next)
        if (m->flushed != n)
            trace_buffer_cap(m, n);
    fence_heavy();
    for (weft_trace_m *m = tracer->ms; m; m = m->next) {
        if (m->flushed != n)
            trace_buffer_flush_capped(tracer, m, n);
        m->flushed = n;
    }
    lock_release(&tracer->ms_lock);
}

void trace_ms_flush(weft_tracer *tracer, uint64_t n)
{
    unsigned spins = 0, slept = 0;
    for (;;) {
        lock_acquire(&tracer->ms_lock);
        bool done = flush_round(tracer, n);
        lock_release(&tracer->ms_lock);
        if (done)
            return;
        torture_point("trace flush waits");
        base_backoff(&spins);
        if (base_locks_abandoned() && ++slept > PATIENT_ROUNDS) {
            flush_as_they_are(tracer, n);
            return;
        }
    }
}

void trace_ms_forget(weft_tracer *tracer)
{
    lock_init(&tracer->ms_lock, BASE_RANK_TRACE_MS);
    for (weft_trace_m *m = tracer->ms; m; m = m->next) {
        atomic_store_relaxed(&m->writing, 0);
        m->nested = 0;
        m->buffer[0] = m->buffer[1] = NULL;
        m->cache = NULL;
        m->sampled = NULL;
        m->link = NULL;
    }
    tracer->ms = NULL;
}
