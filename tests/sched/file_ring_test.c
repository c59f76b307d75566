/* SPDX-License-Identifier: MIT */
/* Files through the kernel's rings and through threads, as WEFT_FILES says: the same results, with
 * and without the page cache, at the end of the runtime, and where the kernel refuses. */
#define _GNU_SOURCE
#include "sched/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/os_ring.h"
#include "sched/refuse.h"
#include "weft/file.h"

enum { BLOCK = 4096, STRIPE = 16, WRITERS = 32 };

static bool kernel_has_rings(void)
{
    os_ring ring;
    if (os_ring_init(&ring) != 0)
        return false;
    os_ring_fini(&ring);
    return true;
}

static const char *const ways[] = {"threads", "uring"};

/* Each body runs in both ways; the second one only where there is one. */
static void in_both_ways(void (*body)(void))
{
    for (int i = 0; i < 2; i++) {
        if (i == 1 && !kernel_has_rings()) {
            fprintf(stderr, "io_uring: SKIPPED: this kernel has none\n");
            continue;
        }
        setenv("WEFT_FILES", ways[i], 1);
        run_everywhere(body);
    }
    unsetenv("WEFT_FILES");
}

#define IN_BOTH_WAYS(name)                                                                         \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        in_both_ways(name);                                                                        \
    }

static int descriptors(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

/* ---- Contents ---- */

static int file;
static weft_waitgroup group;

static void fill(unsigned char *data, unsigned seed)
{
    for (size_t i = 0; i < BLOCK; i++)
        data[i] = (unsigned char)(seed * 7 + i * 13 + (i >> 8));
}

/* Writes blocks of its own stripe and reads them again. */
static void use_stripe(void *arg)
{
    unsigned char *wrote = aligned_alloc(BLOCK, BLOCK), *read = aligned_alloc(BLOCK, BLOCK);
    unsigned stripe = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < ROUNDS(60); i++) {
        int64_t at = (int64_t)(stripe * STRIPE + i % STRIPE) * BLOCK;
        fill(wrote, stripe * 100 + i);
        CHECK_EQ(weft_file_pwrite(file, wrote, BLOCK, at), BLOCK);
        if (i % 4 == 0)
            (void)posix_fadvise(file, at, BLOCK, POSIX_FADV_DONTNEED);
        CHECK_EQ(weft_file_pread(file, read, BLOCK, at), BLOCK);
        CHECK(memcmp(wrote, read, BLOCK) == 0);
    }
    free(wrote);
    free(read);
    weft_waitgroup_done(&group);
}

static void use_file(int flags)
{
    char path[] = "/var/tmp/weft-ring-XXXXXX";
    file = mkostemp(path, flags);
    if (file < 0) { /* O_DIRECT is not for every file system */
        CHECK_EQ(errno, EINVAL);
        return;
    }
    unlink(path);
    weft_waitgroup_add(&group, WRITERS);
    for (uintptr_t i = 0; i < WRITERS; i++)
        go(use_stripe, (void *)i);
    weft_waitgroup_wait(&group);
    CHECK_EQ(weft_file_sync(file), 0);
    CHECK_EQ(weft_file_close(file), 0);
}

static void many_use_one_file(void)
{
    use_file(0);
}

static void many_use_one_file_around_memory(void)
{
    use_file(O_DIRECT);
}

/* What is half in memory is read whole, and the place where the file stands moves by all of it. */
static void a_large_read_is_whole(void)
{
    enum { SIZE = 64 * BLOCK };
    char path[] = "/var/tmp/weft-ring-XXXXXX";
    unsigned char *data = malloc(SIZE), *again = malloc(SIZE);
    int fd = mkstemp(path);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * 31 + (i >> 10));
    CHECK_EQ(weft_file_write(fd, data, SIZE), SIZE);
    CHECK_EQ(weft_file_sync(fd), 0);
    (void)posix_fadvise(fd, SIZE / 2, SIZE, POSIX_FADV_DONTNEED);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(weft_file_read(fd, again, SIZE), SIZE);
    CHECK(memcmp(data, again, SIZE) == 0);
    CHECK_EQ(weft_file_read(fd, again, SIZE), 0);
    CHECK_EQ(weft_file_pread(fd, again, SIZE, SIZE - 10), 10);
    CHECK_EQ(weft_file_close(fd), 0);
    unlink(path);
    free(data);
    free(again);
}

