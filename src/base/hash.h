/* SPDX-License-Identifier: MIT */
/* A hash of bytes: fast for short keys, good enough for tables; no protection against chosen keys.
 */
#ifndef WEFT_BASE_HASH_H
#define WEFT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The high and low half of a 128-bit product, folded: the mixing step of wyhash (public domain,
 * Wang Yi). */
static inline uint64_t base_hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* All of the last 0 to 15 bytes in two words, which may overlap; the size is hashed as well. */
static inline void base_hash_tail(const uint8_t *at, size_t size, uint64_t *low, uint64_t *high)
{
    if (size >= 8) {
        memcpy(low, at, 8);
        memcpy(high, at + size - 8, 8);
    } else if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, at, 4);
        memcpy(&last, at + size - 4, 4);
        *low = first;
        *high = last;
    } else {
        *low = size ? at[0] | (uint64_t)at[size / 2] << 8 | (uint64_t)at[size - 1] << 16 : 0;
        *high = 0;
    }
}

static inline uint64_t base_hash(const void *key, size_t size)
{
    const uint64_t odd = 0xa0761d6478bd642full, other = 0xe7037ed1a0b428dbull;
    const uint8_t *at = key;
    uint64_t hash = size ^ odd;
    for (; size >= 16; size -= 16, at += 16) {
        uint64_t word[2];
        memcpy(word, at, 16);
        hash = base_hash_mix(word[0] ^ odd, word[1] ^ hash);
    }
    uint64_t low, high;
    base_hash_tail(at, size, &low, &high);
    hash = base_hash_mix(low ^ other, high ^ hash);
    return base_hash_mix(hash, other);
}

#endif
