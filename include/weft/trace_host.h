/* SPDX-License-Identifier: MIT */
/*
 * The tracer's core for whoever has a scheduler: how a host (a runtime, a thread pool, an event
 * loop) makes its goroutines, processors and threads visible in a trace. weft's own runtime is one
 * host; examples/tinyhost.c, pool_trace.c and uv_trace.c are others. docs/embedding.md is the way
 * in; the header is complete in itself. Link with weft-trace alone.
 *
 * Terms. G: a unit of work that can block (goroutine). P: the right to run Gs; as many Gs run at
 * once as there are Ps. M: an OS thread. A *section* brackets a state change of the host together
 * with the events that describe it: a generation change happens before or after it, never within.
 * A *generation* is a piece of the trace that is complete in itself, about a second long.
 *
 * Life of a host.
 *   1. weft_tracer_new(), with the table of what the tracer may ask.
 *   2. Each thread registers its M before its first section, and unregisters it before it ends.
 *   3. Each change of state is bracketed: weft_trace_enter(), the event, the change,
 *      weft_trace_leave(). While tracing is off that is one load and one branch, in line.
 *   4. Any thread starts and stops streams and recorders, whenever it likes (weft/trace.h). It must
 *      be able to wait for the tracer's thread, which calls the host back: it holds no lock that a
 *      callback takes, is in no section, and is not counted on for a world stop.
 *   5. Every M is unregistered, then weft_tracer_free().
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
 * A host with one lock around all its changes of state keeps these rules without further thought.
 *
 * System calls. A G in a system call runs code that the host does not control: in the kernel, or
 * in a library that may block. Its P is then in the system call with it (WEFT_TRACE_P_SYSCALL) and
 * may be taken away by any other M (weft_trace_proc_steal), or the M gives it up by itself at once
 * (weft_trace_proc_stop right behind weft_trace_syscall_begin, in one section). The G returns to
 * the same P with weft_trace_syscall_end; if the P is gone, with weft_trace_syscall_end_blocked,
 * which leaves it Runnable: a weft_trace_go_start has to follow before it runs, there or elsewhere.
 *
 * Errors. Functions with a result return 0 or a negative errno value. What writes events returns
 * nothing: where memory is refused the generation is given up, which is counted and told
 * (weft_trace_result, the log event "weft.loss"), and the host goes on. Of misuse, a NULL or an
 * incomplete table is -EINVAL and an M that is registered twice -EALREADY. Misuse that would
 * corrupt the tracer ends the process with one message: an M unregistered or shown at a safepoint
 * within a section, a pair of sections where one is open. Events that contradict each other are
 * found by `weft validate`, not here.
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

/* Embedded in the host's own records, zero-initialised, and never moved. The fields are the
 * tracer's unless said otherwise. */

/* Trace state of a G. `id` is the host's: set before the creation event, never 0, never used again
 * in the process. A record may be used again for another G: weft_trace_g_renew(), then the new id.
 * Its memory must stay readable until weft_tracer_free(), as the tracer keeps pointers to records
 * that it was shown. */
typedef struct weft_trace_g {
    uint64_t id;
    uint64_t seq[2];   /* atomic, owner: as the G; indexed by generation mod 2 */
    uint64_t time;     /* owner: as the G; of the latest event about it */
    uint8_t traced[3]; /* atomic; indexed by generation mod 3: its status was written */
    uint8_t in_assist; /* host: 1 while in a mark assist range (see weft_trace_assist_begin) */
    uint32_t index; /* host: of the record, constant: 1, 2, … in the order of their making, or 0.
                       With it the end of a generation visits each record once, not twice */
} weft_trace_g;

/* Trace state of a P. `id` is the host's: 0 … n-1 among n live ones, the same all its life.
 * Readable until weft_tracer_free(), also while it is not live. */
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

/* Trace state of an M. Registered while it may emit. The host may read `tid`. */
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

/* An open section, on the stack of the emitter. Nothing of it is the host's, but `generation` may
 * be read: ids of stacks are good in that generation only. */
typedef struct weft_trace_section {
    weft_tracer *tracer;
    weft_trace_m *m;
    uint64_t generation;
} weft_trace_section;

