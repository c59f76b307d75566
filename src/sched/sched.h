/* SPDX-License-Identifier: MIT */
/*
 * The scheduler's records and what its files offer each other.
 *
 * Three kinds of record, none of which is ever unmapped while the runtime lives (others may look at
 * a stale one): G  a goroutine; its record lies at the top of its stack, on the page that is
 * touched first anyway M  a thread P  the right to run Gs; leased to the M that runs (lease.h)
 *
 * Inside and outside. A thread is *inside the runtime* from rt_enter() to rt_exit() and all the
 * time that it spends in the scheduler, but not while it sleeps in the kernel. Inside it may touch
 * the shared state below, under its locks; the holder of the world lock may stop it only at the
 * border (lease.h). So with every M held outside, the whole runtime stands still and can be read
 * and changed without any lock (world.h).
 *
 * Waiting. A goroutine that has to wait puts itself on a queue under some lock, then calls
 * sched_park(), which releases the lock once the goroutine is off its stack. Whoever takes it off
 * that queue owns it and calls sched_ready().
 */
#ifndef WEFT_SCHED_SCHED_H
#define WEFT_SCHED_SCHED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/fatal.h"
#include "base/fence.h"
#include "base/futex.h"
#include "base/lock.h"
#include "base/torture.h"
#include "sched/runq.h"
#include "weft/runtime.h"
#include "weft/trace_host.h"

struct m;
struct p;
struct label;
struct weft_coro;
struct timers;

enum { MAX_PROCS = 1024, SIGNAL_STACK = 64 * 1024 };

/* A goroutine's state: owner changes it, anyone may read it (relaxed). The numbers are the trace's.
 */
enum g_status {
    G_DEAD = WEFT_TRACE_G_DEAD,
    G_RUNNABLE = WEFT_TRACE_G_RUNNABLE,
    G_RUNNING = WEFT_TRACE_G_RUNNING,
    G_SYSCALL = WEFT_TRACE_G_SYSCALL,
    G_WAITING = WEFT_TRACE_G_WAITING,
};

/* Where something goes on that does not run (context.h). arch/ knows the layout. */
struct saved_context {
    void *sp, *fp, *pc;
};

struct g {
    struct saved_context saved; /* while it does not run */
    struct g *next;  /* link of the one list it is on: run queue overflow, ready list, pool */
    struct m *m;     /* atomic; the M that runs it or holds it in a system call, else NULL */
    uint32_t status; /* atomic: enum g_status */
    struct m *bound; /* owner: the goroutine; the M of an attached thread, or that it is locked to
                        (attach.h); NULL: any M */
    uint32_t locks;  /* owner: the goroutine; of weft_thread_lock */
    void (*fn)(void *);
    void *arg;
    const void *api_frame;    /* atomic; frame of the public function through which it entered the
                                 runtime last, or NULL */
    uintptr_t api_pc;         /* atomic; an address in that function, 0: unknown */
    char *stack_low;          /* lowest usable address; below it is the guard */
    size_t stack_size;        /* reserved bytes, guard and record included */
    struct g *stack_of;       /* atomic; on whose stack it runs: its own, or a lender's
                                 (call_on_stack.c) */
    struct g *outer;          /* a lender: whose stack comes before it; owner: the goroutine */
    uint8_t wait_reason;      /* atomic; why it waits: weft_trace_block_reason */
    int64_t wait_since;       /* atomic; sched.coarse_now when it began */
    bool system;              /* atomic; of the runtime: not counted, not listed */
    unsigned stack_id;        /* valgrind's number for the stack */
    struct weft_scope *scope; /* owner: as the G; which it is part of, or NULL */
    struct weft_context
        *context; /* owner: the goroutine; what ends its waits (weft_context_enter) */
    weft_trace_g trace;
    struct g *all_next; /* set once, before the G is listed; every record ever made */
    void *fiber;        /* sanitizers: TSan's fiber or ASan's fake stack */
    /* Annotations (user_annotations.c); owner: as the G */
    uint64_t task;             /* atomic: the current task, 0: none; inherited */
    struct label *label;       /* NULL: none; inherited, shared */
    uint64_t label_generation; /* in which the label was written last */
    uint32_t open_regions;
    struct weft_coro *coro; /* atomic, constant: what it is the goroutine of, or NULL */
};

/* The stack on which a goroutine runs, by anybody: [stack_low, the record). */
static inline struct g *g_stack_of(const struct g *g)
{
    return atomic_load_acquire(&g->stack_of); /* pairs with weft_call_on_stack() */
}

