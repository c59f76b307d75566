/* SPDX-License-Identifier: MIT */
/* Where a goroutine's first switch arrives, AArch64. On the stack: fn, its argument (context.c). */
#if defined(__aarch64__)
    .text
    .p2align 4
    .globl weft_context_entry
    .hidden weft_context_entry
    .type weft_context_entry, %function
weft_context_entry:
    .cfi_startproc
    .cfi_undefined x30
    mov x29, #0
    mov x30, #0
    bl goroutine_begin
    ldp x9, x0, [sp]
    blr x9
    bl goroutine_end
    brk #1
    .cfi_endproc
    .size weft_context_entry, . - weft_context_entry
#endif
    .section .note.GNU-stack, "", %progbits
