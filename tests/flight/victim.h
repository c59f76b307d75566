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
    uint64_t before[VICTIM_SPAWNERS]; /* goids, for the test's own use */
    uint64_t ready;                   /* it is at work */
    uint64_t extra;                   /* goid of the extra goroutine */
    uint64_t leave;                   /* set: the main goroutine returns */
} victim_news;

typedef struct victim_plan {
    unsigned work;
    unsigned procs;
    const char *format;
    const char *variable, *path; /* WEFT_FLIGHT or WEFT_TRACE, and its value */
    void (*fn)(void *news);      /* runs on an extra goroutine; NULL: there is none */
    void (*prepare)(void);       /* called before the runtime starts; NULL: handlers of fatal
                                    signals, such as a sanitizer's, are removed */
} victim_plan;

/* Starts one. `news` is shared memory, zeroed by it. */
pid_t victim_start(victim_news *news, const victim_plan *plan);

/* Waits until it is at work. Stops the test if it ends instead. */
void victim_wait(const victim_news *news, pid_t pid);

victim_news *victim_news_new(void);

/* A random number below `limit`, from a sequence that the test's seed decides. */
unsigned victim_random(unsigned limit);

#endif