/* The P and the G of the section's M at the moment of an event; each event says below which may be
 * NULL. Their first mention in a generation is preceded by their status, which the tracer writes.
 */
typedef struct weft_trace_context {
    weft_trace_p *p;
    weft_trace_g *g;
} weft_trace_context;

/* States as the format numbers them. The host keeps those of its Gs, and shows them in
 * weft_trace_g_view; those of Ps follow from the events. */
enum {
    WEFT_TRACE_G_DEAD = 0,     /* has ended, or does not exist yet */
    WEFT_TRACE_G_RUNNABLE = 1, /* could run; waits for a P */
    WEFT_TRACE_G_RUNNING = 2,  /* on an M that has a P */
    WEFT_TRACE_G_SYSCALL = 3,  /* on an M, in a system call; the P may be gone */
    WEFT_TRACE_G_WAITING = 4   /* blocked, until somebody unblocks it */
};
enum {
    WEFT_TRACE_P_RUNNING = 1,  /* an M has it, with or without a G */
    WEFT_TRACE_P_IDLE = 2,     /* no M has it */
    WEFT_TRACE_P_SYSCALL = 3,  /* its M's G is in a system call */
    WEFT_TRACE_P_ABANDONED = 4 /* the same, to whoever steals it */
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

/* ---- The host: what the tracer asks of it ---- */

/*
 * All callbacks but `running` are called on the tracer's own thread, one after the other, and only
 * while a stream or recorder starts or stops, or a generation ends. None may call a function of
 * weft/trace.h that waits (-EDEADLK). They are called in these orders:
 *
 *   a start:             world_hold, attach, world_stop, …, world_start, detach, world_release
 *   a generation's end:  each_g; world_hold, attach, each_p, each_dead_p, detach, world_release
 *
 * after thread_start and, in the child of a fork, each_g, each_p and each_dead_p at the first
 * start.
 */

/* A G as the host sees it without owning it: may be stale by the time it is looked at. The tracer
 * uses it only if the G had no event in the whole generation, which proves that it did not change.
 * For the same reason the stack may be walked while the G runs: what comes of it is not used. */
typedef struct weft_trace_g_view {
    weft_trace_g *g;
    uint64_t id;          /* copied, as the record may get a new identity */
    uint64_t m_tid;       /* weft_trace_m.tid of its M, for a G in WEFT_TRACE_G_SYSCALL; else 0 */
    uint32_t status;      /* WEFT_TRACE_G_… */
    const uintptr_t *pcs; /* its stack, leaf first; valid during the call; NULL or depth 0: none */
    unsigned depth;
} weft_trace_g_view;

/* A P at a safepoint: nobody else can act for it, its M or its G during the call, and the M is in
 * no section. A P in a system call is not at one: it is taken first (weft_trace_proc_steal on the
 * tracer's M, in the context that attach gave) and shown as idle. */
typedef struct weft_trace_p_view {
    weft_trace_p *p;
    weft_trace_m *m; /* the M that holds it, whose stream has its status; NULL for an idle P */
    weft_trace_g *g; /* the G that is Running on it, or NULL */
} weft_trace_p_view;

/* How a host's heap is laid out: the units in bytes in which the AllocFree experiment counts
 * addresses. None of the three sizes is 0. No address that is reported lies below base. */
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

    /* NULL, or a word of the host's that the tracer keeps as its hint: not 0 while tracing may be
     * on. For hosts with one tracer, which then test it without a detour. It becomes 1 with the
     * world stopped only. Atomic, relaxed. */
    uint32_t *enabled;
    /* NULL, or a second such word: for annotations, which user code tests by itself. A thread
     * outside of the host may see it a moment late. */
    uint32_t *user_enabled;

    void *context; /* first argument of every callback */

    /* The tracer's thread begins (at the first start of a stream or recorder, and again in the
     * child of a fork) and ends (in weft_tracer_free). thread_start returns the weft_trace_m of
     * that thread, not yet registered, which the tracer registers itself, or NULL: the start fails
     * with -ENOMEM, and the next one asks again. The host makes a system G for it here, Waiting or
     * in a system call. thread_stop comes after that M was unregistered; only if thread_start has
     * succeeded. */
    weft_trace_m *(*thread_start)(void *context);
    void (*thread_stop)(void *context);

