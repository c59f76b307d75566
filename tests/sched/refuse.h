/* SPDX-License-Identifier: MIT */
/* A kernel that refuses a system call: an old one, or one under the seccomp filters of containers.
 * For good, so in a child. */
#ifndef WEFT_TESTS_SCHED_REFUSE_H
#define WEFT_TESTS_SCHED_REFUSE_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Calls whose argument (0 …) has this value in the bits of the mask; mask and value 0: all. */
struct refusal {
    unsigned call;
    int error;
    unsigned argument, mask, value;
};

static inline void refuse(struct refusal r)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r.call, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 (unsigned)offsetof(struct seccomp_data, args) + r.argument * 8),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, r.mask),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r.value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)r.error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog all = {sizeof program / sizeof *program, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) != 0)
        abort();
}

#endif
