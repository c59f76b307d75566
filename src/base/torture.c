/* SPDX-License-Identifier: MIT */
#include "base/torture.h"

#ifdef WEFT_TORTURE

#include "base/atomic.h"
#include "base/os.h"

#include <stdlib.h>

static uint64_t seed;         /* atomic: 0 until first use */
static uint32_t threads_seen; /* atomic */
static int64_t refuse_one_in; /* atomic: -1 never, 0 not read yet */

static __thread uint64_t state;

static uint64_t env_number(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 0) : fallback;
}

/* splitmix64 (S. Vigna, public domain): one addition and a finaliser. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Out of line: callers may run on a stack that changes threads. */
__attribute__((noinline)) static uint64_t next_random(void)
{
    if (state == 0) {
        uint64_t s = atomic_load_relaxed(&seed);
        if (s == 0) {
            s = env_number("WEFT_TORTURE_SEED", 1) + 1;
            atomic_store_relaxed(&seed, s);
        }
        state = mix(s + 1000003u * (uint64_t)atomic_add_relaxed(&threads_seen, 1)) | 1;
    }
    state += 0x9e3779b97f4a7c15u;
    return mix(state);
}

static uint64_t hash_name(const char *name)
{
    uint64_t h = 14695981039346656037u;
    while (*name)
        h = (h ^ (unsigned char)*name++) * 1099511628211u;
    return h;
}

void base_torture_point(const char *name)
{
    uint64_t r = mix(next_random() ^ hash_name(name));
    unsigned choice = r % 64;
    if (choice < 12)
        for (uint64_t n = (r >> 8) % 200; n > 0; n--)
            cpu_relax();
    else if (choice < 18)
        os_yield();
    else if (choice == 18)
        os_sleep_ns((int64_t)((r >> 8) % 200000) + 1);
}

bool base_torture_refuse(const char *name)
{
    int64_t n = atomic_load_relaxed(&refuse_one_in);
    if (n == 0) {
        n = (int64_t)env_number("WEFT_TORTURE_ALLOC", 0);
        if (n <= 0)
            n = -1;
        atomic_store_relaxed(&refuse_one_in, n);
    }
    return n > 0 && mix(next_random() ^ hash_name(name)) % (uint64_t)n == 0;
}

#else
typedef int torture_is_off; /* ISO C wants a declaration in every file */
#endif