    /* Gives the tracer's thread a P and lets its system G run on it, until detach: an idle P, one
     * of its own, or one taken from whoever has it. Both emit the events of that change if tracing
     * is on, as for any other M and G (unblock, proc_start, go_start; go_block, proc_stop). Never
     * waits for user code. Returns 0 and *out, both members set, or a negative errno value: a start
     * fails with it; at the end of a generation the next one lacks its number of Ps. detach is
     * called only after an attach that succeeded. */
    int (*attach)(void *context, weft_trace_context *out);
    void (*detach)(void *context);

    /* Between hold and release no stop-the-world of the host begins or ends, the number of Ps does
     * not change and no collection begins or ends marking: a lock that all of these take, too. No
     * other callback is called with it held by somebody else. hold comes before attach; it may wait
     * for whoever has the world. */
    void (*world_hold)(void *context);
    void (*world_release)(void *context);

    /*
     * Stops the world, inside a hold and attached: when it returns, and until world_start, no M but
     * the tracer's is in a section, changes the state of a G or P, stands between a test of
     * weft_trace_enter and the change which it was for, or can come to such a test; and whoever
     * tests it after world_start sees what the tracer stored before (any lock or barrier that
     * passes from one to the other does that). Otherwise a thread could take tracing to be off and
     * change a state without the event that the trace is then missing.
     *
     * A host whose sections, tests and changes are all under one lock stops the world by taking
     * that lock. While it is taken the tracer writes the first events of a start on its own M, and
     * calls proc_count, gc_marking, heap_goal and heap_snapshot, which must not take it again.
     * Threads that compute, block or are in system calls outside of the lock need not notice.
     */
    void (*world_stop)(void *context);
    void (*world_start)(void *context);

    /* Number of live Ps, the tracer's included if it has one of its own; at least 1. Inside a hold;
     * at a start with the world stopped. */
    uint32_t (*proc_count)(void *context);

    /* Calls fn for every live P but the one that the tracer's thread has, each at a safepoint, in
     * any order; a P is let go before or after the next one is looked at, as it suits the host.
     * Inside a hold, in no section, the world not stopped: a host with one lock takes it around the
     * loop. fn writes to the stream of view->m on behalf of that M, and takes no lock of the
     * host's. */
    void (*each_p)(void *context, void (*fn)(void *arg, const weft_trace_p_view *view), void *arg);

    /* Calls fn for every P record that was ever live and is not now: those that a shrink of the
     * number of Ps left behind, all of them, each time. Inside a hold. Nothing to do where the
     * number never shrinks. */
    void (*each_dead_p)(void *context, void (*fn)(void *arg, weft_trace_p *p), void *arg);

    /* Calls fn for every G record, dead ones included (status WEFT_TRACE_G_DEAD), and the system G,
     * without stopping anything. Records that appear meanwhile may be missed: they must be new,
     * with all-zero trace state or renewed. `stacks`: fill pcs, where the stack of a G that does
     * not run can be had. Outside of a hold. */
    void (*each_g)(void *context, bool stacks, void (*fn)(void *arg, const weft_trace_g_view *view),
                   void *arg);

    /* ---- Optional: hosts with a collector. Inside a hold. ---- */

    /* Whether a collection is marking, that is, between weft_trace_gc_begin and weft_trace_gc_end.
     */
    bool (*gc_marking)(void *context);
    /* The size in bytes at which the heap is collected next, 0: never; for each generation. */
    uint64_t (*heap_goal)(void *context);

    /* ---- Optional: hosts that report objects (the AllocFree experiment). ---- */

    /* Copied. NULL: no experiment, and its events are not written. */
    const weft_trace_heap *heap;
    /* When tracing begins, with the world stopped: reports what exists, as
     * weft_trace_heap_… (section, self, WEFT_TRACE_HEAP_EXISTS, …). NULL: nothing is known. */
    void (*heap_snapshot)(void *context, weft_trace_section *section, weft_trace_context self);

