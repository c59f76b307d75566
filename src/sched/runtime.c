/* SPDX-License-Identifier: MIT */
/*
 * Start and end of the runtime.
 *
 * The thread that calls weft_run() waits until the main goroutine has returned; goroutines run on
 * the Ms' threads only. Ending: the trace is completed first, while everything still works; then
 * the world is stopped for good, and every M leaves through its scheduler loop. A thread that is
 * out in user code at that moment ends when it comes back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pages.h"
#include "base/thread.h"
#include "sched/attach.h"
#include "sched/crash.h"
#include "sched/debug_env.h"
#include "sched/dump.h"
#include "sched/environment.h"
#include "sched/file_ring.h"
#include "sched/goroutine.h"
#include "sched/lease.h"
#include "sched/machine.h"
#include "sched/post.h"
#include "sched/proc.h"
#include "sched/quit.h"
#include "sched/schedule.h"
#include "sched/signals.h"
#include "sched/stack_report.h"
#include "sched/stats.h"
#include "sched/sysmon.h"
#include "sched/trace_env.h"
#include "sched/trace_host.h"
#include "sched/user_annotations.h"
#include "sched/world.h"
#include "weft/annotate.h"
#include "weft/profile.h"

enum { DEFAULT_MAX_THREADS = 10000, CPU_HZ_MAX = 10000 };
#define END_PATIENCE_NS                                                                            \
    (20 * INT64_C(1000000)) /* for Ms that are in user code when the runtime ends */

struct sched sched = {.lock = BASE_LOCK_INIT(SCHED)};

static base_lock instance = BASE_LOCK_INIT(INSTANCE); /* guards the fields below and who may run */
static bool claimed;                                  /* a weft_run() is on */
static bool whole_profile; /* of WEFT_CPUPROFILE; written before and after the run only */

/* ---- Options ---- */

static int read_options(const weft_options *given, weft_options *options)
{
    *options = (weft_options){.size = sizeof *options};
    if (given) {
        if (given->size < sizeof(size_t) + sizeof(unsigned) || given->size > sizeof *given)
            return -EINVAL;
        memcpy(options, given, given->size);
    }
    unsigned long procs = 0;
    if (!environment_number("WEFT_PROCS", 1, MAX_PROCS, &procs))
        return -EINVAL;
    if (options->procs == 0)
        options->procs = procs ? (unsigned)procs : base_cpu_count();
    if (options->procs > MAX_PROCS)
        return -EINVAL;
    if (options->stack_size == 0)
        options->stack_size = STACK_DEFAULT;
    if (options->stack_size < STACK_MIN || options->stack_size > STACK_MAX)
        return -EINVAL;
    if (options->max_threads == 0)
        options->max_threads = DEFAULT_MAX_THREADS;
    unsigned long virtual_time = options->virtual_time;
    if (!environment_number("WEFT_VIRTUAL_TIME", 0, 1, &virtual_time) || virtual_time > 1)
        return -EINVAL;
    options->virtual_time = (unsigned)virtual_time;
    return 0;
}

/* ---- The CPU profile of the whole run ---- */

static int start_profile(void)
{
    const char *path = getenv("WEFT_CPUPROFILE");
    weft_cpu_profile_options options = {.size = sizeof options};
    unsigned long hz = 0;
    if (!path || !*path)
        return 0;
    if (!environment_number("WEFT_CPUPROFILE_HZ", 1, CPU_HZ_MAX, &hz))
        return -EINVAL;
    options.hz = (unsigned)hz;
    int error = weft_cpu_profile_start_path(path, &options);
    if (error)
        base_warn("WEFT_CPUPROFILE=%s: cannot start the profile: %s", path, strerror(-error));
    whole_profile = error == 0;
    atomic_store_relaxed(&weft_annotate_words.labels, 1); /* from the first one on */
    return error;
}

/* Completes a profile that nobody else has stopped. */
static void stop_profile(void)
{
    int error = weft_cpu_profile_stop(NULL);
    whole_profile = false;
    if (error && error != -EINVAL)
        base_warn("the CPU profile is not complete: %s", strerror(-error));
}

/* Also for exit(), when a goroutine calls it: no trace or profile stays without its end. */
void runtime_complete_traces(void)
{
    stop_profile();
    trace_env_complete();
    if (atomic_load_acquire(&sched.running)) /* pairs with start() */
        weft_tracer_stop_all(sched.tracer);
}

/* ---- Start ---- */

static void set_up(const weft_options *options)
{
    size_t page = base_page_size();
    sched.stack_size = (options->stack_size + page - 1) & ~(page - 1);
    sched.max_threads = options->max_threads;
    sched.global = sched.bound = (struct g_list){0};
    sched.global_count = 0;
    sched.idle_ps = NULL;
    sched.idle_ms = NULL;
    sched.idle_p_count = sched.spinning = sched.proc_made = sched.proc_count = 0;
    sched.ending = sched.main_runs = 0;
    sched.main_done.word = 0;
    sched.goid = MAIN_GOROUTINE;
    sched.revocations = sched.world_stops = sched.wakeups = 0;
    goroutines_count_reset();
    sched.last_poll = sched.coarse_now = (int64_t)base_clock_now();
    atomic_store_relaxed(&sched.virtual_now, sched.last_poll);
    atomic_store_relaxed(&sched.virtual_time, options->virtual_time);
    sched.sysmon_asleep = false;
}

static int make_procs(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        int error = proc_make(i);
        if (error)
            return error;
        sched.proc_made++;
    }
    sched.proc_count = n;
    lock_acquire(&sched.lock);
    for (unsigned i = n; i-- > 0;)
        proc_put_idle_locked(sched.all_p[i]);
    lock_release(&sched.lock);
    return 0;
}

