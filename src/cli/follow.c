/* SPDX-License-Identifier: MIT */
#include "follow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How often the end of the file is looked at. */
#define PERIOD_MS 50

/* -------- reading -------- */

int cli_follow_open(struct cli_follow *follow, const char *path)
{
    struct stat stat_of;
    follow->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (follow->fd < 0)
        return -errno;
    follow->is_file = fstat(follow->fd, &stat_of) == 0 && S_ISREG(stat_of.st_mode);
    return 0;
}

void cli_follow_close(struct cli_follow *follow)
{
    if (follow->fd > STDIN_FILENO)
        close(follow->fd);
}

static bool is_gone(pid_t pid)
{
    return pid && kill(pid, 0) != 0 && errno == ESRCH;
}

ptrdiff_t cli_follow_read(void *context, void *data, size_t size)
{
    struct cli_follow *follow = context;
    const struct timespec period = {0, PERIOD_MS * 1000000L};
    for (long waited = 0;; waited += PERIOD_MS) {
        /* Looked at before the file: what the process wrote last is not missed. */
        bool gone = is_gone(follow->writer);
        ssize_t n = read(follow->fd, data, size);
        if (n > 0)
            return n;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0 && (!follow->is_file || gone ||
                       (follow->patience_ms >= 0 && waited >= follow->patience_ms)))
            return 0;
        nanosleep(&period, NULL);
    }
}

/* -------- finding -------- */

/* A trace begins with "go 1." and has "trace" in its first 16 bytes. */
static bool is_trace(const char *path)
{
    char head[17] = "";
    struct stat stat_of;
    if (stat(path, &stat_of) != 0 || !S_ISREG(stat_of.st_mode))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, head, 16);
    if (fd >= 0)
        close(fd);
    return n == 16 && strncmp(head, "go 1.", 5) == 0 && strstr(head, " trace") != NULL;
}

/* Looks through the files that the process has open. */
static bool find_open(pid_t pid, char *text, size_t size)
{
    char folder[64];
    bool found = false;
    snprintf(folder, sizeof folder, "/proc/%d/fd", (int)pid);
    DIR *all = opendir(folder);
    struct dirent *entry;
    while (all && !found && (entry = readdir(all))) {
        snprintf(text, size, "%s/%.20s", folder, entry->d_name);
        found = is_trace(text);
    }
    if (all)
        closedir(all);
    return found;
}

/* The value of WEFT_TRACE in the environment that the process was started with. */
static bool read_environment(pid_t pid, char *value, size_t size)
{
    static const char name[] = "WEFT_TRACE=";
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *file = fopen(path, "rb");
    size_t at = 0, used = 0;
    bool done = false;
    for (int c; file && !done && (c = getc(file)) != EOF;) {
        if (at < sizeof name - 1)
            at = c == name[at] ? at + 1 : c == 0 ? 0 : sizeof name; /* another variable */
        else if (c == 0)
            done = at == sizeof name - 1, at = 0;
        else if (at == sizeof name - 1 && used + 1 < size)
            value[used++] = (char)c;
    }
    if (file)
        fclose(file);
    value[used] = 0;
    return used > 0;
}

int cli_follow_find(pid_t pid, char *text, size_t size)
{
    char value[3072];
    if (is_gone(pid))
        return -ESRCH;
    if (find_open(pid, text, size))
        return 0;
    if (!read_environment(pid, value, sizeof value))
        return -ENOENT;
    if (value[0] == '/')
        snprintf(text, size, "%s", value);
    else
        snprintf(text, size, "/proc/%d/cwd/%s", (int)pid, value);
    return is_trace(text) ? 0 : -ENOENT;
}
