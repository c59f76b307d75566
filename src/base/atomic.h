/* SPDX-License-Identifier: MIT */
/*
 * Atomic operations with the memory order in the name.
 *
 * They work on plain integer and pointer fields (GNU __atomic builtins), so that public structs can
 * hold such fields and still be C++. Every use stronger than relaxed names its pair in a comment.
 */
#ifndef WEFT_BASE_ATOMIC_H
#define WEFT_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#define atomic_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define atomic_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define atomic_load_seqcst(p)  __atomic_load_n((p), __ATOMIC_SEQ_CST)

#define atomic_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define atomic_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define atomic_store_seqcst(p, v)  __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)

#define atomic_swap_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define atomic_swap_release(p, v) __atomic_exchange_n((p), (v), __ATOMIC_RELEASE)
#define atomic_swap_acqrel(p, v)  __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define atomic_swap_seqcst(p, v)  __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)

/* Both return the value before the operation. */
#define atomic_add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define atomic_add_acqrel(p, v)  __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)
#define atomic_add_seqcst(p, v)  __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define atomic_sub_relaxed(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)
#define atomic_sub_acqrel(p, v)  __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define atomic_sub_seqcst(p, v)  __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define atomic_or_acqrel(p, v)   __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define atomic_and_acqrel(p, v)  __atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL)

/* Compare and swap: true on success; on failure *expected holds what was found. Never fails
 * spuriously. */
#define atomic_cas_relaxed(p, expected, v)                                                         \
    __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define atomic_cas_acquire(p, expected, v)                                                         \
    __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)
#define atomic_cas_release(p, expected, v)                                                         \
    __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define atomic_cas_acqrel(p, expected, v)                                                          \
    __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

/* Stops the compiler from moving memory accesses across; emits nothing. */
#define compiler_barrier() __asm__ __volatile__("" ::: "memory")

#if defined(__x86_64__)
#define cpu_relax() __asm__ __volatile__("pause" ::: "memory")
#elif defined(__aarch64__)
#define cpu_relax() __asm__ __volatile__("yield" ::: "memory")
#else
#error "weft: unknown processor; src/base/atomic.h needs its pause instruction"
#endif

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define BASE_CACHE_LINE 64

#endif
