/* SPDX-License-Identifier: MIT */
/*
 * Design. posix_spawn(): the C library shares memory with the child until that executes its
 * program, on a stack of its own, with signals blocked, and reports what failed in between; so a
 * large process starts children as fast as a small one, and no handler of pthread_atfork() runs.
 * What it would report by a number alone is done before, where it can be named: the directory is
 * opened here, descriptors are looked at here. What remains is a process or the program.
 *
 * All that is made for the child is close-on-exec and above 2; only the copies at 0, 1 and 2 are
 * not. So the order of the copies does not matter, and children that other threads start at the
 * same time get nothing.
 */
#define _GNU_SOURCE
#include "sched/process_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sched/net_op.h"

enum { FIRST_ABOVE = 3, INHERIT = -1, MERGE = -2 };

/* What the child's descriptors are copied from. */
struct plan {
    const char *program;
    const weft_process_options *options;
    int from[3]; /* or INHERIT, MERGE */
    bool ours[3];
    int pipe[3];
    int dir; /* -1: none */
};

/* ---- Failures ---- */

static int say(const struct plan *plan, int error, const char *what, const char *where)
{
    const weft_process_options *o = plan->options;
    if (o->message && o->message_size)
        snprintf(o->message, o->message_size, "cannot start %s: %s%s%s%s", plan->program, what,
                 where, *what ? ": " : "", strerror(-error));
    return error;
}

static int say_stream(const struct plan *plan, int error, int which)
{
    static const char *const names[] = {"standard input", "standard output", "standard error"};
    return say(plan, error, names[which], "");
}

/* ---- Descriptors ---- */

/* A copy above 2, or a negative errno value. */
SYS int sys_copy(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_ABOVE);
    return copy < 0 ? -errno : copy;
}

/* The descriptor, moved if it is not above 2; it is gone after an error. */
static int lift(int fd)
{
    if (fd < 0 || fd >= FIRST_ABOVE)
        return fd;
    int copy = sys_copy(fd);
    close(fd);
    return copy;
}

SYS int sys_null(int which)
{
    int fd = open("/dev/null", (which == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

SYS int sys_pipe(int fd[2])
{
    return pipe2(fd, O_CLOEXEC) == 0 ? 0 : -errno;
}

/* The child's end. */
static int plan_pipe(struct plan *plan, int which)
{
    int fd[2], child = which == 0 ? 0 : 1;
    int error = sys_pipe(fd);
    if (error)
        return error;
    plan->pipe[which] = fd[1 - child];
    return fd[child];
}

static int plan_given(struct plan *plan, int which)
{
    int fd = plan->options->fd[which];
    if (fd >= FIRST_ABOVE && fcntl(fd, F_GETFD) >= 0) {
        plan->ours[which] = false;
        return fd;
    }
    return sys_copy(fd);
}

static int source(struct plan *plan, int which)
{
    switch (plan->options->stdio[which]) {
    case WEFT_STDIO_INHERIT:
        return INHERIT;
    case WEFT_STDIO_NULL:
        return lift(sys_null(which));
    case WEFT_STDIO_PIPE:
        return lift(plan_pipe(plan, which));
    case WEFT_STDIO_FD:
        return plan_given(plan, which);
    default:
        return MERGE;
    }
}

/* Marks and errors are both negative: the errors are told apart by what was asked for. */
static int plan_stream(struct plan *plan, int which)
{
    weft_stdio how = plan->options->stdio[which];
    if (how > WEFT_STDIO_MERGE || (how == WEFT_STDIO_MERGE && which != 2))
        return say_stream(plan, -EINVAL, which);
    plan->ours[which] = true;
    int fd = source(plan, which);
    plan->from[which] = fd;
    if (fd < 0 && how != WEFT_STDIO_INHERIT && how != WEFT_STDIO_MERGE)
        return say_stream(plan, fd, which);
    return 0;
}

SYS int sys_open_dir(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int plan_dir(struct plan *plan)
{
    const char *dir = plan->options->dir;
    if (!dir)
        return 0;
    plan->dir = lift(sys_open_dir(dir));
    return plan->dir < 0 ? say(plan, plan->dir, "directory ", dir) : 0;
}

static void close_child_ends(struct plan *plan)
{
    for (int i = 0; i < 3; i++)
        if (plan->ours[i])
            net_close_fd(plan->from[i]);
    net_close_fd(plan->dir);
}

/* ---- The start ---- */

static int add_actions(const struct plan *plan, posix_spawn_file_actions_t *actions)
{
    int error = 0;
    for (int i = 0; i < 3 && !error; i++)
        if (plan->from[i] != INHERIT)
            error = posix_spawn_file_actions_adddup2(
                actions, plan->from[i] == MERGE ? STDOUT_FILENO : plan->from[i], i);
    if (!error && plan->dir >= 0)
        error = posix_spawn_file_actions_addfchdir_np(actions, plan->dir);
    return error;
}

static int set_attributes(const struct plan *plan, posix_spawnattr_t *attributes)
{
    sigset_t none, reset;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (plan->options->group)
        flags |= POSIX_SPAWN_SETPGROUP;
    sigemptyset(&none);
    sigemptyset(&reset);
    sigaddset(&reset, SIGPIPE);
    int error = posix_spawnattr_setsigmask(attributes, &none);
    if (!error)
        error = posix_spawnattr_setsigdefault(attributes, &reset);
    if (!error)
        error = posix_spawnattr_setpgroup(attributes, 0);
    return error ? error : posix_spawnattr_setflags(attributes, flags);
}

/* These take pointers to what they do not change. */
static char *const *unconst(const char *const *list)
{
    return (char *const *)(uintptr_t)list;
}

/* A positive errno value, as all functions of this family return. */
static int start(const struct plan *plan, const char *const *argv, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    const char *const *env = plan->options->env;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error)
        goto no_attributes;
    error = add_actions(plan, &actions);
    if (!error)
        error = set_attributes(plan, &attributes);
    if (!error)
        error = posix_spawnp(pid, argv[0], &actions, &attributes, unconst(argv),
                             env ? unconst(env) : environ);
    posix_spawnattr_destroy(&attributes);
no_attributes:
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int start_and_say(const struct plan *plan, const char *const *argv, pid_t *pid)
{
    int error = start(plan, argv, pid);
    if (error == EAGAIN || error == ENOMEM)
        return say(plan, -error, "no process to be had", "");
    return error ? say(plan, -error, "", "") : 0;
}

SYS int sys_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

int process_spawn(const char *const *argv, const weft_process_options *options, struct spawned *out)
{
    struct plan plan = {.program = argv[0], .options = options, .dir = -1};
    int error = 0;
    for (int i = 0; i < 3; i++)
        plan.from[i] = plan.pipe[i] = -1;
    for (int i = 0; i < 3 && !error; i++)
        error = plan_stream(&plan, i);
    if (!error)
        error = plan_dir(&plan);
    if (!error)
        error = start_and_say(&plan, argv, &out->pid);
    close_child_ends(&plan);
    for (int i = 0; i < 3; i++) {
        out->pipe[i] = plan.pipe[i];
        if (error)
            net_close_fd(plan.pipe[i]);
    }
    if (!error)
        out->pidfd = sys_pidfd(out->pid);
    return error;
}
