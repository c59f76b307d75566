/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include "base/atomic.h"
#include "base/fatal.h"
#include "base/os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct start_record {
    void *(*fn)(void *);
    void *arg;
    char name[16];
} start_record;

static uint32_t alive; /* atomic: threads that base_thread_start() made and that have not ended */

uint64_t base_thread_id(void)
{
    return os_thread_id();
}

bool base_thread_sleeps(uint64_t tid)
{
    return os_thread_sleeps(tid);
}

/* The thread names itself: its creator could name another one if this one had ended already. */
static void *thread_main(void *arg)
{
    start_record start = *(start_record *)arg;
    free(arg);
    os_thread_name(start.name);
    atomic_add_relaxed(&alive, 1);
    void *result = start.fn(start.arg);
    atomic_sub_relaxed(&alive, 1);
    return result;
}

unsigned base_threads_alive(void)
{
    return atomic_load_relaxed(&alive);
}

void base_threads_forget(void)
{
    atomic_store_relaxed(&alive, 0);
}

static bool lost; /* atomic */

void base_threads_lost(void)
{
    atomic_store_relaxed(&lost, true);
}

bool base_threads_are_lost(void)
{
    return atomic_load_relaxed(&lost);
}

void base_threads_lost_check(void)
{
    if (base_threads_are_lost())
        fatal("a call into weft waits in the child of a fork(), where nobody is left to end the "
              "wait; such a child may call exec, or _exit (weft/runtime.h)");
}

int base_process_census(unsigned *threads, uint64_t *caught)
{
    return os_process_census(threads, caught);
}

int base_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *), void *arg)
{
    start_record *start = calloc(1, sizeof *start);
    if (!start)
        return -ENOMEM;
    start->fn = fn;
    start->arg = arg;
    memcpy(start->name, name, strnlen(name, sizeof start->name - 1));
    int rc = os_thread_create(thread, thread_main, start);
    if (rc < 0)
        free(start);
    return rc;
}

unsigned base_cpu_count(void)
{
    return os_cpu_count();
}

int base_thread_stack(void **low, void **high)
{
    return os_thread_stack(low, high);
}

void base_backoff(unsigned *spins)
{
    enum { PAUSES = 40, YIELDS = 60, LONGEST_NS = 200000, STEP_NS = 10000 };
    unsigned n = *spins;
    if (n < ~0u)
        ++*spins;
    if (n < PAUSES) {
        cpu_relax();
    } else if (n < YIELDS) {
        os_yield();
    } else {
        uint64_t ns = (uint64_t)(n - YIELDS + 1) * STEP_NS;
        os_sleep_ns(ns < LONGEST_NS ? (int64_t)ns : LONGEST_NS);
    }
}

void base_sleep_ns(int64_t ns)
{
    if (ns > 0)
        os_sleep_ns(ns);
}

void base_exit(int status)
{
    os_exit(status);
}