/* What the context that a switch arrives in does for the one that it left (schedule.c). */
enum after_switch {
    AFTER_NOTHING,
    AFTER_UNLOCK,
    AFTER_GLOBAL_QUEUE,
    AFTER_LOCAL_QUEUE,
    AFTER_FREE
};

struct m {
    uint32_t in_runtime; /* written by the M alone; pairs with lease_hold() through the asymmetric
                            fence */
    uint32_t attention;  /* atomic: M_HELD, … */
    struct p
        *p; /* owner: the M inside the runtime; the holder of the world lock while the M is held */
    struct g *g; /* current goroutine, NULL on the scheduler's own stack; owner: as p */
    enum after_switch after;
    void *after_arg;
    struct saved_context saved; /* the scheduler's own, while a goroutine runs */
    bool spinning;              /* looks for work with a P; counted in sched.spinning */
    uint32_t random;
    uint32_t spun_in_vain; /* owner: M; how often since that was worth it */
    base_note wake;        /* an idle M sleeps here; next_p says what it was woken for */
    struct p *next_p;      /* lock: sched.lock */
    struct m *idle_next;   /* lock: sched.lock */
    bool rests;            /* lock: sched.lock; sleeps until its bound goroutine goes on */
    struct m *all_next;    /* set once, before the M is listed */
    uint32_t finished;     /* atomic: enum m_life */
    bool service;     /* runs no goroutines of the queues: sysmon, the tracer's thread, attached
                         threads */
    struct g *own;    /* constant: an attached thread's goroutine (attach.h), else NULL */
    uint32_t crashed; /* atomic: crash.h */
    uint32_t id;
    pthread_t thread;
    uint64_t tid; /* atomic; trace.tid for others: an attached thread's record is used again */
    void *fiber;  /* sanitizers: of the thread's own stack */
    void *stack_low, *stack_high;
    weft_trace_m trace;
    /* Signal handlers run here: a goroutine's own stack may have no room. Committed by touching. */
    char signal_stack[SIGNAL_STACK] __attribute__((aligned(16)));
} __attribute__((aligned(BASE_CACHE_LINE)));

/* Bits of m->attention. */
enum { M_HELD = 1, M_PREEMPT = 2, M_WAITS = 4, M_ENDING = 8, M_CALL = 16 };

enum m_life { M_RUNS, M_ENDS, M_ENDED, M_ABANDONED };

struct p {
    uint32_t id;
    uint32_t tick; /* atomic, owner: M; grows with each pick that begins a new time slice */
    struct m *m;   /* atomic; NULL: idle or dead. Changed under sched.lock or by the holder of the
                      world lock */
    struct p *idle_next; /* lock: sched.lock */
    bool idle;           /* lock: sched.lock */
    uint32_t picks;      /* owner: M; for fairness */
    uint64_t parks;      /* atomic, owner: M; as steals, for weft_stats */
    uint64_t steals;
    /* How long goroutines run here at a time (sched_ready_here); owner: M */
    int64_t pace;       /* ns, averaged */
    int64_t pace_since; /* when the interval began that is not in it yet */
    uint32_t pace_picks;
    struct runq runq;
    struct g *gfree;      /* dead Gs with standard stacks; owner: M */
    unsigned gfree_count; /* atomic */
    uint64_t goid_next, goid_end;
    int64_t timer_next; /* atomic: when the first timer of this P is due, WEFT_NEVER if none */
    struct timers *timers;
    weft_trace_p trace;
    /* sysmon's memory */
    uint32_t seen_tick;
    int64_t seen_at;
} __attribute__((aligned(BASE_CACHE_LINE)));

/* A list of Gs linked through g->next, first in first out. */
struct g_list {
    struct g *head, *tail;
    unsigned count;
};

static inline void g_list_push(struct g_list *list, struct g *g)
{
    g->next = NULL;
    if (list->tail)
        list->tail->next = g;
    else
        list->head = g;
    list->tail = g;
    list->count++;
}

static inline struct g *g_list_pop(struct g_list *list)
{
    struct g *g = list->head;
    if (g) {
        list->head = g->next;
        if (!list->head)
            list->tail = NULL;
        g->next = NULL;
        list->count--;
    }
    return g;
}

