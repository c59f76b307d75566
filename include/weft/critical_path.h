/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CRITICAL_PATH_H
#define WEFT_CRITICAL_PATH_H

/*
 * The critical path: what determined how long a task or a goroutine took. It is found backwards.
 * The path is with the goroutine that ended the task, at its end. What that one did last is on the
 * path, and what it did before, up to where it had been blocked. It was not itself that made it
 * wait: for the time of the wait the path is with the goroutine that released it, by the same rule,
 * and goes back no further than the begin of the wait, since what the releaser did before that
 * delayed nobody. There the path returns to the one that waited. Where a goroutine was created on
 * the way, the path goes on with its creator, from the moment of the creation.
 *
 * So every moment from begin to end is spent by one goroutine in one state. A wait that nobody
 * ended (a timer, the network, the runtime) is spent blocked.
 *
 *     weft_path *path;
 *     int status = weft_path_new(&path, reader);
 *     weft_path_of_task(path, id);
 *     while (status == 0 && (status = weft_reader_next(reader, &event)) == 1)
 *         status = weft_path_event(path, &event);
 *     if (weft_path_finish(path) == 0)
 *         use(weft_path_steps(path, &count));
 *     weft_path_free(path);
 *
 * Memory: the steps, and the open state of each live goroutine. While the path may yet lead to any
 * goroutine, which is from the begin of a task to its end, or during each wait of a goroutine, also
 * a record of 64 bytes for each state of a goroutine to which a path can still lead: of live
 * goroutines, and of dead ones as far as they released or created others.
 *
 * Invariants
 *  1. Steps other than waits follow one another without gap or overlap, from begin to end.
 *  2. Times are in nanoseconds. Texts are valid until the path is freed.
 *
 * Threads: a path belongs to the thread of its reader. Functions that return int give 0 or -ENOMEM
 * unless they say otherwise; after -ENOMEM a path may only be freed.
 */

#include <weft/analysis.h>

WEFT_BEGIN_DECLS

typedef enum weft_path_kind {
    WEFT_PATH_RUNNING,
    WEFT_PATH_RUNNABLE,        /* waiting for a proc */
    WEFT_PATH_BLOCKED,         /* for something that no goroutine ended within the path */
    WEFT_PATH_SYSCALL,         /* in a system call */
    WEFT_PATH_SYSCALL_BLOCKED, /* in a system call, without a proc */
    WEFT_PATH_REVOKED, /* computing, or blocking unannounced, after its proc was taken from it */
    WEFT_PATH_UNKNOWN, /* the trace does not know the goroutine yet */
    WEFT_PATH_WAIT,    /* blocked: the steps of greater depth that follow tell for what */
    WEFT_PATH_KIND_LIMIT
} weft_path_kind;

/* "running", "runnable", "blocked", "syscall", "syscall-blocked", "revoked", "unknown", "wait". */
WEFT_API const char *weft_path_kind_name(unsigned kind);

typedef struct weft_path_step {
    int64_t begin, end; /* on the clock of the trace */
    uint64_t goroutine;
    weft_text name;   /* of its entry function */
    weft_text reason; /* to block or to stop; REVOKED: what annotate.h lists; may be empty */
    uint64_t p, m;    /* where it ran; RUNNABLE: which proc it then got; or WEFT_ID_NONE */
    /* WAIT, BLOCKED: who ended it. RUNNABLE: who had that proc last while it waited for it. A first
     * step with `created` set: who created it. Or WEFT_ID_NONE. */
    uint64_t by;
    uint32_t stack;    /* of the goroutine: where it waits; RUNNING: where that ended */
    uint32_t by_stack; /* of who ended the wait, or created it; 0 if unknown */
    uint32_t depth;    /* number of waits that contain the step */
    uint8_t kind;      /* weft_path_kind */
    uint8_t created;   /* the goroutine began with this step */
} weft_path_step;

/* Time of steps that have something in common; waits do not count. */
typedef struct weft_path_sum {
    uint8_t kind;
    weft_text name; /* by cause: the reason of BLOCKED and REVOKED; by function: its name */
    uint64_t count;
    int64_t time, max;
} weft_path_sum;

typedef struct weft_path_extent {
    int64_t origin;     /* time of the first event of the trace */
    int64_t begin, end; /* of the path */
    uint64_t goroutine; /* where the path ends */
    weft_text task;     /* type of the task, or empty */
    int ended;          /* 0: the task or goroutine went on when the trace ended */
} weft_path_extent;

typedef struct weft_path weft_path;

/* The reader must outlive the path. */
WEFT_API WEFT_MUST_USE int weft_path_new(weft_path **path, const weft_reader *reader);

/*
 * What the path is of; one of the two, before the first event. A task: from its begin to its end. A
 * goroutine: from one time to another, in ns since the first event of the trace, the whole trace
 * being 0 to INT64_MAX; or its life, if from is negative.
 */
WEFT_API void weft_path_of_task(weft_path *path, uint64_t task);
WEFT_API void weft_path_of_goroutine(weft_path *path, uint64_t goroutine, int64_t from, int64_t to);

/* The next event of the reader. */
WEFT_API WEFT_MUST_USE int weft_path_event(weft_path *path, const weft_event *event);

/*
 * At the end of the trace, once, before asking for results. -ENOENT: the trace has no begin of that
 * task, or there was no such goroutine within the times.
 */
WEFT_API WEFT_MUST_USE int weft_path_finish(weft_path *path);

/* What the path is of, and from when to when it goes. */
WEFT_API void weft_path_extent_get(const weft_path *path, weft_path_extent *extent);

/* In order of time, a wait before its contents. */
WEFT_API const weft_path_step *weft_path_steps(const weft_path *path, size_t *count);

/* Sums, the largest time first: by kind and reason; by kind and function, that of weft_path_frame.
 */
WEFT_API const weft_path_sum *weft_path_causes(const weft_path *path, size_t *count);
WEFT_API const weft_path_sum *weft_path_functions(const weft_path *path, size_t *count);

/* Frames of a stack, 0 being the innermost. weft_path_place gives 0, or -ERANGE. */
WEFT_API size_t weft_path_depth(const weft_path *path, uint32_t stack);
WEFT_API int weft_path_place(const weft_path *path, uint32_t stack, size_t index,
                             weft_place *place);

/* The innermost frame whose function is not the runtime's (does not begin with "runtime." or
 * "weft_"), or 0. */
WEFT_API size_t weft_path_frame(const weft_path *path, uint32_t stack);

/* NULL accepted. */
WEFT_API void weft_path_free(weft_path *path);

WEFT_END_DECLS

#endif
