/* SPDX-License-Identifier: MIT */
/*
 * The tracer's core for whoever has a scheduler: how a host (a runtime, a thread pool, an event
 * loop) makes its goroutines, processors and threads visible in a trace. weft's own runtime is one
 * host; examples/tinyhost.c another.
 *
 * Terms. G: a unit of work that can block (goroutine). P: the right to run Gs, 0 … n-1. M: an OS
 * thread. A *section* brackets a state change of the host together with the events that describe
 * it: a generation change happens before or after it, never within.
 *
 * Ownership. At every moment a G or P has one owner: the M that runs it, or whoever the host's own
 * protocol gave it to (a waker that took a G off a wait queue, a thief). Only the owner changes its
 * state and emits events about it.
 *   1. Own first, then enter the section (INV-5). Give ownership away inside the section or after
 *      it.
 *   2. A change of state happens inside the section that emits its event (INV-6); a change into
 *      Running happens before the section that emits it, with nothing that can block in between
 *      (INV-7).
 *   3. Inside a section: no blocking, no switching of Gs, no host callback that could stop the
 *      world. Short locks that nobody holds while waiting for the tracer are fine. Sections nest on
 *      one M.
 *
 * Cost. While tracing is off, weft_trace_enter() is one load and one branch, in line.
 */
#ifndef WEFT_TRACE_HOST_H
#define WEFT_TRACE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/config.h>
#include <weft/trace.h>

WEFT_BEGIN_DECLS

/* ---- Records ---- */

/* Embedded in the host's own, zero-initialised. The fields are the tracer's unless said otherwise.
 */

/* Trace state of a G. `id` is the host's: set before the creation event, never 0, never reused.
 * When a record gets a new identity, weft_trace_g_renew() comes first. The memory of a record must
 * stay readable while the tracer lives. */
typedef struct weft_trace_g {
    uint64_t id;
    uint64_t seq[2];   /* atomic, owner: as the G; indexed by generation mod 2 */
    uint64_t time;     /* owner: as the G; of the latest event about it */
    uint8_t traced[3]; /* atomic; indexed by generation mod 3: its status was written */
    uint8_t in_assist; /* host: 1 while in a mark assist range (see weft_trace_assist_begin) */
} weft_trace_g;

/* Trace state of a P. `id` is the host's. */
typedef struct weft_trace_p {
    uint32_t id;
    uint8_t traced[3];
    uint8_t in_sweep; /* host: 1 while in a sweep range (see weft_trace_sweep_begin) */
    uint64_t seq[2];
    uint64_t time; /* owner: as the P; of the latest event about it */
} weft_trace_p;

struct trace_buffer;
struct trace_cpu_thread;
struct trace_stack_cache;

/* Trace state of an M. Registered while it may emit. */
typedef struct weft_trace_m {
    /* atomic: in a section; pairs with the advancer through the asymmetric fence */
    uint32_t writing;
    uint32_t nested;     /* owner: M; depth of sections inside the outer one */
    uint64_t generation; /* owner: M; of the open section */
    uint64_t tid;        /* atomic; the kernel's thread id, set by weft_trace_m_register */
    uint64_t last_time;  /* owner: as buffer; time of the stream's latest event */
    uint64_t flushed;    /* lock: tracer's list of Ms; the generation whose end has passed this M */
    /* owner: M inside a section; the flusher once writing was seen false */
    struct trace_buffer *buffer[2];
    struct trace_stack_cache *cache;
    struct trace_cpu_thread *sampled; /* owner: who registers and unregisters */
    struct weft_trace_m *next;        /* lock: tracer's list of Ms */
    struct weft_trace_m **link;
} weft_trace_m;

/* An open section. On the stack of the emitter. */
typedef struct weft_trace_section {
    weft_tracer *tracer;
    weft_trace_m *m;
    uint64_t generation;
} weft_trace_section;

