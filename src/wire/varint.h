/* SPDX-License-Identifier: MIT */
#ifndef WEFT_WIRE_VARINT_H
#define WEFT_WIRE_VARINT_H

/*
 * Unsigned LEB128 numbers, the only integers of the format: seven bits a byte, least significant
 * group first, at most ten bytes of which the tenth is 0 or 1. Superfluous continuation bytes are
 * legal up to that length.
 *
 * Design: numbers of up to eight bytes are spread into, or gathered from, one 64-bit word with
 * three masked shifts, so that the length costs no branch; only lengths 1 (predictable: most
 * arguments) and 9, 10 (rare) branch. The source for spreading bits by halves: H. S. Warren,
 * Hacker's Delight, chapter 7.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "wire/varint.h stores words in little-endian order"
#endif

#define WIRE_VARINT_MAX 10

/* Bytes that wire_varint_encode uses for a value: 1 to 10. */
static inline unsigned wire_varint_size(uint64_t value)
{
    unsigned top = 63u - (unsigned)__builtin_clzll(value | 1);
    return (top * 9 + 73) / 64;
}

static inline uint64_t wire_varint_spread(uint64_t v)
{
    v = (v & 0x000000000fffffffull) | (v & 0x00fffffff0000000ull) << 4;
    v = (v & 0x00003fff00003fffull) | (v & 0x0fffc0000fffc000ull) << 2;
    v = (v & 0x007f007f007f007full) | (v & 0x3f803f803f803f80ull) << 1;
    return v;
}

static inline uint64_t wire_varint_gather(uint64_t v)
{
    v = (v & 0x007f007f007f007full) | (v & 0x7f007f007f007f00ull) >> 1;
    v = (v & 0x00003fff00003fffull) | (v & 0x3fff00003fff0000ull) >> 2;
    v = (v & 0x000000000fffffffull) | (v & 0x0fffffff00000000ull) >> 4;
    return v;
}

/*
 * Writes the shortest form and returns its end. There must be WIRE_VARINT_MAX bytes of room
 * whatever the value: bytes behind the end are overwritten.
 */
static inline uint8_t *wire_varint_encode(uint8_t *at, uint64_t value)
{
    if (value < 0x80) {
        *at = (uint8_t)value;
        return at + 1;
    }
    if (value >> 56) {
        unsigned size = wire_varint_size(value);
        for (unsigned i = 0; i < size; i++, value >>= 7)
            at[i] = (uint8_t)(value | (i + 1 < size) << 7);
        return at + size;
    }
    unsigned size = wire_varint_size(value);
    uint64_t more = 0x8080808080808080ull & ((1ull << (8 * (size - 1))) - 1);
    uint64_t word = wire_varint_spread(value) | more;
    memcpy(at, &word, 8);
    return at + size;
}

/* Writes ten bytes, padded: for a length that is filled in when its content is complete. */
static inline uint8_t *wire_varint_encode_padded(uint8_t *at, uint64_t value)
{
    for (unsigned i = 0; i + 1 < WIRE_VARINT_MAX; i++, value >>= 7)
        at[i] = (uint8_t)(value | 0x80);
    at[WIRE_VARINT_MAX - 1] = (uint8_t)value;
    return at + WIRE_VARINT_MAX;
}

/* Byte by byte, never reading at or behind end. Returns NULL for a malformed or cut number. */
static inline const uint8_t *wire_varint_decode_slow(const uint8_t *at, const uint8_t *end,
                                                     uint64_t *value)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < WIRE_VARINT_MAX && at < end; i++) {
        uint8_t byte = *at++;
        if (i == WIRE_VARINT_MAX - 1 && byte > 1)
            return NULL;
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value = v;
            return at;
        }
    }
    return NULL;
}

/* Decodes the number at `at`; returns its end, or NULL if it is malformed or cut by `end`. */
static inline const uint8_t *wire_varint_decode(const uint8_t *at, const uint8_t *end,
                                                uint64_t *value)
{
    if (__builtin_expect(at < end && *at < 0x80, 1)) {
        *value = *at;
        return at + 1;
    }
    if (__builtin_expect(end - at >= 8, 1)) {
        uint64_t word;
        memcpy(&word, at, 8);
        uint64_t stops = ~word & 0x8080808080808080ull;
        if (__builtin_expect(stops != 0, 1)) {
            /* Keep the bits up to and including the first stop bit, which gather masks off. */
            *value = wire_varint_gather(word & (stops ^ (stops - 1)));
            return at + ((unsigned)__builtin_ctzll(stops) / 8 + 1);
        }
    }
    return wire_varint_decode_slow(at, end, value);
}

#endif
