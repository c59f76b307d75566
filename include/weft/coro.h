/* SPDX-License-Identifier: MIT */
/*
 * Coroutines: a goroutine that runs only while another one waits for it, and hands values to and
 * fro. The hand-off takes no run queue and no lock, a few nanoseconds more than a bare switch of
 * stacks. For generators, parsers that are fed piece by piece, and iterators.
 *
 * A coroutine is a goroutine in all other respects: it may block, compute, start goroutines, resume
 * other coroutines, and be continued on another thread; weft_goid() is its own. Whoever resumes it
 * waits meanwhile. It may be resumed by different goroutines, by one at a time.
 *
 *     static void *count(void *arg, void *unused)
 *     {
 *         for (intptr_t i = 0; i < 3; i++)
 *             if (weft_coro_yield((void *)i, NULL) < 0)
 *                 break;
 *         return NULL;
 *     }
 *
 *     weft_coro *coro = weft_coro_new(count, NULL, 0);
 *     void *value;
 *     while (weft_coro_resume(coro, NULL, &value) == WEFT_CORO_YIELDED)
 *         printf("%ld\n", (long)(intptr_t)value);
 *     weft_coro_free(coro);
 *
 * In a trace: GoCreateBlocked, GoSwitch and GoSwitchDestroy; in format 1.22, which has none of
 * them, the steps of which they consist.
 *
 * All functions are for goroutines; attached threads (weft_thread_attach) may not resume or free.
 */
#ifndef WEFT_CORO_H
#define WEFT_CORO_H

#include <stddef.h>

#include <weft/config.h>

WEFT_BEGIN_DECLS

typedef struct weft_coro weft_coro;

/* Makes a coroutine, which does not run yet. Its first resumption calls fn(arg, value) with the
 * value of that resumption; it has ended when fn returns or calls weft_goexit(). stack_size as for
 * weft_go_stack(); 0: the program's usual size. Returns NULL when memory is refused, for a size out
 * of range, and outside goroutines. */
WEFT_API weft_coro *weft_coro_new(void *(*fn)(void *arg, void *value), void *arg,
                                  size_t stack_size);

enum {
    WEFT_CORO_ENDED = 0,  /* *out is what fn returned; NULL after weft_goexit() */
    WEFT_CORO_YIELDED = 1 /* *out is the value of the yield */
};

/*
 * Runs the coroutine until it yields or ends. `value` becomes the result of the yield that it waits
 * in. out may be NULL. Returns one of the above, or, without having run it:
 *   -EBUSY  it is running, or its resumer is in another one that runs (a cycle)
 *   -ESRCH  it had ended before
 *   -EPERM  not on a goroutine
 */
WEFT_API int weft_coro_resume(weft_coro *coro, void *value, void **out);

/*
 * Hands `value` to whoever resumed the calling coroutine, and waits for the next resumption, whose
 * value goes to *in (in may be NULL). Returns 0, or
 *   -ECANCELED  the coroutine is being freed: it should clean up and return; further yields return
 *               this at once
 *   -EPERM      the caller is no coroutine
 */
WEFT_API int weft_coro_yield(void *value, void **in);

/*
 * Ends and frees a coroutine. One that waits in a yield is continued, its yield returns -ECANCELED,
 * and this call returns when it has ended; what it returns is dropped. One that never ran does not
 * run. NULL is accepted. A coroutine that has not ended is to be freed before the runtime ends.
 * Returns 0, or, with nothing done, -EBUSY if it is running, or -EPERM outside goroutines unless it
 * has ended.
 */
WEFT_API int weft_coro_free(weft_coro *coro);

WEFT_END_DECLS

#endif