/* The M's P and G at the moment of an event; either may be NULL. Their first mention in a
 * generation is preceded by their status, which the tracer writes. */
typedef struct weft_trace_context {
    weft_trace_p *p;
    weft_trace_g *g;
} weft_trace_context;

/* States as the format numbers them. */
enum {
    WEFT_TRACE_G_DEAD = 0,
    WEFT_TRACE_G_RUNNABLE = 1,
    WEFT_TRACE_G_RUNNING = 2,
    WEFT_TRACE_G_SYSCALL = 3,
    WEFT_TRACE_G_WAITING = 4
};
enum {
    WEFT_TRACE_P_RUNNING = 1,
    WEFT_TRACE_P_IDLE = 2,
    WEFT_TRACE_P_SYSCALL = 3,
    WEFT_TRACE_P_ABANDONED = 4
};

/* Why a G stops or blocks, and why the world stops: indices of the format's own texts
 * (src/wire/reasons.def holds the table; the names there and here agree, which a static assertion
 * checks). */
typedef enum weft_trace_stop_reason {
    WEFT_TRACE_STOP_UNSPECIFIED,
    WEFT_TRACE_STOP_GOSCHED,
    WEFT_TRACE_STOP_PREEMPTED,
    WEFT_TRACE_STOP_COUNT
} weft_trace_stop_reason;

typedef enum weft_trace_block_reason {
    WEFT_TRACE_BLOCK_UNSPECIFIED,
    WEFT_TRACE_BLOCK_FOREVER,
    WEFT_TRACE_BLOCK_NETWORK,
    WEFT_TRACE_BLOCK_SELECT,
    WEFT_TRACE_BLOCK_COND,
    WEFT_TRACE_BLOCK_SYNC,
    WEFT_TRACE_BLOCK_CHAN_SEND,
    WEFT_TRACE_BLOCK_CHAN_RECV,
    WEFT_TRACE_BLOCK_GC_ASSIST,
    WEFT_TRACE_BLOCK_GC_SWEEP,
    WEFT_TRACE_BLOCK_SYSTEM,
    WEFT_TRACE_BLOCK_PREEMPTED,
    WEFT_TRACE_BLOCK_DEBUG_CALL,
    WEFT_TRACE_BLOCK_GC_END,
    WEFT_TRACE_BLOCK_SLEEP,
    WEFT_TRACE_BLOCK_WEAK_TO_STRONG,
    WEFT_TRACE_BLOCK_SYNCTEST,
    WEFT_TRACE_BLOCK_COUNT
} weft_trace_block_reason;

typedef enum weft_trace_stw_reason {
    WEFT_TRACE_STW_UNKNOWN,
    WEFT_TRACE_STW_GC_MARK_TERMINATION,
    WEFT_TRACE_STW_GC_SWEEP_TERMINATION,
    WEFT_TRACE_STW_HEAP_DUMP,
    WEFT_TRACE_STW_GOROUTINE_PROFILE,
    WEFT_TRACE_STW_GOROUTINE_PROFILE_CLEANUP,
    WEFT_TRACE_STW_ALL_STACKS,
    WEFT_TRACE_STW_READ_MEM_STATS,
    WEFT_TRACE_STW_ALL_THREADS_SYSCALL,
    WEFT_TRACE_STW_GOMAXPROCS,
    WEFT_TRACE_STW_START_TRACE,
    WEFT_TRACE_STW_STOP_TRACE,
    WEFT_TRACE_STW_COUNT
} weft_trace_stw_reason;

/* ---- The host: what the tracer asks of it. All callbacks run on the tracer's own thread, but for
 * `running`. ---- */

/* A G as the host sees it without owning it: may be stale by the time it is looked at. The tracer
 * uses it only if the G had no event in the whole generation, which proves that it did not change.
 */
