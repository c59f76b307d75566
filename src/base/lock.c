/* SPDX-License-Identifier: MIT */
/*
 * Design: the three-state futex lock of U. Drepper, "Futexes Are Tricky" (2011), mutex 2, with a
 * short spin in front. A thread that has slept takes the lock in state 2, because it cannot know
 * whether it was the last sleeper; the price is at most one useless wake-up.
 */
#include "base/lock.h"

#include "base/fatal.h"
#include "base/os.h"

/* About 2 µs: longer than any section these locks protect, far shorter than a sleep and a wake-up.
 */
#define SPINS 60

void base_lock_slow(base_lock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        uint32_t expected = 0;
        /* Acquire: pairs with the release in lock_release(). */
        if (atomic_load_relaxed(&lock->word) == 0 && atomic_cas_acquire(&lock->word, &expected, 1))
            return;
        cpu_relax();
    }
    while (atomic_swap_acquire(&lock->word, 2) != 0) /* pairs with lock_release() */
        os_futex_wait(&lock->word, 2, -1);
}

void base_unlock_slow(base_lock *lock)
{
    os_futex_wake(&lock->word, 1);
}

#ifdef WEFT_DEBUG

/* Far more than are ever nested, but for a select over many channels: what it holds beyond this is
 * counted only. */
#define MAX_HELD 128

static const char *const rank_names[] = {
#define X(name) #name,
    BASE_LOCK_RANKS(X)
#undef X
};

static __thread struct {
    unsigned count;
    base_lock *held[MAX_HELD];
    unsigned more;         /* held ones for which there was no room */
    const base_lock *last; /* of those, the latest */
} locks;

static const char *rank_name(const base_lock *lock)
{
    return lock->rank < BASE_RANK_COUNT ? rank_names[lock->rank] : "(not initialised)";
}

/* Out of line, so that no caller keeps the address of a thread-local across a switch of stacks. */
__attribute__((noinline)) void base_lock_note(base_lock *lock)
{
    invariant(lock->rank < BASE_RANK_COUNT, "lock %p has no rank", (void *)lock);
    if (locks.count < MAX_HELD) {
        locks.held[locks.count++] = lock;
        return;
    }
    locks.more++;
    locks.last = lock;
}

/* Whether lock may be taken while other is held. */
static bool order_allows(const base_lock *other, const base_lock *lock, bool same_rank_allowed)
{
    if (other->rank != lock->rank)
        return other->rank < lock->rank;
    return same_rank_allowed && other < lock;
}

static void check_order(const base_lock *other, const base_lock *lock, bool same_rank_allowed)
{
    if (!order_allows(other, lock, same_rank_allowed))
        fatal("lock order: taking %s (%p) while holding %s (%p)", rank_name(lock),
              (const void *)lock, rank_name(other), (const void *)other);
}

__attribute__((noinline)) void base_lock_check(base_lock *lock, bool same_rank_allowed)
{
    for (unsigned i = 0; i < locks.count; i++)
        check_order(locks.held[i], lock, same_rank_allowed);
    if (locks.more)
        check_order(locks.last, lock, same_rank_allowed);
    base_lock_note(lock);
}

__attribute__((noinline)) void base_unlock_check(base_lock *lock)
{
    for (unsigned i = locks.count; i-- > 0;) {
        if (locks.held[i] == lock) {
            locks.held[i] = locks.held[--locks.count];
            return;
        }
    }
    if (locks.more == 0)
        fatal("lock %s (%p) released by a thread that does not hold it", rank_name(lock),
              (void *)lock);
    locks.more--;
}

#endif