    /*
     * Optional: CPU samples. Says what m, the calling thread's M, executes with its stack pointer
     * at sp. NULL: samples have no P and G. In a signal handler, at any moment between registering
     * m and unregistering it, in the middle of any code of the host: no locks, nothing that is not
     * async-signal-safe; fields that change meanwhile are read with atomic loads, and what they
     * point at stays readable. A G that is about to stop or has just started may be named or not:
     * samples are not ordered with events. A host that runs Gs on stacks of their own sets the
     * bounds of the one that sp lies on; elsewhere they stay those of the thread's stack. Where sp
     * lies on neither, the sample is one frame deep.
     */
    void (*running)(void *context, weft_trace_m *m, const void *sp, weft_trace_running *out);
} weft_trace_host;

/* ---- The tracer ---- */

/* Makes a tracer for a host; nothing is called back yet, no thread begins. The table is copied. Any
 * number may live in a process. Returns 0 and *tracer; -EINVAL: a NULL, a size below that of this
 * version's table, a callback that is missing and not optional, a heap with a unit of 0; or
 * -ENOMEM. Any thread. */
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
 * time; a child of fork() lets go of it. Any thread. Returns 0; -EINVAL for a NULL; -EBUSY: it is
 * another process's, or the tracer has worked already; -ENOMEM; or what opening it said.
 */
WEFT_API int weft_tracer_flight(weft_tracer *tracer, const char *path, size_t bytes);

/* Stops every stream and recorder that is still active, as weft_trace_stop() does, and waits until
 * the streams are written. Their owners may still stop them, which then only frees them. For a host
 * that is about to end, while it still answers. Any thread but the tracer's and those of streams.
 */
WEFT_API void weft_tracer_stop_all(weft_tracer *tracer);

/*
 * The process is about to die while one of its threads is inside the host, where nobody can say
 * what it was doing. From now on the host may refuse attach, leave Ps and running Gs out of each_p
 * and each_g, and let world_hold and world_stop return though the world does not stand still; the
 * generation that is open is the last of every trace, and ends with the next advance or stop. There
 * is no way back. Any thread, also in a signal handler; before the first of these happens.
 */
WEFT_API void weft_tracer_dying(weft_tracer *tracer);

/*
 * The process is about to die of a failure of the calling thread, which may hold any lock and will
 * not go on: who waits for one of the tracer's locks for a second takes it over from now on, and if
 * the thread is one of the tracer's own, nobody waits for it. weft_tracer_stop_all() and a snapshot
 * complete what can be completed then. Async-signal-safe.
 */
WEFT_API void weft_tracer_crashed(weft_tracer *tracer);

/* Stops every stream that is still active, ends the tracer's thread and frees the tracer. Every M
 * but the tracer's own is unregistered before. Handles of streams are gone; a recorder stays until
 * it is freed. Called once, by a thread that no callback waits for. NULL is allowed. */
WEFT_API void weft_tracer_free(weft_tracer *tracer);

/* ---- Threads ---- */

/* Adds the calling thread: records its id in m->tid and gives it a stream of events. Before its
 * first section, in no section, whether tracing is on or off. From then on it is sampled when
 * somebody asks for CPU samples (for the first M, where one thread adds several). m is
 * zero-initialised, or was unregistered. Returns 0, -ENOMEM, -EINVAL for a NULL, or -EALREADY if m
 * is registered, and then nothing has changed. */
WEFT_API int weft_trace_m_register(weft_tracer *tracer, weft_trace_m *m);

/* Hands over what the thread has buffered and removes it. Not in a section: that ends the process.
 * The calling thread is that of m, or owns m as that one has ended or is held. Without effect on an
 * M that is not registered. */
WEFT_API void weft_trace_m_unregister(weft_tracer *tracer, weft_trace_m *m);

/* In the child after fork(), on its only thread: tracing is off, every buffer of the parent is
 * forgotten, and no M is registered any more (unregistering one does nothing). Streams of the
 * parent receive nothing; weft_trace_stop() still frees their handles. The child may start new ones
 * when it has registered its threads again. */
WEFT_API void weft_tracer_after_fork(weft_tracer *tracer);

