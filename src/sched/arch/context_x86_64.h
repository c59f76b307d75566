/* SPDX-License-Identifier: MIT */
/*
 * Context switch for x86-64, System V ABI. In line: the compiler saves what of the callee-saved
 * registers is in use, once, where it does so anyway. The jump is no return: the processor's return
 * stack predicts the caller of this function, not that of the other stack's.
 *
 * Nothing is written below the stack pointer, where the red zone may be in use. The frame pointer
 * is saved by hand, as a function that has one cannot declare it as changed. A debugger finds the
 * context's frame by the three words: at `pc` the unwind information of the function around this
 * holds, with `sp` and `fp`.
 */
#ifdef __AVX512F__
#define CONTEXT_WIDE_REGISTERS                                                                     \
    "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",      \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5",  \
        "k6", "k7",
#else
#define CONTEXT_WIDE_REGISTERS
#endif

static inline __attribute__((always_inline)) void
weft_context_switch(struct saved_context *save, const struct saved_context *to)
{
    __asm__ __volatile__("leaq 1f(%%rip), %%rax\n\t"
                         "movq %%rsp, 0(%0)\n\t"
                         "movq %%rbp, 8(%0)\n\t"
                         "movq %%rax, 16(%0)\n\t"
                         "movq 0(%1), %%rsp\n\t"
                         "movq 8(%1), %%rbp\n\t"
                         "jmpq *16(%1)\n"
                         "1:"
                         : "+D"(save), "+S"(to)
                         :
                         : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13",
                           "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                           "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                           "xmm15", CONTEXT_WIDE_REGISTERS "mm0", "mm1", "mm2", "mm3", "mm4", "mm5",
                           "mm6", "mm7", "cc", "memory");
}
