/* SPDX-License-Identifier: MIT */
/* The first frame of a new goroutine: what arch/ expects to pop. */
#include "sched/context.h"

#if defined(__x86_64__)

void *context_make(void *top, void (*fn)(void *), void *arg)
{
    uintptr_t *sp = top;
    *--sp = 0; /* keeps weft_context_entry's stack pointer aligned */
    *--sp = 0;
    *--sp = (uintptr_t)weft_context_entry; /* return address */
    *--sp = 0;                             /* rbp */
    *--sp = 0;                             /* rbx */
    *--sp = (uintptr_t)fn;                 /* r12 */
    *--sp = (uintptr_t)arg;                /* r13 */
    *--sp = 0;                             /* r14 */
    *--sp = 0;                             /* r15 */
    return sp;
}

#elif defined(__aarch64__)

void *context_make(void *top, void (*fn)(void *), void *arg)
{
    uintptr_t *sp = (uintptr_t *)top - 20;
    for (int i = 0; i < 20; i++)
        sp[i] = 0;
    sp[1] = (uintptr_t)weft_context_entry; /* x30 */
    sp[2] = (uintptr_t)fn;                 /* x19 */
    sp[3] = (uintptr_t)arg;                /* x20 */
    return sp;
}

#else
#error "weft: unknown processor; src/sched/arch needs its context switch"
#endif
