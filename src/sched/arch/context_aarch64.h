/* SPDX-License-Identifier: MIT */
/*
 * Context switch for AArch64 (AAPCS64). In line: the compiler saves what of the callee-saved
 * registers is in use, once, where it does so anyway. The frame pointer is saved by hand, as a
 * function that has one cannot declare it as changed. A debugger finds the context's frame by the
 * three words: at `pc` the unwind information of the function around this holds, with `sp` and
 * `fp`.
 */
static inline __attribute__((always_inline)) void
weft_context_switch(struct saved_context *save, const struct saved_context *to)
{
    register struct saved_context *save_ __asm__("x0") = save;
    register const struct saved_context *to_ __asm__("x1") = to;
    __asm__ __volatile__("mov x9, sp\n\t"
                         "adr x10, 1f\n\t"
                         "stp x9, x29, [x0]\n\t"
                         "str x10, [x0, #16]\n\t"
                         "ldp x9, x29, [x1]\n\t"
                         "ldr x10, [x1, #16]\n\t"
                         "mov sp, x9\n\t"
                         "br x10\n"
                         "1:"
                         : "+r"(save_), "+r"(to_)
                         :
                         : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
                           "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22",
                           "x23", "x24", "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3",
                           "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14",
                           "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
                           "v25", "v26", "v27", "v28", "v29", "v30", "v31", "cc", "memory");
}
