/* SPDX-License-Identifier: MIT */
/* What can be chosen for a reader: threads that decode ahead, a limit of memory, a last call. */
#include "random_trace.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#include "reader/reader.h"

static weft_reader *open_with(struct memory *m, weft_reader_options options)
{
    weft_reader *reader;
    options.size = sizeof options;
    m->read = 0;
    assert_int_equal(weft_reader_open_callback(&reader, memory_read, m), 0);
    assert_int_equal(weft_reader_configure(reader, &options), 0);
    return reader;
}

/* A copy with something that no event has put in the middle. */
static struct memory damaged(const struct memory *m, size_t at)
{
    struct memory copy = {malloc(m->size), m->size, m->size, 0, 0};
    memcpy(copy.data, m->data, m->size);
    copy.data[at] = 0xff;
    return copy;
}

/* Both readers give the same events, errors included. */
static void assert_agree(struct memory *m, unsigned threads)
{
    struct memory other = *m;
    weft_reader *alone = open_with(m, (weft_reader_options){.threads = 1});
    weft_reader *team = open_with(&other, (weft_reader_options){.threads = threads});
    weft_event a, b;
    int status = 1;
    for (size_t n = 0; status == 1; n++) {
        memset(&a, 0, sizeof a);
        memset(&b, 0, sizeof b);
        status = weft_reader_next(alone, &a);
        assert_int_equal(weft_reader_next(team, &b), status);
        if (status == 1 && memcmp(&a, &b, sizeof a) != 0)
            fail_msg("event %zu differs: time %lld and %lld", n, (long long)a.time,
                     (long long)b.time);
        assert_int_equal(weft_reader_event_offset(alone), weft_reader_event_offset(team));
    }
    assert_string_equal(weft_reader_error_get(alone)->message,
                        weft_reader_error_get(team)->message);
    weft_reader_free(alone);
    weft_reader_free(team);
}

static void decoding_ahead_changes_nothing(void **state)
{
    (void)state;
    static const unsigned widths[] = {1, 2, 7, 40, 96};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        struct memory m = random_trace(i + 1, widths[i], 20000, 1);
        for (unsigned threads = 2; threads <= 4; threads++)
            assert_agree(&m, threads);
        struct memory wrong = damaged(&m, m.size * 3 / 4);
        assert_agree(&wrong, 2);
        free(wrong.data);
        free(m.data);
    }
}

/* Threads are at work on lanes when the reader goes. */
static void a_reader_may_be_freed_at_any_time(void **state)
{
    (void)state;
    struct memory m = random_trace(5, 12, 20000, 1);
    for (unsigned events = 0; events < 3000; events += 41) {
        weft_reader *reader = open_with(&m, (weft_reader_options){.threads = 3});
        weft_event event;
        for (unsigned i = 0; i < events; i++)
            assert_int_equal(weft_reader_next(reader, &event), 1);
        weft_reader_free(reader);
    }
    free(m.data);
}

static int read_to_end(weft_reader *reader)
{
    weft_event event;
    int status;
    while ((status = weft_reader_next(reader, &event)) == 1)
        ;
    return status;
}

/* Whatever the limit, it is kept, and said. What is enough is enough with threads, too. */
static void a_limit_of_memory_is_kept(void **state)
{
    (void)state;
    struct memory m = random_trace(3, 30, 20000, 1);
    size_t enough = 0;
    for (size_t limit = 50000; !enough; limit += limit / 3) {
        weft_reader *reader = open_with(&m, (weft_reader_options){.max_memory = limit});
        int status = read_to_end(reader);
        assert_true(reader->budget.used <= limit);
        if (status == 0) {
            enough = limit;
        } else {
            assert_int_equal(status, -ENOMEM);
            const weft_reader_error *error = weft_reader_error_get(reader);
            assert_string_equal(error->rule, "MEM");
            char text[80];
            snprintf(text, sizeof text, "more than the limit of %zu bytes of memory", limit);
            assert_string_equal(error->message, text);
            assert_int_equal(weft_reader_next(reader, &(weft_event){0}), -ENOMEM);
        }
        weft_reader_free(reader);
    }
    assert_in_range(enough, 100000, 3000000);
    weft_reader *reader =
        open_with(&m, (weft_reader_options){.threads = 2, .max_memory = enough + (4u << 20)});
    assert_int_equal(read_to_end(reader), 0);
    weft_reader_free(reader);
    free(m.data);
}