typedef struct weft_trace_g_view {
    weft_trace_g *g;
    uint64_t id;          /* copied, as the record may get a new identity */
    uint64_t m_tid;       /* the thread, for a G in WEFT_TRACE_G_SYSCALL */
    uint32_t status;      /* WEFT_TRACE_G_… */
    const uintptr_t *pcs; /* its stack, leaf first; valid during the call; NULL or depth 0: none */
    unsigned depth;
} weft_trace_g_view;

/* A P at a safepoint: nobody else can act for it, its M or its G during the call. */
typedef struct weft_trace_p_view {
    weft_trace_p *p;
    weft_trace_m *m; /* the M that holds it, whose stream has its status; NULL for an idle P */
    weft_trace_g *g; /* the G that runs on it, or NULL */
} weft_trace_p_view;

/* How a host's heap is laid out: the units in which the AllocFree experiment counts addresses. None
 * is 0. */
typedef struct weft_trace_heap {
    uint64_t base;         /* lowest address of the heap */
    uint64_t page_size;    /* spans begin at multiples of it */
    uint64_t object_align; /* objects begin at multiples of it */
    uint64_t stack_min;    /* stacks begin at multiples of it */
} weft_trace_heap;

/* What a thread executes at the moment of a CPU sample. */
typedef struct weft_trace_running {
    uint64_t p; /* id of its P; set to UINT64_MAX, none, before the call */
    uint64_t g; /* id of its G; set to 0, none */
    /* Bounds of the stack that it runs on; set to those of the thread's own. */
    const void *stack_low, *stack_high;
    /* What the G is labelled with, for profiles; readable while the handler runs. NULL: nothing. */
    const char *label;
    size_t label_size;
} weft_trace_running;

typedef struct weft_trace_host {
    size_t size; /* sizeof(weft_trace_host) */
    uint32_t
        *enabled; /* NULL, or a word of the host's that the tracer keeps as its hint: not 0 while
                   * tracing may  be on. For hosts with one tracer, which then test it without a
                   * detour; changed to 1 with  the world stopped only. Atomic, relaxed. */
    uint32_t *user_enabled; /* NULL, or a second such word: for annotations, which user code tests
                             * by itself. A thread outside of the host may see it a moment late. */
    void *context;          /* first argument of every callback */

    /* The tracer's thread begins (at the first start of a stream) and ends. thread_start returns
     * the weft_trace_m of that thread, not yet registered, or NULL: the start fails with -ENOMEM,
     * and the next one asks again. */
    weft_trace_m *(*thread_start)(void *context);
    void (*thread_stop)(void *context);

    /* Gives the tracer's thread a P and a system goroutine until detach: an idle P, or one taken
     * from whoever has it. Both emit the events of that change if tracing is on. Never waits for
     * user code. Returns 0 and *out. */
    int (*attach)(void *context, weft_trace_context *out);
    void (*detach)(void *context);

    /* Between hold and release no stop-the-world begins and the number of Ps does not change. hold
     * comes before attach; never while the world is stopped. */
    void (*world_hold)(void *context);
    void (*world_release)(void *context);

    /* Stops the world, inside a hold: until world_start no M but the tracer's is in a section,
     * changes the state of a G or P or can reach a point where it tests weft_trace_enter. */
    void (*world_stop)(void *context);
    void (*world_start)(void *context);

    /* Number of live Ps. Inside a hold. */
    uint32_t (*proc_count)(void *context);

    /* Calls fn for every live P but the tracer's own, each at a safepoint. Inside a hold. */
    void (*each_p)(void *context, void (*fn)(void *arg, const weft_trace_p_view *view), void *arg);

    /* Calls fn for every P record that was ever live and is not now. Inside a hold. */
    void (*each_dead_p)(void *context, void (*fn)(void *arg, weft_trace_p *p), void *arg);

    /* Calls fn for every G record, dead ones included (status WEFT_TRACE_G_DEAD), without stopping
     * anything. Records that appear meanwhile may be missed: they must be new, with all-zero trace
     * state or renewed. `stacks`: fill pcs. */
    void (*each_g)(void *context, bool stacks, void (*fn)(void *arg, const weft_trace_g_view *view),
                   void *arg);

    /* ---- Optional: hosts with a collector. Inside a hold. ---- */

    /* Whether a collection is marking, that is, between weft_trace_gc_begin and weft_trace_gc_end.
     */
    bool (*gc_marking)(void *context);
    /* The size at which the heap is collected next, 0: never; for each generation. */
    uint64_t (*heap_goal)(void *context);

    /* ---- Optional: hosts that report objects (the AllocFree experiment). ---- */

    /* Copied. NULL: no experiment, and its events are not written. */
    const weft_trace_heap *heap;
    /* When tracing begins, with the world stopped: reports what exists, as
     * weft_trace_heap_… (…, WEFT_TRACE_HEAP_EXISTS, …). NULL: nothing is known. */
    void (*heap_snapshot)(void *context, weft_trace_section *section, weft_trace_context self);

    /*
     * Says what m, the calling thread's M, executes with its stack pointer at sp. May be NULL:
     * samples have no P and G then. In a signal handler, at any moment between registering m and
     * unregistering it, in the middle of any code of the host: no locks, nothing that is not
     * async-signal-safe; fields that change meanwhile are read with atomic loads. Where sp lies on
     * none of the stacks that it knows the bounds of, they stay as they are: the sample is then one
     * frame deep.
     */
    void (*running)(void *context, weft_trace_m *m, const void *sp, weft_trace_running *out);
} weft_trace_host;

