/* SPDX-License-Identifier: MIT */
/*
 * include/weft/process.h.
 *
 * Design. Each child has a goroutine that awaits its end: parked on a pidfd in the poller or, where
 * the kernel has none, on a channel which another one closes that sits in a blocking call. It waits
 * in the context that is to end the child, ends the child with it, takes the status, and closes a
 * channel on which everybody else waits; so deadlines, contexts and plain threads cost no code.
 *
 * Invariants
 *   P1. The end is first only looked at (WNOWAIT); the status is taken under the lock, and signals
 *       are sent under the lock. The number is the child's until the status is taken, so a signal
 *       never goes to a stranger who has got it.
 *   P2. status and error are written before the channel is closed, and not again.
 *   P3. The record is freed by the last of its owner and that goroutine, which they find out under
 *       the lock. The goroutine has no reference to drop after it has woken others: the runtime may
 *       have ended before it goes on.
 *
 * The lock is held inside the runtime, around system calls that do not block.
 */
#define _GNU_SOURCE
#include "weft/process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "sched/chan_ops.h"
#include "sched/net_op.h"
#include "sched/process_spawn.h"
#include "weft/runtime.h"

#define GRACE (5 * WEFT_SECOND)

struct weft_process {
    pid_t pid;               /* constant */
    bool group;              /* constant */
    int64_t grace;           /* constant */
    weft_context *context;   /* below the one that ends the child; NULL: none does */
    weft_chan *done;         /* closed when the child has ended and its status is there */
    struct poll_desc *watch; /* of the pidfd; NULL: there is none */
    weft_chan *gone;         /* closed when the child has ended; NULL: there is a pidfd */
    weft_conn *pipe[3];      /* owner: who uses them */
    base_lock lock;          /* rank PROCESS; P1 */
    bool ended;              /* lock: lock; the status is taken */
    bool finished, freed;    /* lock: lock; P3 */
    int error;               /* P2 */
    weft_process_status status;
};

/* Nobody uses it any more. */
static void destroy(weft_process *p)
{
    weft_context_free(p->context);
    weft_chan_free(p->done);
    weft_chan_free(p->gone);
    free(p);
}

/* ---- System calls ---- */

/* Whether it has ended: 1, 0, or a negative errno value. */
SYS int sys_has_ended(pid_t pid, int options)
{
    siginfo_t info;
    int rc;
    info.si_pid = 0;
    do
        rc = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | options);
    while (rc != 0 && errno == EINTR);
    return rc != 0 ? -errno : info.si_pid == pid;
}

SYS int sys_kill(pid_t pid, int number)
{
    return kill(pid, number) == 0 ? 0 : -errno;
}

SYS int sys_take(pid_t pid, int *status, struct rusage *usage)
{
    return wait4(pid, status, WNOHANG, usage) == pid ? 0 : -ECHILD;
}

/* ---- The end of a child ---- */

static int64_t ns_of(struct timeval time)
{
    return time.tv_sec * WEFT_SECOND + time.tv_usec * WEFT_MICROSECOND;
}

static weft_process_status status_of(int status, const struct rusage *usage)
{
    bool killed = WIFSIGNALED(status);
    return (weft_process_status){
        .code = killed ? -1 : WEXITSTATUS(status),
        .signal = killed ? WTERMSIG(status) : 0,
        .core = killed && WCOREDUMP(status),
        .user_time = ns_of(usage->ru_utime),
        .system_time = ns_of(usage->ru_stime),
        .max_resident = (int64_t)usage->ru_maxrss * 1024,
    };
}

static void take_status(weft_process *p)
{
    struct rusage usage;
    int status;
    struct m *m = rt_enter();
    lock_acquire(&p->lock); /* P1 */
    p->error = sys_take(p->pid, &status, &usage);
    p->ended = true;
    lock_release(&p->lock);
    rt_exit(m);
    if (!p->error)
        p->status = status_of(status, &usage);
}

static int await_on(struct poll_desc *watch, pid_t pid, int64_t deadline)
{
    uintptr_t here = rt_here();
    uint32_t seen;
    int error = begin_at(here, watch, POLL_READ, deadline, &seen);
    if (error)
        return error;
    while (sys_has_ended(pid, WNOHANG) == 0 && !error)
        error = wait_at(here, watch, POLL_READ, deadline, &seen);
    end_at(here, watch, POLL_READ);
    return error;
}

/* 0, or what ended the wait before: the deadline, the caller's context. */
static int await_end(const weft_process *p, int64_t deadline)
{
    if (p->watch)
        return await_on(p->watch, p->pid, deadline);
    int result = weft_chan_recv_until(p->gone, NULL, deadline);
    return result == -EPIPE ? 0 : result;
}

static void await_blocking(pid_t pid)
{
    weft_blocking_enter();
    (void)sys_has_ended(pid, 0);
    weft_blocking_exit();
}

/* The goroutine that has a thread, where there is no pidfd. */
static void watch_blocking(void *arg)
{
    weft_process *p = arg;
    await_blocking(p->pid);
    weft_chan_close(p->gone); /* from here on p may not be there */
}

/* P3 */
static void finish(weft_process *p)
{
    struct m *m = rt_enter();
    lock_acquire(&p->lock);
    bool freed = p->freed;
    p->finished = true;
    chan_close(m, p->done);
    lock_release(&p->lock);
    rt_exit(m);
    if (freed)
        destroy(p);
}

