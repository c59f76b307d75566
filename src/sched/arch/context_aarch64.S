/* SPDX-License-Identifier: MIT */
/* Context switch for AArch64 (AAPCS64). Saved, from the stack pointer up: x29 x30, x19 … x28, d8 … d15. */
#if defined(__aarch64__)
    .text
    .p2align 4
    .globl weft_context_switch
    .hidden weft_context_switch
    .type weft_context_switch, %function
weft_context_switch:
    .cfi_startproc
    stp x29, x30, [sp, #-160]!
    .cfi_def_cfa_offset 160
    .cfi_offset x29, -160
    .cfi_offset x30, -152
    stp x19, x20, [sp, #16]
    .cfi_offset x19, -144
    .cfi_offset x20, -136
    stp x21, x22, [sp, #32]
    .cfi_offset x21, -128
    .cfi_offset x22, -120
    stp x23, x24, [sp, #48]
    .cfi_offset x23, -112
    .cfi_offset x24, -104
    stp x25, x26, [sp, #64]
    .cfi_offset x25, -96
    .cfi_offset x26, -88
    stp x27, x28, [sp, #80]
    .cfi_offset x27, -80
    .cfi_offset x28, -72
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    /* The two stacks have the same layout, so the unwind information stays true across this line. */
    mov sp, x1
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    ldp x29, x30, [sp], #160
    .cfi_def_cfa_offset 0
    br x30
    .cfi_endproc
    .size weft_context_switch, . - weft_context_switch

/* x19: fn, x20: its argument (context.c). */
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
    mov x0, x20
    blr x19
    bl goroutine_end
    brk #1
    .cfi_endproc
    .size weft_context_entry, . - weft_context_entry
#endif
    .section .note.GNU-stack, "", %progbits