/* All that was taken is given back: a reader that goes on for long does not run into its limit. */
static void what_is_freed_counts_no_more(void **state)
{
    (void)state;
    struct memory m = {0};
    append_text(&m, "go 1.26 trace");
    memory_write(&m, "\0\0\0", 3);
    for (unsigned i = 1; i <= 3000; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "Trace Go1.26\nEventBatch gen=%u m=" NO_ID " time=%u size=auto\nSync\n"
                 "Frequency freq=15625000\nClockSnapshot dt=1 mono=%u sec=%u nsec=7\n"
                 "EventBatch gen=%u m=" NO_ID " time=%u size=auto\nStrings\nString id=1\n"
                 "\tdata=\"region %u\"\nEventBatch gen=%u m=7 time=%u size=auto\n"
                 "ProcStatus dt=1 p=0 pstatus=1\nGoStatus dt=1 g=1 m=7 gstatus=2\n"
                 "UserRegionBegin dt=1 task=0 name_string=1 stack=0\n"
                 "UserRegionEnd dt=1 task=0 name_string=1 stack=0\n"
                 "GoCreate dt=1 new_g=%u new_stack=0 stack=0\n"
                 "GoStop dt=1 reason_string=1 stack=0\nGoStart dt=1 g=%u g_seq=1\nGoDestroy dt=1\n"
                 "GoStart dt=1 g=1 g_seq=1\n" END,
                 i, i * 100, i, i, i, i * 100, i, i, i * 100, i + 1, i + 1);
        struct memory one = {0};
        assert_int_equal(memory_assemble(&one, text, strlen(text), NULL), 0);
        memory_write(&m, one.data + 16, one.size - 16);
        free(one.data);
    }
    weft_reader *reader = open_with(&m, (weft_reader_options){.max_memory = 200000});
    int status = read_to_end(reader);
    if (status)
        fail_msg("%s", weft_reader_error_get(reader)->message);
    weft_reader_free(reader);
    free(m.data);
}

/* -------- stable handles -------- */

/* Two generations that name the same things by other ids, and one thing more each. */
static const char two_generations[] =
    "Trace Go1.26\n" SYNC NOBODY "Strings\nString id=1\n\tdata=\"wait\"\nString id=2\n"
    "\tdata=\"main\"\nString id=3\n\tdata=\"first\"\n" NOBODY
    "Stacks\nStack id=5 nframes=2\n pc=1 func=2 file=1 line=3\n pc=0 func=0 file=0 line=0\n"
    "Stack id=6 nframes=1\n pc=9 func=3 file=1 line=3\n" BATCH RUNNING
    "GoCreate dt=1 new_g=2 new_stack=6 stack=5\nUserTaskBegin dt=1 task=1 parent_task=0 "
    "name_string=1 stack=5\nGoBlock dt=1 reason_string=1 stack=5\n" END SYNC2
    "EventBatch gen=2 m=" NO_ID " time=90 size=auto\nStrings\nString id=1\n\tdata=\"second\"\n"
    "String id=8\n\tdata=\"main\"\nString id=9\n\tdata=\"wait\"\nString id=10\n"
    "\tdata=\"first\"\nEventBatch gen=2 m=" NO_ID " time=90 size=auto\nStacks\n"
    "Stack id=6 nframes=2\n pc=1 func=8 file=9 line=3\n pc=0 func=0 file=0 line=0\n"
    "Stack id=7 nframes=1\n pc=9 func=10 file=9 line=4\n"
    "EventBatch gen=2 m=7 time=95 size=auto\nProcStatus dt=1 p=0 pstatus=1\n"
    "GoStatus dt=1 g=2 m=7 gstatus=1\nGoStart dt=1 g=2 g_seq=1\n"
    "UserLog dt=1 task=1 key_string=9 value_string=1 stack=7\nUserTaskEnd dt=1 task=1 stack=6\n"
    "GoBlock dt=1 reason_string=9 stack=6\n" END;

