/* SPDX-License-Identifier: MIT */
/*
 * Child processes.
 *
 * A child is started with its descriptors 0, 1 and 2 as asked for, and nothing else of this
 * process: no other descriptor that weft has made, no blocked signals, the default action of every
 * signal that is handled here, and of SIGPIPE. Signals that are ignored (as SIGHUP under nohup)
 * stay so.
 *
 *     const char *const argv[] = {"sort", "-n", NULL};
 *     weft_process_options options = {.size = sizeof options};
 *     options.stdio[0] = options.stdio[1] = WEFT_STDIO_PIPE;
 *     weft_process *process;
 *     int error = weft_process_start(argv, &options, &process);
 *
 * A goroutine of the runtime's own awaits the end of each child and takes its status, whether
 * anybody asks for it or not: no zombies remain. The program must not do so as well (waitpid(-1),
 * SIGCHLD ignored): what is lost that way is -ECHILD. Where the kernel has no pidfds, each child
 * occupies a thread for that. Waits are "chan receive" in traces, those of that goroutine
 * "network".
 *
 * A child that still runs when the runtime ends goes on; nobody awaits it then.
 */
#ifndef WEFT_PROCESS_H
#define WEFT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/config.h>
#include <weft/context.h>
#include <weft/net.h>

WEFT_BEGIN_DECLS

typedef struct weft_process weft_process;

/* What one of the child's descriptors 0, 1 and 2 is. */
typedef enum weft_stdio {
    WEFT_STDIO_INHERIT, /* that of this process */
    WEFT_STDIO_NULL,    /* /dev/null */
    WEFT_STDIO_PIPE,    /* a pipe, whose other end is weft_process_pipe() */
    WEFT_STDIO_FD,      /* a copy of the descriptor given in fd[], which remains the caller's */
    WEFT_STDIO_MERGE    /* 2 only: where 1 goes */
} weft_stdio;

typedef struct weft_process_options {
    size_t size;            /* sizeof(weft_process_options) */
    const char *const *env; /* "NAME=value", …, NULL; NULL: the environment of this process */
    const char *dir;        /* where it begins to work; NULL: where this process does */
    weft_stdio stdio[3];
    int fd[3];

    /* When this ends before the child has (NULL: no such context), the child gets SIGTERM, and
     * SIGKILL if it has not ended `grace` nanoseconds later (0: 5 s; negative: SIGKILL at once). */
    weft_context *context;
    int64_t grace;

    /* It leads a process group of its own, and the signals of weft go to all of that. */
    bool group;

    /* If it cannot be started: what failed and where, as a line of text. NULL: not wanted. */
    char *message;
    size_t message_size;
} weft_process_options;

/*
 * Starts the program argv[0] with these arguments (the last one: NULL). A name without a slash is
 * looked for in this process's PATH; a relative one begins at options->dir. options NULL: all zero.
 * 0 and *out when the program runs. Otherwise a negative errno value, and there is no child:
 * -ENOENT, -EACCES, -ENOEXEC (the program or the directory), -EAGAIN (no process to be had),
 * -EMFILE, -ENOMEM, -EBADF, -EINVAL (an option), -EPERM (not a goroutine).
 */
WEFT_API int weft_process_start(const char *const *argv, const weft_process_options *options,
                                weft_process **out) WEFT_MUST_USE;

/* Any thread. */
WEFT_API int weft_process_pid(const weft_process *process);

/* This process's end of the pipe that is the child's descriptor 0, 1 or 2. NULL: it is none, or was
 * closed. It is closed by the second function and by weft_process_free() only, by a goroutine. */
WEFT_API weft_conn *weft_process_pipe(const weft_process *process, int which);
WEFT_API void weft_process_close_pipe(weft_process *process, int which);

/* How a child ended. */
typedef struct weft_process_status {
    int code;             /* its exit status; -1: a signal has ended it */
    int signal;           /* that signal, or 0 */
    bool core;            /* with a core file */
    int64_t user_time;    /* CPU time of it and of those children that it awaited, nanoseconds */
    int64_t system_time;  /* the kernel's for them */
    int64_t max_resident; /* bytes of memory at the most, of the largest of them */
} weft_process_status;

/*
 * Waits until the child has ended. 0 and *status (may be NULL); -ETIMEDOUT: the deadline comes
 * first (WEFT_NEVER: none); -ECANCELED, -ETIMEDOUT: the caller's context ends first; -ECHILD:
 * somebody else has taken the status. Any thread, any number of times.
 */
WEFT_API int weft_process_wait(weft_process *process, int64_t deadline,
                               weft_process_status *status);

/* Sends a signal (0: only asks). 0; -ESRCH: it has ended; -EINVAL; -EPERM: it has become somebody
 * else's. Never hits another process that got its number. Any thread. */
WEFT_API int weft_process_kill(weft_process *process, int signal);

/* Closes the pipes and forgets the child, which goes on if it has not ended: its context still
 * concerns it. NULL is ignored. Goroutines only. */
WEFT_API void weft_process_free(weft_process *process);

/* ---- Run and capture ---- */

typedef struct weft_process_output {
    char *out, *err; /* what the child wrote, with a 0 behind it; NULL: not captured */
    size_t out_size, err_size;
    weft_process_status status;
} weft_process_output;

/*
 * Starts a program, writes size bytes of input to it, and waits until it has ended and its output
 * has. Standard output is captured; standard error as well unless options->stdio[2] is set; without
 * input (size 0) standard input is empty, unless options->stdio[0] is a descriptor. 0 however the
 * child ended. Errors besides those of weft_process_start(): -EFBIG: more than `limit` bytes came
 * out of one of them -ECANCELED, -ETIMEDOUT: options->context, or without one the caller's current
 * context, ended -ENOMEM, -EIO, … The child has ended then, too: it was told to as options->grace
 * says. *output has what came until then. weft_process_output_free() frees it, in any case.
 * Goroutines only.
 */
WEFT_API int weft_process_capture(const char *const *argv, const weft_process_options *options,
                                  const void *input, size_t size, size_t limit,
                                  weft_process_output *output) WEFT_MUST_USE;
WEFT_API void weft_process_output_free(weft_process_output *output);

WEFT_END_DECLS

#endif
