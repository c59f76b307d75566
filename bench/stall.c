/* SPDX-License-Identifier: MIT */
/*
 * stall: the worst delay of a 1 ms ticker, in ms, while every one of two Ps is hogged for 300 ms:
 * by a loop that only computes (computing), and by a system call that weft was not told of
 * (blocking).
 */
#include <stdio.h>
#include <time.h>
#include <weft/weft.h>

enum { PROCS = 2 };
static const int64_t HOGGED = 300 * WEFT_MILLISECOND;

static int left;

static void compute(void *arg)
{
    (void)arg;
    int64_t end = weft_now() + HOGGED;
    struct timespec ts;
    do /* the clock is read without weft, so that nothing notices */
        clock_gettime(CLOCK_MONOTONIC, &ts);
    while (weft_now() < end);
    __atomic_sub_fetch(&left, 1, __ATOMIC_RELEASE);
}

static void block(void *arg)
{
    (void)arg;
    struct timespec ts = {.tv_nsec = (long)HOGGED};
    nanosleep(&ts, NULL);
    __atomic_sub_fetch(&left, 1, __ATOMIC_RELEASE);
}

static void measure(const char *name, void (*hog)(void *))
{
    int64_t worst = 0;
    left = PROCS;
    for (int i = 0; i < PROCS; i++)
        if (weft_go(hog, NULL) < 0)
            return;
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE)) {
        int64_t begin = weft_now();
        weft_sleep(WEFT_MILLISECOND);
        int64_t late = weft_now() - begin - WEFT_MILLISECOND;
        worst = late > worst ? late : worst;
    }
    printf("stall/%s %.4g ms\n", name, (double)worst / 1e6);
}

static int run(void *arg)
{
    (void)arg;
    measure("computing", compute);
    measure("blocking", block);
    return 0;
}

int main(void)
{
    return weft_run(&(weft_options){.size = sizeof(weft_options), .procs = PROCS}, run, NULL);
}
