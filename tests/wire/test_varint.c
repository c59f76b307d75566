/* SPDX-License-Identifier: MIT */
#include "wire/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

/* The definition, bit by bit, to hold the fast forms against. */
static unsigned encode_plainly(uint8_t *at, uint64_t value)
{
    unsigned n = 0;
    for (; value >= 0x80; value >>= 7)
        at[n++] = (uint8_t)(value | 0x80);
    at[n++] = (uint8_t)value;
    return n;
}

static void check_value(uint64_t value)
{
    uint8_t want[16] = {0}, got[32];
    unsigned n = encode_plainly(want, value);
    memset(got, 0xaa, sizeof got);
    uint8_t *end = wire_varint_encode(got, value);
    assert_int_equal(end - got, n);
    assert_int_equal(wire_varint_size(value), n);
    assert_memory_equal(got, want, n);

    /* Exactly as long as the number (malloc, so that sanitizers see any read behind it). */
    for (unsigned room = 0; room <= n + 8; room++) {
        uint8_t *copy = malloc(room ? room : 1);
        memset(copy, 0xff, room);
        memcpy(copy, want, room < n ? room : n);
        uint64_t back = 1;
        const uint8_t *at = wire_varint_decode(copy, copy + room, &back);
        if (room < n) {
            assert_null(at);
        } else {
            assert_ptr_equal(at, copy + n);
            assert_true(back == value);
        }
        free(copy);
    }

    uint64_t back = 1;
    end = wire_varint_encode_padded(got, value);
    assert_int_equal(end - got, 10);
    assert_ptr_equal(wire_varint_decode(got, end, &back), end);
    assert_true(back == value);
}

static void every_length_and_edge_round_trips(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t power = 1ull << bit;
        check_value(power - 1);
        check_value(power);
        check_value(power + 1);
        check_value(~power);
        check_value(power | power >> 1 | power >> 7);
    }
    uint64_t x = 88172645463325252ull;
    for (int i = 0; i < 20000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        check_value(x >> (x & 63));
    }
}

static void padding_up_to_ten_bytes_is_legal(void **state)
{
    (void)state;
    for (unsigned length = 1; length <= 10; length++) {
        uint8_t bytes[10];
        memset(bytes, 0x80, sizeof bytes);
        bytes[0] |= 5;
        bytes[length - 1] &= 0x7f;
        uint64_t value = 0;
        assert_ptr_equal(wire_varint_decode(bytes, bytes + 10, &value), bytes + length);
        assert_int_equal(value, 5);
    }
}

static void eleven_bytes_or_a_tenth_above_one_are_malformed(void **state)
{
    (void)state;
    uint8_t bytes[12];
    uint64_t value;
    memset(bytes, 0x80, sizeof bytes);
    bytes[10] = 0;
    assert_null(wire_varint_decode(bytes, bytes + 12, &value));
    for (unsigned tenth = 0; tenth < 256; tenth++) {
        bytes[9] = (uint8_t)tenth;
        const uint8_t *end = wire_varint_decode(bytes, bytes + 12, &value);
        assert_ptr_equal(end, tenth <= 1 ? bytes + 10 : NULL);
        if (tenth == 1)
            assert_true(value == 1ull << 63);
    }
}

static void headers_are_as_specified(void **state)
{
    (void)state;
    uint8_t header[WIRE_HEADER_SIZE];
    wire_header_encode(header, 26);
    assert_memory_equal(header, "go 1.26 trace\0\0\0", 16);
    wire_header_encode(header, 22);
    assert_memory_equal(header, "go 1.22 trace\0\0\0", 16);

    /* The first batch of the worked example, its size padded. */
    static const uint8_t want[] = {1,    1,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 1,    0xe8, 7,    0x91, 0x80,
                                   0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0};
    uint8_t batch[WIRE_BATCH_HEADER_MAX + 17] = {0};
    uint8_t *payload = wire_batch_start(batch, 1, WIRE_NO_ID, 1000);
    assert_int_equal(payload - batch, sizeof want);
    wire_batch_finish(payload, payload + 17);
    assert_memory_equal(batch, want, sizeof want);
    payload = wire_batch_start_experimental(batch, 1, 2, 3, 4);
    wire_batch_finish(payload, payload);
    assert_memory_equal(batch, "\x31\x01\x02\x03\x04\x80", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_and_edge_round_trips),
        cmocka_unit_test(padding_up_to_ten_bytes_is_legal),
        cmocka_unit_test(eleven_bytes_or_a_tenth_above_one_are_malformed),
        cmocka_unit_test(headers_are_as_specified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
