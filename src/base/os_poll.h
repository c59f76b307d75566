/* SPDX-License-Identifier: MIT */
/*
 * Readiness of descriptors as the kernel reports it, edge-triggered: one event each time that a
 * descriptor becomes readable or writable (and one at registration if it is), never again for the
 * same state.
 *
 * Calls return 0 or a negative errno value and never touch the caller's errno. Any thread; several
 * threads may wait.
 */
#ifndef WEFT_BASE_OS_POLL_H
#define WEFT_BASE_OS_POLL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct os_poller {
    int epoll;
    int waker; /* an eventfd, level-triggered */
} os_poller;

enum {
    OS_POLL_READ = 1,
    OS_POLL_WRITE = 2,
    /* Beside OS_POLL_READ: the end of the stream, an error or urgent data. Behind a short read
     * there may be something that no further event tells of. */
    OS_POLL_MARK = 4,
};

typedef struct os_poll_event {
    uint64_t cookie;
    uint32_t modes; /* OS_POLL_…; an error or a hang-up is both */
} os_poll_event;

/* The cookie that is not a caller's. */
#define OS_POLL_NO_COOKIE UINT64_MAX

int os_poller_init(os_poller *poller);
void os_poller_fini(os_poller *poller);

/* -EOPNOTSUPP: a descriptor of this kind (a file) is always ready and cannot be registered. */
int os_poller_add(const os_poller *poller, int fd, uint64_t cookie);
void os_poller_remove(const os_poller *poller, int fd);

/*
 * Waits for at most timeout_ns (0: does not wait; negative: no limit) and returns the number of
 * events, 0 … max. May return 0 early. *woken: os_poller_wake() was called; only a call that may
 * wait takes that notice and clears it.
 */
unsigned os_poller_wait(const os_poller *poller, os_poll_event *events, unsigned max,
                        int64_t timeout_ns, bool *woken);

/* Makes one waiting call, or the next one, return. Async-signal-safe. */
void os_poller_wake(const os_poller *poller);

#endif