IN_BOTH_WAYS(many_use_one_file)
IN_BOTH_WAYS(many_use_one_file_around_memory)
IN_BOTH_WAYS(a_large_read_is_whole)

/* ---- Waiting ---- */

enum { READERS = 60 };

static int fifo_ends[2];

static void read_byte(void *arg)
{
    char byte;
    (void)arg;
    CHECK_EQ(weft_file_read(fifo_ends[0], &byte, 1), 1);
    weft_waitgroup_done(&group);
}

static uint64_t threads_of_waiting_readers(void)
{
    weft_stats stats = {.size = sizeof stats};
    char bytes[READERS] = "";
    CHECK_EQ(pipe(fifo_ends), 0);
    weft_waitgroup_add(&group, READERS);
    for (int i = 0; i < READERS; i++)
        go(read_byte, NULL);
    do {
        weft_sleep(WEFT_MILLISECOND);
        weft_stats_get(&stats);
    } while (stats.waiting + stats.blocked < READERS);
    CHECK_EQ(weft_file_write(fifo_ends[1], bytes, READERS), READERS);
    weft_waitgroup_wait(&group);
    close(fifo_ends[0]);
    close(fifo_ends[1]);
    return stats.threads;
}

static void many_wait(void)
{
    uint64_t threads = threads_of_waiting_readers();
    if (strcmp(getenv("WEFT_FILES"), "uring") == 0)
        CHECK(threads < READERS / 2);
    else
        CHECK(threads >= READERS);
}

IN_BOTH_WAYS(many_wait)

static void leave_a_reader_behind(void)
{
    weft_waitgroup_add(&group, 1);
    go(read_byte, NULL);
    weft_sleep(WEFT_MILLISECOND);
}

/* By threads such a reader stays in its call. */
static void the_end_takes_waiting_reads_back(void **state)
{
    (void)state;
    if (!kernel_has_rings())
        skip();
    setenv("WEFT_FILES", "uring", 1);
    assert_int_equal(pipe(fifo_ends), 0);
    int before = descriptors();
    for (int i = 0; i < 20; i++) {
        group = (weft_waitgroup){0};
        run_on(2, leave_a_reader_behind);
    }
    assert_int_equal(descriptors(), before);
    char byte = 'x';
    assert_int_equal(write(fifo_ends[1], &byte, 1), 1);
    assert_int_equal(read(fifo_ends[0], &byte, 1), 1); /* nobody else took it */
    close(fifo_ends[0]);
    close(fifo_ends[1]);
    group = (weft_waitgroup){0};
    unsetenv("WEFT_FILES");
}

/* ---- Refusals ---- */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void refused(void *arg)
{
    refuse((struct refusal){.call = SYS_io_uring_setup, .error = *(int *)arg});
    run_on(2, many_use_one_file_around_memory);
    setenv("WEFT_FILES", "uring", 1);
    CHECK_EQ(weft_run(NULL, nothing, NULL), -*(int *)arg);
}

static void without_rings_threads_wait(void **state)
{
    static const int errors[] = {ENOSYS, EPERM};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        int error = errors[i];
        death d = death_of(refused, &error);
        if (d.status != 0)
            fail_msg("status %d: %s", d.status, d.text);
        assert_non_null(strstr(d.text, "WEFT_FILES=uring: the kernel refuses: "));
    }
}

static void another_word_is_an_error(void **state)
{
    (void)state;
    setenv("WEFT_FILES", "tape", 1);
    assert_int_equal(weft_run(NULL, nothing, NULL), -EINVAL);
    unsetenv("WEFT_FILES");
}

int main(int argc, char **argv)
{
    choose_tests(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_rings_threads_wait), /* first: its children start threads */
        cmocka_unit_test(another_word_is_an_error),
        TEST(many_use_one_file),
        TEST(many_use_one_file_around_memory),
        TEST(a_large_read_is_whole),
        TEST(many_wait),
        cmocka_unit_test(the_end_takes_waiting_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
