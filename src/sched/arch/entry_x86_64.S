/* SPDX-License-Identifier: MIT */
/* Where a goroutine's first switch arrives, x86-64. On the stack, which is 16-byte aligned here: fn, its argument
 * (context.c). */
#if defined(__x86_64__)
    .text
    .p2align 4
    .globl weft_context_entry
    .hidden weft_context_entry
    .type weft_context_entry, @function
weft_context_entry:
    .cfi_startproc
    .cfi_undefined rip
    xorl %ebp, %ebp
    call goroutine_begin
    movq 8(%rsp), %rdi
    call *(%rsp)
    movl %eax, %edi
    call goroutine_end
    ud2
    .cfi_endproc
    .size weft_context_entry, . - weft_context_entry
#endif
    .section .note.GNU-stack, "", %progbits
