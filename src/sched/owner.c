/* SPDX-License-Identifier: MIT */
/*
 * Who has a lock, in debug builds: the goroutine's number, or a number of the thread with the top
 * bit set. The owner is written by who has the lock, after taking it and before giving it up; so
 * a reader that finds itself there is right, and nobody else's value matters to it.
 */
#include "sched/mutex.h"

#ifdef WEFT_DEBUG

static uint64_t caller(void)
{
    struct m *m = m_self();
    return m && m->g ? m->g->trace.id : (uint64_t)(uintptr_t)pthread_self() | UINT64_C(1) << 63;
}

void owner_check_absent(const uint64_t *owner, const char *what)
{
    if (atomic_load_relaxed(owner) == caller())
        fatal("a %s is locked by who has it already, and would wait for ever", what);
}

void owner_set(uint64_t *owner)
{
    atomic_store_relaxed(owner, caller());
}

void owner_clear(uint64_t *owner, const char *what)
{
    uint64_t found = atomic_load_relaxed(owner);
    if (found != 0 && found != caller())
        fatal("a %s is unlocked by another goroutine or thread than locked it", what);
    atomic_store_relaxed(owner, 0);
}

#endif
