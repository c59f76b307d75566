/* SPDX-License-Identifier: MIT */
/* A process that runs weft until it is killed, and tells through shared memory what it did last. */
#ifndef WEFT_TESTS_FLIGHT_VICTIM_H
#define WEFT_TESTS_FLIGHT_VICTIM_H

#include <stdint.h>
#include <sys/types.h>

#define VICTIM_SPAWNERS 2

/* What it does, besides making goroutines that end at once, all the time. */
enum {
    VICTIM_ADVANCES = 1, /* generations end all the time */
    VICTIM_RESIZES = 2,  /* the number of Ps changes */
    VICTIM_BLOCKS = 4,   /* goroutines block outside the runtime, with and without saying so */
    VICTIM_SLEEPS = 8,   /* goroutines sleep, wait, and pass messages */
    VICTIM_ALL = 15
};

typedef struct victim_news {
    struct {
        uint64_t goid;       /* of a goroutine that has started running */
        uint64_t generation; /* in this one or a later one */
    } started[VICTIM_SPAWNERS];
    uint64_t ready; /* it is at work */
} victim_news;

/* Starts one with that environment: WEFT_FLIGHT=flight, WEFT_PROCS=procs, WEFT_TRACE_FORMAT=format.
 * `news` is shared memory, zeroed by it. fn, where given, runs on a goroutine of it meanwhile. */
pid_t victim_start(victim_news *news, unsigned work, const char *flight, unsigned procs,
                   const char *format, void (*fn)(void *arg));

victim_news *victim_news_new(void);

/* A random number below `limit`, from a sequence that the test's seed decides. */
unsigned victim_random(unsigned limit);

#endif
