/* SPDX-License-Identifier: MIT */
/* A million goroutines in one process, each with a guard page; and the number at which a kernel
 * ends that makes guard pages of mappings. */
#include "sched/on_runtime.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/death.h"
#include "base/os.h"
#include "base/pages.h"
#include "sched/refuse.h"
#include "sched/sched.h"

enum { MILLION = 1000000, MIB_NEEDED = 8000, ADVICE_GUARD = 102 };

static uint32_t parked, finished, unguarded;

static size_t status_kib(const char *path, const char *name)
{
    char line[256];
    size_t kib = 0;
    FILE *file = fopen(path, "r");
    check(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtoul(line + strlen(name), NULL, 10);
    fclose(file);
    return kib;
}

static long mappings(void)
{
    long lines = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    check(file);
    for (int c; (c = getc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}

/* Some of them make sure that the page below their stack is not to be written. */
static void park(void *gate)
{
    uint32_t n = __atomic_add_fetch(&parked, 1, __ATOMIC_RELAXED);
    if (n % 10000 == 0 && !os_page_refuses_write((char *)m_self()->g->stack_low - base_page_size()))
        __atomic_add_fetch(&unguarded, 1, __ATOMIC_RELAXED);
    check(weft_chan_recv(gate, NULL) == -EPIPE);
    __atomic_add_fetch(&finished, 1, __ATOMIC_RELEASE);
}

static void await(const uint32_t *count, uint32_t n)
{
    while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < n)
        weft_sleep(WEFT_MILLISECOND);
}

static uint32_t start_until_refused(weft_chan *gate, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        int error = weft_go(park, gate);
        if (error) {
            check(error == -ENOMEM);
            return i;
        }
    }
    return n;
}

static void end_all(weft_chan *gate, uint32_t n)
{
    weft_chan_close(gate);
    await(&finished, n);
    weft_chan_free(gate);
    finished = parked = 0;
}

static int a_million(void *arg)
{
    (void)arg;
    weft_chan *gate = weft_chan_new(0, 0);
    size_t before = status_kib("/proc/self/status", "VmRSS:");
    int64_t begin = weft_now();
    check(start_until_refused(gate, MILLION) == MILLION);
    await(&parked, MILLION);
    int64_t started = weft_now();
    size_t each = (status_kib("/proc/self/status", "VmRSS:") - before) * 1024 / MILLION;
    long maps = mappings();
    end_all(gate, MILLION);
    printf("%d goroutines: %zu bytes each, %ld mappings, started in %ld ms, woken and ended in %ld "
           "ms\n",
           MILLION, each, maps, (long)((started - begin) / WEFT_MILLISECOND),
           (long)((weft_now() - started) / WEFT_MILLISECOND));
    check(each < 4710);
    check(maps < 1000);
    check(unguarded == 0);
    return 0;
}

static void a_million_park_and_end(void **state)
{
    (void)state;
#if defined(TEST_TSAN) || defined(TEST_ASAN)
    skip(); /* a sanitizer's own records are larger */
#endif
    if (strcmp(base_guard_kind(), "madvise") != 0 ||
        status_kib("/proc/meminfo", "MemAvailable:") < MIB_NEEDED * 1024ul) {
        fprintf(stderr, "a million goroutines: SKIPPED: needs Linux 6.13 and %d MiB\n", MIB_NEEDED);
        skip();
    }
    assert_int_equal(run_with_procs(2, a_million, NULL), 0);
    assert_in_range(status_kib("/proc/self/status", "VmRSS:"), 0, 512 * 1024);
}

/* ---- Without guard markers ---- */

static void occupy_a_thread(void *gate)
{
    weft_blocking_enter();
    usleep(50 * 1000);
    weft_blocking_exit();
    check(weft_chan_recv(gate, NULL) == -EPIPE);
    __atomic_add_fetch(&finished, 1, __ATOMIC_RELEASE);
}

/* Threads need mappings, too: more than will be wanted are there before. */
static void start_threads(void)
{
    enum { THREADS = 8 };
    weft_chan *gate = weft_chan_new(0, 0);
    for (int i = 0; i < THREADS; i++)
        check(weft_go(occupy_a_thread, gate) == 0);
    end_all(gate, THREADS);
}

static int as_many_as_there_are_mappings(void *arg)
{
    (void)arg;
    check(strcmp(base_guard_kind(), "mprotect") == 0);
    start_threads();
    weft_chan *gate = weft_chan_new(0, 0);
    uint32_t n = start_until_refused(gate, 200000);
    check(n > 1000 && n < 200000);
    end_all(gate, n);
    gate = weft_chan_new(0, 0);
    check(start_until_refused(gate, 1000) == 1000); /* they are there for others */
    end_all(gate, 1000);
    return 0;
}

static void run_old_kernel(void *arg)
{
    (void)arg;
    refuse((struct refusal){SYS_madvise, EINVAL, 2, ~0u, ADVICE_GUARD});
    if (run_with_procs(2, as_many_as_there_are_mappings, NULL) != 0)
        abort();
}

static void the_limit_of_mappings_is_an_error(void **state)
{
    (void)state;
#if defined(TEST_TSAN) || defined(TEST_ASAN)
    skip(); /* they need mappings themselves, or have a limit of their own */
#endif
    death d = death_of(run_old_kernel, NULL);
    if (d.status != 0)
        fail_msg("status %d: %s", d.status, d.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_of_mappings_is_an_error),
        cmocka_unit_test(a_million_park_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
