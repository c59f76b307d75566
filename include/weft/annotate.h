/* SPDX-License-Identifier: MIT */
/*
 * What a program adds to its own trace: tasks, regions, logs and labels.
 *
 * A task   is a piece of work that may move between goroutines, such as a request. Tasks have
 *          parents. A goroutine has at most one current task; goroutines that it starts inherit it.
 * A region is a stretch of one goroutine's run, within its current task. Regions nest.
 * A log    is an event with a key and a value, within the current task.
 * A label  says what a goroutine is or works for (a request id). Goroutines that it starts inherit
 *          it.
 *
 * Cost. While tracing is off, each of these is one load and one branch, in line, and nothing is
 * recorded: a task begun then is WEFT_TASK_NONE, and its regions and logs will belong to the
 * background. What was begun while tracing was on may be ended at any time.
 *
 * Threads. All functions may be called anywhere, but not from signal handlers, nor between
 * weft_blocking_enter() and weft_blocking_exit(). Outside goroutines nothing is recorded.
 *
 * Texts are bytes of any value and of any length; the trace keeps the first 1024. The functions
 * whose name ends in _bytes take a length, the others a string that ends in a zero byte.
 *
 * What the runtime itself logs, with the waiting or revoked goroutine as the context:
 *
 *   key         value                        when
 *   weft.lease  computing                    the goroutine's P was taken because it had run for its
 *                                            time slice without a call into weft, and was running
 *               blocking                     the same, and its thread slept in the kernel
 *               reclaimed                    the P was taken for another reason: a smaller number
 *                                            of Ps, or the tracer needed one
 *   weft.wait   mutex ADDRESS                right before the goroutine blocks, if
 *               cond ADDRESS                 weft_annotate_waits() is on: what it waits for.
 *               waitgroup ADDRESS            ADDRESS is that of the object, as 0x and hexadecimal
 *               chan ADDRESS                 digits (a channel: the handle; 0x0: a NULL channel),
 *               rwmutex ADDRESS
 *               sem ADDRESS
 *               select ADDRESS…              FD a decimal number, INSTANT in ns on the clock of
 *               fd FD read                   weft_now(). A select names its channels, in any order
 *               fd FD write                  and separated by blanks, as many as 1024 bytes hold
 *               timer INSTANT
 *
 * A goroutine whose lease was revoked looks like one in a system call until its next call into
 * weft; its weft.lease precedes that system call.
 */
#ifndef WEFT_ANNOTATE_H
#define WEFT_ANNOTATE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <weft/config.h>

WEFT_BEGIN_DECLS

/* Written by the runtime alone; for the functions in line below. */
struct weft_annotate_words {
    uint32_t tracing; /* atomic: a hint that tracing is on */
    uint32_t labels;  /* atomic: some goroutine may have a label */
};
WEFT_API extern struct weft_annotate_words weft_annotate_words;

/* Whether annotations are recorded at this moment. */
static inline int weft_annotate_enabled(void)
{
    return __builtin_expect(__atomic_load_n(&weft_annotate_words.tracing, __ATOMIC_RELAXED) != 0,
                            0);
}

/* ---- Tasks ---- */

/* A task's number, unique in the process. */
typedef uint64_t weft_task;
#define WEFT_TASK_NONE       UINT64_C(0) /* no task was begun */
#define WEFT_TASK_BACKGROUND UINT64_MAX  /* to leave the current task; no parent */

/* A goroutine's stay in a task; in the caller's storage. */
typedef struct weft_task_stay {
    uint64_t goroutine; /* 0: nothing to leave */
    weft_task outer;
} weft_task_stay;

/* What the functions below call while tracing is on. weft_task_begin_bytes: as weft_task_begin(),
 * for a name of any bytes. The others are not for programs. */
WEFT_API weft_task weft_task_begin_bytes(weft_task parent, const void *name, size_t size);
WEFT_API void weft_task_end_begun(weft_task task);
WEFT_API void weft_task_enter_begun(weft_task_stay *stay, weft_task task);
WEFT_API int weft_task_leave_entered(weft_task_stay *stay);

