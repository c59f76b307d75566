/* SPDX-License-Identifier: MIT */
/*
 * Flight files that are damaged, cut off, still in use, or none at all: a clear error, or a trace
 * that is valid, and never a crash.
 */
#include "base/cmocka_all.h"
#include "base/atomic.h"
#include "flight/victim.h"
#include "wire/flight_layout.h"

#include <weft/reader.h>
#include <weft/recover.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DAMAGES = 120, CUTS = 20 };

typedef struct output {
    uint8_t *bytes;
    size_t size, at;
} output;

static char flight[256];
static victim_news *news;
static wire_flight_head head;
static wire_flight_chunk *directory;
static int fd;

static int take(void *context, const void *data, size_t size)
{
    output *out = context;
    out->bytes = realloc(out->bytes, out->size + size);
    if (!out->bytes)
        return -ENOMEM;
    memcpy(out->bytes + out->size, data, size);
    out->size += size;
    return 0;
}

static ptrdiff_t give(void *context, void *data, size_t size)
{
    output *out = context;
    size = size < out->size - out->at ? size : out->size - out->at;
    memcpy(data, out->bytes + out->at, size);
    out->at += size;
    return (ptrdiff_t)size;
}

static void assert_valid(output *out)
{
    weft_reader *reader;
    weft_validator *validator;
    weft_event event;
    int status;
    assert_int_equal(weft_reader_open_callback(&reader, give, out), 0);
    assert_int_equal(weft_validator_new(&validator, reader), 0);
    while ((status = weft_reader_next(reader, &event)) == 1)
        assert_int_equal(weft_validator_event(validator, &event, NULL), 0);
    assert_int_equal(status, 0);
    weft_validator_free(validator);
    weft_reader_free(reader);
}

/* Whatever the file is: an explained error, or a valid trace. */
static int recover(const char *path, weft_recovery *recovery)
{
    output out = {.bytes = NULL};
    *recovery = (weft_recovery){.size = sizeof *recovery};
    int status = weft_recover(path, take, &out, recovery);
    if (status < 0)
        assert_true(recovery->message[0] && out.size == 0);
    else
        assert_valid(&out);
    free(out.bytes);
    return status;
}

static void assert_fails(const char *path, int status, const char *message)
{
    weft_recovery recovery;
    assert_int_equal(recover(path, &recovery), status);
    if (!strstr(recovery.message, message))
        fail_msg("%s: \"%s\" does not say \"%s\"", path, recovery.message, message);
}

static const char *write_file(const char *name, const void *data, size_t size)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", getenv("WEFT_TRACE_DIR"), name);
    FILE *file = fopen(path, "wb");
    assert_true(file && fwrite(data, 1, size, file) == size);
    fclose(file);
    return path;
}

/* ---- A file to be damaged ---- */

