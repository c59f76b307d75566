/* SPDX-License-Identifier: MIT */
/*
 * The runtime: goroutines on threads (Ms) through processors (Ps).
 *
 * A goroutine that runs has a P on lease. It may compute for as long as it likes and may call
 * anything that blocks: when others need the P, the runtime takes it away without disturbing the
 * thread, and the goroutine gets one again at its next call into weft. No signals are used for
 * that.
 *
 * A goroutine can continue on another thread after any call into weft that may block or yield. Do
 * not keep the address of a thread-local variable (errno included) across such a call. No function
 * of weft makes its caller read errno: failures are returned as negative errno values.
 *
 * After fork() the child may compute, call exec, or end; it writes no trace. Its thread is a
 * goroutine no more: functions of weft say so (-EPERM; weft_run(): -EBUSY), and one that would have
 * to wait for what fork() left behind, or the return of the goroutine's function, stops the child
 * with a message.
 *
 * Unless said otherwise a function may be called by goroutines only; elsewhere it returns -EPERM
 * or, where it has no result, stops the program with a message.
 */
#ifndef WEFT_RUNTIME_H
#define WEFT_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include <weft/config.h>
#include <weft/trace.h>

WEFT_BEGIN_DECLS

typedef struct weft_options {
    size_t size;       /* sizeof(weft_options) */
    unsigned procs;    /* number of Ps, 1 … 1024; 0: WEFT_PROCS, else the CPUs of the process */
    size_t stack_size; /* bytes of a goroutine's stack, 16 KiB … 1 GiB; 0: 256 KiB. Memory is
                          committed by touching */
    unsigned max_threads; /* limit of threads; 0: 10000 */
    /*
     * 1: a clock for tests (also WEFT_VIRTUAL_TIME=1). weft_now() stands still while any goroutine
     * runs or is in a blocking call; when all wait and no descriptor is ready, it jumps to the
     * first timer, until the main goroutine has returned. Hours pass in milliseconds, the same in
     * each run. Plain threads take no part: a deadline of theirs is measured by the real clock. So
     * are traces, CPU time and time slices. Instants mean nothing outside of that run.
     */
    unsigned virtual_time;
} weft_options;

/*
 * Starts the runtime, runs fn(arg) as the main goroutine and, when it returns, ends the runtime and
 * returns its result. Goroutines that are still there then never continue; their stacks are freed
 * (those which compute or block outside weft at that moment end at their next call into weft).
 * WEFT_TRACE=FILE in the environment traces the whole run, with CPU samples if WEFT_TRACE_CPU=HZ
 * says so; WEFT_CPUPROFILE=FILE profiles it (weft/profile.h); WEFT_FLIGHT=FILE keeps the tracer's
 * memory in that file, for `weft recover` after the process has died (weft_tracer_flight).
 * WEFT_TRACE_SECONDS=N ends the trace of WEFT_TRACE after N seconds (5, 0.2).
 * WEFT_TRACE_SIGNAL=NAME (USR2,
 * SIGUSR2 or a number) together with WEFT_TRACE_SNAPSHOT=FILE keeps a flight recorder, and writes
 * what it holds to FILE at the first such signal, then to FILE.1, FILE.2, …
 * WEFT_TRACE_ON_CRASH=FILE keeps one, too, and writes it to FILE when the program fails. With
 * WEFT_FLIGHT its window is 64 MiB. All take the format of WEFT_TRACE_FORMAT.
 *
 * Traces are also completed when the process ends in another way: by exit(), by a fatal error of
 * weft, or by SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT. For these signals weft_run() installs
 * handlers, which pass them on to those that the program had installed before, or to the default
 * action, so that the process dies as it would have done anyway; they are gone when it returns. A
 * signal that another process sends takes its course when the traces are complete, and the program
 * goes on until then. A completion that does not end (a receiver that hangs) is given up after 10
 * s. A goroutine that overflows its stack is named, with its backtrace, before the process dies of
 * SIGSEGV.
 *
 * SIGQUIT prints all goroutines with their state, how long they wait, and their stacks, and the
 * program goes on. A handler that the program had before weft_run() is called as well; one that it
 * installs later replaces weft's. If the signal is ignored it stays so. A program may have it for
 * itself, and all others in channels (weft/signal.h).
 *
 * All goroutines asleep: when every goroutine waits for another one, no timer is set, none waits
 * for a descriptor, the process has no thread but weft's and the caller of weft_run(), and no
 * signal handler but weft's, then nothing can go on any more. This is found within a second,
 * printed with all goroutines and their stacks, traces are completed, and the process ends with
 * status 2. Programs with other threads or signal handlers are never stopped that way: these may
 * wake a goroutine.
 *
 * WEFT_DEBUG=WORD,… in the environment prints on standard error what the words stand for:
 *
 *   leaks   when the main goroutine returns, the goroutines that still wait, with their stacks
 *
 *   sched=N a line of figures (those of weft_stats) every N milliseconds
 *
 *   stacks  when the main goroutine returns, how much of their stacks goroutines have touched, by
 *           the function that they began with (makes starting and ending them slower)
 *
 * One runtime at a time; may be called again after it returned. From a plain thread, not from a
 * goroutine. Returns fn's result (0 or positive by convention) or a negative errno value, with a
 * line on standard error, if the runtime cannot start: -EBUSY it runs already, -EINVAL bad option,
 * -ENOMEM, -EAGAIN no thread.
 */