/* Begins a task below `parent`; WEFT_TASK_NONE: below the caller's current task. It does not become
 * the current one. Returns WEFT_TASK_NONE while tracing is off and outside goroutines. */
static inline weft_task weft_task_begin(weft_task parent, const char *name)
{
    return weft_annotate_enabled() ? weft_task_begin_bytes(parent, name, strlen(name))
                                   : WEFT_TASK_NONE;
}

/* Ends a task, on any goroutine. Does nothing for WEFT_TASK_NONE. */
static inline void weft_task_end(weft_task task)
{
    if (__builtin_expect(task != WEFT_TASK_NONE, 0))
        weft_task_end_begun(task);
}

/* Makes `task` the caller's current one until the stay is left; WEFT_TASK_BACKGROUND: none. Does
 * nothing for WEFT_TASK_NONE: the current task stays. */
static inline void weft_task_enter(weft_task_stay *stay, weft_task task)
{
    stay->goroutine = 0;
    if (__builtin_expect(task != WEFT_TASK_NONE, 0))
        weft_task_enter_begun(stay, task);
}

/* Ends the stay: the task from before is current again. On the goroutine that entered; elsewhere
 * the call is ignored. Returns 0 or -EPERM. */
static inline int weft_task_leave(weft_task_stay *stay)
{
    return __builtin_expect(stay->goroutine != 0, 0) ? weft_task_leave_entered(stay) : 0;
}

/* The caller's current task; WEFT_TASK_NONE if there is none. */
WEFT_API weft_task weft_task_current(void);

/* ---- Regions ---- */

/* An open region; in the caller's storage. The fields are private. */
typedef struct weft_region {
    uint64_t goroutine; /* 0: not recorded */
    weft_task task;
    const void *name;
    uint64_t check; /* of the name's bytes */
    uint32_t size;
    uint32_t depth;
} weft_region;

/* The name must stay where it is, unchanged, until the end. */
WEFT_API void weft_region_begin_bytes(weft_region *region, const void *name, size_t size);
WEFT_API int weft_region_end_begun(weft_region *region);

/* Begins a region of the calling goroutine in its current task. `name` must stay where it is,
 * unchanged, until the end: a literal, as a rule. */
static inline void weft_region_begin(weft_region *region, const char *name)
{
    region->goroutine = 0;
    if (weft_annotate_enabled())
        weft_region_begin_bytes(region, name, strlen(name));
}

/*
 * Ends a region. It must be the innermost open one of its goroutine, and the caller must be that
 * goroutine. A call that breaks a rule is ignored, so that the trace stays valid: the region then
 * stays open in the trace. Returns 0 or
 *   -EPERM   another goroutine's region
 *   -EINVAL  not the innermost: one inside it is open still (and was perhaps forgotten; those that
 *            enclose a forgotten region cannot be ended any more), or it has ended already
 *   -EILSEQ  the name has changed since the begin
 */
static inline int weft_region_end(weft_region *region)
{
    return __builtin_expect(region->goroutine != 0, 0) ? weft_region_end_begun(region) : 0;
}

/* ---- Logs ---- */

/* What weft_log() and weft_logf() call while tracing is on; without effect while it is off.
 * weft_log_bytes is for texts of any bytes. */
WEFT_API void weft_log_bytes(const void *key, size_t key_size, const void *value,
                             size_t value_size);
WEFT_API void weft_log_format(const char *key, const char *format, ...) WEFT_PRINTF(2, 3);

/* Logs a value under a key, in the caller's current task. */
static inline void weft_log(const char *key, const char *value)
{
    if (weft_annotate_enabled())
        weft_log_bytes(key, strlen(key), value, strlen(value));
}

/* weft_logf(key, format, …): the value as printf makes it. The arguments are evaluated only while
 * tracing is on. */
#define weft_logf(...) (weft_annotate_enabled() ? weft_log_format(__VA_ARGS__) : (void)0)

/* ---- Labels ---- */

