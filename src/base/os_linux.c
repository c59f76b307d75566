/* SPDX-License-Identifier: MIT */
/* Linux: every system call of base/ stands here. */
#define _GNU_SOURCE
#include "base/os.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef __linux__
#error "weft: os_linux.c is for Linux"
#endif

/* Linux 6.13; older C library headers do not know it. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define NS_PER_SEC 1000000000

/* Runs a call that reports through errno: its value, or -errno, with the caller's errno restored.
 */
#define WITHOUT_ERRNO(result, call)                                                                \
    do {                                                                                           \
        int saved_errno = errno;                                                                   \
        (result) = (call);                                                                         \
        if ((result) < 0)                                                                          \
            (result) = -errno;                                                                     \
        errno = saved_errno;                                                                       \
    } while (0)

static struct timespec timespec_of(int64_t ns)
{
    struct timespec ts = {.tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC};
    return ts;
}

/* ---- futex, membarrier ---- */

int os_futex_wait(uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
    struct timespec limit = timespec_of(timeout_ns < 0 ? 0 : timeout_ns);
    long rc;
    WITHOUT_ERRNO(rc, syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected,
                              timeout_ns < 0 ? NULL : &limit, NULL, 0));
    return (int)rc;
}

void os_futex_wake(uint32_t *word, int count)
{
    long rc;
    WITHOUT_ERRNO(rc, syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0));
    (void)rc;
}

static int membarrier_call(int command)
{
    long rc;
    WITHOUT_ERRNO(rc, syscall(SYS_membarrier, command, 0, 0));
    return (int)rc;
}

