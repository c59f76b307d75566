/* SPDX-License-Identifier: MIT */
/* weft_context_call(fn, arg, top): calls fn(arg) on the stack that ends at top (16-byte aligned), and returns on the
 * caller's. AArch64. The frame pointer leads back, for unwinders too. */
#if defined(__aarch64__)
    .text
    .p2align 4
    .globl weft_context_call
    .hidden weft_context_call
    .type weft_context_call, %function
weft_context_call:
    .cfi_startproc
    stp x29, x30, [sp, #-16]!
    .cfi_def_cfa_offset 16
    .cfi_offset x29, -16
    .cfi_offset x30, -8
    mov x29, sp
    .cfi_def_cfa_register x29
    mov x9, x0
    mov x0, x1
    mov sp, x2
    blr x9
    mov sp, x29
    .cfi_def_cfa_register sp
    ldp x29, x30, [sp], #16
    .cfi_restore x29
    .cfi_restore x30
    .cfi_def_cfa_offset 0
    ret
    .cfi_endproc
    .size weft_context_call, . - weft_context_call
#endif
    .section .note.GNU-stack, "", %progbits
