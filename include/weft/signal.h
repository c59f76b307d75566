/* SPDX-License-Identifier: MIT */
/*
 * Signals that are delivered to channels.
 *
 * A channel subscribes to signals; from then on their arrival is an element of it, and not the end
 * of the process. A handler may do next to nothing; who receives from a channel may do everything,
 * and select waits for signals together with all else.
 *
 *     weft_chan *signals = weft_chan_new(sizeof(int), 1);
 *     weft_signal_notify(signals, WEFT_SIGNALS(SIGINT, SIGTERM));
 *     int number;
 *     weft_chan_recv(signals, &number);
 *
 * Delivery never waits: what a channel has no room for is dropped there, and counted. A channel
 * with one place is enough for one signal whose number of arrivals does not matter. The kernel
 * itself merges arrivals of one signal below SIGRTMIN while it is pending. Different signals may be
 * delivered in another order than they arrived in.
 *
 * Any number of channels may subscribe to a signal; each gets it. As long as one is there the
 * signal does nothing else: a handler that the program had before is not called, and is there again
 * when the last has stopped. A handler that the program installs meanwhile replaces the delivery,
 * and stays.
 *
 * None of this needs the runtime to run: a thread of weft's own, made by the first subscription,
 * delivers. Any thread may call any function here, at any time, before, during and after
 * weft_run(); signal handlers may not. Threads of weft do not take signals from outside, so there
 * must be a thread that does not block them: that which calls weft_run() will do.
 *
 * Not to be had (-EINVAL): SIGKILL and SIGSTOP; the signals of faults and of abort() (SIGSEGV,
 * SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT), which have to be handled where they are
 * raised; SIGPROF, with which weft takes CPU samples; those of the C library below SIGRTMIN.
 *
 * Two more have a use of weft's own while the runtime runs. SIGQUIT prints all goroutines: not
 * while it is subscribed to or ignored. That of WEFT_TRACE_SIGNAL writes a snapshot, and is
 * delivered as well.
 *
 * The child of a fork() has no subscriptions; programs that it executes begin with the default
 * action of signals that were subscribed to, and ignore those which are ignored.
 */
#ifndef WEFT_SIGNAL_H
#define WEFT_SIGNAL_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/config.h>
#include <weft/context.h>

WEFT_BEGIN_DECLS

/* The last two arguments of the functions below, in C. */
#define WEFT_SIGNALS(...)                                                                          \
    (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int)

/*
 * The channel, whose elements are int and which is buffered, gets the numbers of these signals from
 * now on, besides those that it has subscribed to already. 0; -EINVAL: not such a channel, or not
 * such a signal (then nothing has changed); -ENOMEM; -EAGAIN: no thread.
 */
WEFT_API int weft_signal_notify(weft_chan *chan, const int *signals, size_t count) WEFT_MUST_USE;

/* Ends the channel's subscriptions. What arrived before is in the channel, and nothing is sent to
 * it any more: it may be freed. Returns what weft_signal_dropped() would have. */
WEFT_API uint64_t weft_signal_stop(weft_chan *chan);

/* How many arrivals found the channel full, or closed. 0 if it has no subscription. */
WEFT_API uint64_t weft_signal_dropped(const weft_chan *chan);

/* These signals do nothing any more; who has subscribed to them does not get them. 0 or -EINVAL. */
WEFT_API int weft_signal_ignore(const int *signals, size_t count) WEFT_MUST_USE;

/* Subscriptions to these signals end, and they are no longer ignored: each does what it did before
 * the first call of this header. count 0: all signals. 0 or -EINVAL. */
WEFT_API int weft_signal_reset(const int *signals, size_t count) WEFT_MUST_USE;

/*
 * A context below parent (NULL: a root) that is cancelled by the first of these signals, with the
 * signal's number as the cause. Then they do again what they did before: a second Ctrl-C ends a
 * program that takes too long to end. *out is freed by weft_signal_context_free() and nothing else.
 * Returns as weft_signal_notify().
 */
WEFT_API int weft_signal_context(weft_context *parent, const int *signals, size_t count,
                                 weft_context **out) WEFT_MUST_USE;
WEFT_API void weft_signal_context_free(weft_context *context);

WEFT_END_DECLS

#endif
