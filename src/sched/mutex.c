/* SPDX-License-Identifier: MIT */
/*
 * Mutual exclusion.
 *
 * Design. One word decides; a queue of waiters under a lock of its own stands behind it. Unlocking
 * with waiters present frees the mutex and wakes the first waiter, which competes with whoever
 * comes along (barging: the mutex is not idle while the woken goroutine is on its way). A waiter
 * that has lost that competition and has waited for STARVATION_NS is handed the mutex directly by
 * the next unlock. The idea is Go's (sync.Mutex); the decision is made by who unlocks, so there is
 * no mode to enter and to leave.
 *
 * The word: LOCKED, WAITING (the queue is not empty), WOKEN (a waiter was woken and has not yet
 * decided; until it has, unlocking wakes no other).
 *
 * Invariants
 *   M1. WAITING and the queue change together, under the queue's lock: set by who joins, cleared by
 *       who takes the last one.
 *   M2. WAITING is set with LOCKED in one step (a compare-and-swap that finds LOCKED), so the
 *       holder's unlock sees it and wakes: no waiter is left behind.
 *         waiter: sees LOCKED           holder: unlocks, sees no waiters, wakes none
 *         waiter: compare-and-swap fails, sees the mutex free, takes it.
 *   M3. WOKEN is set by an unlock that finds it clear, and cleared by the woken waiter alone, in
 *       the step in which it takes the mutex or joins the queue again (at the front).
 *   M4. unlock_slow() finds LOCKED and WAITING without WOKEN. LOCKED and the absence of WOKEN stay
 *       until it has the queue's lock: only unlocks change them, and the caller is the only one
 * that may unlock. The queue can have become empty, as waiters leave it when their limit has come;
 *       then the mutex is still held, and unlocking begins again.
 *   M5. After an unlock has freed the word it touches the mutex only while a goroutine that is
 *       bound to come back to the mutex (the one which it is going to wake) cannot have run. So the
 *       last user may free the mutex right after its own unlock, though others may have been in
 *       theirs. That is why M4's empty queue does not let unlock_slow() free the word.
 *   M6. A waiter that gives up leaves the queue, and the word if it was the last, under the queue's
 *       lock. One that was woken has competed first (M3), so no wake-up is lost with it.
 *
 * Rejected
 *   Handing over always: every contended section would cost a switch, and threads queue up behind
 *     one that sleeps.
 *   Waking without WOKEN: each unlock during one waiter's way to the mutex wakes another one, for
 *     nothing.
 */
#include "sched/mutex.h"
#include "sched/trace_hooks.h"

#include "base/clock.h"

enum { LOCKED = 1, WAITING = 2, WOKEN = 4 };

/* As in Go: long for a section, short for a person. */
enum { STARVATION_NS = 1000 * 1000 };

/* Looks at a held mutex before queueing: about half a microsecond. */
enum { SPINS = 30 };

/* Results of a wait. */
enum { COMPETE = 0, HANDED_OVER = 1 };

struct mutex_waiter {
    struct waiter waiter;
    int64_t since; /* when it first queued */
    bool lost;     /* was woken and found the mutex taken */
};

/* ---- Lock ---- */

static bool take(weft_mutex *mutex)
{
    uint32_t old = 0;
    return atomic_cas_acquire(&mutex->state, &old, LOCKED); /* pairs with the release in unlock */
}

/* Takes the mutex if it is free, or becomes a waiter in its word (M2); clears `done` in the same
 * step (M3). */
static bool take_or_announce(weft_mutex *mutex, uint32_t done)
{
    uint32_t old = atomic_load_relaxed(&mutex->state), new;
    do {
        new = ((old & LOCKED) ? old | WAITING : old | LOCKED) & ~done;
    } while (!atomic_cas_acquire(&mutex->state, &old, new)); /* pairs with the release in unlock */
    return !(old & LOCKED);
}

/* Spinning helps if the holder runs at this moment, on another P, and nobody here has anything
 * better to do. */
static bool spin(struct m *m, weft_mutex *mutex)
{
    if (!m || atomic_load_relaxed(&sched.proc_count) == 1 || !runq_empty(&m->p->runq))
        return false;
    for (int i = 0; i < SPINS; i++) {
        uint32_t old = atomic_load_relaxed(&mutex->state);
        if (!(old & LOCKED) &&
            atomic_cas_acquire(&mutex->state, &old, old | LOCKED)) /* pairs with unlock */
            return true;
        if (old & WAITING)
            return false;
        cpu_relax();
    }
    return false;
}

/* Under the queue's lock: clears and sets bits of the word. */
static void change_word(weft_mutex *mutex, uint32_t clear, uint32_t set)
{
    uint32_t old = atomic_load_relaxed(&mutex->state);
    while (!atomic_cas_release(&mutex->state, &old,
                               (old & ~clear) | set)) /* pairs with take() and its like */
        ;
}

