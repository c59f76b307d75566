/* SPDX-License-Identifier: MIT */
/* Damaged input: whatever comes, the reader ends, in bounds, and all getters are defined. */
#include "trace_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static struct memory trace;

/* Asks everything of an event, and of handles that it has not. */
static uint64_t touch(const weft_reader *reader, const weft_event *event)
{
    static const uint32_t handles[] = {0,          1,          5,          1000,
                                       0x7fffffff, 0x80000000, 0x80000fff, UINT32_MAX};
    uint64_t sum = weft_reader_string(reader, event->name).size;
    sum += weft_reader_string(reader, event->message).size;
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
        sum += weft_reader_string(reader, handles[i]).size +
               weft_reader_stack_depth(reader, handles[i]);
    const weft_stack stacks[] = {event->stack, event->resource_stack};
    for (unsigned i = 0; i < 2; i++) {
        weft_frame frame;
        for (size_t j = 0; j <= weft_reader_stack_depth(reader, stacks[i]); j++)
            if (weft_reader_stack_frame(reader, stacks[i], j, &frame) == 0)
                sum += weft_reader_string(reader, frame.function).size + frame.line;
    }
    weft_sync sync;
    weft_batch batch;
    weft_reader_sync(reader, &sync);
    for (size_t i = 0; i <= sync.batches; i++)
        if (weft_reader_batch(reader, i, &batch) == 0 && batch.size)
            sum += ((const uint8_t *)batch.data)[batch.size - 1];
    for (size_t i = 0; i < 5; i++)
        sum += strlen(weft_event_arg_name(event, i));
    sum += strlen(weft_event_kind_name(event->kind)) + strlen(weft_state_name(event->to)) +
           strlen(weft_resource_name(event->resource));
    return sum;
}

/* Reads all; returns the last status. Every event costs at least a byte of input or so. */
static int read_all(struct memory *m)
{
    weft_reader *reader;
    weft_validator *validator;
    weft_event event;
    uint64_t sum = 0, events = 0;
    int64_t last = INT64_MIN;
    int status = weft_reader_open_callback(&reader, memory_read, m);
    assert_int_equal(weft_validator_new(&validator, reader), 0);
    while (status >= 0 && (status = weft_reader_next(reader, &event)) == 1) {
        assert_true(event.kind < WEFT_EVENT_KIND_LIMIT);
        assert_true(event.time > last || last == INT64_MAX);
        last = event.time;
        sum += touch(reader, &event);
        assert_true(weft_validator_event(validator, &event, NULL) >= 0);
        assert_true(++events <= m->size + 16);
    }
    assert_true(status == 0 || status == -EBADMSG);
    const weft_reader_error *error = weft_reader_error_get(reader);
    assert_int_equal(*error->rule != 0, status < 0);
    assert_true(error->offset <= m->size && sum < UINT64_MAX);
    weft_validator_free(validator);
    weft_reader_free(reader);
    return status;
}

static ptrdiff_t discard_read(void *context, void *data, size_t size)
{
    return memory_read(context, data, size);
}

static int discard(void *context, const void *data, size_t size)
{
    (void)data;
    *(size_t *)context += size;
    return 0;
}

static void read_raw(struct memory *m)
{
    size_t size = 0;
    weft_reader_error error;
    m->read = 0;
    int status = weft_raw_print(discard_read, m, discard, &size, &error);
    assert_true(status == 0 || status == -EBADMSG);
}

static void set_up_trace(void)
{
    FILE *file = fopen(TRACES "/every_event.test", "rb");
    assert_non_null(file);
    static char text[1 << 16];
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    char *start = strstr(text, "-- trace --\n");
    assert_non_null(start);
    start += strlen("-- trace --\n");
    assert_int_equal(memory_assemble(&trace, start, strlen(start), NULL), 0);
}

/* A copy of exactly that size, so that sanitizers see each byte read too far. */
static struct memory copy(size_t size)
{
    struct memory m = {malloc(size ? size : 1), size, size, 0, 0};
    memcpy(m.data, trace.data, size);
    return m;
}

static void every_prefix(void **state)
{
    (void)state;
    unsigned accepted = 0;
    for (size_t size = 0; size <= trace.size; size++) {
        struct memory m = copy(size);
        accepted += read_all(&m) == 0;
        read_raw(&m);
        free(m.data);
    }
    /* The whole, the first generation alone, the header alone, and generations cut before their
       first event batch: the sync batches at the start of each. */
    assert_in_range(accepted, 3, 12);
}

static void every_byte_changed(void **state)
{
    (void)state;
    static const uint8_t values[] = {0x00, 0x01, 0x02, 0x34, 0x7f, 0x80, 0x89, 0xff};
    for (size_t at = 0; at < trace.size; at++) {
        for (size_t i = 0; i < sizeof values + 1; i++) {
            struct memory m = copy(trace.size);
            m.data[at] = i < sizeof values ? values[i] : (uint8_t)(m.data[at] + 1);
            read_all(&m);
            read_raw(&m);
            free(m.data);
        }
    }
}

static void every_byte_dropped_or_doubled(void **state)
{
    (void)state;
    for (size_t at = 0; at < trace.size; at++) {
        struct memory m = copy(trace.size);
        memmove(m.data + at, m.data + at + 1, trace.size - at - 1);
        m.size--;
        read_all(&m);
        free(m.data);
        m = (struct memory){malloc(trace.size + 1), trace.size + 1, trace.size + 1, 0, 0};
        memcpy(m.data, trace.data, at + 1);
        memcpy(m.data + at + 1, trace.data + at, trace.size - at);
        read_all(&m);
        free(m.data);
    }
}

