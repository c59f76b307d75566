/* SPDX-License-Identifier: MIT */
/* Time: sleeping and timers. Instants and durations are int64_t nanoseconds; instants count from
 * the process's start. */
#ifndef WEFT_TIME_H
#define WEFT_TIME_H

#include <stdint.h>

#include <weft/chan.h>
#include <weft/config.h>

WEFT_BEGIN_DECLS

#define WEFT_MICROSECOND INT64_C(1000)
#define WEFT_MILLISECOND INT64_C(1000000)
#define WEFT_SECOND      INT64_C(1000000000)

/* An instant that never comes: no deadline. */
#define WEFT_NEVER INT64_MAX

/* Now: monotonic, at least 1. Any thread. */
WEFT_API int64_t weft_now(void);

/* Blocks the caller, a goroutine or a plain thread, for at least `duration`; zero or less yields.
 */
WEFT_API void weft_sleep(int64_t duration);

/* The same until an instant. 0, or -ECANCELED or -ETIMEDOUT: the caller's context has ended before
 * (weft/context.h). */
WEFT_API int weft_sleep_until(int64_t instant) WEFT_MUST_USE;

/*
 * A timer runs a function at an instant, once or periodically. The function runs on a goroutine of
 * its own when the time has come; it may block. Or the timer sends to a channel. New timers are
 * stopped.
 */
typedef struct weft_timer weft_timer;

/* Returns NULL when memory is refused. */
WEFT_API weft_timer *weft_timer_new(void (*fn)(void *arg), void *arg);

/* A timer that sends the instant (int64_t) at which it fires to a channel instead, which holds one
 * element; if that has not been received yet, the new one is dropped. After weft_timer_start() or
 * weft_timer_stop() no earlier firing is received. */
WEFT_API weft_timer *weft_timer_new_chan(void);
/* That channel, which lives as long as the timer; NULL: it has a function. */
WEFT_API weft_chan *weft_timer_chan(const weft_timer *timer);

/* (Re)starts: first after `delay`, then every `period` (0: once). Returns 1 if the timer was active
 * before, else 0. */
WEFT_API int weft_timer_start(weft_timer *timer, int64_t delay, int64_t period);

/* Returns 1 if it was active (a one-shot timer then does not fire any more), 0 if not. Does not
 * wait for the function. */
WEFT_API int weft_timer_stop(weft_timer *timer);

/* Stops and frees, with the channel, in which nobody may wait. The function may still be running.
 */
WEFT_API void weft_timer_free(weft_timer *timer);

WEFT_END_DECLS

#endif
