/* SPDX-License-Identifier: MIT */
/* Attached threads. Design and invariants (A1 …) are in attach.h. */
#include "sched/attach.h"

#include <errno.h>

#include "base/pages.h"
#include "sched/context.h"
#include "sched/goroutine.h"
#include "sched/idle.h"
#include "sched/lease.h"
#include "sched/machine.h"
#include "sched/proc.h"
#include "sched/schedule.h"
#include "sched/trace_hooks.h"
#include "sched/user_annotations.h"
#include "sched/world.h"

static struct m *unused; /* world lock: Ms whose thread has detached; linked by idle_next */

static pthread_key_t at_thread_end;
static int key_error;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

/* ---- Waiting for a P ---- */

static _Noreturn void sleep_for_ever(struct m *m)
{
    lease_leave(m);
    for (;;)
        base_note_wait(&m->wake, -1);
}

/* Until somebody has put a P aside for m. False: the runtime has ended. */
static bool await_p(struct m *m, struct g *g)
{
    for (;;) {
        lease_leave(m);
        while (base_note_wait(&m->wake, -1) != 0)
            ;
        torture_point("bound: woken");
        lease_return(m);
        if (atomic_load_acquire(&m->attention) & M_ENDING) /* pairs with attach_end_all() */
            return false;
        sched_accept_p(m);
        if (m->p)
            return true;
        bound_ready(g); /* A2 */
    }
}

static void run_again(struct m *m, struct g *g)
{
    if (atomic_load_relaxed(&g->status) == G_WAITING) /* woken by a thread without M */
        hook_go_unblock(m, g);
    atomic_store_relaxed(&m->p->tick, m->p->tick + 1);
    m->g = g;
    atomic_store_release(&g->m, m); /* pairs with each_g(): it reads the thread's id */
    hook_go_start(m);
}

/* Others have nothing to do with the P either. */
static bool is_alone(const struct m *m)
{
    return m->p && runq_empty(&m->p->runq) && atomic_load_relaxed(&sched.global_count) == 0;
}

/* The runtime has ended, and the goroutine stays where it is. */
static _Noreturn void stay(struct m *m, struct g *g)
{
    if (m->own)
        sleep_for_ever(m); /* what it waited for may still refer to its stack */
    m->g = g;
    sched_end_thread(m);
}

/* Before it can be woken: for all that others see, m sleeps (A4). */
static void begin_rest(struct m *m)
{
    lock_acquire(&sched.lock);
    m->rests = true;
    lock_release(&sched.lock);
}

struct m *bound_leave(struct m *m, enum after_switch after, void *arg)
{
    struct g *g = m->g;
    struct p *p = NULL;
    bool queues = after == AFTER_GLOBAL_QUEUE || after == AFTER_LOCAL_QUEUE;
    if (after == AFTER_FREE)
        fatal("weft_goexit was called on an attached thread");
    m->g = NULL;
    if (queues && is_alone(m)) {
        run_again(m, g);
        return m;
    }
    if (m->p) { /* before it can be woken, which brings another one */
        hook_proc_stop(m);
        p = proc_detach(m);
    }
    if (queues)
        bound_ready(g);
    else
        begin_rest(m);
    if (after == AFTER_UNLOCK)
        lock_release(arg);
    if (p)
        proc_hand_off(p);
    if (unlikely(sched.virtual_time))
        netpoll_wake(); /* this may have been the last one awake */
    if (!await_p(m, g)) {
        if (queues && m->own)
            return m; /* to an operation that is complete */
        stay(m, g);
    }
    run_again(m, g);
    return m;
}

struct m *bound_regain(struct m *m)
{
    struct g *g = m->g;
    m->g = NULL;
    bound_ready(g);
    if (await_p(m, g)) {
        run_again(m, g);
        return m;
    }
    if (!m->own)
        stay(m, g);
    lease_leave(m);
    return NULL;
}

void bound_ready(struct g *g)
{
    struct m *m = g->bound;
    lock_acquire(&sched.lock);
    struct p *p = proc_get_idle_locked();
    if (p) {
        m->next_p = p;
        m->rests = false;
        atomic_store_release(&p->m, m); /* in transit, as in start_m_unlock() */
    } else {
        g_list_push(&sched.bound, g);
        sched_count_global();
    }
    lock_release(&sched.lock);
    if (p)
        base_note_post(&m->wake);
}

void bound_ready_from_outside(struct g *g)
{
    lock_acquire(&sched.lock);
    g_list_push(&sched.bound, g);
    sched_count_global();
    lock_release(&sched.lock);
}

void bound_hand_over(struct m *m, struct g *g)
{
    struct m *to = g->bound;
    hook_proc_stop(m);
    struct p *p = proc_detach(m);
    lock_acquire(&sched.lock);
    to->next_p = p;
    to->rests = false;
    atomic_store_release(&p->m, to);
    lock_release(&sched.lock);
    base_note_post(&to->wake);
}

/* ---- The goroutine's life ---- */

/* m is inside and has no goroutine. Returns with a P; false, and outside: the runtime has ended. */
static bool begin(struct m *m, const void *frame, uintptr_t pc)
{
    struct g *g = m->own;
    weft_trace_g_renew(&g->trace);
    atomic_store_relaxed(&g->trace.id, goroutine_new_id(NULL));
    annotations_inherit(g, NULL);
    g->context = NULL;
    g->scope = NULL;
    g_set_place(g, frame, pc);
    goroutines_count_created(m);
    hook_attach(m, g);
    torture_point("attached, no P yet");
    return lease_regain(m) != NULL;
}

