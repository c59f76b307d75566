/* SPDX-License-Identifier: MIT */
/*
 * switch_floor: what the bare switch of a stack takes, in ns: the stack pointer is exchanged and
 * the other side jumped to. `ret` returns to the other stack's caller instead, which the processor
 * never predicts.
 */
#include "rounds.h"

#if defined(__x86_64__)
enum { N = 2 * 1000 * 1000, STACK = 64 * 1024 };

static void *here, *there;

/* All registers are clobbered: the compiler saves those which it uses. */
#define SWITCH(from, to, leave)                                                                    \
    __asm__ __volatile__("lea -128(%%rsp), %%rsp\n\t" /* the red zone */                           \
                         "push %%rbp\n\t"                                                          \
                         "lea 1f(%%rip), %%rax\n\t"                                                \
                         "push %%rax\n\t"                                                          \
                         "mov %%rsp, (%0)\n\t"                                                     \
                         "mov %1, %%rsp\n\t" leave "\n\t"                                          \
                         "1: pop %%rbp\n\t"                                                        \
                         "lea 128(%%rsp), %%rsp"                                                   \
                         : "+D"(from), "+S"(to)                                                    \
                         :                                                                         \
                         : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13",     \
                           "r14", "r15", "memory", "cc")
#define BY_JUMP "pop %%rax\n\tjmp *%%rax"
#define BY_RET  "ret"

static _Noreturn void answer_by_jump(void)
{
    for (;;) {
        void **from = &there, *to = here;
        SWITCH(from, to, BY_JUMP);
    }
}

static _Noreturn void answer_by_ret(void)
{
    for (;;) {
        void **from = &there, *to = here;
        SWITCH(from, to, BY_RET);
    }
}

static void jumps(long n)
{
    for (long i = 0; i < n; i += 2) {
        void **from = &here, *to = there;
        SWITCH(from, to, BY_JUMP);
    }
}

static void rets(long n)
{
    for (long i = 0; i < n; i += 2) {
        void **from = &here, *to = there;
        SWITCH(from, to, BY_RET);
    }
}

static void measure(const char *name, void (*side)(void), void (*fn)(long))
{
    char *stack = aligned_alloc(16, STACK);
    if (!stack)
        exit(1);
    void **top = (void **)(void *)(stack + STACK) - 1;
    *--top = (void *)side;
    there = top;
    bench_print(name, fn, N);
    free(stack);
}

int main(void)
{
    measure("floor/switch", answer_by_jump, jumps);
    measure("floor/switch_by_ret", answer_by_ret, rets);
    return 0;
}
#else
int main(void)
{
    return 0; /* written for x86-64 only */
}
#endif
