/* SPDX-License-Identifier: MIT */
/* What the layers above need of threads beyond pthread_create. */
#ifndef WEFT_BASE_THREAD_H
#define WEFT_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel's id of the calling thread. */
uint64_t base_thread_id(void);

/* Whether a thread of the process sleeps in the kernel at this moment; false if that cannot be
 * learnt. Some microseconds. */
bool base_thread_sleeps(uint64_t tid);

/* Starts a thread with all signals blocked but the synchronous ones (SIGSEGV, SIGBUS, SIGFPE,
 * SIGILL) and SIGPROF. name: at most 15 bytes. Returns 0 or a negative errno value. */
int base_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *), void *arg);

/* How many of those threads are there. One that is just beginning or ending may not be counted, so
 * the number is never above what the kernel would say. forget: in the child of a fork. */
unsigned base_threads_alive(void);
void base_threads_forget(void);

/*
 * The child of a fork() has one thread; what others held, and whom they would have woken, stays as
 * it was. lost: in the child of a process that had threads of weft. check: about to wait for
 * another thread of the process; stops the child with a message, which is better than to wait for
 * ever.
 */
void base_threads_lost(void);
bool base_threads_are_lost(void);
void base_threads_lost_check(void);

/* What the kernel says: the number of the process's threads, and bit n - 1 set in *caught for each
 * signal n that has a handler. Returns 0 or a negative errno value. Some ten microseconds. */
int base_process_census(unsigned *threads, uint64_t *caught);

/* CPUs that the process may run on, at least 1. */
unsigned base_cpu_count(void);

/* Bounds of the calling thread's own stack. Returns 0 or a negative errno value. */
int base_thread_stack(void **low, void **high);

/* Gives the CPU away: a pause for the first spins, then sched_yield, then short sleeps. spins is
 * the caller's counter. */
void base_backoff(unsigned *spins);

/* Ends the process at once, with nothing run or written. Async-signal-safe. */
_Noreturn void base_exit(int status);

/* A plain sleep of the thread. */
void base_sleep_ns(int64_t ns);

#endif