static void free_procs(void)
{
    for (uint32_t i = 0; i < sched.proc_made; i++)
        proc_free(sched.all_p[i]);
    sched.proc_made = sched.proc_count = 0;
}

/* The main goroutine's function is called like every other by arch/, which hands its result to
 * goroutine_end(). */
static struct g *make_main(int (*fn)(void *), void *arg)
{
    return sched_make(NULL, sched.stack_size, (void (*)(void *))(uintptr_t)fn, arg, false);
}

/* ---- End ---- */

static void end_threads_and_free(void)
{
    sysmon_stop();
    world_lock_outside();
    world_stop(NULL);
    atomic_store_release(&sched.ending, 1); /* pairs with sched_run() */
    for (struct m *m = machines_first(); m; m = m->all_next)
        atomic_or_acqrel(&m->attention, M_ENDING);
    attach_end_all();
    world_start(NULL);
    world_unlock();
    netpoll_wake();
    unsigned out = machines_end(END_PATIENCE_NS);
    netpoll_fini();
    file_ring_stop();
    trace_host_fini();
    machines_free();
    free_procs(); /* before the stacks: the timers of goroutines that sleep lie there */
    goroutines_free(out > 0);
}

static void end(void)
{
    quit_stop();
    if (whole_profile)
        stop_profile();
    trace_env_stop();
    weft_tracer_stop_all(sched.tracer);
    crash_stop();
    stats_end();
    end_threads_and_free();
    atomic_store_relaxed(&sched.virtual_time, 0);
}

static int start(const weft_options *options, int (*fn)(void *), void *arg)
{
    set_up(options);
    int error = trace_host_init();
    if (error)
        return error;
    error = make_procs(options->procs);
    if (error)
        goto no_procs;
    error = netpoll_init();
    if (error)
        goto no_procs;
    error = file_ring_start();
    if (!error)
        error = post_start();
    if (error)
        goto no_post;
    atomic_store_release(&sched.running, 1); /* pairs with weft_tracer_default() */
    error = sysmon_start();
    if (error)
        goto no_sysmon;
    error = crash_start();
    if (error) {
        end();
        return error;
    }
    /* No thread of the runtime creates it, so no event does: it must be there when the trace
     * begins, and must not run before. */
    struct g *first = make_main(fn, arg);
    error = first ? trace_env_start() : -ENOMEM;
    if (!error)
        error = start_profile();
    if (error) {
        end();
        return error;
    }
    quit_start();
    atomic_store_release(&sched.main_runs, 1); /* pairs with deadlock.c */
    sched_enqueue_new(NULL, first);
    return 0;

no_sysmon:
    atomic_store_release(&sched.running, 0);
    machines_free();
no_post:
    goroutines_free(false);
    netpoll_fini();
no_procs:
    free_procs();
    trace_host_fini();
    return error;
}

/* The child of a fork has this thread alone, which is a goroutine no more. Its parent's trace is
 * none of its business, and neither is the runtime: it may compute, call exec, or end. */
static void forget_in_child(void)
{
    signals_forget();
    trace_env_forget();
    if (atomic_load_relaxed(&sched.running)) {
        weft_tracer_after_fork(sched.tracer);
        machine_set_self(NULL);
        base_threads_lost();
    }
    atomic_store_relaxed(&sched.running, 0);
    crash_forget();
    quit_stop();
    base_threads_forget();
}

static void register_process_hooks(void)
{
    static bool registered; /* lock: instance */
    if (!registered)
        registered = atexit(runtime_complete_traces) == 0 &&
                     pthread_atfork(NULL, NULL, forget_in_child) == 0;
}

/* Takes the place of the one runtime. */
static bool claim_instance(void)
{
    lock_acquire(&instance);
    bool mine = !claimed;
    if (mine)
        register_process_hooks();
    claimed = true;
    lock_release(&instance);
    return mine;
}

static void release_instance(void)
{
    lock_acquire(&instance);
    claimed = false;
    lock_release(&instance);
}

/* What the environment says of the one runtime, which is the caller's, but stays so only if there
 * is no error: one that runs reads these settings. */
static int read_settings(void)
{
    int error = debug_env_read();
    if (!error)
        error = annotations_init();
    if (error)
        release_instance();
    return error;
}

static const char *why_not(int error)
{
    if (error != -EBUSY)
        return "an option is out of range";
    return base_threads_are_lost() ? "this is the child of a fork() in a run; it may call exec"
                                   : "the runtime runs already";
}

int weft_run(const weft_options *given, int (*fn)(void *), void *arg)
{
    weft_options options;
    base_clock_init();
    base_fence_init();
    attach_forget_stale();
    int error = fn ? read_options(given, &options) : -EINVAL;
    if (!error && (m_self() || !claim_instance()))
        error = -EBUSY;
    if (!error)
        error = read_settings();
    if (error) {
        base_warn("weft_run: %s", why_not(error));
        return error;
    }
    error = start(&options, fn, arg);
    if (!error) {
        while (base_note_wait(&sched.main_done, -1) != 0)
            ;
        if (debug_env.leaks)
            dump_leaks();
        if (debug_env.stacks)
            stack_report_print();
        end();
    } else {
        base_warn("weft_run: the runtime cannot start: %s", strerror(-error));
    }
    release_instance();
    return error ? error : sched.main_result;
}

weft_tracer *weft_tracer_default(void)
{
    return atomic_load_acquire(&sched.running) ? sched.tracer : NULL; /* pairs with start() */
}