/* Makes a tracer for a host. The structure is copied. Returns 0 and *tracer, -EINVAL, or -ENOMEM.
 */
WEFT_API int weft_tracer_new(const weft_trace_host *host, weft_tracer **tracer);

/*
 * Moves the tracer's memory into a file (mode 0600, created or emptied), so that `weft recover` or
 * weft_recover() can make a trace of the last generations from it after the process has died, in
 * whatever way: even SIGKILL leaves it behind. Before the first stream is started. Writing events
 * costs nothing more; where the file system is a disk, the kernel writes dirty pages back now and
 * then, which a file in /dev/shm avoids. The file is sparse; `bytes` (0: 256 MiB; at least 1 MiB)
 * is what it may grow to, and bounds the memory budget of all streams. On a full disk generations
 * are given up.
 *
 * When tracing has ended the file keeps the last generation until it begins again. One process at a
 * time; a child of fork() lets go of it. Returns 0, -EBUSY (it is another process's, or the tracer
 * has worked already), or what opening it said.
 */
WEFT_API int weft_tracer_flight(weft_tracer *tracer, const char *path, size_t bytes);

/* Stops every stream that is still active, as weft_trace_stop() does; their handles are gone. For a
 * host that is about to end, while it still works. Any thread but the tracer's. */
WEFT_API void weft_tracer_stop_all(weft_tracer *tracer);

/*
 * The process is about to die while one of its threads is inside the host, where nobody can say
 * what it was doing. From now on the host may refuse attach, leave Ps and running Gs out of each_p
 * and each_g, and let world_hold and world_stop return though the world does not stand still; the
 * generation that is open is the last of every trace, and ends with the next advance or stop.
 * Async-signal-safe; before the first of these happens.
 */
WEFT_API void weft_tracer_dying(weft_tracer *tracer);

/* Stops every stream that is still active, ends the tracer's thread and frees the tracer. Every M
 * but the tracer's own is unregistered before. */
WEFT_API void weft_tracer_free(weft_tracer *tracer);

/* ---- Threads ---- */

/* Adds the calling thread; records its id. Before its first section. From then on it is sampled
 * when somebody asks for CPU samples (for the first M, where one thread adds several). Returns 0 or
 * -ENOMEM. */
WEFT_API int weft_trace_m_register(weft_tracer *tracer, weft_trace_m *m);

/* Hands over what the thread has buffered and removes it. Not in a section. Any thread that owns m.
 */
