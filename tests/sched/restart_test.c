/* SPDX-License-Identifier: MIT */
/*
 * The runtime started and stopped many times in one process: nothing stays behind. What a cycle
 * leaves is seen in the resident memory, the mappings, the descriptors and the threads; those of
 * the first cycles are allowed, as pools and caches fill.
 */
#include "sched/support.h"

#include <dirent.h>
#include <unistd.h>

enum { CYCLES = 10000, WARM_UP = 200 };

/* ---- What the process has ---- */

struct holdings {
    long pages; /* resident */
    long mappings, descriptors, threads;
};

static long entries_of(const char *path)
{
    long n = 0;
    DIR *dir = opendir(path);
    CHECK(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static long lines_of(const char *path)
{
    long n = 0;
    FILE *file = fopen(path, "r");
    CHECK(file);
    for (int c; (c = fgetc(file)) != EOF;)
        n += c == '\n';
    fclose(file);
    return n;
}

static long resident_pages(void)
{
    long size, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file);
    CHECK_EQ(fscanf(file, "%ld %ld", &size, &resident), 2);
    fclose(file);
    return resident;
}

static struct holdings holdings_now(void)
{
    return (struct holdings){
        .pages = resident_pages(),
        .mappings = lines_of("/proc/self/maps"),
        .descriptors = entries_of("/proc/self/fd"),
        .threads = entries_of("/proc/self/task"),
    };
}

/* A page for every 10 cycles would be a leak of 400 bytes a cycle. A sanitizer's own memory grows
 * for a while: there the other figures count. */
static void check_no_growth(const struct holdings *before, int cycles)
{
    struct holdings now = holdings_now();
    fprintf(stderr, "%d cycles: %ld -> %ld pages, %ld -> %ld mappings\n", cycles, before->pages,
            now.pages, before->mappings, now.mappings);
    CHECK_EQ(now.descriptors, before->descriptors);
    CHECK(now.threads <= before->threads);
#if !defined(BASE_TSAN) && !defined(__SANITIZE_ADDRESS__)
    CHECK(now.mappings <= before->mappings + 8);
    CHECK(now.pages <= before->pages + cycles / 10 + 64);
#else
    (void)cycles;
#endif
}

/* ---- What a cycle does ---- */

static void pass_on(void *arg)
{
    weft_chan **ends = arg;
    int n;
    if (weft_chan_recv(ends[0], &n) == 0)
        weft_chan_send(ends[1], &n);
}

/* Goroutines, channels, a timer, the poller. */
static void work_a_little(void)
{
    int n = 7;
    weft_listener *listener;
    weft_chan *ends[2] = {weft_chan_new(sizeof n, 0), weft_chan_new(sizeof n, 1)};
    go(pass_on, ends);
    CHECK_EQ(weft_chan_send(ends[0], &n), 0);
    CHECK_EQ(weft_chan_recv(ends[1], &n), 0);
    CHECK_EQ(weft_chan_recv_until(ends[1], &n, weft_now() + 1000), -ETIMEDOUT);
    CHECK_EQ(weft_tcp_listen("127.0.0.1:0", &listener), 0);
    weft_listener_close(listener);
    weft_chan_free(ends[0]);
    weft_chan_free(ends[1]);
}

static void wait_for_ever(void *arg)
{
    weft_chan_recv(arg, NULL);
}

/* Goroutines that wait when the runtime ends: their stacks are freed all the same. */
static void leave_waiters(void)
{
    for (int i = 0; i < 10; i++)
        go(wait_for_ever, NULL);
    weft_yield();
}

static void cycle_without_growth(void (*fn)(void), int cycles)
{
    for (int i = 0; i < WARM_UP; i++)
        run_on(2, fn);
    struct holdings before = holdings_now();
    for (int i = 0; i < cycles; i++)
        run_on(2, fn);
    check_no_growth(&before, cycles);
}

static void test_ten_thousand_cycles_leave_nothing(void **state)
{
    (void)state;
    cycle_without_growth(work_a_little, ROUNDS(CYCLES));
}

static void test_goroutines_that_wait_at_the_end_leave_nothing(void **state)
{
    (void)state;
    cycle_without_growth(leave_waiters, ROUNDS(CYCLES / 10));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(ten_thousand_cycles_leave_nothing),
        TEST(goroutines_that_wait_at_the_end_leave_nothing),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
