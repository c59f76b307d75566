/* SPDX-License-Identifier: MIT */
/*
 * Design. A thread of its own adds up the samples by stack; it sleeps until the ring is half full
 * or the profile ends. Then it finds the symbols and writes: both need a deep stack and time, which
 * a goroutine that stops the profile has not.
 *
 * The memory for stacks comes from an arena with a limit, so what a profile can take is bounded;
 * samples of stacks for which there is no room any more are counted.
 */
#include "trace/cpu_profile.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/pages.h"
#include "base/thread.h"
#include "base/torture.h"
#include "wire/flight_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_HZ     100
#define DEFAULT_BUDGET ((size_t)64 << 20)
#define LEAST_BUDGET   ((size_t)4 << 20)
#define RING_BYTES     ((size_t)1 << 20)

static struct {
    base_lock lock;             /* rank COMMANDS */
    trace_cpu_profile *running; /* lock */
} current = {.lock = BASE_LOCK_INIT(COMMANDS)};

/* ---- The profile's thread ---- */

/* Room for the total of a stack. */
static bool reserve_total(trace_cpu_profile *profile, uint64_t id)
{
    size_t room = profile->totals_room;
    if (id < room)
        return true;
    size_t more = room ? room * 2 : 4096;
    trace_cpu_total *totals =
        torture_refuse("cpu totals") ? NULL : base_pages_alloc(more * sizeof *totals);
    if (!totals)
        return false;
    if (room) {
        memcpy(totals, profile->totals, room * sizeof *totals);
        base_pages_free(profile->totals, room * sizeof *totals);
    }
    profile->totals = totals;
    profile->totals_room = more;
    return true;
}

static void add_sample(trace_cpu_profile *profile, const trace_cpu_sample *sample)
{
    uint64_t key[1 + TRACE_CPU_FRAMES + TRACE_CPU_LABEL / 8];
    size_t words = trace_cpu_words(sample->shape), size = (1 + words) * sizeof *key;
    key[0] = sample->shape;
    memcpy(key + 1, sample->data, words * sizeof *key);
    const trace_map_entry *entry =
        trace_map_intern(&profile->stacks, base_hash(key, size), key, size);
    if (!entry || !reserve_total(profile, entry->id)) {
        profile->result.lost_samples += sample->ticks;
        return;
    }
    trace_cpu_total *total = &profile->totals[entry->id];
    total->ticks += sample->ticks;
    total->ns += sample->ns;
    profile->result.samples += sample->ticks;
    profile->result.cpu_ns += sample->ns;
}

static void drain(trace_cpu_profile *profile)
{
    trace_cpu_sample sample;
    while (trace_cpu_ring_take(&profile->ring, &sample))
        add_sample(profile, &sample);
}

/* No sample is on its way any more afterwards. */
static void end_sampling(trace_cpu_profile *profile)
{
    (void)trace_cpu_want_set(&profile->want, 0);
    profile->result.refused_threads = trace_cpu_timers_refused() - profile->result.refused_threads;
    trace_cpu_profile_set(NULL, NULL);
    trace_cpu_settle();
    profile->duration_ns = base_clock_now() - profile->begun;
}

static void *profile_main(void *arg)
{
    trace_cpu_profile *profile = arg;
    while (!atomic_load_acquire(&profile->quit)) { /* pairs with weft_cpu_profile_stop() */
        drain(profile);
        (void)base_note_wait(&profile->wake, -1);
    }
    end_sampling(profile);
    drain(profile);
    profile->result.lost_samples += profile->ring.lost;
    profile->result.error = trace_cpu_pprof_write(profile);
    profile->result.bytes = profile->output.bytes;
    return NULL;
}

/* ---- Start ---- */

static int complete_options(const weft_cpu_profile_options *given,
                            weft_cpu_profile_options *options)
{
    *options = (weft_cpu_profile_options){0};
    if (given) {
        if (given->size < sizeof given->size)
            return -EINVAL;
        memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    }
    if (!options->hz)
        options->hz = DEFAULT_HZ;
    if (!options->memory_budget)
        options->memory_budget = DEFAULT_BUDGET;
    if (options->memory_budget < LEAST_BUDGET)
        options->memory_budget = LEAST_BUDGET;
    return options->hz <= TRACE_CPU_HZ_MAX ? 0 : -EINVAL;
}

