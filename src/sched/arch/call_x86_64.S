/* SPDX-License-Identifier: MIT */
/* weft_context_call(fn, arg, top): calls fn(arg) on the stack that ends at top (16-byte aligned), and returns on the
 * caller's. x86-64. The frame pointer leads back, for unwinders too. */
#if defined(__x86_64__)
    .text
    .p2align 4
    .globl weft_context_call
    .hidden weft_context_call
    .type weft_context_call, @function
weft_context_call:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register rbp
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsp
    call *%rax
    leave
    .cfi_def_cfa rsp, 8
    ret
    .cfi_endproc
    .size weft_context_call, . - weft_context_call
#endif
    .section .note.GNU-stack, "", %progbits
