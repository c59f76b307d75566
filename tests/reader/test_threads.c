/* SPDX-License-Identifier: MIT */
/* Traces of many threads: those who wait are parked, and nothing but the time it takes changes. */
#include "random_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#include "reader/reader.h"

enum { STEPS = 6000, THREADS = 96 };

/* -------- reading -------- */

struct reading {
    weft_event *events;
    size_t count;
    int status;
    char message[512];
};

static struct reading read_with(const struct memory *trace, uint32_t parking_least)
{
    struct memory m = *trace;
    struct reading reading = {.events = calloc(trace->size, sizeof *reading.events)};
    weft_reader *reader;
    m.read = 0;
    assert_int_equal(weft_reader_open_callback(&reader, memory_read, &m), 0);
    reader->parking_least = parking_least;
    while ((reading.status = weft_reader_next(reader, &reading.events[reading.count])) == 1)
        assert_true(++reading.count < trace->size);
    snprintf(reading.message, sizeof reading.message, "%s", weft_reader_error_get(reader)->message);
    weft_reader_free(reader);
    return reading;
}

static void assert_same(const struct reading *a, const struct reading *b)
{
    assert_int_equal(a->status, b->status);
    assert_string_equal(a->message, b->message);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const weft_event *x = &a->events[i], *y = &b->events[i];
        assert_int_equal(x->time, y->time);
        assert_int_equal(x->wire, y->wire);
        assert_int_equal(x->m, y->m);
        assert_int_equal(x->p, y->p);
        assert_int_equal(x->g, y->g);
        assert_int_equal(x->id, y->id);
        assert_int_equal(x->to, y->to);
    }
}

static const unsigned widths[] = {13, 45, THREADS, 300, RANDOM_THREADS};
static const uint64_t ticks[] = {1, 100000, 3000000}; /* ns */

static void parking_changes_no_order(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 15; i++) {
        struct memory trace = random_trace(i + 1, widths[i % 5], STEPS, ticks[i % 3]);
        struct reading plain = read_with(&trace, UINT32_MAX), parking = read_with(&trace, 0);
        if (plain.status)
            fail_msg("trace %llu: %s", (unsigned long long)i, plain.message);
        assert_true(plain.count > STEPS / 3);
        assert_same(&plain, &parking);
        free(plain.events);
        free(parking.events);
        free(trace.data);
    }
}

/* Random traces for the comparison with Go's reader (compare.sh), most of them full of equal times.
 */
static void dump(const char *dir)
{
    for (uint64_t i = 0; i < 60; i++) {
        struct memory trace = random_trace(i + 100, widths[i % 5], STEPS, ticks[i % 3]);
        char path[4096];
        snprintf(path, sizeof path, "%s/random-%llu.trace", dir, (unsigned long long)i);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(trace.data, 1, trace.size, file), trace.size);
        assert_int_equal(fclose(file), 0);
        free(trace.data);
    }
}

/* A step is missing: all who wait for it wait for ever, and the earliest is named. */
static void a_trace_that_gets_stuck_says_the_same(void **state)
{
    (void)state;
    struct memory trace = random_trace(99, THREADS, STEPS, 1);
    unsigned stuck = 0;
    for (size_t at = trace.size / 2; at < trace.size / 2 + 300; at++) {
        struct memory damaged = {malloc(trace.size), trace.size, trace.size, 0, 0};
        memcpy(damaged.data, trace.data, trace.size);
        damaged.data[at] ^= 1;
        struct reading plain = read_with(&damaged, UINT32_MAX), parking = read_with(&damaged, 0);
        stuck += strstr(plain.message, "no event can be next") != NULL;
        assert_int_equal(plain.status, parking.status);
        if (strstr(plain.message, "no event can be next"))
            assert_same(&plain, &parking);
        free(plain.events);
        free(parking.events);
        free(damaged.data);
    }
    assert_true(stuck > 10);
    free(trace.data);
}

static size_t put_varint(uint8_t *at, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        at[size++] = (uint8_t)(value | 0x80);
    at[size++] = (uint8_t)value;
    return size;
}

/* Appends an event: its tag, the time since the last one, and arguments. */
static void put_event(struct memory *m, unsigned tag, uint64_t dt, unsigned args, ...)
{
    uint8_t event[64];
    size_t size = put_varint(event, tag);
    size += put_varint(event + size, dt);
    va_list list;
    va_start(list, args);
    for (unsigned i = 0; i < args; i++)
        size += put_varint(event + size, va_arg(list, unsigned));
    va_end(list);
    memory_write(m, event, size);
}