/* Sizes and counts that promise more than there is: nothing is allocated for them. */
static void huge_numbers_cost_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "Trace Go1.26\n" SYNC BATCH "ProcStatus dt=1 p=18446744073709551614 pstatus=1\n"
        "GoStatus dt=1 g=18446744073709551614 m=7 gstatus=2\n" END,
        "Trace Go1.26\n" SYNC NOBODY "Strings\nString id=18446744073709551615\n\tdata=\"a\"\n"
        "String id=9223372036854775808\n\tdata=\"a\"\nString id=4294967295\n\tdata=\"b\"\n" END,
        "Trace Go1.26\n" SYNC NOBODY "Stacks\nStack id=18446744073709551615 nframes=0\n" END,
        "Trace Go1.26\n" SYNC "EventBatch gen=1 m=18446744073709551614 "
        "time=18446744073709551615 size=auto\nProcStatus dt=18446744073709551615 p=0 "
        "pstatus=1\n" END,
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct memory m = {0};
        assert_int_equal(memory_assemble(&m, texts[i], strlen(texts[i]), NULL), 0);
        assert_int_equal(read_all(&m), 0);
        free(m.data);
    }
}

/* Many threads with one event each: the memory of cursors is bounded by the input. */
static void many_threads(void **state)
{
    (void)state;
    struct memory m = {0};
    static const char head[] = "Trace Go1.26\n" SYNC;
    assert_int_equal(memory_assemble(&m, head, sizeof head - 1, NULL), 0);
    for (unsigned i = 0; i < 20000; i++) {
        const uint8_t batch[] = {
            1,  1, 0x80 | (i & 0x7f), 0x80 | (i >> 7 & 0x7f), (uint8_t)(i >> 14), 1, 6,
            13, 1, 0x80 | (i & 0x7f), 0x80 | (i >> 7 & 0x7f), (uint8_t)(i >> 14), 1};
        memory_write(&m, batch, sizeof batch);
    }
    memory_write(&m, "\x34", 1);
    assert_int_equal(read_all(&m), 0);
    free(m.data);
}

static size_t put_varint(uint8_t *at, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        at[size++] = (uint8_t)(value | 0x80);
    at[size++] = (uint8_t)value;
    return size;
}

/* Appends a batch of thread m, in pieces where it is too long for one. */
struct writer {
    struct memory *to;
    uint64_t m;
    uint8_t first; /* what each batch begins with, or 0 */
    uint8_t payload[60000];
    size_t size;
};

static void flush(struct writer *w)
{
    uint8_t head[32] = {1, 1};
    size_t size = 2;
    size += put_varint(head + size, w->m);
    size += put_varint(head + size, 1);
    size += put_varint(head + size, w->size);
    memory_write(w->to, head, size);
    memory_write(w->to, w->payload, w->size);
    w->size = 0;
}

static void put_entry(struct writer *w, const uint64_t *numbers, size_t count)
{
    if (w->size > sizeof w->payload - 200)
        flush(w);
    if (w->size == 0 && w->first)
        w->payload[w->size++] = w->first;
    for (size_t i = 0; i < count; i++)
        w->size += put_varint(w->payload + w->size, numbers[i]);
}

#define PUT(w, ...)                                                                                \
    put_entry(w, (const uint64_t[]){__VA_ARGS__},                                                  \
              sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

enum { HOSTILE = 200000 };

static void read_hostile(struct memory *m)
{
    memory_write(m, "\x34", 1);
    assert_int_equal(read_all(m), 0);
    free(m->data);
}

/* Stops of the world within each other, all of another kind: no list of them is searched. */
static void many_ranges_on_one_goroutine(void **state)
{
    (void)state;
    static struct writer strings = {.m = UINT64_MAX, .first = 4}, events = {.m = 7};
    struct memory m = {0};
    static const char head[] = "Trace Go1.26\n" SYNC;
    assert_int_equal(memory_assemble(&m, head, sizeof head - 1, NULL), 0);
    strings.to = events.to = &m;
    for (uint64_t i = 1; i <= HOSTILE; i++)
        PUT(&strings, 5, i, 0);
    flush(&strings);
    PUT(&events, 13, 1, 0, 1);
    PUT(&events, 25, 1, 1, 7, 2);
    for (uint64_t i = 1; i <= HOSTILE; i++) {
        PUT(&events, 26, 1, i, 0);
        PUT(&events, 35, 1, 0);
        PUT(&events, 36, 1);
    }
    for (uint64_t i = 1; i <= HOSTILE; i++)
        PUT(&events, 27, 1);
    flush(&events);
    read_hostile(&m);
}

/* Ids that the usual multiplicative hash puts into one place: multiples of its factor's inverse. */
static void ids_that_were_chosen_to_collide(void **state)
{
    (void)state;
    static struct writer events = {.m = 7};
    struct memory m = {0};
    static const char head[] = "Trace Go1.26\n" SYNC;
    assert_int_equal(memory_assemble(&m, head, sizeof head - 1, NULL), 0);
    events.to = &m;
    for (uint64_t i = 1; i <= HOSTILE; i++)
        PUT(&events, 25, 1, i * 0xf1de83e19937733dull, 7, 4);
    flush(&events);
    read_hostile(&m);
}

int main(void)
{
    set_up_trace();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(every_byte_changed),
        cmocka_unit_test(every_byte_dropped_or_doubled),
        cmocka_unit_test(huge_numbers_cost_nothing),
        cmocka_unit_test(many_threads),
        cmocka_unit_test(many_ranges_on_one_goroutine),
        cmocka_unit_test(ids_that_were_chosen_to_collide),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(trace.data);
    return failed;
}