static void assert_text(const weft_reader *reader, weft_string string, const char *expected)
{
    weft_text text = weft_reader_string(reader, string);
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

static void stable_handles_hold_across_generations(void **state)
{
    (void)state;
    struct memory m = {0};
    assert_int_equal(memory_assemble(&m, two_generations, strlen(two_generations), NULL), 0);
    weft_reader *reader = open_with(&m, (weft_reader_options){.stable_handles = 1});
    weft_event event, seen[64];
    size_t count = 0;
    while (weft_reader_next(reader, &event) == 1 && count < 64)
        seen[count++] = event;
    const weft_event *create = &seen[3], *begin = &seen[4], *block = &seen[5];
    const weft_event *log = &seen[10], *end = &seen[11], *again = &seen[12];
    assert_int_equal(count, 14);
    assert_int_equal(again->wire, 20);
    assert_int_equal(block->name, again->name);
    assert_int_equal(block->name, log->name);
    assert_int_equal(begin->name, block->name);
    assert_int_equal(end->name, begin->name);
    assert_int_equal(block->stack, again->stack);
    assert_int_equal(block->stack, block->resource_stack);
    assert_int_not_equal(create->resource_stack, log->stack); /* another line */
    assert_text(reader, block->name, "wait");
    assert_text(reader, log->message, "second");
    assert_text(reader, 0, "");
    assert_text(reader, 1000, "");
    /* Nothing is left out of a stack, and its texts are as stable. */
    weft_frame frame;
    assert_int_equal(weft_reader_stack_depth(reader, create->stack), 2);
    assert_int_equal(weft_reader_stack_frame(reader, create->stack, 0, &frame), 0);
    assert_text(reader, frame.function, "main");
    assert_int_equal(frame.file, block->name);
    assert_int_equal(weft_reader_stack_frame(reader, create->stack, 1, &frame), 0);
    assert_int_equal(frame.pc, 0);
    assert_int_equal(weft_reader_stack_frame(reader, create->stack, 2, &frame), -ERANGE);
    assert_int_equal(weft_reader_stack_depth(reader, 1000), 0);
    weft_reader_free(reader);
    free(m.data);
}

static void count_call(void *context)
{
    ++*(int *)context;
}

static void the_last_call_comes_once(void **state)
{
    (void)state;
    int calls = 0;
    struct memory m = random_trace(1, 1, 100, 1);
    weft_reader_free(
        open_with(&m, (weft_reader_options){.on_free = count_call, .context = &calls}));
    assert_int_equal(calls, 1);
    free(m.data);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    struct memory m = random_trace(1, 1, 100, 1);
    weft_reader *reader = open_with(&m, (weft_reader_options){0});
    weft_event event;
    weft_reader_options options = {.size = 0};
    assert_int_equal(weft_reader_configure(reader, &options), -EINVAL);
    options.size = sizeof options + 1;
    assert_int_equal(weft_reader_configure(reader, &options), -EINVAL);
    options = (weft_reader_options){.size = sizeof options, .threads = WEFT_READER_MAX_THREADS + 1};
    assert_int_equal(weft_reader_configure(reader, &options), -EINVAL);
    options.threads = 0;
    assert_int_equal(weft_reader_next(reader, &event), 1);
    assert_int_equal(weft_reader_configure(reader, &options), -EBUSY);
    weft_reader_free(reader);
    free(m.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_ahead_changes_nothing),
        cmocka_unit_test(a_reader_may_be_freed_at_any_time),
        cmocka_unit_test(a_limit_of_memory_is_kept),
        cmocka_unit_test(what_is_freed_counts_no_more),
        cmocka_unit_test(stable_handles_hold_across_generations),
        cmocka_unit_test(the_last_call_comes_once),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
