/* SPDX-License-Identifier: MIT */
/*
 * Park and ready (sched/waiter.c): a goroutine that waits on two queues with a deadline, as a select
 * does, again and again; a waker on each queue; the timer. Lock 1, of the second queue, is the one
 * that it parks with (wait->parked).
 *
 * Claimed: a wait is ended exactly once; nobody makes the goroutine ready before it is off its stack
 * (W3) or touches the claim of a wait that is over (W2); the goroutine always goes on.
 * With -DNO_PARKED_WAIT wakers do not wait for that lock: spin must find the violation of W3. With
 * -DNO_REMOVE the goroutine does not come back to the queues: it must find that of W2.
 */
#define ROUNDS 3

bool lock[2];
bool queued[2];          /* under lock[i] */
bool timer_lock, timer_set;
byte round;              /* number of the wait */
byte claim;              /* of the wait at hand */
bool on_stack = true;    /* the goroutine's stack is in use */
bool runnable;
bool finished;

inline acquire(l) { atomic { !l -> l = true } }
inline release(l) { l = false }

/* Whether the caller ends the wait number `seen`. */
inline try_claim(seen, won)
{
    atomic {
        assert(seen == round); /* W2 */
        won = (claim == 0);
        claim = 1
    }
}

inline make_ready()
{
    atomic {
        assert(!on_stack); /* W3 */
        assert(!runnable); /* once */
        runnable = true
    }
}

active proctype goroutine()
{
    do
    :: round < ROUNDS ->
        acquire(lock[0]);
        acquire(lock[1]);
        atomic { round++; claim = 0 }; /* W1 */
        queued[0] = true;
        queued[1] = true;
        acquire(timer_lock);
        timer_set = true;
        release(timer_lock);
        release(lock[0]);
        /* parks: the context that the switch arrives in releases the lock */
        on_stack = false;
        release(lock[1]);
        runnable;
        atomic { runnable = false; on_stack = true };
#ifndef NO_REMOVE
        acquire(timer_lock);
        timer_set = false;
        release(timer_lock);
        acquire(lock[0]);
        queued[0] = false;
        release(lock[0]);
        acquire(lock[1]);
        queued[1] = false;
        release(lock[1])
#endif
    :: else -> break
    od;
    finished = true
}

inline wait_parked()
{
#ifndef NO_PARKED_WAIT
    !lock[1] /* free once after the claim: the goroutine, or a later holder, has released it */
#else
    skip
#endif
}

proctype waker(byte i)
{
    bool won;
    byte seen;
end:
    do
    ::  acquire(lock[i]);
        won = false;
        if
        :: queued[i] ->
            queued[i] = false;
            seen = round;
            skip; /* delayed between the queue and the claim */
            try_claim(seen, won)
        :: else
        fi;
        release(lock[i]);
        if
        :: won -> wait_parked(); make_ready()
        :: else
        fi
    :: finished -> break
    od
}

active proctype timer()
{
    bool won;
    byte seen;
end:
    do
    ::  acquire(timer_lock);
        won = false;
        if
        :: timer_set ->
            timer_set = false;
            seen = round;
            skip;
            try_claim(seen, won)
        :: else
        fi;
        release(timer_lock);
        if
        :: won -> wait_parked(); make_ready()
        :: else
        fi
    :: finished -> break
    od
}

init { atomic { run waker(0); run waker(1) } }
