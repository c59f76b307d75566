/* SPDX-License-Identifier: MIT */
/*
 * The asymmetric fence: a store-load barrier whose whole cost is paid by the rare side.
 *
 * Frequent side:  store A;  fence_light();  load B.
 * Rare side:      store B;  fence_heavy();  load A.
 * At least one of the two loads sees the other side's store, as if both fences were sequentially
 * consistent.
 *
 * fence_light() is a compiler barrier when membarrier(PRIVATE_EXPEDITED) serves, and a full fence
 * otherwise (kernel without it, or ThreadSanitizer, which cannot see a membarrier). Which of the
 * two is in force never changes after base_fence_init().
 *
 * Under ThreadSanitizer fences are not modelled: the variables of both sides must therefore be
 * accessed with the fence_store/fence_load macros below, which become sequentially consistent
 * accesses there.
 */
#ifndef WEFT_BASE_FENCE_H
#define WEFT_BASE_FENCE_H

#include "base/atomic.h"

#if defined(__SANITIZE_THREAD__)
#define BASE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BASE_TSAN 1
#endif
#endif

/* True where fence_heavy() interrupts the other threads, so that the light side needs no
 * instruction. */
extern bool base_fence_asymmetric;

/* Registers the process for membarrier. Idempotent, any thread. Called before any other thread uses
 * the fence. */
void base_fence_init(void);

/* Any thread; 0.3 µs when the other threads sleep, up to about 15 µs when they run. */
void fence_heavy(void);

static inline void fence_light(void)
{
#ifdef BASE_TSAN
    compiler_barrier();
#else
    if (likely(base_fence_asymmetric))
        compiler_barrier();
    else
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* The accesses of the pair. The store is a release and the load an acquire besides their part in
 * the fence. */
#ifdef BASE_TSAN
#define fence_store(p, v) atomic_store_seqcst((p), (v))
#define fence_load(p)     atomic_load_seqcst(p)
#else
#define fence_store(p, v) atomic_store_release((p), (v))
#define fence_load(p)     atomic_load_acquire(p)
#endif

#endif
