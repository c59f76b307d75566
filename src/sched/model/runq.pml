/* SPDX-License-Identifier: MIT */
/*
 * The run queue of a P (sched/runq.c): the owner pushes, pops and uses the next slot, two thieves
 * steal half. A ring of two, so that it runs full and head and tail run around it; with -DLARGE
 * one of four and one thief, so that more than one is stolen at once.
 *
 * Claimed: every goroutine is taken exactly once, none is lost, and the owner never writes a place
 * that is still in use.
 * With -DBLIND_STEAL a thief moves the head without comparing: spin must find the violation.
 */
#ifdef LARGE
#define SIZE 4
#define THIEVES 1
#define GOROUTINES 6
#else
#define SIZE 2
#define THIEVES 2
#define GOROUTINES 4
#endif
#define HALF (SIZE / 2)
#define NONE 0

byte ring[SIZE];
byte head, tail, next_one; /* head and tail only grow */
byte taken[GOROUTINES + 1];
byte pushed;
bool owner_done;
byte thieves_done;

inline take(g)
{
    atomic {
        taken[g]++;
        assert(taken[g] == 1)
    }
}

active proctype owner()
{
    byte h, g, displaced;
    do
    :: pushed < GOROUTINES ->
        /* a new goroutine goes to the next slot, and what was there to the ring */
        pushed++;
        atomic { displaced = next_one; next_one = pushed };
        if
        :: displaced == NONE
        :: displaced != NONE ->
            h = head;
            if
            :: tail - h < SIZE ->
                ring[tail % SIZE] = displaced;
                tail++
            :: else -> /* full: half of it goes to the global queue */
                byte a, b;
                a = ring[h % SIZE];
                b = ring[(h + 1) % SIZE];
                atomic {
                    if
                    :: head == h -> head = h + HALF; g = 1
                    :: else -> g = 0
                    fi
                };
                if
                :: g == 1 ->
                    take(a);
                    take(displaced);
                    if
                    :: HALF > 1 -> take(b)
                    :: else
                    fi
                :: else -> /* a thief was quicker: there is room */
                    ring[tail % SIZE] = displaced;
                    tail++
                fi
            fi
        fi
    ::  /* pop */
        if
        :: next_one != NONE ->
            atomic { g = next_one; next_one = NONE };
            if
            :: g != NONE -> take(g)
            :: else
            fi
        :: else ->
            h = head;
            if
            :: h != tail ->
                g = ring[h % SIZE];
                atomic {
                    if
                    :: head == h -> head = h + 1
                    :: else -> g = NONE
                    fi
                };
                if
                :: g != NONE -> take(g)
                :: else
                fi
            :: else
            fi
        fi
    :: pushed == GOROUTINES && head == tail && next_one == NONE -> break
    od;
    owner_done = true
}

proctype thief()
{
    byte h, t, n, a, b, g;
    do
    ::  h = head;
        t = tail;
        n = t - h;
        n = n - n / 2;
        if
        :: n > SIZE / 2 -> skip /* not of one moment */
        :: n == 0 ->
            atomic { g = next_one; next_one = NONE };
            if
            :: g != NONE -> take(g)
            :: else
            fi
        :: else ->
            a = ring[h % SIZE];
            b = ring[(h + 1) % SIZE];
            atomic {
                if
#ifdef BLIND_STEAL
                :: true -> head = h + n
#else
                :: head == h -> head = h + n
                :: else -> n = 0
#endif
                fi
            };
            if
            :: n > 0 -> take(a)
            :: else
            fi;
            if
            :: n > 1 -> take(b)
            :: else
            fi
        fi
    :: owner_done -> break
    od;
    thieves_done++
}

init
{
    byte i;
    atomic {
        for (i : 1 .. THIEVES) {
            run thief()
        }
    };
    thieves_done == THIEVES;
    for (i : 1 .. GOROUTINES) {
        assert(taken[i] == 1)
    }
}