WEFT_API int weft_run(const weft_options *options, int (*fn)(void *arg), void *arg);

/* 1 on a goroutine or attached thread, 0 elsewhere. Any thread. */
WEFT_API int weft_in_goroutine(void);

/* Starts fn(arg) as a new goroutine, which runs soon. Returns 0, -ENOMEM (no stack to be had), or
 * -EPERM. A million goroutines need 4.6 GB, of which 0.5 are page tables (those of stacks of 256
 * KiB). Linux before 6.13 makes a mapping of each guard page: then vm.max_map_count, by default,
 * ends at some 32,700. */
WEFT_API int weft_go(void (*fn)(void *arg), void *arg);

/* The same with a stack of stack_size bytes (rounded up; 16 KiB … 1 GiB; else -EINVAL). */
WEFT_API int weft_go_stack(size_t stack_size, void (*fn)(void *arg), void *arg);

/* Ends the calling goroutine. */
WEFT_API WEFT_NORETURN void weft_goexit(void);

/* The calling goroutine's number: 1 is the main goroutine, numbers are never reused. 0 outside
 * goroutines. */
WEFT_API uint64_t weft_goid(void);

/* Lets other goroutines run. */
WEFT_API void weft_yield(void);

/* Sets the number of Ps to n (1 … 1024), at any time, and returns the number before; n = 0 only
 * asks. Stops the world for some microseconds. Returns -EINVAL for other n, -ENOMEM, -EPERM. */
WEFT_API int weft_procs(int n);

/*
 * Brackets code that will block (a system call, a foreign library): the P goes to others at once,
 * and the trace shows a system call with the caller's stack. Not needed for correctness:
 * unannotated blocking is noticed after at most 10 ms. Between the two no function of weft may be
 * called. Outside goroutines both do nothing.
 */
WEFT_API void weft_blocking_enter(void);
WEFT_API void weft_blocking_exit(void);

/* Calls fn(arg) between the two and returns its result. The goroutine stays on its thread for the
 * time of the call. Also outside goroutines. */
WEFT_API int weft_blocking(int (*fn)(void *arg), void *arg);

/*
 * From lock to unlock the calling goroutine stays on its thread, and no other runs there: for
 * libraries that keep their state by thread. Waiting then costs a switch of threads. Locks nest;
 * the end of the goroutine ends them. Meanwhile it cannot resume coroutines. lock returns 0, or
 * -EPERM for coroutines and outside goroutines; unlock 0, or -EPERM if there is no lock. On
 * attached threads both have nothing to do.
 */
WEFT_API int weft_thread_lock(void);
WEFT_API int weft_thread_unlock(void);

/*
 * Calls fn(arg) on a stack of stack_size bytes (rounded up; 16 KiB … 1 GiB), for recursion that is
 * deeper than the goroutine's own stack allows. The goroutine remains the same; calls nest. The
 * stack is from the pool of those for goroutines, and returns there. fn may end the goroutine, but
 * must not jump out (longjmp). Returns 0, -EINVAL, -ENOMEM, or -EPERM outside goroutines.
 */
