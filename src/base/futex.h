/* SPDX-License-Identifier: MIT */
/* Sleep and wake-up of threads on a 32-bit word, and a one-shot note built on it. */
#ifndef WEFT_BASE_FUTEX_H
#define WEFT_BASE_FUTEX_H

#include <stdint.h>

/*
 * Sleeps while *word == expected, for at most timeout_ns nanoseconds (negative: no limit). May
 * return early for any reason: callers test their condition again. Returns 0, or -ETIMEDOUT when
 * the time is over.
 */
int base_futex_wait(uint32_t *word, uint32_t expected, int64_t timeout_ns);

/* Wakes at most count sleepers on word. Any thread. */
void base_futex_wake(uint32_t *word, int count);

/* A note: one thread sleeps until another posts; a post before the sleep is not lost.
 * Zero-initialised. */
typedef struct base_note {
    uint32_t word; /* atomic: 0 clear, 1 posted, 2 a sleeper is there */
} base_note;

void base_note_post(base_note *note);
/* Returns 0 when posted, -ETIMEDOUT otherwise; the note is clear again after 0. One sleeper at a
 * time. */
int base_note_wait(base_note *note, int64_t timeout_ns);

#endif
