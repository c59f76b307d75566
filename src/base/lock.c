/* SPDX-License-Identifier: MIT */
/*
 * Design. A word, free or held, and beside it the number of threads that sleep on it. Who wants to
 * sleep counts itself first; who releases looks at that number, frees the word, and wakes one
 * sleeper if there was any.
 *
 * Invariants
 *   1. Nothing of the lock is read after the store that frees it: whoever takes it next may free
 * the memory. (The wake-up that follows uses the address only; a spurious one is harmless.)
 *   2. A sleeper's wait has a limit. One that counts itself between the releaser's look and its
 * store is not woken by that release; it finds the word free when its time is over, one millisecond
 *      late. For that the releaser has to be interrupted between two instructions while another
 *      thread, which has spun before, decides to sleep. Whoever releases the lock after that sees
 * the number.
 *   3. Only a lock with the word 1 is taken over, and by one thread: by a compare-and-swap to 2.
 *
 * Taking over. A waiter that has slept through a thousand waits of a millisecond each while no one
 * freed the word takes it for abandoned; not by the clock, which goes on while the whole process
 * is stopped. The ranks of the scheduler are left alone by most: threads that wait for those wait
 * for ever, which hurts nobody, and what a scheduler's lock protects may be half changed.
 *
 * Rejected. Drepper's three-state word ("Futexes Are Tricky", 2011), which this was before: its
 * release is a swap, and a locked instruction costs more than all the rest of the section; a round
 * trip over a channel went from 89 to 66 ns without it and with plain queues on one P. The look
 * after the store, with the asymmetric fence: breaks invariant 1.
 */
#include "base/lock.h"

#include "base/fatal.h"
#include "base/os.h"
#include "base/thread.h"

#include <errno.h>

/* About 2 µs: longer than any section these locks protect, far shorter than a sleep and a wake-up.
 */
#define SPINS 60

#define LONGEST_SLEEP_NS 1000000
#define PATIENT_SLEEPS   1000

static uint32_t abandoned; /* atomic */
static __thread bool takes_any;

void base_locks_abandon(bool now)
{
    atomic_store_release(&abandoned, now); /* pairs with the load below */
}

bool base_locks_abandoned(void)
{
    return atomic_load_acquire(&abandoned) != 0; /* pairs with the store above */
}

void base_locks_take_any(void)
{
    takes_any = true;
}

static bool may_take_over(const base_lock *lock)
{
    unsigned rank = atomic_load_relaxed(&lock->rank);
    return base_locks_abandoned() &&
           (takes_any || rank == BASE_RANK_COMMANDS || rank >= BASE_RANK_CPU);
}

/* Invariant 3. */
static bool take_over(base_lock *lock)
{
    uint32_t held = 1;
    return may_take_over(lock) && atomic_cas_acquire(&lock->word, &held, 2);
}

static bool try_free(base_lock *lock)
{
    uint32_t expected = 0;
    /* Acquire: pairs with the release in lock_release(). */
    return atomic_load_relaxed(&lock->word) == 0 && atomic_cas_acquire(&lock->word, &expected, 1);
}

void base_lock_slow(base_lock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        if (try_free(lock))
            return;
        cpu_relax();
    }
    base_threads_lost_check();
    atomic_add_seqcst(&lock->sleepers, 1); /* before the next look at the word: invariant 2 */
    for (unsigned slept = 0; !try_free(lock);) {
        uint32_t held = atomic_load_relaxed(&lock->word);
        if (held && os_futex_wait(&lock->word, held, LONGEST_SLEEP_NS) == -ETIMEDOUT)
            slept++;
        if (slept >= PATIENT_SLEEPS && take_over(lock))
            break;
    }
    atomic_sub_relaxed(&lock->sleepers, 1);
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

/* Atomic: who uses a zeroed lock first gives it its rank (sync_lock()), and several may be first.
 */
static unsigned rank_of(const base_lock *lock)
{
    return atomic_load_relaxed(&lock->rank);
}

static const char *rank_name(const base_lock *lock)
{
    unsigned rank = rank_of(lock);
    return rank < BASE_RANK_COUNT ? rank_names[rank] : "(not initialised)";
}

/* Out of line, so that no caller keeps the address of a thread-local across a switch of stacks. */
__attribute__((noinline)) void base_lock_note(base_lock *lock)
{
    invariant(rank_of(lock) < BASE_RANK_COUNT, "lock %p has no rank", (void *)lock);
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
    if (rank_of(other) != rank_of(lock))
        return rank_of(other) < rank_of(lock);
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