/* ---- Sections ---- */

/* The first word of every tracer; the rest is private. */
struct weft_tracer_hint {
    uint32_t enabled; /* atomic: a hint; the generation decides */
};

/* What weft_trace_enter() calls while tracing may be on; not for hosts. */
WEFT_API bool weft_trace_enter_slow(weft_tracer *tracer, weft_trace_m *m,
                                    weft_trace_section *section);

/* Opens a section on the calling thread's M, which is registered. True: it is open, and is left
 * with weft_trace_leave(), once, on the same thread and soon, as an advance waits for it. False:
 * tracing is off, nothing was opened, nothing may be emitted; the change of state is carried out
 * all the same. Within an open section it opens a nested one, of the same generation. Not in a
 * signal handler. */
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
 * caller owns meanwhile, because that thread is held outside. For changes that are told on both,
 * such as to take a P from an M that does not know. Both are left, in any order, before that thread
 * goes on. Neither M is in a section: that ends the process. False: as weft_trace_enter(). */
WEFT_API bool weft_trace_enter_pair(weft_tracer *tracer, weft_trace_m *self,
                                    weft_trace_section *own, weft_trace_m *held,
                                    weft_trace_section *other);

/* Closes a section that was opened: its changes have been carried out. From here on the generation
 * may end, and whoever is given what the section was about may open the next one. A nested one
 * leaves the outer one open. */
WEFT_API void weft_trace_leave(weft_trace_section *section);

/* ---- Stacks ---- */

/* Interns a stack given as raw program counters, leaf first (return addresses but for the first,
 * which is exact: an address within the instruction). What exceeds WEFT_TRACE_MAX_FRAMES is left
 * out. Returns its id in this section's generation, not to be kept beyond the section; 0, no stack,
 * for an empty one or when memory is refused. Names are looked up later, by the tracer's thread. */
WEFT_API uint64_t weft_trace_stack(weft_trace_section *section, const uintptr_t *pcs,
                                   unsigned depth);

/* Walks frame pointers from `frame` (a function's frame address), strictly within [low, high), into
 * pcs; returns how many. Never faults, also on a stack that is running meanwhile: the pcs are a
 * guess then. The first entry, the caller of that function, is made exact (an address within its
 * call instruction) and the others are return addresses, so that the result can be given to
 * weft_trace_stack as it is. A chain ends at a zero frame pointer, whose frame is left out: it is
 * the trampoline's. Code without frame pointers costs frames. Any thread, also in a signal handler,
 * as long as [low, high) stays mapped. */
WEFT_API unsigned weft_trace_walk(const void *frame, const void *low, const void *high,
                                  uintptr_t *pcs, unsigned max);
#define WEFT_TRACE_MAX_FRAMES 128

/* ---- Events ---- */

/*
 * All within a section, on the thread of its M (or its holder). `c`: the P and the G that the M has
 * in the trace. `stack`: an id of this section, or 0. What is written is what was just before the
 * event; these are the states that it must find, and leaves:
 *
 *   event               c.p          c.g                         afterwards
 *   procs_change        Running      Running                     the same
 *   proc_start          Idle         none, or Syscall            P Running, on this M
 *   proc_stop           Running, or  none, or Syscall            P Idle
 *                       Syscall
 *   proc_steal          any, or none any, or none                victim Idle
 *   go_create           Running      Running, or none            new G Runnable, or Waiting
 *   go_create_syscall                none                        new G Syscall, on this M
 *   go_destroy_syscall               Syscall                     G Dead
 *   go_start            Running      Runnable; the M has no G    G Running
 *   go_stop             Running      Running                     G Runnable, M without G
 *   go_block            Running      Running                     G Waiting, M without G
 *   go_destroy          Running      Running                     G Dead, M without G
 *   go_unblock          any, or none any, or none                `g`: Waiting, then Runnable
 *   go_switch           Running      Running                     `g`: Waiting, then Running
 *   syscall_begin       Running      Running                     both Syscall
 *   syscall_end         Syscall      Syscall                     both Running
 *   syscall_end_blocked Running,     Syscall                     G Runnable, M without G
 *                       or none
 *   stw_begin, stw_end  Running      Running                     the same
 *
 * The host's own state changes within the section; where the event leaves a G Running, before it.
 */

