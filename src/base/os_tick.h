/* SPDX-License-Identifier: MIT */
/*
 * What a sampling profiler needs of the operating system: timers that count the CPU time of one
 * thread, the signal (SIGPROF) by which they interrupt it, and where it was interrupted.
 *
 * Calls return 0 or a negative errno value and never touch the caller's errno.
 */
#ifndef WEFT_BASE_OS_TICK_H
#define WEFT_BASE_OS_TICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a thread was interrupted. */
typedef struct os_interrupted {
    uintptr_t pc, sp, fp;
    /* Where the return address is if the function has no frame yet, or none any more: in a register
     * (0: no), or in memory at this address of the stack (0: no). fp is its caller's then. */
    uintptr_t caller, caller_at;
} os_interrupted;

/* Whether the word, found on top of the stack of code at pc that has no frame, is the return
 * address of the function there: compilers give small functions that call nothing no frame,
 * whatever they are told. Looks into the program's own code only. Async-signal-safe. */
bool os_tick_was_called_from(uintptr_t pc, uintptr_t word);

/* ticks: periods that have passed, 1 if none was missed. In the signal handler, with every signal
 * blocked but those of faults. */
typedef void (*os_tick_fn)(const os_interrupted *at, unsigned ticks);

/*
 * Makes fn the receiver of the timers' ticks, in place of whatever handler SIGPROF has; signals
 * that are not the timers' go on to that one. It stays for good: a tick may be under way when the
 * timers stop, and would end the process without a handler. To be repeated before timers are
 * started, as somebody may have set another handler since. The handler restarts system calls that
 * can be, and runs on the thread's alternate stack if it has one. One thread at a time.
 */
int os_tick_install(os_tick_fn fn);

typedef struct os_tick_timer {
    void *id;
    bool made;
} os_tick_timer;

/* Ticks thread `tid` of this process each time that it has used period_ns of CPU time, the first
 * time after first_ns. Any thread. -EAGAIN: the kernel has no timer left. */
int os_tick_start(os_tick_timer *timer, uint64_t tid, uint64_t first_ns, uint64_t period_ns);
void os_tick_stop(os_tick_timer *timer);

/* Gives the calling thread an alternate stack for signal handlers unless it has one. */
void os_signal_stack_set(void *low, size_t size);
/* Takes it away, if it is that one. */
void os_signal_stack_clear(const void *low);

/* Sends a signal once more: `info` is what a handler got for it, `tid` its thread, which need not
 * be there any more. It looks as before, but that it was queued (SI_QUEUE). Async-signal-safe. */
void os_signal_repeat(uint64_t tid, const void *info);

/* Where a signal's thread was. context: the handler's third argument. */
void os_signal_place(const void *context, os_interrupted *at);

#endif
