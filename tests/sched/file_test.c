/* SPDX-License-Identifier: MIT */
/* Files and pipes: what is written is read, errors are named, others run meanwhile. */
#include "sched/support.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weft/file.h"

static char folder[] = "/tmp/weft-test-XXXXXX", path[64];

static void make_folder(void)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/file", folder);
}

static void remove_folder(void)
{
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(rmdir(folder), 0);
}

static void expect(int fd, int64_t offset, const char *text)
{
    char data[32] = "";
    CHECK_EQ(weft_file_pread(fd, data, sizeof data, offset), strlen(text));
    CHECK(strcmp(data, text) == 0);
}

static void use_file(void)
{
    char data[8];
    make_folder();
    int fd = weft_file_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(weft_file_write(fd, "abcdef", 6), 6);
    CHECK_EQ(weft_file_pwrite(fd, "XY", 2, 2), 2);
    CHECK_EQ(weft_file_write(fd, "g", 1), 1); /* pwrite did not move it */
    CHECK_EQ(weft_file_read(fd, data, sizeof data), 0);
    CHECK_EQ(weft_file_sync(fd), 0);
    expect(fd, 0, "abXYefg");
    expect(fd, 5, "fg");
    expect(fd, 100, "");
    CHECK_EQ(weft_file_close(fd), 0);
    CHECK_EQ(weft_file_open(path, O_RDWR | O_CREAT | O_EXCL, 0600), -EEXIST);
    fd = weft_file_open(path, O_RDONLY, 0);
    CHECK_EQ(weft_file_read(fd, data, 3), 3);
    CHECK(memcmp(data, "abX", 3) == 0);
    CHECK_EQ(weft_file_write(fd, "x", 1), -EBADF);
    CHECK_EQ(weft_file_close(fd), 0);
    remove_folder();
}

static void file_has_what_was_written(void)
{
    use_file();
}

static void mistakes_are_named(void)
{
    char byte;
    make_folder();
    CHECK_EQ(weft_file_open(path, O_RDONLY, 0), -ENOENT);
    int fd = weft_file_open(path, O_RDWR | O_CREAT, 0600);
    CHECK_EQ(weft_file_pread(fd, &byte, 1, -1), -EINVAL);
    CHECK_EQ(weft_file_pwrite(fd, &byte, 1, -1), -EINVAL);
    CHECK_EQ(weft_file_pread(fd, &byte, 1, INT64_MIN), -EINVAL);
    CHECK_EQ(weft_file_close(fd), 0);
    CHECK_EQ(weft_file_close(fd), -EBADF);
    CHECK_EQ(weft_file_read(-1, &byte, 1), -EBADF);
    CHECK_EQ(weft_file_sync(-1), -EBADF);
    remove_folder();
}

/* The read of a FIFO occupies its thread until this goroutine, on the only P, has written. */
static void read_fifo(void *arg)
{
    char byte;
    int fd = weft_file_open(path, O_RDONLY, 0);
    CHECK_EQ(weft_file_read(fd, &byte, 1), 1);
    CHECK_EQ(weft_file_close(fd), 0);
    weft_waitgroup_done(arg);
}

static void others_run_while_a_call_blocks(void)
{
    weft_waitgroup group = {0};
    make_folder();
    CHECK_EQ(mkfifo(path, 0600), 0);
    weft_waitgroup_add(&group, 1);
    go(read_fifo, &group);
    int fd = weft_file_open(path, O_WRONLY, 0);
    weft_sleep(WEFT_MILLISECOND);
    CHECK_EQ(weft_file_write(fd, "x", 1), 1);
    weft_waitgroup_wait(&group);
    CHECK_EQ(weft_file_close(fd), 0);
    remove_folder();
}

static void pipe_connects_its_ends(void)
{
    weft_conn *ends[2];
    char data[4];
    CHECK_EQ(weft_pipe(ends), 0);
    CHECK_EQ(weft_conn_write(ends[1], "ab", 2), 2);
    CHECK_EQ(weft_conn_read(ends[0], data, sizeof data), 2);
    weft_conn_close(ends[1]);
    CHECK_EQ(weft_conn_read(ends[0], data, sizeof data), 0);
    weft_conn_close(ends[0]);
}

static void test_thread_without_a_runtime_uses_files(void **state)
{
    weft_conn *ends[2];
    (void)state;
    use_file();
    CHECK_EQ(weft_pipe(ends), -EPERM);
}

ON_ALL_PROCS(file_has_what_was_written)
ON_ALL_PROCS(mistakes_are_named)
ON_ALL_PROCS(others_run_while_a_call_blocks)
ON_ALL_PROCS(pipe_connects_its_ends)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(file_has_what_was_written),           TEST(mistakes_are_named),
        TEST(others_run_while_a_call_blocks),      TEST(pipe_connects_its_ends),
        TEST(thread_without_a_runtime_uses_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
