/* SPDX-License-Identifier: MIT */
/* Functions whose addresses, names and lines are known: for the test and for the probe program. */
#ifndef WEFT_TESTS_SAMPLE_H
#define WEFT_TESTS_SAMPLE_H

#include <stdint.h>

/* The return address of its call. */
__attribute__((noinline)) static uintptr_t sample_here(void)
{
    __asm__ __volatile__("");
    return (uintptr_t)__builtin_return_address(0);
}

static int sample_lines[4];

/* Each notes the line of its call, and does something after it, so that the call is no jump. */
__attribute__((always_inline)) static inline uintptr_t sample_innermost(void)
{
    sample_lines[0] = __LINE__ + 1;
    uintptr_t pc = sample_here();
    __asm__ __volatile__("" : "+r"(pc));
    return pc;
}

__attribute__((always_inline)) static inline uintptr_t sample_middle(void)
{
    sample_lines[1] = __LINE__ + 1;
    uintptr_t pc = sample_innermost();
    __asm__ __volatile__("" : "+r"(pc));
    return pc;
}

__attribute__((noinline)) static uintptr_t sample_outer(void)
{
    sample_lines[2] = __LINE__ + 1;
    uintptr_t pc = sample_middle();
    __asm__ __volatile__("" : "+r"(pc));
    return pc;
}

#endif