WEFT_API int weft_call_on_stack(size_t stack_size, void (*fn)(void *arg), void *arg);

/* ---- From outside ---- */

/*
 * Plain threads, which weft did not make. Channels, locks and sleep work on them as they are, but
 * leave nothing in a trace; weft_go() works while the runtime runs: the thread acts as a goroutine
 * for the time of the call, which waits for a P if all are busy. Everything else takes an attached
 * thread.
 *
 * weft_thread_attach() makes the calling thread a goroutine until it detaches or ends: it has a
 * number, takes part in traces, holds a P on lease while it runs, and keeps its stack and its
 * thread. It may not call weft_goexit(), nor resume or free coroutines. The runtime does not wait
 * for it: after the end it is a plain thread again, but one that is blocked in weft at that moment
 * stays blocked.
 *
 * attach returns 0, -EBUSY (a goroutine, or attached already), -EPERM (the runtime does not run),
 * -EAGAIN (memory, or the limit of threads), -ENOMEM. detach returns 0 or -EPERM.
 *
 * A thread that calls weft_go() without attaching keeps a small record from the first call on,
 * which goes with the thread or with weft_thread_detach(). In a trace each such call is a goroutine
 * of its own.
 */
WEFT_API int weft_thread_attach(void);
WEFT_API int weft_thread_detach(void);

/*
 * Starts fn(arg) as a new goroutine soon, from any thread and from any signal handler: takes no
 * lock, allocates nothing, leaves errno alone. It takes about as long as a thread needs to wake up.
 * At most WEFT_POST_MAX calls can wait to be started. Returns 0, -EAGAIN (that many wait), or
 * -EPERM (the runtime does not run). What waits when the runtime ends is not started.
 */
#define WEFT_POST_MAX 1024
WEFT_API int weft_post(void (*fn)(void *arg), void *arg);

/* The tracer of the runtime, for weft/trace.h. Valid inside weft_run; NULL elsewhere. Any thread.
 */
WEFT_API weft_tracer *weft_tracer_default(void);

/* Counters of the running runtime, since its start. Any thread; all zero outside weft_run. A call
 * takes some microseconds and stops nobody. */
typedef struct weft_stats {
    size_t size;         /* sizeof(weft_stats), set by the caller */
    uint64_t goroutines; /* alive now */
    uint64_t created;    /* ever */
    uint64_t procs;
    uint64_t threads;     /* Ms alive now */
    uint64_t revocations; /* leases taken from goroutines that computed or blocked too long */
    uint64_t world_stops;

    /* The goroutines by what they do; the figures are taken one after the other. */
    uint64_t executing; /* have a P */
    uint64_t runnable;  /* queue for one */
    uint64_t blocked;   /* in a blocking call, or computing without a P that was taken from them */
    uint64_t waiting;   /* for each other, a timer, a descriptor */

    uint64_t procs_idle;
    uint64_t threads_spinning; /* look for work */
    uint64_t threads_idle;     /* sleep until there is some */
    uint64_t threads_blocked;  /* with a goroutine that is blocked */

    uint64_t parks;   /* how often a goroutine began to wait */
    uint64_t steals;  /* how often a P took work from another one */
    uint64_t wakeups; /* how often a thread was woken, or made, for work: some 50 µs each */

    uint64_t timers;       /* set now: sleeps, deadlines and weft_timer */
    uint64_t descriptors;  /* registered with the poller now */
    uint64_t poll_waits;   /* how often the kernel was asked for events */
    uint64_t poll_wakeups; /* goroutines that it has woken */

    uint64_t stacks;      /* that exist, in use or not */
    uint64_t stacks_free; /* of these, kept for the next goroutines */
    uint64_t
        stacks_trimmed;   /* of these, unused for seconds: their memory went back to the system */
    uint64_t stack_bytes; /* address space of all; memory is committed by touching */
} weft_stats;
WEFT_API void weft_stats_get(weft_stats *stats);

WEFT_END_DECLS

#endif