WEFT_API void weft_trace_m_unregister(weft_tracer *tracer, weft_trace_m *m);

/* In the child after fork(), on its only thread: tracing is off, every buffer of the parent is
 * forgotten, and no M is registered any more (unregistering one does nothing). Streams of the
 * parent receive nothing; weft_trace_stop() still frees their handles. */
WEFT_API void weft_tracer_after_fork(weft_tracer *tracer);

/* ---- Sections ---- */

/* The first word of every tracer; the rest is private. */
struct weft_tracer_hint {
    uint32_t enabled; /* atomic: a hint; the generation decides */
};

WEFT_API bool weft_trace_enter_slow(weft_tracer *tracer, weft_trace_m *m,
                                    weft_trace_section *section);

/* Opens a section on the calling thread's M. False: tracing is off, nothing was opened, nothing may
 * be emitted. */
static inline bool weft_trace_enter(weft_tracer *tracer, weft_trace_m *m,
                                    weft_trace_section *section)
{
    if (__builtin_expect(!__atomic_load_n(&((struct weft_tracer_hint *)(void *)tracer)->enabled,
                                          __ATOMIC_RELAXED),
                         1))
        return false;
    return weft_trace_enter_slow(tracer, m, section);
}

/* Opens two sections of one generation at once: on the caller's M and on an M whose stream the
 * caller owns meanwhile, because that thread is held outside. Both flags are set before the
 * generation is read. Neither M is in a section. */
WEFT_API bool weft_trace_enter_pair(weft_tracer *tracer, weft_trace_m *self,
                                    weft_trace_section *own, weft_trace_m *held,
                                    weft_trace_section *other);

WEFT_API void weft_trace_leave(weft_trace_section *section);

/* ---- Stacks ---- */

/* Interns a stack given as raw program counters, leaf first (return addresses but for the first,
 * which is exact). Returns its id in this generation, 0 for an empty stack or when memory is
 * refused. */
WEFT_API uint64_t weft_trace_stack(weft_trace_section *section, const uintptr_t *pcs,
                                   unsigned depth);

/* Walks frame pointers from `frame` (a function's frame address), strictly within [low, high), into
 * pcs; returns how many. Never faults, also on a stack that is running meanwhile: the pcs are a
 * guess then. The first entry, the caller of that function, is made exact (an address within its
 * call instruction) and the others are return addresses, so that the result can be given to
 * weft_trace_stack as it is. A chain ends at a zero frame pointer, whose frame is left out: it is
 * the trampoline's. */
WEFT_API unsigned weft_trace_walk(const void *frame, const void *low, const void *high,
                                  uintptr_t *pcs, unsigned max);
#define WEFT_TRACE_MAX_FRAMES 128

/* ---- Events ---- */

/* All within a section. `c`: the M's P and G before the event. `stack`: an id of this section, or
 * 0.
 */

WEFT_API void weft_trace_procs_change(weft_trace_section *s, weft_trace_context c, uint32_t procs,
                                      uint64_t stack);

/* After the P was attached to the M; c.p is that P. A G that is current is in a system call. */
WEFT_API void weft_trace_proc_start(weft_trace_section *s, weft_trace_context c);
/* The M gives its P c.p away, or lets it go idle. A G that is current is in a system call. */
WEFT_API void weft_trace_proc_stop(weft_trace_section *s, weft_trace_context c);
/* `victim` was taken from the thread `m_tid`, whose G is in a system call. c: the thief's own;
 * own_syscall: its current G is in a system call. */
WEFT_API void weft_trace_proc_steal(weft_trace_section *s, weft_trace_context c, bool own_syscall,
                                    weft_trace_p *victim, uint64_t m_tid);

/* `g` is new and Runnable (blocked: Waiting). `entry`: address of its function. */
WEFT_API void weft_trace_go_create(weft_trace_section *s, weft_trace_context c, weft_trace_g *g,
                                   uintptr_t entry, bool blocked, uint64_t stack);
