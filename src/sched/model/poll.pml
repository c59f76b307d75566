/* SPDX-License-Identifier: MIT */
/*
 * The sleep in the poller (sched/idle.c, S2): an M that sleeps there until the first timer is
 * due, and threads that set timers which are due earlier. The store of a timer may be delayed, as
 * on x86-64, until a read-modify-write operation of the same thread; that of poll_until is such an
 * operation itself.
 *
 * Claimed: when nothing moves any more, the M sleeps no longer than until the first timer, or has
 * been woken.
 * With -DNO_FENCE a thread reads poll_until while its timer may be on its way, and with -DNO_SECOND_LOOK
 * the M does not read the timers again: spin must find an M that oversleeps.
 */
#define NEVER   9
#define THREADS 2

byte first = NEVER;       /* the first timer */
byte poll_until;          /* 0: nobody sleeps there */
bool woken;               /* the eventfd was written */
bool asleep;
byte sleeps_until;
byte buffered[THREADS] = NEVER;

inline drain(i)
{
    if
    :: buffered[i] < first -> first = buffered[i]
    :: else
    fi;
    buffered[i] = NEVER
}

active [THREADS] proctype thread()
{
    byte when = 5 - 2 * _pid, until;
    buffered[_pid] = when;
#ifndef NO_FENCE
    atomic { drain(_pid) };
#endif
    until = poll_until;
    if
    :: until != 0 && when < until -> woken = true
    :: else
    fi
}

active proctype buffer()
{
end:
    do
    :: atomic { buffered[0] != NEVER -> drain(0) }
    :: atomic { buffered[1] != NEVER -> drain(1) }
    od
}

active proctype m()
{
    byte planned;
    do
    :: planned = first;
        poll_until = planned;
#ifndef NO_SECOND_LOOK
        if
        :: first < planned -> planned = first
        :: else
        fi;
#endif
        sleeps_until = planned;
        asleep = true;
end_asleep:
        atomic { woken -> woken = false; asleep = false };
        poll_until = 0
    od
}

active proctype claim()
{
end:
    timeout -> assert(!asleep || woken || sleeps_until <= first)
}