static void profile_free(trace_cpu_profile *profile)
{
    if (profile->output.owns_fd)
        close(profile->output.fd);
    trace_cpu_ring_fini(&profile->ring);
    trace_map_reset(&profile->stacks);
    trace_arena_fini(&profile->arena);
    if (profile->totals)
        base_pages_free(profile->totals, profile->totals_room * sizeof *profile->totals);
    base_pages_free(profile, sizeof *profile);
}

/* Returns 0, -EINVAL or -ENOMEM. */
static int profile_new(const weft_cpu_profile_options *given, trace_cpu_profile **result)
{
    weft_cpu_profile_options options;
    int rc = complete_options(given, &options);
    if (rc < 0)
        return rc;
    trace_cpu_profile *profile =
        torture_refuse("cpu profile") ? NULL : base_pages_alloc(sizeof *profile);
    if (!profile)
        return -ENOMEM;
    profile->hz = options.hz;
    profile->output.fd = -1;
    profile->result.size = sizeof profile->result;
    trace_arena_init(&profile->arena);
    trace_arena_limit(&profile->arena, options.memory_budget - RING_BYTES);
    trace_map_init(&profile->stacks, &profile->arena, WIRE_FLIGHT_STACKS, 0);
    rc = trace_cpu_ring_init(&profile->ring, RING_BYTES);
    if (rc < 0)
        profile_free(profile);
    else
        *result = profile;
    return rc;
}

static int begin(trace_cpu_profile *profile)
{
    base_clock_snapshot now;
    base_clock_init();
    base_clock_snap(&now);
    profile->begun = now.now;
    profile->wall_ns = now.wall_sec * 1000000000u + now.wall_nsec;
    profile->result.refused_threads = trace_cpu_timers_refused();
    trace_cpu_profile_set(&profile->ring, &profile->wake);
    int rc = trace_cpu_want_set(&profile->want, profile->hz);
    if (rc == 0)
        rc = base_thread_start(&profile->thread, "weft-profile", profile_main, profile);
    if (rc < 0)
        end_sampling(profile);
    return rc;
}

/* Becomes the one profile, or is freed. */
static int start(trace_cpu_profile *profile)
{
    lock_acquire(&current.lock);
    int rc = current.running ? -EBUSY : begin(profile);
    if (rc == 0)
        current.running = profile;
    lock_release(&current.lock);
    if (rc < 0)
        profile_free(profile);
    return rc;
}

int weft_cpu_profile_start_path(const char *path, const weft_cpu_profile_options *options)
{
    trace_cpu_profile *profile;
    int rc = profile_new(options, &profile);
    if (rc < 0)
        return rc;
    profile->output.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (profile->output.fd < 0) {
        rc = -errno;
        profile_free(profile);
        return rc;
    }
    profile->output.owns_fd = true;
    return start(profile);
}

int weft_cpu_profile_start_fd(int fd, const weft_cpu_profile_options *options)
{
    trace_cpu_profile *profile;
    if (fd < 0)
        return -EBADF;
    int rc = profile_new(options, &profile);
    if (rc < 0)
        return rc;
    profile->output.fd = fd;
    return start(profile);
}

int weft_cpu_profile_start_callback(weft_trace_write_fn write, void *context,
                                    const weft_cpu_profile_options *options)
{
    trace_cpu_profile *profile;
    if (!write)
        return -EINVAL;
    int rc = profile_new(options, &profile);
    if (rc < 0)
        return rc;
    profile->output.write = write;
    profile->output.context = context;
    return start(profile);
}

/* ---- Stop ---- */

/* Another may be started while this one is written. */
static int take_running(trace_cpu_profile **result)
{
    lock_acquire(&current.lock);
    trace_cpu_profile *profile = current.running;
    current.running = NULL;
    lock_release(&current.lock);
    *result = profile;
    return profile ? 0 : -EINVAL;
}

int weft_cpu_profile_stop(weft_cpu_profile_result *result)
{
    trace_cpu_profile *profile;
    int rc = take_running(&profile);
    if (rc < 0)
        return rc;
    atomic_store_release(&profile->quit, 1); /* pairs with profile_main() */
    base_note_post(&profile->wake);
    pthread_join(profile->thread, NULL);
    rc = profile->result.error;
    if (result) {
        size_t size = result->size < sizeof profile->result ? result->size : sizeof profile->result;
        memcpy(result, &profile->result, size);
        result->size = size;
    }
    profile_free(profile);
    return rc;
}

void trace_cpu_profile_forget(void)
{
    lock_init(&current.lock, BASE_RANK_COMMANDS);
    current.running = NULL;
}
