/* SPDX-License-Identifier: MIT */
/* Context switch for x86-64, System V ABI. Saved below the return address, from the top: rbp rbx r12 r13 r14 r15. */
#if defined(__x86_64__)
    .text
    .p2align 4
    .globl weft_context_switch
    .hidden weft_context_switch
    .type weft_context_switch, @function
weft_context_switch:
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
    movq %rsp, (%rdi)
    /* The two stacks have the same layout, so the unwind information stays true across this line. */
    movq %rsi, %rsp
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbp
    /* Not ret: the processor's return stack predicts the caller of this function, not of the other stack's. */
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register rip, rcx
    jmpq *%rcx
    .cfi_endproc
    .size weft_context_switch, . - weft_context_switch

/* r12: fn, r13: its argument (context.c). The stack pointer is 16-byte aligned here. */
    .p2align 4
    .globl weft_context_entry
    .hidden weft_context_entry
    .type weft_context_entry, @function
weft_context_entry:
    .cfi_startproc
    .cfi_undefined rip
    xorl %ebp, %ebp
    call goroutine_begin
    movq %r13, %rdi
    call *%r12
    movl %eax, %edi
    call goroutine_end
    ud2
    .cfi_endproc
    .size weft_context_entry, . - weft_context_entry
#endif
    .section .note.GNU-stack, "", %progbits