/* A foreign thread's G appears in, or disappears from, a system call. */
WEFT_API void weft_trace_go_create_syscall(weft_trace_section *s, weft_trace_g *g);
WEFT_API void weft_trace_go_destroy_syscall(weft_trace_section *s, weft_trace_g *g);

WEFT_API void weft_trace_go_start(weft_trace_section *s, weft_trace_context c);
/* The same right behind the event with which another G left this M, without a read of the clock: a
 * nanosecond after that event, and after the latest one about c.g. */
WEFT_API void weft_trace_go_start_at_once(weft_trace_section *s, weft_trace_context c);
WEFT_API void weft_trace_go_stop(weft_trace_section *s, weft_trace_context c,
                                 weft_trace_stop_reason reason, uint64_t stack);
WEFT_API void weft_trace_go_block(weft_trace_section *s, weft_trace_context c,
                                  weft_trace_block_reason reason, uint64_t stack);
WEFT_API void weft_trace_go_destroy(weft_trace_section *s, weft_trace_context c);
/* `g`, which the caller owns, becomes Runnable. c may be empty (a thread without P and G). */
WEFT_API void weft_trace_go_unblock(weft_trace_section *s, weft_trace_context c, weft_trace_g *g,
                                    uint64_t stack);
/* c.g gives way to `g`, which was Waiting, without the scheduler; destroy: c.g ends. */
WEFT_API void weft_trace_go_switch(weft_trace_section *s, weft_trace_context c, weft_trace_g *g,
                                   bool destroy);

WEFT_API void weft_trace_syscall_begin(weft_trace_section *s, weft_trace_context c, uint64_t stack);
/* The system call ends with the P still there. */
WEFT_API void weft_trace_syscall_end(weft_trace_section *s, weft_trace_context c);
/* The P had been lost: c.p is the new one, already started, or NULL when the G goes to a queue. */
WEFT_API void weft_trace_syscall_end_blocked(weft_trace_section *s, weft_trace_context c);

WEFT_API void weft_trace_stw_begin(weft_trace_section *s, weft_trace_context c,
                                   weft_trace_stw_reason reason, uint64_t stack);
WEFT_API void weft_trace_stw_end(weft_trace_section *s, weft_trace_context c);

/* ---- Heap and collector ---- */

/*
 * Ranges follow the rule of all states: the host's mark changes inside the section of the event, or
 * without a section while tracing is off. So a range that is open when a trace or a generation
 * begins is told by the statuses, and its end is always understood:
 *
 *     bool open = weft_trace_enter(tracer, m, &s);
 *     if (open)
 *         weft_trace_sweep_begin(&s, c, stack);
 *     p->in_sweep = 1;
 *     if (open)
 *         weft_trace_leave(&s);
 */

/* Bytes of live and dead objects on the heap; the size at which a collection begins, 0: never. */
WEFT_API void weft_trace_heap_alloc(weft_trace_section *s, weft_trace_context c, uint64_t bytes);
WEFT_API void weft_trace_heap_goal(weft_trace_section *s, weft_trace_context c, uint64_t bytes);

/* The mark phase of a collection begins and ends. With the world stopped, or in the host's hold;
 * what gc_marking() answers changes together with it. One at a time. */
WEFT_API void weft_trace_gc_begin(weft_trace_section *s, weft_trace_context c, uint64_t stack);
WEFT_API void weft_trace_gc_end(weft_trace_section *s, weft_trace_context c);

/* c.p sweeps; the G on it may not change before the end. Its in_sweep becomes 1 after the begin and
 * 0 after the end. bytes: looked at, and given back. */
WEFT_API void weft_trace_sweep_begin(weft_trace_section *s, weft_trace_context c, uint64_t stack);
WEFT_API void weft_trace_sweep_end(weft_trace_section *s, weft_trace_context c, uint64_t swept,
                                   uint64_t reclaimed);

