/* SPDX-License-Identifier: MIT */
/*
 * Time in nanoseconds since base_clock_init() (the start of the process), monotonic and common to
 * all threads.
 *
 * Read from the TSC (cntvct on aarch64) where the kernel itself uses it as its clock source, scaled
 * by a multiply and a shift that are calibrated against CLOCK_MONOTONIC; else from CLOCK_MONOTONIC.
 */
#ifndef WEFT_BASE_CLOCK_H
#define WEFT_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Idempotent; run by a constructor. Takes a few milliseconds at most. */
void base_clock_init(void);

/* Nanoseconds since the start of the process, at least 1. Any thread, async-signal-safe. */
uint64_t base_clock_now(void);

/*
 * The same, twice as fast, but the counter may be read up to about 100 ns before earlier loads of
 * this thread have completed: a time taken after a message was received can be below the time taken
 * before it was sent.
 */
uint64_t base_clock_now_loose(void);

/* The same from CLOCK_MONOTONIC alone, on the same origin: for time-outs that the kernel measures.
 */
uint64_t base_clock_monotonic(void);

/* One moment on three clocks: ns as base_clock_now, CLOCK_MONOTONIC ns, CLOCK_REALTIME. */
typedef struct base_clock_snapshot {
    uint64_t now;
    uint64_t mono;
    uint64_t wall_sec;
    uint32_t wall_nsec;
} base_clock_snapshot;

/*
 * Takes a snapshot, and corrects the counter's rate against CLOCK_MONOTONIC on the way (at most
 * twice a second), so that the two stay together: to be called once a second or so by whoever
 * cares. Time never steps nor runs back by it: the correction changes the rate by at most 500 ppm,
 * from 100 ms later on. Any thread; not in signal handlers.
 */
void base_clock_snap(base_clock_snapshot *out);

/* True if the cycle counter is in use; its rate in Hz, or 0. */
bool base_clock_uses_tsc(void);
uint64_t base_clock_tsc_hz(void);

#endif
