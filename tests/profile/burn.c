/* SPDX-License-Identifier: MIT */
#include "profile/burn.h"

#include <time.h>

/* Four of them are no multiple of a tick of the kernel's (1, 4, 10 ms), at which samples are taken:
 * else who burns one unit and then three is always sampled in the same places. */
#define UNIT_NS 2300000

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ThreadSanitizer keeps signals until a call that it knows. */
static void let_signals_in(void)
{
#ifdef TEST_TSAN
    const struct timespec none = {0, 0};
    nanosleep(&none, NULL);
#endif
}

/* Expanded in each, so that their own code is what runs. */
#define BURN(units)                                                                                \
    volatile unsigned sum = 0;                                                                     \
    for (unsigned unit = 0; unit < (units); unit++) {                                              \
        uint64_t until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + UNIT_NS;                              \
        do                                                                                         \
            for (unsigned i = 0; i < 100000; i++)                                                  \
                sum += i ^ unit;                                                                   \
        while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until);                                         \
        let_signals_in();                                                                          \
    }                                                                                              \
    (void)sum;

__attribute__((noinline)) void burn_a(unsigned units)
{
    BURN(units)
}

__attribute__((noinline)) void burn_b(unsigned units)
{
    BURN(units)
}

__attribute__((noinline)) void burn_deep(unsigned depth)
{
    if (depth > 0) {
        burn_deep(depth - 1);
        __asm__ __volatile__(""); /* no tail call */
    } else {
        burn_a(1);
    }
}

uint64_t burn_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

const char *burn_path(const char *name)
{
    static char path[512];
    const char *folder = getenv("WEFT_TRACE_DIR");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : ".", name);
    return path;
}

/* ---- Samples of a trace ---- */

static burn_sample describe(const weft_reader *reader, const weft_event *event)
{
    burn_sample sample = {.m = event->m, .p = event->p, .g = event->g};
    sample.depth = weft_reader_stack_depth(reader, event->stack);
    for (size_t i = 0; i < sample.depth; i++) {
        weft_frame frame;
        check(weft_reader_stack_frame(reader, event->stack, i, &frame) == 0);
        weft_text name = weft_reader_string(reader, frame.function);
        sample.a |= name.size == 6 && memcmp(name.data, "burn_a", 6) == 0;
        sample.b |= name.size == 6 && memcmp(name.data, "burn_b", 6) == 0;
    }
    return sample;
}

uint64_t burn_samples(const char *path, void (*seen)(void *arg, const burn_sample *sample),
                      void *arg)
{
    weft_reader *reader;
    weft_event event;
    uint64_t count = 0;
    int status;
    check(weft_reader_open_path(&reader, path) == 0);
    while ((status = weft_reader_next(reader, &event)) == 1) {
        if (event.kind != WEFT_EVENT_STACK_SAMPLE)
            continue;
        burn_sample sample = describe(reader, &event);
        count++;
        if (seen)
            seen(arg, &sample);
    }
    if (status < 0)
        fprintf(stderr, "%s: %s\n", path, weft_reader_error_get(reader)->message);
    check(status == 0);
    weft_reader_free(reader);
    return count;
}