/* The number of Ps is about to become `procs`, at least 1; the host changes it in the section or
 * after it, before it lets go of the world. With the world stopped by the host itself, which keeps
 * world_hold out. A caller whose own P goes away moves to another one first: go_stop, proc_stop,
 * proc_start, go_start. (The number at the begin of each generation is written by the tracer.) */
WEFT_API void weft_trace_procs_change(weft_trace_section *s, weft_trace_context c, uint32_t procs,
                                      uint64_t stack);

/* The M has been given the P c.p, which was idle. A G that is current is in a system call, from
 * which it returns with syscall_end_blocked. */
WEFT_API void weft_trace_proc_start(weft_trace_section *s, weft_trace_context c);
/* The M gives its P c.p away, or lets it go idle. A G that is current is in a system call, whose
 * syscall_begin was written in the same section: later the P can only be stolen. */
WEFT_API void weft_trace_proc_stop(weft_trace_section *s, weft_trace_context c);
/* The P `victim`, in a system call, was taken from the thread with the id `m_tid`
 * (weft_trace_m.tid) and is idle now: a proc_start follows where somebody takes it up. The caller
 * owns the victim first: its thread cannot return from the system call meanwhile. c: the thief's
 * own, both NULL for a thread that has neither; own_syscall: its current G is in a system call. */
WEFT_API void weft_trace_proc_steal(weft_trace_section *s, weft_trace_context c, bool own_syscall,
                                    weft_trace_p *victim, uint64_t m_tid);

/* `g` is new and Runnable (blocked: Waiting, for a G that is first resumed by go_switch or
 * unblocked later). It belongs to the caller, with its id set; nobody else may start it before the
 * event is written. `entry`: address of its function, which names it. A thread without a P gets one
 * first. */
WEFT_API void weft_trace_go_create(weft_trace_section *s, weft_trace_context c, weft_trace_g *g,
                                   uintptr_t entry, bool blocked, uint64_t stack);

/* A thread that is not one of the host's calls into it: a new G appears in a system call, on the
 * section's M, which has none. It comes out with proc_start and syscall_end_blocked as any other.
 */
WEFT_API void weft_trace_go_create_syscall(weft_trace_section *s, weft_trace_g *g);
/* The thread leaves for good: the M's G `g`, in a system call, ends. The M has given its P up
 * before. */
WEFT_API void weft_trace_go_destroy_syscall(weft_trace_section *s, weft_trace_g *g);

/* c.g, which was Runnable and is Running now, runs on this M and its P. The change came before the
 * section, with nothing that can block in between. */
WEFT_API void weft_trace_go_start(weft_trace_section *s, weft_trace_context c);
/* The same right behind the event with which another G left this M, without a read of the clock: a
 * nanosecond after that event, and after the latest one about c.g. */
WEFT_API void weft_trace_go_start_at_once(weft_trace_section *s, weft_trace_context c);
/* c.g gives way and could go on at once: it is Runnable. Afterwards the M has no G (the next
 * event's c.g is NULL), and the G may be given to whoever runs it next. */
WEFT_API void weft_trace_go_stop(weft_trace_section *s, weft_trace_context c,
                                 weft_trace_stop_reason reason, uint64_t stack);
/* c.g waits for something, by `reason`; `stack` says where. Afterwards the M has no G. Only in the
 * section or after it may others find the G on what it waits for, or its wake-up could be written
 * first. */
WEFT_API void weft_trace_go_block(weft_trace_section *s, weft_trace_context c,
                                  weft_trace_block_reason reason, uint64_t stack);
/* c.g has ended; the M has no G. The record may be used again, renewed, after the section. Regions
 * and tasks of the G that are open stay open in the trace. */
WEFT_API void weft_trace_go_destroy(weft_trace_section *s, weft_trace_context c);
/* `g`, which was Waiting and which the caller owns (it took it off what it waited for), becomes
 * Runnable. stack: the waker's. c may be empty: a thread without P and G may wake Gs. */
