/* SPDX-License-Identifier: MIT */
/* epoll and eventfd. */
#include "base/os_poll.h"

#include "base/atomic.h"
#include "base/fatal.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef __linux__
#error "weft: this system needs its own readiness notification; see src/base/os_poll.h"
#endif

enum { MAX_EVENTS = 128 };

static bool no_pwait2; /* atomic: the kernel is older than 5.11 */

int os_poller_init(os_poller *poller)
{
    int saved = errno, result = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = OS_POLL_NO_COOKIE};

    poller->waker = -1;
    poller->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (poller->epoll >= 0)
        poller->waker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (poller->waker < 0 || epoll_ctl(poller->epoll, EPOLL_CTL_ADD, poller->waker, &event) != 0) {
        result = -errno;
        os_poller_fini(poller);
    }
    errno = saved;
    return result;
}

void os_poller_fini(os_poller *poller)
{
    int saved = errno;
    if (poller->waker >= 0)
        close(poller->waker);
    if (poller->epoll >= 0)
        close(poller->epoll);
    poller->epoll = poller->waker = -1;
    errno = saved;
}

int os_poller_add(const os_poller *poller, int fd, uint64_t cookie)
{
    int saved = errno, result = 0;
    struct epoll_event event = {.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u64 = cookie};

    if (epoll_ctl(poller->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        result = errno == EPERM ? -EOPNOTSUPP : -errno;
    errno = saved;
    return result;
}

void os_poller_remove(const os_poller *poller, int fd)
{
    int saved = errno;
    struct epoll_event event = {0};
    epoll_ctl(poller->epoll, EPOLL_CTL_DEL, fd, &event);
    errno = saved;
}

/* Whole milliseconds for kernels without epoll_pwait2, rounded up so that nobody wakes early and
 * spins. */
static int milliseconds(int64_t ns)
{
    if (ns < 0)
        return -1;
    int64_t ms = ns / 1000000 + (ns % 1000000 != 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* musl has no name for it. */
static int pwait2(int epoll, struct epoll_event *events, int max, const struct timespec *limit)
{
#ifdef __GLIBC__
    return epoll_pwait2(epoll, events, max, limit, NULL);
#else
    return (int)syscall(SYS_epoll_pwait2, epoll, events, max, limit, NULL, 0);
#endif
}

static int wait_ns(int epoll, struct epoll_event *events, int max, int64_t ns)
{
    if (ns > 0 && !atomic_load_relaxed(&no_pwait2)) {
        struct timespec limit = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
        int n = pwait2(epoll, events, max, &limit);
        if (n >= 0 || errno != ENOSYS)
            return n;
        atomic_store_relaxed(&no_pwait2, true);
    }
    return epoll_wait(epoll, events, max, milliseconds(ns));
}

static uint32_t modes_of(uint32_t events)
{
    uint32_t modes = 0;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        modes |= OS_POLL_READ;
    if (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        modes |= OS_POLL_READ | OS_POLL_MARK;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        modes |= OS_POLL_WRITE;
    return modes;
}

unsigned os_poller_wait(const os_poller *poller, os_poll_event *out, unsigned max,
                        int64_t timeout_ns, bool *woken)
{
    struct epoll_event events[MAX_EVENTS];
    int saved = errno;
    unsigned count = 0;

    *woken = false;
    int n = wait_ns(poller->epoll, events, max < MAX_EVENTS ? (int)max : MAX_EVENTS, timeout_ns);
    if (n < 0 && errno != EINTR)
        fatal("epoll_wait failed: errno %d", errno);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 != OS_POLL_NO_COOKIE) {
            out[count++] =
                (os_poll_event){.cookie = events[i].data.u64, .modes = modes_of(events[i].events)};
        } else if (timeout_ns != 0) {
            uint64_t notices;
            (void)!read(poller->waker, &notices, sizeof notices);
            *woken = true;
        }
    }
    errno = saved;
    return count;
}

void os_poller_wake(const os_poller *poller)
{
    int saved = errno;
    uint64_t one = 1;
    (void)!write(poller->waker, &one, sizeof one);
    errno = saved;
}
