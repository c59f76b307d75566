/* SPDX-License-Identifier: MIT */
/*
 * Design: a lane is IDLE, QUEUED (some thread shall fill it) or RUNNING (a thread fills it). The
 * reader's thread queues a lane when half of its ring is empty, so that it seldom takes the lock. A
 * thread of the team fills a whole ring before it looks for the next lane. Where the reader's
 * thread finds nothing decoded it decodes a block itself, unless a thread is at it: a team that
 * gets no processor costs little more than no team.
 *
 * Invariants
 *  1. Who has set RUNNING, under the lock, is the only one who touches the lane's decoder, ring and
 *     events between `taken` and `filled` + 1; a block belongs to the reader's thread from `filled`
 *     (release) on until `taken` (release) has passed it.
 *  2. After a block whose step is not EVENT nothing is decoded any more.
 *  3. A waiting reader sees a block or is woken: it stores `waiting` and then reads `filled`, the
 *     thread stores `filled` and then reads `waiting`, all of them sequentially consistent.
 *
 * Rejected: whole batches as units (a batch of 64 KiB is a megabyte of events: it leaves the cache
 * before it is read); threads that sleep as soon as there is nothing to do (waking one takes longer
 * than consuming half a ring, so they look on for a while).
 */
#include "reader/team.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/atomic.h"

enum { IDLE, QUEUED, RUNNING };

/* Turns of looking for work before a thread sleeps: some 50 microseconds. */
#define LOOKS 4000

struct reader_team {
    pthread_mutex_t lock;
    pthread_cond_t work;               /* a lane was queued, or stop was set */
    pthread_cond_t progress;           /* a block was filled, or a lane left */
    struct reader_lane *first, **last; /* lock: the queue */
    unsigned sleeping, running;        /* lock: threads that wait for work; lanes RUNNING */
    bool stop;                         /* lock */
    uint32_t queued;                   /* atomic: length of the queue; a hint outside of the lock */
    const struct reader_generation *gen; /* changes only while nothing is queued or RUNNING */
    unsigned count;
    pthread_t threads[];
};

/* -------- the queue: under the lock -------- */

static void push(struct reader_team *team, struct reader_lane *lane)
{
    atomic_store_relaxed(&lane->state, QUEUED);
    lane->next = NULL;
    *team->last = lane;
    team->last = &lane->next;
    atomic_store_relaxed(&team->queued, team->queued + 1);
    if (team->sleeping)
        pthread_cond_signal(&team->work);
}

static void unlink_lane(struct reader_team *team, struct reader_lane *lane)
{
    struct reader_lane **link = &team->first;
    while (*link != lane)
        link = &(*link)->next;
    *link = lane->next;
    if (!*link)
        team->last = link;
    atomic_store_relaxed(&team->queued, team->queued - 1);
}

static void run(struct reader_team *team, struct reader_lane *lane)
{
    atomic_store_relaxed(&lane->state, RUNNING);
    team->running++;
}

static void leave(struct reader_team *team, struct reader_lane *lane)
{
    atomic_store_relaxed(&lane->state, IDLE);
    team->running--;
    pthread_cond_broadcast(&team->progress);
}

/* -------- filling -------- */

static bool has_ended(const struct reader_lane *lane, uint32_t filled)
{
    return lane->ring[(filled - 1) % lane->blocks].step != READER_STEP_EVENT;
}

/* Decodes one block. Whoever RUNs the lane. */
static void fill_block(struct reader_team *team, struct reader_lane *lane)
{
    uint32_t filled = atomic_load_relaxed(&lane->filled);
    reader_lane_decode(lane, team->gen, filled % lane->blocks);
    atomic_store_seqcst(&lane->filled, filled + 1); /* pairs with wait_for_block and take */
}

static bool has_room(struct reader_lane *lane)
{
    uint32_t filled = atomic_load_relaxed(&lane->filled);
    /* Acquire: pairs with take; the reader has done with the block. */
    return filled - atomic_load_acquire(&lane->taken) < lane->blocks && !has_ended(lane, filled);
}

static void fill_lane(struct reader_team *team, struct reader_lane *lane)
{
    while (has_room(lane)) {
        fill_block(team, lane);
        if (atomic_load_seqcst(&lane->waiting)) {
            pthread_mutex_lock(&team->lock);
            pthread_cond_broadcast(&team->progress);
            pthread_mutex_unlock(&team->lock);
        }
    }
}

/* Looks for work for a while, without the lock; then sleeps, if there is still none. */
static void wait_for_work(struct reader_team *team)
{
    pthread_mutex_unlock(&team->lock);
    for (unsigned i = 0; i < LOOKS && !atomic_load_relaxed(&team->queued); i++)
        cpu_relax();
    pthread_mutex_lock(&team->lock);
    if (team->first || team->stop)
        return;
    team->sleeping++;
    pthread_cond_wait(&team->work, &team->lock);
    team->sleeping--;
}