WEFT_API void weft_trace_go_unblock(weft_trace_section *s, weft_trace_context c, weft_trace_g *g,
                                    uint64_t stack);
/* Coroutines: c.g gives way to `g`, which was Waiting and which the caller owns, without the
 * scheduler. c.g is Waiting afterwards, as if blocked without a reason; destroy: it ends. The
 * host's own record of what runs on the M changes within the section. */
WEFT_API void weft_trace_go_switch(weft_trace_section *s, weft_trace_context c, weft_trace_g *g,
                                   bool destroy);

/* c.g enters a system call; c.p is in it, too, until somebody steals it or proc_stop follows. The
 * state changes in the section, before the call is made. */
WEFT_API void weft_trace_syscall_begin(weft_trace_section *s, weft_trace_context c, uint64_t stack);
/* The system call has ended with the P still there: both run again. Own the P first: from then on
 * nobody can steal it. */
WEFT_API void weft_trace_syscall_end(weft_trace_section *s, weft_trace_context c);
/* The system call has ended and the P had been lost: c.p is the new one, for which proc_start was
 * written, or NULL when the G goes to a queue. c.g is Runnable afterwards, and the M has no G: a
 * weft_trace_go_start follows, in the same section or later, wherever it runs. (In one section the
 * host need not pass through Runnable itself: its G is Running before the section.) */
WEFT_API void weft_trace_syscall_end_blocked(weft_trace_section *s, weft_trace_context c);

/* The host stops the world for a reason of its own, and starts it again: both by one G, the first
 * when it has what keeps world_hold out, the second before it lets go of that, so that no
 * generation ends in between. (What the tracer's own start stops is told by the tracer.) */
WEFT_API void weft_trace_stw_begin(weft_trace_section *s, weft_trace_context c,
                                   weft_trace_stw_reason reason, uint64_t stack);
/* The other end of it. */
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

/* The heap holds that many bytes of live and dead objects. c.p Running; c.g Running or NULL; the
 * same for all of this part, but where it says otherwise. */
WEFT_API void weft_trace_heap_alloc(weft_trace_section *s, weft_trace_context c, uint64_t bytes);
/* A collection begins when the heap has that many bytes; 0: never. */
WEFT_API void weft_trace_heap_goal(weft_trace_section *s, weft_trace_context c, uint64_t bytes);

/* The mark phase of a collection begins. With the world stopped by the host, or with what keeps
 * world_hold out; what gc_marking() answers changes together with it. One at a time. c.g is
 * required. */
WEFT_API void weft_trace_gc_begin(weft_trace_section *s, weft_trace_context c, uint64_t stack);
/* The mark phase ends; the same rules. */
WEFT_API void weft_trace_gc_end(weft_trace_section *s, weft_trace_context c);

/* c.p sweeps; the G on it may not change before the end. Its in_sweep becomes 1 after the event. */
WEFT_API void weft_trace_sweep_begin(weft_trace_section *s, weft_trace_context c, uint64_t stack);
/* It has swept: bytes that it looked at, and that it gave back. in_sweep becomes 0 after it. */
WEFT_API void weft_trace_sweep_end(weft_trace_section *s, weft_trace_context c, uint64_t swept,
                                   uint64_t reclaimed);

/* c.g, which is required, helps marking; it may block meanwhile. Its in_assist becomes 1 after the
 * event. */
WEFT_API void weft_trace_assist_begin(weft_trace_section *s, weft_trace_context c, uint64_t stack);
/* It helps no more; in_assist becomes 0 after the event. */
WEFT_API void weft_trace_assist_end(weft_trace_section *s, weft_trace_context c);

/* ---- Objects: the AllocFree experiment ---- */

/* Written if the host has a heap and the format is 23 or later; else without effect. Addresses are
 * real ones, multiples of the heap's unit from its base; the layout of the heap is written with
 * each generation, so that a reader can tell them from the numbers. c: as it is, both may be NULL.
 */

enum {
    WEFT_TRACE_HEAP_EXISTS, /* since before the trace; in heap_snapshot only */
    WEFT_TRACE_HEAP_NEW     /* is being made */
};

