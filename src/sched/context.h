/* SPDX-License-Identifier: MIT */
/*
 * Switching stacks. The assembly is in arch/; here it is wrapped once for the sanitizers.
 *
 * Only callee-saved registers are kept. The floating-point environment (rounding mode, exception
 * masks) belongs to the thread, as with every library of this kind that does not pay for saving it.
 */
#ifndef WEFT_SCHED_CONTEXT_H
#define WEFT_SCHED_CONTEXT_H

#include "sched/sched.h"

#if defined(__SANITIZE_ADDRESS__)
#define SCHED_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SCHED_ASAN 1
#endif
#endif

#ifdef SCHED_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef BASE_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef WEFT_WITH_VALGRIND
#include <valgrind/memcheck.h>
#endif

/* weft_context_switch(save, to): the current context is saved, and goes on where `to` was. */
#if defined(__x86_64__)
#include "sched/arch/context_x86_64.h"
#elif defined(__aarch64__)
#include "sched/arch/context_aarch64.h"
#else
#error "weft: unknown processor; src/sched/arch needs its context switch"
#endif

/* Where a new goroutine's first switch arrives: calls goroutine_begin(), then fn(arg), then
 * goroutine_end(). Its frame pointer is zero, which ends every walk of the stack. */
void weft_context_entry(void) __attribute__((visibility("hidden")));

/* Calls fn(arg) on the stack below `top` (16-byte aligned). */
void weft_context_call(void (*fn)(void *), void *arg, void *top)
    __attribute__((visibility("hidden")));

/* Lays out the first frame below `top` (16-byte aligned). */
void context_make(struct saved_context *context, void *top, void (*fn)(void *), void *arg);

/* The sanitizers' part before a switch. save: where ASan keeps the fake stack of the context that
 * is left (NULL: it ends); fiber, low, size: the context that is entered. */
static inline void context_announce(void **save, void *fiber, const void *low, size_t size)
{
#if defined(BASE_TSAN)
    (void)save, (void)low, (void)size;
    __tsan_switch_to_fiber(fiber, 0);
#elif defined(SCHED_ASAN)
    (void)fiber;
    __sanitizer_start_switch_fiber(save, low, size);
#else
    (void)save, (void)fiber, (void)low, (void)size;
#endif
}

static inline void context_announce_g(void **save, const struct g *to)
{
#if defined(BASE_TSAN) || defined(SCHED_ASAN)
    const struct g *on = g_stack_of(to);
    context_announce(save, to->fiber, on->stack_low, (size_t)((const char *)on - on->stack_low));
#else
    (void)save, (void)to;
#endif
}

/* The sanitizers' part after it: `fake` is what was saved when this context was left, NULL the
 * first time. */
static inline void context_arrived(void *fake)
{
#ifdef SCHED_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else
    (void)fake;
#endif
}

/* The same for a stack that the same goroutine goes to and comes back from. */
static inline void context_stack_announce(void **save, const void *low, size_t size)
{
#ifdef SCHED_ASAN
    __sanitizer_start_switch_fiber(save, low, size);
#else
    (void)save, (void)low, (void)size;
#endif
}

static inline void context_stack_arrived(void *fake)
{
    context_arrived(fake);
}

/* A stack begins anew: what ASan knows of the frames of its former user is forgotten. */
static inline void context_clean(void *low, size_t size)
{
#ifdef SCHED_ASAN
    __asan_unpoison_memory_region(low, size);
#else
    (void)low, (void)size;
#endif
}

/* A stack exists from here on, or does not any more: valgrind then takes a jump to it for a switch,
 * not for frames that come and go. Returns what context_stack_unregister wants. */
static inline unsigned context_stack_register(void *low, void *high)
{
#ifdef WEFT_WITH_VALGRIND
    return VALGRIND_STACK_REGISTER(low, high);
#else
    (void)low, (void)high;
    return 0;
#endif
}

static inline void context_stack_unregister(unsigned id)
{
#ifdef WEFT_WITH_VALGRIND
    VALGRIND_STACK_DEREGISTER(id);
#else
    (void)id;
#endif
}

/* Brackets a look at a stack that may be in use meanwhile: what it finds is a guess until it is
 * proven (census.c), and nothing for valgrind to complain of. [result, result + size) was found. */
static inline void context_guess_begin(void)
{
#ifdef WEFT_WITH_VALGRIND
    VALGRIND_DISABLE_ERROR_REPORTING;
#endif
}

static inline void context_guess_end(const void *result, size_t size)
{
#ifdef WEFT_WITH_VALGRIND
    VALGRIND_ENABLE_ERROR_REPORTING;
    VALGRIND_MAKE_MEM_DEFINED(result, size);
#else
    (void)result, (void)size;
#endif
}

/* Memory of the runtime that may hold the only pointer to something on the heap: LeakSanitizer
 * looks there as well. */
static inline void context_root_add(const void *low, size_t size)
{
#ifdef SCHED_ASAN
    __lsan_register_root_region(low, size);
#else
    (void)low, (void)size;
#endif
}

static inline void context_root_remove(const void *low, size_t size)
{
#ifdef SCHED_ASAN
    __lsan_unregister_root_region(low, size);
#else
    (void)low, (void)size;
#endif
}

#endif