/* c.g helps marking; it may block meanwhile. Its in_assist becomes 1 after the begin and 0 after
 * the end. */
WEFT_API void weft_trace_assist_begin(weft_trace_section *s, weft_trace_context c, uint64_t stack);
WEFT_API void weft_trace_assist_end(weft_trace_section *s, weft_trace_context c);

/* ---- Objects: the AllocFree experiment ---- */

/* Written if the host has a heap and the format is 23 or later. Addresses are real ones; the layout
 * of the heap is written with each generation, so that a reader can tell them from the numbers. */

enum {
    WEFT_TRACE_HEAP_EXISTS, /* since before the trace; in heap_snapshot only */
    WEFT_TRACE_HEAP_NEW     /* is being made */
};

/* Whether the events below are written, so that a host need not collect their arguments. */
WEFT_API bool weft_trace_heap_reported(const weft_trace_section *s);

/* A run of pages. class: for spans with objects their class (a number below 2^62), else
 * WEFT_TRACE_SPAN_OTHER. */
#define WEFT_TRACE_SPAN_OTHER UINT64_MAX
WEFT_API void weft_trace_heap_span(weft_trace_section *s, weft_trace_context c, int what,
                                   uintptr_t address, uint64_t pages, uint64_t span_class);
WEFT_API void weft_trace_heap_span_free(weft_trace_section *s, weft_trace_context c,
                                        uintptr_t address);

/* The number of an object's type in this generation; 0 if it is not known, or memory is refused.
 * address: identifies the type; bytes, and how many of them from the start may hold pointers. */
WEFT_API uint64_t weft_trace_heap_type(weft_trace_section *s, uintptr_t address, uint64_t bytes,
                                       uint64_t pointer_bytes, const char *name, size_t name_size);
WEFT_API void weft_trace_heap_object(weft_trace_section *s, weft_trace_context c, int what,
                                     uintptr_t address, uint64_t type);
WEFT_API void weft_trace_heap_object_free(weft_trace_section *s, weft_trace_context c,
                                          uintptr_t address);

/* A goroutine's stack. */
WEFT_API void weft_trace_heap_stack(weft_trace_section *s, weft_trace_context c, int what,
                                    uintptr_t address, size_t bytes);
WEFT_API void weft_trace_heap_stack_free(weft_trace_section *s, weft_trace_context c,
                                         uintptr_t address);

/* ---- Annotations ---- */

/* By the user's code that runs on c.g. Texts are bytes with a length, cut to 1024. */

/* Tasks: `task` is the host's number, neither 0 nor 2^64-1, unique in the process; parent 0: none.
 */
WEFT_API void weft_trace_task_begin(weft_trace_section *s, weft_trace_context c, uint64_t task,
                                    uint64_t parent, const char *name, size_t size, uint64_t stack);
WEFT_API void weft_trace_task_end(weft_trace_section *s, weft_trace_context c, uint64_t task,
                                  uint64_t stack);
/* Regions nest properly on a G; begin and end have the same task (0: the background task) and name.
 */
WEFT_API void weft_trace_region_begin(weft_trace_section *s, weft_trace_context c, uint64_t task,
                                      const char *name, size_t size, uint64_t stack);
WEFT_API void weft_trace_region_end(weft_trace_section *s, weft_trace_context c, uint64_t task,
                                    const char *name, size_t size, uint64_t stack);
WEFT_API void weft_trace_log(weft_trace_section *s, weft_trace_context c, uint64_t task,
                             const char *key, size_t key_size, const char *value, size_t value_size,
                             uint64_t stack);
/* What c.g is from now on; an empty label is not written. */
WEFT_API void weft_trace_label(weft_trace_section *s, weft_trace_context c, const char *label,
                               size_t size);

/* ---- Identity of a G record ---- */

/* The record gets a new identity: sequence numbers start again. Before g->id is set. */
WEFT_API void weft_trace_g_renew(weft_trace_g *g);

WEFT_END_DECLS

#endif