/* Whether the events below are written, so that a host need not collect their arguments. */
WEFT_API bool weft_trace_heap_reported(const weft_trace_section *s);

/* A run of `pages` pages of the heap's page size. what: WEFT_TRACE_HEAP_…, here and below.
 * span_class: for spans with objects their class (a number below 2^62), else
 * WEFT_TRACE_SPAN_OTHER. */
#define WEFT_TRACE_SPAN_OTHER UINT64_MAX
WEFT_API void weft_trace_heap_span(weft_trace_section *s, weft_trace_context c, int what,
                                   uintptr_t address, uint64_t pages, uint64_t span_class);
/* The span at that address is given back. */
WEFT_API void weft_trace_heap_span_free(weft_trace_section *s, weft_trace_context c,
                                        uintptr_t address);

/* The number of an object's type in this section's generation; 0, unknown, if nothing is reported
 * or memory is refused. address: identifies the type; bytes of an object, and how many of them from
 * the start may hold pointers; the name is cut to 1024 bytes. */
WEFT_API uint64_t weft_trace_heap_type(weft_trace_section *s, uintptr_t address, uint64_t bytes,
                                       uint64_t pointer_bytes, const char *name, size_t name_size);
/* An object. type: from weft_trace_heap_type() in this section, or 0. */
WEFT_API void weft_trace_heap_object(weft_trace_section *s, weft_trace_context c, int what,
                                     uintptr_t address, uint64_t type);
/* The object at that address is given back. */
WEFT_API void weft_trace_heap_object_free(weft_trace_section *s, weft_trace_context c,
                                          uintptr_t address);

/* A goroutine's stack. bytes: a power of two; others are rounded down to one. */
WEFT_API void weft_trace_heap_stack(weft_trace_section *s, weft_trace_context c, int what,
                                    uintptr_t address, size_t bytes);
/* The stack at that address is given back. */
WEFT_API void weft_trace_heap_stack_free(weft_trace_section *s, weft_trace_context c,
                                         uintptr_t address);

/* ---- Annotations ---- */

/* By the user's code that runs on c.g; c.p and c.g are both Running. Texts are any bytes, with a
 * length, cut to 1024; the strings are copied. */

/* A task begins: work that spans goroutines, such as a request. `task` is the host's number,
 * neither 0 nor 2^64-1, unique in the process; parent: that of the task that it belongs to, 0:
 * none. */
WEFT_API void weft_trace_task_begin(weft_trace_section *s, weft_trace_context c, uint64_t task,
                                    uint64_t parent, const char *name, size_t size, uint64_t stack);
/* The task ends, on whichever G. */
WEFT_API void weft_trace_task_end(weft_trace_section *s, weft_trace_context c, uint64_t task,
                                  uint64_t stack);
/* c.g enters a region, a span of time with a name. Regions nest properly on a G; begin and end have
 * the same task (0: the background task) and name. */
WEFT_API void weft_trace_region_begin(weft_trace_section *s, weft_trace_context c, uint64_t task,
                                      const char *name, size_t size, uint64_t stack);
/* c.g leaves the region that it entered last. */
WEFT_API void weft_trace_region_end(weft_trace_section *s, weft_trace_context c, uint64_t task,
                                    const char *name, size_t size, uint64_t stack);
/* A message: a key (its category, may be empty) and a value, for a task or, with 0, for none. */
WEFT_API void weft_trace_log(weft_trace_section *s, weft_trace_context c, uint64_t task,
                             const char *key, size_t key_size, const char *value, size_t value_size,
                             uint64_t stack);
/* What c.g is from now on. An empty label is not written. Who reads a later generation alone does
 * not know it: a host may write it again when c.g first starts in another one (section.generation).
 */
WEFT_API void weft_trace_label(weft_trace_section *s, weft_trace_context c, const char *label,
                               size_t size);

/* ---- Identity of a G record ---- */

/* The record gets a new identity: sequence numbers start again. By its owner, while the old G is
 * dead, before g->id is set. Not needed for a record that is all zero. */
WEFT_API void weft_trace_g_renew(weft_trace_g *g);

WEFT_END_DECLS

#endif