/* The limit has come; the waiter is off the queue, whose lock is held and will be released. */
static void give_up(weft_mutex *mutex, base_lock *lock)
{
    if (!mutex->head)
        change_word(mutex, WAITING, 0); /* M1, M6 */
    lock_release(lock);
}

int mutex_lock(struct m **m, weft_mutex *mutex, const struct limit *limit)
{
    if (take(mutex) || spin(*m, mutex))
        return 0;
    base_lock *lock = sync_lock(mutex->lock);
    struct waiter_queue *q = sync_queue(&mutex->head);
    struct mutex_waiter self = {.since = (int64_t)base_clock_now()};
    for (;;) {
        waiter_init(&self.waiter, waiting_g(*m), NULL, &self);
        lock_acquire(lock);
        if (take_or_announce(mutex, self.lost ? WOKEN : 0)) {
            lock_release(lock);
            return 0;
        }
        if (self.lost)
            waiters_push_front(q, &self.waiter);
        else
            waiters_push(q, &self.waiter);
        hook_wait(*m, "mutex", mutex);
        if (!waiter_block(m, lock, q, &self.waiter, limit, WEFT_TRACE_BLOCK_SYNC)) {
            give_up(mutex, lock);
            return self.waiter.result;
        }
        if (self.waiter.result == HANDED_OVER)
            return 0;
        self.lost = true;
    }
}

void weft_mutex_lock(weft_mutex *mutex)
{
    if (unlikely(!take(mutex))) {
        owner_check_absent(&mutex->owner, "mutex");
        struct m *m = rt_enter();
        mutex_lock(&m, mutex, &LIMIT_NONE);
        rt_exit_any(m);
    }
    owner_set(&mutex->owner);
}

int weft_mutex_lock_until(weft_mutex *mutex, int64_t deadline)
{
    int error = 0;
    if (unlikely(!take(mutex))) {
        struct m *m = rt_enter();
        struct limit limit = limit_until(m, deadline);
        error = mutex_lock(&m, mutex, &limit);
        rt_exit_any(m);
    }
    if (!error)
        owner_set(&mutex->owner);
    return error;
}

int weft_mutex_trylock(weft_mutex *mutex)
{
    uint32_t old = atomic_load_relaxed(&mutex->state);
    while (!(old & LOCKED)) {
        if (atomic_cas_acquire(&mutex->state, &old, old | LOCKED)) { /* pairs with unlock */
            owner_set(&mutex->owner);
            return 1;
        }
    }
    return 0;
}

/* ---- Unlock ---- */

/* Frees the word if there is nobody to wake. */
static bool unlock_word(weft_mutex *mutex)
{
    uint32_t old = atomic_load_relaxed(&mutex->state);
    do {
        if (!(old & LOCKED))
            fatal("unlock of an unlocked mutex");
        if ((old & (WAITING | WOKEN)) == WAITING)
            return false;
    } while (!atomic_cas_release(&mutex->state, &old,
                                 old & ~(uint32_t)LOCKED)); /* pairs with take() and its like */
    return true;
}

static bool is_starving(const struct mutex_waiter *w)
{
    return w->lost && (int64_t)base_clock_now() - w->since > STARVATION_NS;
}

/* The queue is empty after all (M4), the mutex still held. Releases the lock. */
static void forget_waiters(weft_mutex *mutex, base_lock *lock)
{
    change_word(mutex, WAITING, 0); /* M1 */
    lock_release(lock);
}

/* False: nobody waits any more, and the mutex is still held. */
static bool unlock_slow(struct m *m, weft_mutex *mutex)
{
    base_lock *lock = sync_lock(mutex->lock);
    struct waiter_queue *q = sync_queue(&mutex->head);
    lock_acquire(lock);
    struct waiter *w = waiters_take(q);
    if (unlikely(!w)) {
        forget_waiters(mutex, lock);
        return false;
    }
    bool hand_over = is_starving(w->element);
    uint32_t last = q->head ? 0 : WAITING; /* M1 */
    if (hand_over)
        change_word(mutex, last, 0);
    else
        change_word(mutex, last | LOCKED, WOKEN);
    lock_release(lock); /* M5: not touched below */
    waiter_wake(m, w, hand_over ? HANDED_OVER : COMPETE);
    return true;
}

void mutex_unlock(struct m *m, weft_mutex *mutex)
{
    while (!unlock_word(mutex) && !unlock_slow(m, mutex))
        ;
}

void weft_mutex_unlock(weft_mutex *mutex)
{
    owner_clear(&mutex->owner, "mutex");
    if (likely(unlock_word(mutex)))
        return;
    struct m *m = rt_enter();
    mutex_unlock(m, mutex);
    rt_exit_any(m);
}
