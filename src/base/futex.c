/* SPDX-License-Identifier: MIT */
#include "base/futex.h"

#include "base/atomic.h"
#include "base/clock.h"
#include "base/os.h"

#include <errno.h>

enum { NOTE_CLEAR, NOTE_POSTED, NOTE_SLEEPER };

int base_futex_wait(uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
    return os_futex_wait(word, expected, timeout_ns) == -ETIMEDOUT ? -ETIMEDOUT : 0;
}

void base_futex_wake(uint32_t *word, int count)
{
    os_futex_wake(word, count);
}

void base_note_post(base_note *note)
{
    /* Release: pairs with note_take(). */
    if (atomic_swap_release(&note->word, NOTE_POSTED) == NOTE_SLEEPER)
        os_futex_wake(&note->word, 1);
}

/* True if the note was posted, and clears it. */
static bool note_take(base_note *note)
{
    uint32_t expected = NOTE_POSTED;
    return atomic_cas_acquire(&note->word, &expected, NOTE_CLEAR); /* pairs with base_note_post() */
}

static int64_t note_remaining(int64_t timeout_ns, uint64_t start)
{
    if (timeout_ns < 0)
        return -1;
    int64_t left = timeout_ns - (int64_t)(base_clock_monotonic() - start);
    return left > 0 ? left : 0;
}

int base_note_wait(base_note *note, int64_t timeout_ns)
{
    uint64_t start = timeout_ns > 0 ? base_clock_monotonic() : 0;
    int64_t left = timeout_ns;
    while (!note_take(note)) {
        uint32_t expected = NOTE_CLEAR;
        if (left == 0) {
            /* Withdraw; a failure to do so means that the post has just come. */
            expected = NOTE_SLEEPER;
            if (atomic_cas_relaxed(&note->word, &expected, NOTE_CLEAR) || expected == NOTE_CLEAR)
                return -ETIMEDOUT;
            continue;
        }
        atomic_cas_relaxed(&note->word, &expected, NOTE_SLEEPER);
        os_futex_wait(&note->word, NOTE_SLEEPER, left);
        left = note_remaining(timeout_ns, start);
    }
    return 0;
}