/* Appends a batch with these events, which it frees. */
static void put_batch(struct memory *m, unsigned thread, uint64_t time, struct memory *events)
{
    uint8_t header[64];
    size_t size = put_varint(header, WIRE_EV_EVENT_BATCH);
    size += put_varint(header + size, 1);
    size += put_varint(header + size, thread);
    size += put_varint(header + size, time);
    size += put_varint(header + size, events->size);
    memory_write(m, header, size);
    memory_write(m, events->data, events->size);
    free(events->data);
    *events = (struct memory){0};
}

static void begin(struct memory *m)
{
    const char *text = "Trace Go1.26\n" SYNC;
    assert_int_equal(memory_assemble(m, text, strlen(text), NULL), 0);
}

static void end(struct memory *m)
{
    memory_write(m, "\x34", 1);
}

/*
 * Thread i waits for a goroutine of which thread i-1 tells, and its clock is behind that of thread
 * i-1: after each event all that are left must be passed over. Tried one by one that is five
 * thousand million tries.
 */
static void a_hundred_thousand_threads_wait(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct memory m = {0}, events = {0};
    begin(&m);
    for (unsigned i = 1; i <= MANY; i++) {
        put_event(&events, WIRE_EV_GO_UNBLOCK, 1, 3, i, 1, 0);
        put_event(&events, WIRE_EV_GO_STATUS, 1, 3, i + 1, i, WIRE_G_WAITING);
        put_batch(&m, i, 2 * (MANY + 1 - i), &events);
    }
    put_event(&events, WIRE_EV_GO_STATUS, 1, 3, 1, 0, WIRE_G_WAITING);
    put_batch(&m, 0, 1, &events);
    end(&m);
    struct reading reading = read_with(&m, READER_PARKING_LEAST);
    if (reading.status)
        fail_msg("%s", reading.message);
    assert_int_equal(reading.count, 2 * MANY + 3);
    free(reading.events);
    free(m.data);
}

/*
 * Proc 0 is in a system call on all threads, as no sound trace has it. One after the other turns to
 * proc 1, and each time a status says that proc 0 is abandoned: the event is shown on the lowest
 * thread that is left. The count of steps is that of sorted heaps, not that of looking at all
 * threads.
 */
static void a_proc_that_many_threads_hold_is_abandoned_often(void **state)
{
    (void)state;
    enum { MANY = 50000 };
    struct memory m = {0}, events = {0};
    begin(&m);
    for (unsigned i = MANY; i > 0; i--) {
        put_event(&events, WIRE_EV_PROC_STATUS, i, 2, 0, WIRE_P_SYSCALL);
        put_event(&events, WIRE_EV_PROC_STATUS, 4 * MANY + i, 2, 1, WIRE_P_SYSCALL);
        put_batch(&m, i, 1, &events);
    }
    for (unsigned i = 1; i < MANY; i++) {
        put_event(&events, WIRE_EV_PROC_STATUS, events.size ? 2 : 0, 2, 0,
                  WIRE_P_SYSCALL_ABANDONED);
        if (i % 10000 == 0 || i == MANY - 1)
            put_batch(&m, MANY + 1, 4 * MANY + 2 * ((i - 1) / 10000 * 10000 + 1) + 2, &events);
    }
    end(&m);
    weft_reader *reader;
    weft_event event;
    int status;
    assert_int_equal(weft_reader_open_callback(&reader, memory_read, &m), 0);
    unsigned abandoned = 0;
    while ((status = weft_reader_next(reader, &event)) == 1)
        if (event.kind == WEFT_EVENT_STATE_TRANSITION && event.id == 0 &&
            event.time > 64 * 4 * MANY) {
            assert_int_equal(event.m, ++abandoned + 1);
            assert_int_equal(event.to, WEFT_STATE_RUNNING);
        }
    if (status)
        fail_msg("%s", weft_reader_error_get(reader)->message);
    assert_int_equal(abandoned, MANY - 1);
    assert_true(reader->order.holders.threads.melds < 20 * MANY);
    weft_reader_free(reader);
    free(m.data);
}

int main(void)
{
    const char *dir = getenv("WEFT_DUMP_DIR");
    if (dir) {
        dump(dir);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parking_changes_no_order),
        cmocka_unit_test(a_trace_that_gets_stuck_says_the_same),
        cmocka_unit_test(a_hundred_thousand_threads_wait),
        cmocka_unit_test(a_proc_that_many_threads_hold_is_abandoned_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
