/* SPDX-License-Identifier: MIT */
/* Very many goroutines: parked on a channel, woken, ended; and the memory that one of them holds
 * meanwhile. */
#include "sched/limits.h"
#include "sched/on_runtime.h"

#include <unistd.h>

static uint32_t finished;
static size_t bytes_each;

static void park(void *arg)
{
    check(weft_chan_recv(arg, NULL) == 0);
    __atomic_add_fetch(&finished, 1, __ATOMIC_RELEASE);
}

static size_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t total, resident;
    check(file && fscanf(file, "%zu %zu", &total, &resident) == 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void reach(uint32_t n)
{
    while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < n)
        weft_yield();
}

static int park_many(void *arg)
{
    uint32_t n = *(uint32_t *)arg;
    weft_chan *chan = weft_chan_new(0, 0);
    finished = 0;
    size_t before = resident_bytes();
    for (uint32_t i = 0; i < n; i++) {
        check(weft_go(park, chan) == 0);
        if (i % 64 == 0)
            weft_yield();
    }
    for (int i = 0; i < 100; i++)
        weft_yield();
    bytes_each = (resident_bytes() - before) / n;
    for (uint32_t i = 0; i < n; i++)
        check(weft_chan_send(chan, NULL) == 0);
    reach(n);
    weft_chan_free(chan);
    return 0;
}

static void a_parked_goroutine_holds_little_memory(void **state)
{
    (void)state;
    uint32_t n = goroutines_at_most(100000);
#if defined(TEST_TSAN) || defined(TEST_ASAN)
    n = 2000; /* ThreadSanitizer knows some 8,000 fibers; the figure is that of the sanitizer anyway
               */
#endif
    for (unsigned procs = 1; procs <= 4; procs *= 4) {
        assert_int_equal(run_with_procs(procs, park_many, &n), 0);
        printf("%u goroutines parked at %u Ps: %zu bytes each\n", n, procs, bytes_each);
#if !defined(TEST_TSAN) && !defined(TEST_ASAN)
        if (!getenv("WEFT_EMULATED")) /* an emulator's own records count as resident, too */
            assert_in_range(bytes_each, 0, 4710); /* 4.6 KiB */
#endif
    }
}

static void close_wakes_all_of_them_body(weft_chan *chan, uint32_t n)
{
    weft_chan_close(chan);
    reach(n);
}

static void park_until_closed(void *arg)
{
    check(weft_chan_recv(arg, NULL) == -EPIPE);
    __atomic_add_fetch(&finished, 1, __ATOMIC_RELEASE);
}

static int close_body(void *arg)
{
    uint32_t n = *(uint32_t *)arg;
    for (int round = 0; round < 3; round++) {
        weft_chan *chan = weft_chan_new(0, 0);
        finished = 0;
        for (uint32_t i = 0; i < n; i++)
            check(weft_go(park_until_closed, chan) == 0);
        weft_yield();
        close_wakes_all_of_them_body(chan, n);
        weft_chan_free(chan);
    }
    return 0;
}

static void close_wakes_all_of_them(void **state)
{
    (void)state;
    uint32_t n = ROUNDS(20000);
    for (unsigned procs = 1; procs <= 4; procs *= 4)
        assert_int_equal(run_with_procs(procs, close_body, &n), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parked_goroutine_holds_little_memory),
        cmocka_unit_test(close_wakes_all_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
