/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "report.h"
#include "terminal.h"

#define FILES     64
#define FIRST_MS  1000
#define PERIOD_MS 200

/* What readers read. */
struct watched {
    const char *name;
    dev_t device;
    ino_t inode;
    int64_t size; /* negative: no file */
    int64_t at;   /* bytes, when it was looked at last */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t bell; /* rings when it is to end */
    pthread_t thread;
    bool running, ending, shown;
    struct watched files[FILES];
    unsigned count;
    int64_t moved; /* bytes since begun, of all files */
    struct timespec begun;
    atomic_uint_fast64_t counted;
} progress = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* -------- the line; the lock is held -------- */

static void put(const char *text, size_t size)
{
    ssize_t written = write(STDERR_FILENO, text, size);
    (void)written; /* a terminal that is gone needs no line */
}

static void clear(void)
{
    if (progress.shown)
        put("\r\033[K", 4);
    progress.shown = false;
}

static double seconds_since(struct timespec begun)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begun.tv_sec) + (double)(now.tv_nsec - begun.tv_nsec) / 1e9;
}

/* "server.trace: 12.0 MiB of 100 MiB, 12.0 %, 40.0 MiB/s", cut to the terminal's width. */
static void draw(const struct watched *file)
{
    char of[80] = "", line[512];
    unsigned columns, rows;
    if (file->size >= 0)
        snprintf(of, sizeof of, " of %s, %s", cli_bytes((uint64_t)file->size).text,
                 cli_percent(file->at, file->size).text);
    int size = snprintf(
        line, sizeof line, "\r%.200s: %s%s, %s/s", file->name, cli_bytes((uint64_t)file->at).text,
        of, cli_bytes((uint64_t)((double)progress.moved / seconds_since(progress.begun))).text);
    cli_terminal_size(STDERR_FILENO, &columns, &rows);
    put(line, (unsigned)size < columns ? (size_t)size : columns);
    put("\033[K", 3);
    progress.shown = true;
}

/* -------- looking -------- */

static struct watched *find(const struct stat *about)
{
    for (unsigned i = 0; i < progress.count; i++)
        if (progress.files[i].size >= 0 && progress.files[i].device == about->st_dev &&
            progress.files[i].inode == about->st_ino)
            return &progress.files[i];
    return NULL;
}

/* The position of a descriptor, as the kernel tells it; negative if it is closed by now. */
static int64_t place_of(const char *fd)
{
    char path[64];
    long long at = -1;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%.20s", fd);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "pos: %lld", &at) != 1)
        at = -1;
    if (file)
        fclose(file);
    return at;
}

/* Where the foremost descriptor of each file stands, in places, by the number of the file. They are
 * not used themselves, only named: readers may close them meanwhile. */
static void find_places(int64_t *places)
{
    struct dirent *entry;
    DIR *all = opendir("/proc/self/fd");
    while (all && (entry = readdir(all))) {
        char path[64];
        struct stat about;
        snprintf(path, sizeof path, "/proc/self/fd/%.20s", entry->d_name);
        struct watched *file = stat(path, &about) == 0 ? find(&about) : NULL;
        int64_t at = file ? place_of(entry->d_name) : -1;
        if (file && at > places[file - progress.files])
            places[file - progress.files] = at;
    }
    if (all)
        closedir(all);
}

/* Shows the file that moved. One that is read again begins anew. */
static void look(void)
{
    int64_t places[FILES] = {0};
    find_places(places);
    for (unsigned i = 0; i < progress.count; i++) {
        struct watched *file = &progress.files[i];
        int64_t at = file->size >= 0 ? places[i] : (int64_t)atomic_load(&progress.counted);
        progress.moved += at > file->at ? at - file->at : 0;
        bool moved = at != file->at && at > 0;
        file->at = at;
        if (moved)
            draw(file);
    }
}

static void *watch(void *arg)
{
    (void)arg;
    struct timespec next = progress.begun;
    unsigned wait_ms = FIRST_MS;
    pthread_mutex_lock(&progress.lock);
    while (!progress.ending) {
        next.tv_nsec += (long)(wait_ms % 1000) * 1000000;
        next.tv_sec += wait_ms / 1000 + next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        while (!progress.ending &&
               pthread_cond_timedwait(&progress.bell, &progress.lock, &next) == 0)
            ;
        if (!progress.ending)
            look();
        wait_ms = PERIOD_MS;
    }
    pthread_mutex_unlock(&progress.lock);
    return NULL;
}

/* Without a thread there is no line. The lock is held. */
static void start(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&progress.bell, &attributes);
    pthread_condattr_destroy(&attributes);
    clock_gettime(CLOCK_MONOTONIC, &progress.begun);
    progress.running = pthread_create(&progress.thread, NULL, watch, NULL) == 0;
}

/* -------- for the commands -------- */

void cli_progress_watch(const char *name, const struct stat *about)
{
    if (!cli_is_terminal(STDERR_FILENO))
        return;
    pthread_mutex_lock(&progress.lock);
    bool is_file = S_ISREG(about->st_mode);
    if (progress.count < FILES && !progress.ending && !(is_file && find(about))) {
        progress.files[progress.count++] = (struct watched){
            name, about->st_dev, about->st_ino, is_file ? (int64_t)about->st_size : -1, 0};
        if (!progress.running)
            start();
    }
    pthread_mutex_unlock(&progress.lock);
}

void cli_progress_count(size_t size)
{
    atomic_fetch_add_explicit(&progress.counted, size, memory_order_relaxed);
}

void cli_progress_pause(void)
{
    pthread_mutex_lock(&progress.lock);
    clear();
}

void cli_progress_resume(void)
{
    pthread_mutex_unlock(&progress.lock);
}

void cli_progress_stop(void)
{
    pthread_mutex_lock(&progress.lock);
    clear();
    bool running = progress.running;
    progress.ending = true;
    progress.running = false;
    if (running)
        pthread_cond_signal(&progress.bell);
    pthread_mutex_unlock(&progress.lock);
    if (running)
        pthread_join(progress.thread, NULL);
}

void cli_progress_output(void)
{
    if (progress.running && isatty(STDOUT_FILENO))
        cli_progress_stop();
}