static void end_it(const weft_process *p, int number)
{
    (void)sys_kill(p->group ? -p->pid : p->pid, number); /* P1: only the caller takes the status */
}

static void reap(void *arg)
{
    weft_process *p = arg;
    weft_context_enter(p->context);
    int error = await_end(p, WEFT_NEVER);
    weft_context_enter(NULL);
    if (error && p->grace >= 0) {
        end_it(p, SIGTERM);
        error = await_end(p, weft_now() + p->grace);
    }
    if (error) {
        end_it(p, SIGKILL);
        (void)await_end(p, WEFT_NEVER);
    }
    take_status(p);
    if (p->watch)
        close_desc(p->watch, "weft_process");
    finish(p);
}

/* ---- Start ---- */

static weft_process *make(const weft_process_options *options)
{
    weft_process *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->group = options->group;
    p->grace = options->grace ? options->grace : GRACE;
    lock_init(&p->lock, BASE_RANK_PROCESS);
    p->done = weft_chan_new(0, 0);
    if (options->context)
        p->context = weft_context_new(options->context);
    if (p->done && (p->context || !options->context))
        return p;
    destroy(p);
    return NULL;
}

/* Our ends of the pipes belong to p or, after an error, are closed. */
static int adopt_pipes(weft_process *p, const struct spawned *child, int error)
{
    for (int i = 0; i < 3; i++) {
        if (child->pipe[i] < 0)
            continue;
        if (!error)
            error = weft_conn_from_fd(child->pipe[i], &p->pipe[i]);
        if (!p->pipe[i])
            net_close_fd(child->pipe[i]);
    }
    return error;
}

/* A pidfd, or what stands for it. */
static int start_watch(weft_process *p, int pidfd)
{
    if (pidfd >= 0 && adopt(pidfd, POLL_PIPE, &p->watch) == 0)
        return 0;
    p->watch = NULL;
    p->gone = weft_chan_new(0, 0);
    int error = p->gone ? weft_go(watch_blocking, p) : -ENOMEM;
    if (error) {
        weft_chan_free(p->gone);
        p->gone = NULL;
    }
    return error;
}

/* There will be nobody to await it: it ends here and now. */
static void give_up(weft_process *p)
{
    (void)sys_kill(p->pid, SIGKILL);
    weft_context *current = weft_context_enter(NULL);
    if (p->watch || p->gone)
        (void)await_end(p, WEFT_NEVER);
    else
        await_blocking(p->pid);
    weft_context_enter(current);
    take_status(p);
    if (p->watch)
        close_desc(p->watch, "weft_process");
    p->finished = true;
}

static int attend(weft_process *p, const struct spawned *child)
{
    p->pid = child->pid;
    int error = adopt_pipes(p, child, start_watch(p, child->pidfd));
    if (!error)
        error = weft_go(reap, p);
    if (error)
        give_up(p);
    return error;
}

static int read_options(const weft_process_options *given, weft_process_options *options)
{
    *options = (weft_process_options){.size = sizeof *options};
    if (!given)
        return 0;
    if (given->size < sizeof(size_t) || given->size > sizeof *given)
        return -EINVAL;
    memcpy(options, given, given->size);
    return 0;
}

int weft_process_start(const char *const *argv, const weft_process_options *given,
                       weft_process **out)
{
    weft_process_options options;
    struct spawned child;
    if (!weft_in_goroutine())
        return -EPERM;
    int error = argv && argv[0] ? read_options(given, &options) : -EINVAL;
    if (error)
        return error;
    weft_process *p = make(&options);
    if (!p)
        return -ENOMEM;
    weft_blocking_enter();
    error = process_spawn(argv, &options, &child);
    weft_blocking_exit();
    if (error) {
        destroy(p);
        return error;
    }
    error = attend(p, &child);
    if (error)
        weft_process_free(p);
    else
        *out = p;
    return error;
}

/* ---- Use ---- */

int weft_process_pid(const weft_process *process)
{
    return process->pid;
}

weft_conn *weft_process_pipe(const weft_process *process, int which)
{
    return which >= 0 && which < 3 ? process->pipe[which] : NULL;
}

void weft_process_close_pipe(weft_process *process, int which)
{
    weft_conn *conn = weft_process_pipe(process, which);
    if (!conn)
        return;
    process->pipe[which] = NULL;
    weft_conn_close(conn);
}

int weft_process_wait(weft_process *process, int64_t deadline, weft_process_status *status)
{
    int result = weft_chan_recv_until(process->done, NULL, deadline);
    if (result != -EPIPE)
        return result;
    if (status && !process->error)
        *status = process->status; /* P2 */
    return process->error;
}

int weft_process_kill(weft_process *process, int signal)
{
    struct m *m = rt_enter(); /* NULL: a plain thread */
    lock_acquire(&process->lock);
    int error =
        process->ended ? -ESRCH : sys_kill(process->group ? -process->pid : process->pid, signal);
    lock_release(&process->lock);
    rt_exit_any(m);
    return error;
}

void weft_process_free(weft_process *process)
{
    if (!process)
        return;
    for (int i = 0; i < 3; i++)
        weft_process_close_pipe(process, i);
    struct m *m = rt_enter();
    if (!m)
        rt_not_a_goroutine("weft_process_free");
    lock_acquire(&process->lock);
    bool finished = process->finished;
    process->freed = true;
    lock_release(&process->lock);
    rt_exit(m);
    if (finished)
        destroy(process);
}