bool os_membarrier_register(void)
{
    int commands = membarrier_call(MEMBARRIER_CMD_QUERY);
    if (commands < 0 || !(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
        return false;
    return membarrier_call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

int os_membarrier(void)
{
    return membarrier_call(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

/* ---- memory ---- */

size_t os_page_size(void)
{
    return getauxval(AT_PAGESZ);
}

void *os_map(size_t size)
{
    int saved = errno;
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved;
    return pages == MAP_FAILED ? NULL : pages;
}

int os_unmap(void *pages, size_t size)
{
    int rc;
    WITHOUT_ERRNO(rc, munmap(pages, size));
    return rc;
}

static int advise(void *pages, size_t size, int advice)
{
    int rc;
    WITHOUT_ERRNO(rc, madvise(pages, size, advice));
    return rc;
}

int os_discard(void *pages, size_t size)
{
    return advise(pages, size, MADV_DONTNEED);
}

int os_pages_present(const void *pages, size_t size, unsigned char *present)
{
    int rc;
    WITHOUT_ERRNO(rc, mincore((void *)(uintptr_t)pages, size, present));
    return rc;
}

void os_forbid_huge(void *pages, size_t size)
{
    (void)advise(pages, size, MADV_NOHUGEPAGE);
}

int os_guard_marker(void *page, size_t size)
{
    return advise(page, size, MADV_GUARD_INSTALL);
}

int os_guard_protect(void *page, size_t size)
{
    int rc;
    WITHOUT_ERRNO(rc, mprotect(page, size, PROT_NONE));
    return rc;
}

bool os_page_refuses_write(void *page)
{
    /* The kernel is asked to write there, by a call which valgrind hands on to it: those that it
     * carries out itself (rt_sigprocmask) make valgrind fault. */
    long rc;
    WITHOUT_ERRNO(rc, syscall(SYS_getrandom, page, 1, 0x1 /* GRND_NONBLOCK */));
    return rc == -EFAULT;
}

/* ---- files ---- */

static const uint8_t *map_whole(int fd, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
        return NULL;
    *size = (size_t)st.st_size;
    void *bytes = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
    return bytes == MAP_FAILED ? NULL : bytes;
}

const uint8_t *base_file_map(const char *path, size_t *size)
{
    int saved = errno;
    const uint8_t *bytes = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* it may be a pipe */
    if (fd >= 0) {
        bytes = map_whole(fd, size);
        close(fd);
    }
    errno = saved;
    return bytes;
}

void base_file_unmap(const uint8_t *bytes, size_t size)
{
    (void)os_unmap((void *)(uintptr_t)bytes, size);
}

/* The regular file at path, locked: flock() goes with the description, which dies with its process.
 */
static int open_locked(const char *path, int flags, int lock)
{
    struct stat st;
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0)
        return -errno;
    int rc = flock(fd, lock | LOCK_NB) == 0 ? 0 : errno == EWOULDBLOCK ? -EBUSY : -errno;
    if (rc == 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
        rc = -EINVAL;
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

static int map_shared(base_shared_file *file, size_t size)
{
    if (ftruncate(file->fd, 0) != 0 || ftruncate(file->fd, (off_t)size) != 0)
        return -errno;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    file->memory = memory;
    file->size = size;
    return 0;
}

int base_shared_open(base_shared_file *file, const char *path, size_t size)
{
    int saved = errno;
    *file = (base_shared_file){.fd = open_locked(path, O_RDWR | O_CREAT, LOCK_EX)};
    int rc = file->fd < 0 ? file->fd : map_shared(file, size);
    if (rc < 0 && file->fd >= 0)
        close(file->fd);
    errno = saved;
    return rc;
}

int base_shared_back(const base_shared_file *file, size_t offset, size_t size)
{
    int rc;
    do
        WITHOUT_ERRNO(rc, fallocate(file->fd, 0, (off_t)offset, (off_t)size));
    while (rc == -EINTR);
    return rc == -EOPNOTSUPP ? 0 : rc; /* a file system that cannot promise */
}

void base_shared_close(base_shared_file *file)
{
    (void)os_unmap(file->memory, file->size);
    close(file->fd);
    *file = (base_shared_file){.fd = -1};
}

int base_shared_read(const char *path, uint64_t *size)
{
    int saved = errno;
    struct stat st = {.st_size = 0};
    int fd = open_locked(path, O_RDONLY, LOCK_SH);
    if (fd >= 0 && fstat(fd, &st) == 0)
        *size = (uint64_t)st.st_size;
    errno = saved;
    return fd;
}

int base_file_read(int fd, uint64_t offset, void *data, size_t size)
{
    uint8_t *at = data;
    while (size > 0) {
        ssize_t n;
        WITHOUT_ERRNO(n, pread(fd, at, size, (off_t)offset));
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? (int)n : -ENODATA;
        at += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

/* Waits until a descriptor that does not block takes data again. */
static int wait_writable(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    int rc;
    WITHOUT_ERRNO(rc, poll(&poller, 1, -1));
    return rc < 0 && rc != -EINTR ? rc : 0;
}

int base_file_write(int fd, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n;
        WITHOUT_ERRNO(n, write(fd, (const char *)data + done, size - done));
        if (n == -EAGAIN || n == -EWOULDBLOCK)
            n = wait_writable(fd);
        else if (n == -EINTR)
            n = 0;
        if (n < 0)
            return (int)n;
        done += (size_t)n;
    }
    return 0;
}

void base_file_close(int fd)
{
    close(fd);
}

void base_program_path(char *path, size_t size)
{
    ssize_t n;
    WITHOUT_ERRNO(n, readlink(BASE_PROGRAM_FILE, path, size - 1));
    path[n > 0 ? n : 0] = 0;
    char *end = strstr(path, " (deleted)");
    if (end && strcmp(end, " (deleted)") == 0)
        *end = 0;
}

/* ---- threads ---- */

uint64_t os_thread_id(void)
{
    return (uint64_t)syscall(SYS_gettid);
}

/* The faults that the thread itself causes must reach its handlers at once, and the profiler's tick
 * too. */
static void background_signals(sigset_t *set)
{
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF};
    sigfillset(set);
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        sigdelset(set, open[i]);
}

int os_thread_create(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    /* A new thread inherits the mask, so that there is no moment in which it could take a signal.
     */
    sigset_t mask, old;
    background_signals(&mask);
    pthread_sigmask(SIG_SETMASK, &mask, &old);
    int error = pthread_create(thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -error;
}

void os_thread_name(const char *name)
{
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);
}

int os_thread_stack(void **low, void **high)
{
    pthread_attr_t attr;
    int error = pthread_getattr_np(pthread_self(), &attr);
    if (error)
        return -error;
    size_t size = 0;
    error = pthread_attr_getstack(&attr, low, &size);
    pthread_attr_destroy(&attr);
    if (!error)
        *high = (char *)*low + size;
    return -error;
}

/* Reads a small file of /proc as text. Its length or a negative errno value. */
static ssize_t read_proc(const char *path, char *text, size_t size)
{
    ssize_t n;
    int fd;
    WITHOUT_ERRNO(fd, open(path, O_RDONLY | O_CLOEXEC));
    if (fd < 0)
        return fd;
    WITHOUT_ERRNO(n, read(fd, text, size - 1));
    close(fd);
    text[n < 0 ? 0 : n] = 0;
    return n;
}

int os_process_census(unsigned *threads, uint64_t *caught)
{
    char text[4096];
    ssize_t n = read_proc("/proc/self/status", text, sizeof text);
    const char *count = n < 0 ? NULL : strstr(text, "\nThreads:");
    const char *mask = n < 0 ? NULL : strstr(text, "\nSigCgt:");
    if (!count || !mask)
        return n < 0 ? (int)n : -ENODATA;
    *threads = (unsigned)strtoul(count + strlen("\nThreads:"), NULL, 10);
    *caught = strtoull(mask + strlen("\nSigCgt:"), NULL, 16);
    return 0;
}

/* Its stat file says "TID (NAME) STATE …"; a name may hold anything, brackets included. */
bool os_thread_sleeps(uint64_t tid)
{
    char path[64], text[128];
    snprintf(path, sizeof path, "/proc/self/task/%llu/stat", (unsigned long long)tid);
    const char *name_end = read_proc(path, text, sizeof text) < 0 ? NULL : strrchr(text, ')');
    return name_end && name_end[1] == ' ' && (name_end[2] == 'S' || name_end[2] == 'D');
}

/* The kernel refuses a set smaller than its own, so grow until it fits. */
unsigned os_cpu_count(void)
{
    int saved = errno;
    unsigned count = 0;
    for (int cpus = CPU_SETSIZE; count == 0 && cpus <= CPU_SETSIZE * 64; cpus *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set)
            break;
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        if (sched_getaffinity(0, size, set) == 0)
            count = (unsigned)CPU_COUNT_S(size, set);
        CPU_FREE(set);
    }
    errno = saved;
    return count ? count : 1;
}

void os_yield(void)
{
    sched_yield();
}

void os_sleep_ns(int64_t ns)
{
    struct timespec left = timespec_of(ns);
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        ;
}

/* ---- clock ---- */

#if defined(__x86_64__)
#define COUNTER_CLOCKSOURCE "tsc"
#elif defined(__aarch64__)
#define COUNTER_CLOCKSOURCE "arch_sys_counter"
#endif

bool os_clock_is_counter(void)
{
    char name[32] = "";
    int saved = errno;
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                  O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read(fd, name, sizeof name - 1);
        name[n < 0 ? 0 : n] = 0;
        close(fd);
    }
    errno = saved;
    name[strcspn(name, "\n")] = 0;
    return strcmp(name, COUNTER_CLOCKSOURCE) == 0;
}

uint64_t os_clock_monotonic(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

void os_clock_wall(uint64_t *sec, uint32_t *nsec)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    *sec = (uint64_t)ts.tv_sec;
    *nsec = (uint32_t)ts.tv_nsec;
}

/* ---- standard error ---- */

void os_write_stderr(const char *text, size_t size)
{
    int saved = errno;
    while (size > 0) {
        ssize_t n = write(STDERR_FILENO, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        text += n;
        size -= (size_t)n;
    }
    errno = saved;
}

void os_exit(int status)
{
    _exit(status);
}
