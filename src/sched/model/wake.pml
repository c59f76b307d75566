/* SPDX-License-Identifier: MIT */
/*
 * Waking Ms for work on the global queue (sched/schedule.c, S1): Ms that look for work, give their
 * P up and sleep; threads without a P that put goroutines on the queue. The stores of a thread that
 * puts one, of the queue's count and of the lock's word, may be delayed, as on x86-64; a
 * read-modify-write operation waits until they have drained.
 *
 * Claimed: when nothing moves any more, the queue is empty.
 * With -DNO_FENCE a thread reads the count of spinning Ms while its stores may be on their way:
 * spin must find goroutines that lie there while all Ms sleep.
 */
#define MS      2
#define THREADS 2

bool lock;            /* sched.lock */
byte global;          /* under lock; read without it as well */
byte idle_ps = MS;    /* under lock; likewise */
byte spinning;
byte woken;           /* Ms that were given a P, and have not begun */
byte buffered[THREADS]; /* stores on their way: 2 the count and the lock's, 1 the lock's */

inline acquire() { atomic { !lock -> lock = true } }
inline release() { lock = false }

/* proc_wake_one(); the caller's stores have drained where it says so. */
inline wake_one(drained)
{
    if
    :: idle_ps == 0 || spinning != 0
    :: else ->
        atomic {
            drained;
            if
            :: spinning == 0 -> spinning = 1; won = true
            :: else -> won = false
            fi
        };
        if
        :: won ->
            acquire();
            if
            :: idle_ps > 0 -> idle_ps--; woken++; release()
            :: else -> release(); atomic { spinning-- }
            fi
        :: else
        fi
    fi;
    won = false
}

active [THREADS] proctype thread()
{
    bool won;
    acquire();
    buffered[_pid] = 2;
#ifndef NO_FENCE
    buffered[_pid] == 0;
#endif
    wake_one(buffered[_pid] == 0)
}

active proctype buffer()
{
end:
    do
    :: atomic { buffered[0] == 2 -> global++; buffered[0] = 1 }
    :: atomic { buffered[0] == 1 -> lock = false; buffered[0] = 0 }
    :: atomic { buffered[1] == 2 -> global++; buffered[1] = 1 }
    :: atomic { buffered[1] == 1 -> lock = false; buffered[1] = 0 }
    od
}

active [MS] proctype m()
{
    bool spins, got, won, last;
end_asleep:
    atomic { woken > 0 -> woken--; spins = true };
look:
    acquire();
    if
    :: global > 0 -> global--; got = true
    :: else
    fi;
    release();
    if
    :: got ->
        got = false;
        if
        :: spins ->
            atomic { spins = false; last = (spinning == 1); spinning-- };
            if
            :: last -> last = false; wake_one(true)
            :: else
            fi
        :: else
        fi;
        goto look
    :: else
    fi;
    /* may_spin() */
    atomic {
        if
        :: !spins && 2 * spinning < MS - idle_ps -> spins = true; spinning++; got = true
        :: else
        fi
    };
    if
    :: got -> got = false; goto look
    :: else
    fi;
    /* release_p() */
    acquire();
    if
    :: global > 0 -> release(); goto look
    :: else -> idle_ps++; release()
    fi;
    /* give_up_spinning() */
    if
    :: spins ->
        atomic { spins = false; spinning-- };
        if
        :: global > 0 ->
            acquire();
            if
            :: idle_ps > 0 -> idle_ps--; release(); atomic { spinning++; spins = true }; goto look
            :: else -> release()
            fi
        :: else
        fi
    :: else
    fi;
    goto end_asleep
}

active proctype claim()
{
end:
    timeout -> assert(global == 0)
}