/* m is inside, its goroutine runs. Returns outside. */
static void end(struct m *m)
{
    annotations_drop(m->g);
    goroutines_count_ended(m);
    hook_syscall_enter(m);
    struct p *p = proc_detach(m);
    hook_detach(m);
    proc_hand_off(p);
    lease_leave(m);
}

void attach_end_call(struct m *m)
{
    end(m);
}

void attach_give_way(struct m *m)
{
    if (m->g && m->p) {
        hook_syscall_enter(m);
        proc_hand_off(proc_detach(m));
    }
    lease_leave(m);
}

/* ---- The M's life ---- */

/* The world lock is held, and the runtime runs. */
static struct m *record_get(void)
{
    struct m *m = unused;
    if (m) {
        unused = m->idle_next;
        return m;
    }
    struct g *g = goroutine_new_system();
    if (!g)
        return NULL;
    lock_acquire(&sched.lock);
    m = machine_try_new_locked();
    if (m) {
        atomic_store_relaxed(&g->system, false);
        g->bound = m;
        m->own = g;
        m->service = true;
    }
    lock_release(&sched.lock);
    return m; /* NULL: g stays until the runtime ends */
}

static void record_put(struct m *m)
{
    m->idle_next = unused;
    unused = m;
}

/* The runtime that m belonged to has ended, or is about to: it may still walk the list of Ms. */
static void free_stale(struct m *m)
{
    uint32_t expected = M_ENDS;
    machine_set_self(NULL);
    if (!atomic_cas_acqrel(&m->finished, &expected, M_ENDED)) /* pairs with machines_free() */
        base_pages_free(m, sizeof *m);
}

/* The end of the calling thread's M, which is outside. */
static void leave_runtime(struct m *m)
{
    pthread_setspecific(at_thread_end, NULL);
    world_lock_outside();
    bool stale = atomic_load_acquire(&m->attention) & M_ENDING; /* A3 */
    if (!stale) {
        machine_disown(m);
        record_put(m);
    }
    world_unlock();
    if (stale)
        free_stale(m);
}

/* The thread ends and has not detached. */
static void thread_ends(void *arg)
{
    struct m *m = arg;
    if (m->g && rt_enter())
        end(m);
    leave_runtime(m);
}

static void make_key(void)
{
    key_error = -pthread_key_create(&at_thread_end, thread_ends);
}

void attach_forget_stale(void)
{
    struct m *m = m_self();
    if (m && m->own && (atomic_load_acquire(&m->attention) & M_ENDING)) /* A3 */
        leave_runtime(m);
}

/* An M for the calling thread, which has none. */
static int enter_runtime(struct m **out)
{
    struct m *m = NULL;
    if (!atomic_load_acquire(&sched.running)) /* pairs with start() */
        return -EPERM;
    pthread_once(&key_once, make_key);
    int error = key_error;
    world_lock_outside();
    if (!error && !atomic_load_acquire(&sched.running)) /* pairs with start() */
        error = -EPERM;
    if (!error && !(m = record_get()))
        error = -EAGAIN;
    if (m && (error = machine_try_adopt(m)))
        record_put(m);
    world_unlock();
    if (!error && (error = -pthread_setspecific(at_thread_end, m)))
        leave_runtime(m);
    *out = m;
    return error;
}

/* Inside, with an M but without a goroutine. */
static int enter_bare(struct m **out)
{
    attach_forget_stale();
    struct m *m = m_self();
    int error = m ? 0 : enter_runtime(&m);
    if (error)
        return error;
    lease_return(m);
    if (atomic_load_acquire(&m->attention) & M_ENDING) { /* A3 */
        lease_leave(m);
        return -EPERM;
    }
    *out = m;
    return 0;
}

/* The calling thread's goroutine begins, with these bits of m->attention. */
static int attach(const void *frame, uintptr_t pc, uint32_t bits, struct m **out)
{
    struct m *m;
    int error = enter_bare(&m);
    if (error)
        return error;
    atomic_or_acqrel(&m->attention, bits);
    *out = m;
    return begin(m, frame, pc) ? 0 : -EPERM;
}

struct m *attach_for_call(const void *frame, uintptr_t pc)
{
    struct m *m = m_self();
    if (m && !m->own) /* a thread of the runtime itself */
        return NULL;
    return attach(frame, pc, M_CALL, &m) == 0 ? m : NULL;
}

int weft_thread_attach(void)
{
    struct m *m = m_self();
    if (m && (m->g || !m->own))
        return -EBUSY;
    int error = attach(__builtin_frame_address(0), rt_here(), 0, &m);
    if (!error)
        rt_exit(m);
    return error;
}

int weft_thread_detach(void)
{
    struct m *m = m_self();
    if (!m || !m->own)
        return -EPERM;
    if (m->g && rt_enter())
        end(m);
    leave_runtime(m);
    return 0;
}

/* ---- The end of the runtime ---- */

void attach_end_all(void)
{
    for (struct m *m = machines_first(); m; m = m->all_next) {
        if (!m->own || !m->trace.cache)
            continue;
        m->g = NULL;
        m->p = NULL;
        weft_trace_m_unregister(sched.tracer, &m->trace);
        atomic_store_relaxed(&m->finished, M_ENDS); /* see free_stale() */
        base_note_post(&m->wake);                   /* await_p() looks at m->attention */
    }
    unused = NULL;
}