static int set_up(void **state)
{
    (void)state;
    snprintf(flight, sizeof flight, "%s/flight", getenv("WEFT_TRACE_DIR"));
    news = victim_news_new();
    pid_t pid = victim_start(news, &(victim_plan){.work = VICTIM_ALL & ~VICTIM_ADVANCES,
                                                  .procs = 2,
                                                  .format = "1.26",
                                                  .variable = "WEFT_FLIGHT",
                                                  .path = flight});
    victim_wait(news, pid);
    while (atomic_load_acquire(&news->started[0].goid) < 5000)
        usleep(200);
    weft_recovery recovery;
    assert_int_equal(recover(flight, &recovery), -EBUSY);
    assert_non_null(strstr(recovery.message, "alive"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    fd = open(flight, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && pread(fd, &head, sizeof head, 0) == (ssize_t)sizeof head);
    directory = malloc(head.chunks * sizeof *directory);
    assert_true(pread(fd, directory, head.chunks * sizeof *directory, (off_t)head.directory_at) >
                0);
    return recover(flight, &recovery);
}

static int tear_down(void **state)
{
    (void)state;
    free(directory);
    close(fd);
    return unlink(flight);
}

/* Somewhere in the lists, or in a chunk that is used. */
static uint64_t choose_place(void)
{
    switch (victim_random(8)) {
    case 0:
        return victim_random(sizeof head);
    case 1:
        return head.generations_at + victim_random(64);
    case 2:
        return head.directory_at + victim_random(1024);
    case 3:
        return head.modules_at[head.modules - 1] + victim_random(1024);
    default:
        break;
    }
    unsigned i = victim_random((unsigned)head.chunks);
    while (directory[i].kind == WIRE_FLIGHT_FREE)
        i = (i + 1) % (unsigned)head.chunks;
    return head.chunks_at + i * head.chunk_size + victim_random(victim_random(2) ? 64 : 65536);
}

/* ---- Tests ---- */

static void bytes_changed_anywhere(void **state)
{
    (void)state;
    unsigned whole = 0, cut = 0, failed = 0;
    for (unsigned i = 0; i < DAMAGES; i++) {
        uint64_t place = choose_place(), old, wrong;
        weft_recovery recovery;
        assert_int_equal(pread(fd, &old, sizeof old, (off_t)place), sizeof old);
        wrong = old ^ (uint64_t)(1 + victim_random(255)) << 8 * victim_random(8);
        assert_int_equal(pwrite(fd, &wrong, sizeof wrong, (off_t)place), sizeof wrong);
        int status = recover(flight, &recovery);
        assert_int_equal(pwrite(fd, &old, sizeof old, (off_t)place), sizeof old);
        failed += status < 0;
        cut += status == 0 && recovery.dropped_events > 0;
        whole += status == 0 && recovery.dropped_events == 0;
    }
    print_message("of %u damaged files %u gave a whole trace, %u a part, %u none\n", DAMAGES, whole,
                  cut, failed);
    assert_true(whole > 0 && failed > 0);
}

/* The offset of the middle of what is written in the fullest buffer. */
static off_t middle_of_events(void)
{
    uint64_t most = 0, middle = 0;
    for (unsigned i = 0; i < head.chunks; i++) {
        wire_flight_buffer buffer;
        uint64_t at = head.chunks_at + i * head.chunk_size;
        assert_int_equal(pread(fd, &buffer, sizeof buffer, (off_t)at), sizeof buffer);
        uint64_t used = buffer.at - (head.address + i * head.chunk_size);
        if (directory[i].kind != WIRE_FLIGHT_BATCHES || used <= most || used > head.chunk_size)
            continue;
        most = used;
        middle = at + used / 2;
    }
    assert_true(middle > 0);
    return (off_t)middle;
}

/* One thread's events are nonsense from there on: it cannot be ordered, nor can what depends on it.
 */
static void an_event_out_of_order_ends_the_trace_there(void **state)
{
    (void)state;
    weft_recovery before, after;
    uint64_t old, wrong = UINT64_MAX;
    off_t place = middle_of_events();
    assert_int_equal(recover(flight, &before), 0);
    assert_int_equal(before.dropped_events, 0);
    assert_int_equal(pread(fd, &old, sizeof old, place), sizeof old);
    assert_int_equal(pwrite(fd, &wrong, sizeof wrong, place), sizeof wrong);
    int status = recover(flight, &after);
    assert_int_equal(pwrite(fd, &old, sizeof old, place), sizeof old);
    assert_int_equal(status, 0);
    assert_true(after.dropped_events > 0 && after.message[0]);
    assert_true(after.events > 0 && after.events < before.events);
}

static void cut_off_anywhere(void **state)
{
    (void)state;
    struct stat st;
    char *copy = malloc(head.chunks_at);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pread(fd, copy, head.chunks_at, 0), (ssize_t)head.chunks_at);
    for (unsigned i = 0; i < CUTS; i++) {
        size_t size = victim_random((unsigned)head.chunks_at);
        assert_fails(write_file("cut", copy, size), size ? -EBADMSG : -ENODATA, "");
    }
    free(copy);
}

static void other_files(void **state)
{
    (void)state;
    char text[4096] = "this is no flight file";
    assert_fails("/nonexistent/file", -ENOENT, "No such file");
    assert_fails("/dev/null", -EINVAL, "not a regular file");
    assert_fails(write_file("empty", "", 0), -ENODATA, "empty");
    assert_fails(write_file("short", "go 1.26 trace", 13), -EBADMSG, "too short");
    assert_fails(write_file("text", text, sizeof text), -EBADMSG, "not a flight file");
    memset(text, 0, sizeof text);
    assert_fails(write_file("blank", text, sizeof text), -ENODATA, "nothing was recorded");
    wire_flight_head other = head;
    other.layout++;
    assert_fails(write_file("other", &other, sizeof other), -EBADMSG, "layout");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_changed_anywhere),
        cmocka_unit_test(an_event_out_of_order_ends_the_trace_there),
        cmocka_unit_test(cut_off_anywhere),
        cmocka_unit_test(other_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
