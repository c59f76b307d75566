/* SPDX-License-Identifier: MIT */
/*
 * The frame of every operation on a connection or listener.
 *
 * Each operation enters the runtime to begin, makes its system calls outside on a non-blocking
 * descriptor, enters again to wait when the kernel says EAGAIN, and to end. A goroutine that waited
 * may go on on another thread, and compilers take the address of errno for constant within a
 * function: therefore every system call that can fail stands in a function of its own (SYS, never
 * inlined) that returns a negative errno value.
 */
#ifndef WEFT_SCHED_NET_OP_H
#define WEFT_SCHED_NET_OP_H

#include <errno.h>
#include <unistd.h>

#include "sched/netpoll.h"
#include "weft/net.h"

/* Both are nothing but their descriptor's record, which is never unmapped: no allocation for a
 * connection, and the use of a closed one is an error rather than a wild read. */
struct weft_conn {
    struct poll_desc desc;
};
struct weft_listener {
    struct poll_desc desc;
};

#define SYS static __attribute__((noinline))

/* One write to a socket or pipe, without SIGPIPE: how much of it was written, or a negative errno
 * value. */
ssize_t net_write(const struct poll_desc *desc, const void *data, size_t size);

/* Closes what poll_end() and poll_close() return. */
static inline void net_close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* In line, and with an address of the public function's own, so that traces name that function: a
 * symboliser finds the inlined ones, too. Functions with forms (`until`) hand it down; the macros
 * take it where they are used. */
#define IN_LINE        static inline __attribute__((always_inline))
#define enter_from(pc) rt_enter_from(__builtin_frame_address(0), (pc))

IN_LINE int begin_at(uintptr_t pc, struct poll_desc *desc, enum poll_mode mode, int64_t deadline,
                     uint32_t *seen)
{
    struct m *m = enter_from(pc);
    if (!m)
        return -EPERM;
    int error = poll_begin(&m, desc, mode, deadline, seen);
    rt_exit(m);
    return error;
}

IN_LINE int wait_at(uintptr_t pc, struct poll_desc *desc, enum poll_mode mode, int64_t deadline,
                    uint32_t *seen)
{
    struct m *m = enter_from(pc);
    if (!m) /* an attached thread, and the runtime has ended */
        return -EPERM;
    int error = poll_wait(&m, desc, mode, deadline, seen);
    rt_exit(m);
    return error;
}

IN_LINE int begin_read_at(uintptr_t pc, struct poll_desc *desc, int64_t deadline, uint32_t *seen,
                          int *waited)
{
    struct m *m = enter_from(pc);
    if (!m)
        return -EPERM;
    int error = poll_begin_read(&m, desc, deadline, seen, waited);
    rt_exit(m);
    return error;
}

IN_LINE void end_at(uintptr_t pc, struct poll_desc *desc, enum poll_mode mode)
{
    struct m *m = enter_from(pc);
    if (!m) /* as above */
        return;
    int fd = poll_end(m, desc, mode);
    rt_exit(m);
    net_close_fd(fd);
}

/* After a read that returned n of `size` bytes, or an error. */
IN_LINE void end_read_at(uintptr_t pc, struct poll_desc *desc, uint32_t seen, ssize_t n,
                         size_t size)
{
    struct m *m = enter_from(pc);
    if (!m) /* as above */
        return;
    int fd = n > 0 && (size_t)n < size ? poll_end_short_read(m, desc, seen)
                                       : poll_end(m, desc, POLL_READ);
    rt_exit(m);
    net_close_fd(fd);
}

IN_LINE void close_desc_at(uintptr_t pc, struct poll_desc *desc, const char *who)
{
    struct m *m = enter_from(pc);
    if (!m)
        rt_not_a_goroutine(who);
    int fd = poll_close(m, desc);
    rt_exit(m);
    net_close_fd(fd);
}
#define close_desc(...) close_desc_at(rt_here(), __VA_ARGS__)

IN_LINE void set_deadline_at(uintptr_t pc, struct poll_desc *desc, enum poll_mode mode,
                             int64_t deadline, const char *who)
{
    struct m *m = enter_from(pc);
    if (!m)
        rt_not_a_goroutine(who);
    poll_set_deadline(m, desc, mode, deadline);
    rt_exit(m);
}
#define set_deadline(...) set_deadline_at(rt_here(), __VA_ARGS__)

/* Registers a descriptor of ours, or closes it. */
IN_LINE int adopt_at(uintptr_t pc, int fd, enum poll_kind kind, struct poll_desc **out)
{
    struct m *m = enter_from(pc);
    int error = m ? poll_open(fd, kind, out) : -EPERM;
    if (m)
        rt_exit(m);
    if (error)
        net_close_fd(fd);
    return error;
}
#define adopt(...) adopt_at(rt_here(), __VA_ARGS__)

#endif