/* The one runtime of the process. */
struct sched {
    uint32_t tracing;      /* atomic; the tracer's hint (weft_trace_host.enabled) */
    uint32_t waits;        /* atomic; log what goroutines wait for (weft_annotate_waits) */
    uint32_t virtual_time; /* atomic, constant while the runtime runs: timers go by virtual_now */
    int64_t virtual_now;   /* atomic (virtual_time.h) */
    int64_t coarse_now; /* atomic: the time at the monitor's last look, or when that was last woken:
                           some milliseconds old. Beside `tracing`, which is read anyway */
    base_lock lock;     /* rank SCHED */
    struct g_list global;  /* lock: lock */
    struct g_list bound;   /* lock: lock; goroutines of attached threads that need a P */
    uint32_t global_count; /* atomic; the length of both lists, for readers without the lock */
    struct p *idle_ps;     /* lock: lock */
    uint32_t idle_p_count; /* atomic; written under lock */
    struct m *idle_ms;     /* lock: lock */
    uint32_t spinning;     /* atomic: Ms that look for work */

    uint32_t running;   /* atomic: the runtime is up */
    uint32_t ending;    /* atomic: the main goroutine has returned */
    uint32_t main_runs; /* atomic: the main goroutine was started and has not returned */
    base_note main_done;
    int main_result;

    struct p *all_p[MAX_PROCS]; /* [0, proc_made) exist; [0, proc_count) live. Changed with the
                                   world stopped */
    uint32_t proc_count;        /* atomic */
    uint32_t proc_made;

    size_t stack_size;
    uint32_t max_threads;

    uint64_t goid;                     /* atomic: the last number handed out to a P's cache */
    uint64_t revocations, world_stops; /* atomic */
    uint64_t wakeups;                  /* atomic, written under lock: sleeping Ms that got a P */
    int64_t last_poll;                 /* atomic: when the poller was last asked */

    bool world_stopped; /* written by the holder of the world lock while all others are held, read
                           inside */

    bool sysmon_asleep; /* lock: lock; the monitor waits until a P stops being idle */

    weft_tracer *tracer;
};
extern struct sched sched __attribute__((visibility("hidden"))); /* no detour through the GOT */

/* There is one P, so that nobody steals (runq.h). By the holder of a P, inside, or with its M held.
 */
static inline bool sched_alone(void)
{
    return atomic_load_relaxed(&sched.proc_count) == 1;
}

/* ---- machine.c: this thread's M ---- */

/* The calling thread's M or NULL. Out of line on purpose: a goroutine may continue on another
 * thread, and a compiler may keep the address of a thread-local variable over a switch. */
struct m *m_self(void) __attribute__((visibility("hidden")));

/* ---- lease.c: entering and leaving the runtime ---- */

struct m *rt_enter_slow(struct m *m, const void *frame, uintptr_t pc);
void rt_exit_slow(struct m *m);
struct m *attach_for_call(const void *frame, uintptr_t pc);

/* Where the goroutine left user code: the frame of a public function, and an address in it. Owner:
 * the M that runs g; the tracer may look at any time. */
static inline void g_set_place(struct g *g, const void *frame, uintptr_t pc)
{
    atomic_store_relaxed(&g->api_frame, frame);
    atomic_store_relaxed(&g->api_pc, pc);
}

/* Every public function that needs the runtime begins with `struct m *m = rt_enter();`, which
 * returns NULL when the caller is not a goroutine, and ends with rt_exit(m) for the m of that
 * moment. Must be expanded in the public function itself: its frame is where stacks in the trace
 * begin. */
#define rt_enter() rt_enter_from(__builtin_frame_address(0), rt_here())

/* An address in the function in which it is expanded. A macro, so that symbolisers see no inlined
 * function there. */
#if defined(__x86_64__)
#define rt_here()                                                                                  \
    __extension__({                                                                                \
        uintptr_t pc_;                                                                             \
        __asm__ __volatile__("1: lea 1b(%%rip), %0" : "=r"(pc_));                                  \
        pc_;                                                                                       \
    })
#elif defined(__aarch64__)
#define rt_here()                                                                                  \
    __extension__({                                                                                \
        uintptr_t pc_;                                                                             \
        __asm__ __volatile__("adr %0, ." : "=r"(pc_));                                             \
        pc_;                                                                                       \
    })
#endif

static inline __attribute__((always_inline)) struct m *rt_enter_from(const void *frame,
                                                                     uintptr_t pc)
{
    struct m *m = m_self();
    if (unlikely(!m || !m->g))
        return NULL;
    fence_store(&m->in_runtime, 1);
    fence_light(); /* pairs with lease_hold() */
    if (unlikely(fence_load(&m->attention) != 0 || !m->p))
        return rt_enter_slow(m, frame, pc);
    g_set_place(m->g, frame, pc);
    return m;
}

/* The same for operations that may block: a plain thread is attached for the time of the call.
 * NULL: the runtime does not run. */
