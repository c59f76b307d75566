/* SPDX-License-Identifier: MIT */
/* How many goroutines this machine can hold. */
#ifndef WEFT_TESTS_SCHED_LIMITS_H
#define WEFT_TESTS_SCHED_LIMITS_H

#include <stdint.h>
#include <string.h>

#include "base/pages.h"

/* n, or less where a guard page splits the mapping of its stack: Linux before 6.13, and qemu-user,
 * end at vm.max_map_count / 2 stacks, by default 32,765. */
static inline uint32_t goroutines_at_most(uint32_t n)
{
    uint32_t limit = strcmp(base_guard_kind(), "madvise") == 0 ? n : 20000;
    return n < limit ? n : limit;
}

#endif
