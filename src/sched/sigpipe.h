/* SPDX-License-Identifier: MIT */
/* System calls without MSG_NOSIGNAL: SIGPIPE is blocked meanwhile, and taken back if the call
 * raised it. */
#ifndef WEFT_SCHED_SIGPIPE_H
#define WEFT_SCHED_SIGPIPE_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct sigpipe_hold {
    sigset_t only, old;
    bool was_pending;
};

static inline void sigpipe_block(struct sigpipe_hold *hold)
{
    sigset_t pending;
    sigemptyset(&hold->only);
    sigaddset(&hold->only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &hold->only, &hold->old);
    sigpending(&pending);
    hold->was_pending = sigismember(&pending, SIGPIPE) == 1;
}

/* result: that of the call, a negative errno value if it failed. */
static inline void sigpipe_unblock(const struct sigpipe_hold *hold, ssize_t result)
{
    if (result == -EPIPE && !hold->was_pending)
        sigtimedwait(&hold->only, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &hold->old, NULL);
}

#endif