#define rt_enter_or_attach()                                                                       \
    __extension__({                                                                                \
        struct m *m_ = rt_enter();                                                                 \
        likely(m_ != NULL) ? m_ : attach_for_call(__builtin_frame_address(0), rt_here());          \
    })

static inline void rt_exit(struct m *m)
{
    if (unlikely(atomic_load_relaxed(&m->attention) != 0))
        rt_exit_slow(m);
    else
        fence_store(&m->in_runtime,
                    0); /* pairs with lease_hold(): all that was done inside is visible */
}

/* The same for an m that may be NULL. */
static inline void rt_exit_any(struct m *m)
{
    if (likely(m != NULL))
        rt_exit(m);
}

/* Stops the program: `what` was called where there is no goroutine. */
_Noreturn void rt_not_a_goroutine(const char *what);

/* ---- schedule.c: park, ready, yield ---- */

/*
 * Blocks the current goroutine. It must be on a queue from which a waker can take it under `lock`,
 * which is held; the lock is released when the goroutine is off its stack. Returns the M on which
 * it goes on. lock NULL: nothing to release (waits for ever, or the waker cannot run before).
 */
struct m *sched_park(struct m *m, base_lock *lock, weft_trace_block_reason reason);

/*
 * Makes a waiting goroutine, which the caller owns, runnable: next on the caller's P. m may be an M
 * without P (sysmon, a poller), or NULL (a thread that weft does not know): the goroutine then goes
 * to the global queue; with NULL it stays Waiting there, as that thread can emit no event, and
 * becomes runnable when an M takes it. May be called with locks below SCHED held, and from inside
 * the runtime only (m == NULL: anywhere outside).
 */
void sched_ready(struct m *m, struct g *g);

/* The same for a list, waking as many Ms as there is work for. */
void sched_ready_list(struct m *m, struct g_list *list);

/* The same by an M in the scheduler, which has a P and is about to take the first of them: another
 * M is woken only if there is more than this one will have done before the other comes. */
void sched_ready_here(struct m *m, struct g_list *list);

/* A new goroutine fn(arg), runnable but in no queue yet. NULL: memory is exhausted. */
struct g *sched_make(struct m *m, size_t stack_size, void (*fn)(void *), void *arg, bool system);

/* The same, but waiting, for somebody who will switch to it. m has a P and a current goroutine.
 * entry: the function that it is known by. */
struct g *sched_make_blocked(struct m *m, size_t stack_size, void (*fn)(void *), void *arg,
                             uintptr_t entry);

/* The same as sched_make on the caller's P (or the global queue, when m has none). 0 or -ENOMEM. */
int sched_spawn(struct m *m, size_t stack_size, void (*fn)(void *), void *arg, bool system);

/* Xorshift of G. Marsaglia; the state must not be 0. */
static inline uint32_t random_next(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* A cheap random number for m, which the caller owns. */
static inline uint32_t m_random(struct m *m)
{
    return random_next(&m->random);
}

/* ---- runtime.c ---- */

/* Completes all traces and profiles of the run, which is about to end in another way than by the
 * return of weft_run(). Any thread, outside. */
void runtime_complete_traces(void);

/* ---- timer.c ---- */

int timers_init(struct p *p);
void timers_fini(struct p *p);
/* Runs what is due on p: makes sleepers runnable, starts timer goroutines. m: the caller, inside,
 * with a P (not necessarily p). Any M may call it for any P. */
void timers_run(struct m *m, struct p *p, int64_t now);
/* Moves all timers of a P that dies to another; world stopped. */
void timers_move(struct p *from, struct p *to);
/* The earliest timer of all Ps, WEFT_NEVER if none. */
int64_t timers_earliest(void);
/* How many are set. Any thread, while the Ps are there. */
uint64_t timers_count(void);

/* ---- netpoll.c ---- */

int netpoll_init(void);
void netpoll_fini(void);
/* Adds to *ready the goroutines whose descriptors became ready (they are Waiting and owned by the
 * caller). timeout_ns: 0 does not block, negative: no limit. A blocking
 * call is made outside the runtime, by one M at a time. */
void netpoll_wait(int64_t timeout_ns, struct g_list *ready);
/* Makes a blocking netpoll_wait return. Any thread. */
void netpoll_wake(void);
/* True if any descriptor is registered, that is, if there is anything to wait for. */
bool netpoll_used(void);

/* Fills in the poller's counters. */
void netpoll_count(weft_stats *stats);

/* A timer was set that may be due before a sleeping poller wakes: called by timer.c after it
 * lowered p->timer_next. */
void sched_timer_lowered(int64_t when);

#endif
