/* SPDX-License-Identifier: MIT */
/*
 * The lease (sched/lease.h): an M that enters and leaves the runtime, and a holder that stops it at
 * the border. Stores of the M may be delayed, as on x86-64 (total store order): its store of
 * in_runtime sits in a buffer until it drains by itself or the holder's heavy fence drains it.
 *
 * Claimed (L1): while the holder holds, the M is not inside, and does not enter.
 * With -DNO_HEAVY_FENCE the fence is a compiler barrier only: spin must find the violation.
 */
bool in_runtime;         /* as seen by others */
bool buffered, buffered_value;
bool held;               /* attention & M_HELD */
bool m_inside, holder_owns;

inline store_in_runtime(value)
{
    atomic {
        if
        :: buffered -> in_runtime = buffered_value /* a buffer of one: the older store drains */
        :: else
        fi;
        buffered = true;
        buffered_value = value
    }
}

active proctype buffer()
{
    do
    :: atomic { buffered -> in_runtime = buffered_value; buffered = false }
    od
}

active proctype machine()
{
    do
    ::  store_in_runtime(true);
        /* light fence: a compiler barrier, no order between this store and the next load */
        do
        :: held ->
            store_in_runtime(false);
            !held; /* sleeps outside */
            store_in_runtime(true)
        :: else -> break
        od;
        atomic { m_inside = true; assert(!holder_owns) };
        skip; /* works on shared state */
        m_inside = false;
        store_in_runtime(false)
    od
}

active proctype holder()
{
    do
    ::  held = true;
#ifndef NO_HEAVY_FENCE
        atomic { /* membarrier: every thread passes a full barrier */
            if
            :: buffered -> in_runtime = buffered_value; buffered = false
            :: else
            fi
        }
#endif
        if
        :: !in_runtime ->
            atomic { holder_owns = true; assert(!m_inside) };
            skip;
            holder_owns = false
        :: in_runtime -> skip /* not now: asks it to yield */
        fi;
        held = false
    od
}