/* As weft_label_set(), for a label of any bytes, and also while labels are not in use. */
WEFT_API int weft_label_set_bytes(const void *label, size_t size);

/*
 * Labels the calling goroutine from now on, and the goroutines that it starts from now on; the
 * empty text takes the label away. In the trace the label follows the first start of the goroutine
 * in each generation, and CPU profiles have it. While tracing is off it is remembered only if
 * labels were in use before, or CPU samples are being taken. Returns 0, -ENOMEM (the label stays as
 * it was), or -EPERM outside goroutines.
 */
static inline int weft_label_set(const char *label)
{
    if (__builtin_expect(!weft_annotate_enabled() &&
                             !__atomic_load_n(&weft_annotate_words.labels, __ATOMIC_RELAXED),
                         1))
        return 0;
    return weft_label_set_bytes(label, strlen(label));
}

/* Copies the caller's label into text, cut to size - 1 bytes and ended with a zero byte; returns
 * its length, 0 if there is none. */
WEFT_API size_t weft_label_get(char *text, size_t size);

/* ---- What the runtime adds ---- */

/* Switches the logs weft.wait (see above) on or off while the runtime runs; at its start they are
 * on if WEFT_TRACE_WAITS=1 is in the environment. Returns the setting before. Any thread. */
WEFT_API int weft_annotate_waits(int on);

WEFT_END_DECLS

/* ---- Scopes ---- */

#ifndef __cplusplus

#define WEFT_ANNOTATE_JOIN_(a, b) a##b
#define WEFT_ANNOTATE_NAME_(a, b) WEFT_ANNOTATE_JOIN_(a, b)

static inline void weft_region_cleanup_(weft_region *region)
{
    (void)weft_region_end(region);
}

static inline void weft_task_cleanup_(weft_task *task)
{
    weft_task_end(*task);
}

static inline void weft_task_stay_cleanup_(weft_task_stay *stay)
{
    (void)weft_task_leave(stay);
}

/* WEFT_REGION(name); as a declaration: a region from here to the end of the block, however that is
 * left (but for longjmp and weft_goexit). */
#define WEFT_REGION(name) WEFT_REGION_(WEFT_ANNOTATE_NAME_(weft_region_at_, __LINE__), name)
#define WEFT_REGION_(variable, name)                                                               \
    __attribute__((cleanup(weft_region_cleanup_))) weft_region variable;                           \
    weft_region_begin(&variable, name)

/* WEFT_TASK(name); a task, the current one, from here to the end of the block. */
#define WEFT_TASK(name)                                                                            \
    WEFT_TASK_(WEFT_ANNOTATE_NAME_(weft_task_at_, __LINE__),                                       \
               WEFT_ANNOTATE_NAME_(weft_task_stay_at_, __LINE__), name)
#define WEFT_TASK_(variable, stay, name)                                                           \
    __attribute__((cleanup(weft_task_cleanup_))) weft_task variable =                              \
        weft_task_begin(WEFT_TASK_NONE, name);                                                     \
    __attribute__((cleanup(weft_task_stay_cleanup_))) weft_task_stay stay;                         \
    weft_task_enter(&stay, variable)

#else

namespace weft
{

/* A region for as long as the object lives. */
class region
{
  public:
    explicit region(const char *name)
    {
        weft_region_begin(&region_, name);
    }
    ~region()
    {
        (void)weft_region_end(&region_);
    }
    region(const region &) = delete;
    region &operator=(const region &) = delete;

  private:
    weft_region region_;
};

/* A task, the current one of the goroutine, for as long as the object lives. */
class task
{
  public:
    explicit task(const char *name, weft_task parent = WEFT_TASK_NONE)
        : id_(weft_task_begin(parent, name))
    {
        weft_task_enter(&stay_, id_);
    }
    ~task()
    {
        (void)weft_task_leave(&stay_);
        weft_task_end(id_);
    }
    task(const task &) = delete;
    task &operator=(const task &) = delete;

    weft_task id() const
    {
        return id_;
    }

  private:
    weft_task id_;
    weft_task_stay stay_;
};

} // namespace weft

#endif

#endif