static void *work(void *context)
{
    struct reader_team *team = context;
    pthread_mutex_lock(&team->lock);
    while (!team->stop) {
        struct reader_lane *lane = team->first;
        if (!lane) {
            wait_for_work(team);
            continue;
        }
        unlink_lane(team, lane);
        run(team, lane);
        pthread_mutex_unlock(&team->lock);
        fill_lane(team, lane);
        pthread_mutex_lock(&team->lock);
        leave(team, lane);
    }
    pthread_mutex_unlock(&team->lock);
    return NULL;
}

/* -------- taking: the reader's thread -------- */

static void request(struct reader_lane *lane)
{
    struct reader_team *team = lane->team;
    if (atomic_load_relaxed(&lane->state) != IDLE)
        return;
    pthread_mutex_lock(&team->lock);
    if (lane->state == IDLE)
        push(team, lane);
    pthread_mutex_unlock(&team->lock);
}

static bool has_block(struct reader_lane *lane)
{
    return atomic_load_seqcst(&lane->filled) != lane->taken; /* pairs with fill_block */
}

/* Nobody is at the lane: decodes a block here. */
static void fill_here(struct reader_team *team, struct reader_lane *lane)
{
    if (lane->state == QUEUED)
        unlink_lane(team, lane);
    run(team, lane);
    pthread_mutex_unlock(&team->lock);
    fill_block(team, lane);
    pthread_mutex_lock(&team->lock);
    leave(team, lane);
}

static void wait_for_block(struct reader_lane *lane)
{
    struct reader_team *team = lane->team;
    for (unsigned i = 0; i < LOOKS && atomic_load_relaxed(&lane->state) == RUNNING; i++) {
        if (has_block(lane))
            return;
        cpu_relax();
    }
    pthread_mutex_lock(&team->lock);
    atomic_store_seqcst(&lane->waiting, 1);
    while (!has_block(lane)) {
        if (lane->state == RUNNING)
            pthread_cond_wait(&team->progress, &team->lock);
        else
            fill_here(team, lane);
    }
    atomic_store_relaxed(&lane->waiting, 0);
    pthread_mutex_unlock(&team->lock);
}

void reader_team_add(struct reader_lane *lane)
{
    lane->filled = 1;
    if (!has_ended(lane, 1))
        request(lane);
}

uint32_t reader_team_take(struct reader_lane *lane)
{
    atomic_store_release(&lane->taken, lane->taken + 1); /* pairs with has_room */
    if (!has_block(lane))
        wait_for_block(lane);
    uint32_t filled = atomic_load_acquire(&lane->filled);
    if (filled - lane->taken <= lane->blocks / 2 && !has_ended(lane, filled))
        request(lane);
    return lane->taken % lane->blocks;
}

void reader_team_begin(struct reader_team *team, const struct reader_generation *gen)
{
    pthread_mutex_lock(&team->lock);
    team->gen = gen;
    pthread_mutex_unlock(&team->lock);
}

void reader_team_rest(struct reader_team *team)
{
    pthread_mutex_lock(&team->lock);
    for (struct reader_lane *lane; (lane = team->first);) {
        unlink_lane(team, lane);
        atomic_store_relaxed(&lane->state, IDLE);
    }
    while (team->running)
        pthread_cond_wait(&team->progress, &team->lock);
    pthread_mutex_unlock(&team->lock);
}

/* -------- life -------- */

/* Signals are for the program's own threads. */
static unsigned start_threads(struct reader_team *team, unsigned n)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (team->count < n && pthread_create(&team->threads[team->count], NULL, work, team) == 0)
        team->count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return team->count;
}

struct reader_team *reader_team_new(unsigned n)
{
    struct reader_team *team = calloc(1, sizeof *team + n * sizeof team->threads[0]);
    if (!team)
        return NULL;
    team->last = &team->first;
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->work, NULL);
    pthread_cond_init(&team->progress, NULL);
    if (start_threads(team, n) > 0)
        return team;
    reader_team_free(team);
    return NULL;
}

void reader_team_free(struct reader_team *team)
{
    if (!team)
        return;
    pthread_mutex_lock(&team->lock);
    team->stop = true;
    pthread_cond_broadcast(&team->work);
    pthread_mutex_unlock(&team->lock);
    for (unsigned i = 0; i < team->count; i++)
        pthread_join(team->threads[i], NULL);
    pthread_cond_destroy(&team->progress);
    pthread_cond_destroy(&team->work);
    pthread_mutex_destroy(&team->lock);
    free(team);
}
