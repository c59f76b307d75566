/* SPDX-License-Identifier: MIT */
/* Linux: timers of threads' CPU time, and the signal by which they tick. */
#define _GNU_SOURCE
#include "base/os_tick.h"

#include "base/atomic.h"

#include <errno.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __linux__
#error "weft: os_tick_linux.c is for Linux"
#endif

/* Its name in the union has no alias in older C libraries. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define NS_PER_SEC 1000000000

static os_tick_fn receiver;       /* atomic */
static struct sigaction previous; /* written by os_tick_install() before it is needed */
static char marker;               /* its address says that a tick is ours */

/* The program's own code, which stays where it is. Written as previous. */
static uintptr_t program_low, program_high;

/* ---- Where the thread was ---- */

static int note_program(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size, (void)arg;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        program_low = (uintptr_t)(info->dlpi_addr + segment->p_vaddr);
        program_high = program_low + segment->p_memsz;
    }
    return 1; /* the program is the first */
}

/* Code is read at and before pc only as far as it lies on pc's own page, which is there. */
enum { PAGE = 4096 };

#if defined(__x86_64__)

static void read_registers(const ucontext_t *context, os_interrupted *at)
{
    const greg_t *registers = context->uc_mcontext.gregs;
    at->pc = (uintptr_t)registers[REG_RIP];
    at->sp = (uintptr_t)registers[REG_RSP];
    at->fp = (uintptr_t)registers[REG_RBP];
}

enum { PUSH_FRAME = 0x55, CALL = 0xe8, RETURN = 0xc3 };
static const uint8_t landing[] = {0xf3, 0x0f, 0x1e, 0xfa}; /* endbr64 */
static const uint8_t set_frame[] = {0x48, 0x89, 0xe5};     /* mov %rsp, %rbp */
static const uint8_t frame[] = {PUSH_FRAME, 0x48, 0x89, 0xe5};

/* The instructions at both ends of a function, where rbp is still, or again, its caller's. */
static bool is_at_an_end(uintptr_t pc, uintptr_t sp, uintptr_t *caller_at)
{
    const uint8_t *code = (const uint8_t *)pc;
    size_t before = pc % PAGE, left = PAGE - before;
    *caller_at = sp;
    if (code[0] == RETURN)
        return true;
    if (left >= sizeof landing && memcmp(code, landing, sizeof landing) == 0)
        return true;
    if (code[0] == PUSH_FRAME)
        return pc % 16 == 0 || (before >= sizeof landing &&
                                memcmp(code - sizeof landing, landing, sizeof landing) == 0);
    *caller_at = sp + sizeof(uintptr_t);
    return before >= 1 && left >= sizeof set_frame && code[-1] == PUSH_FRAME &&
           memcmp(code, set_frame, sizeof set_frame) == 0;
}

static void find_caller(const ucontext_t *context, os_interrupted *at)
{
    uintptr_t caller_at;
    (void)context;
    if (is_at_an_end(at->pc, at->sp, &caller_at))
        at->caller_at = caller_at;
}

static bool in_program(uintptr_t address)
{
    return address >= program_low && address < program_high;
}

/* By a call instruction to where a function begins shortly before pc, and makes no frame. */
bool os_tick_was_called_from(uintptr_t pc, uintptr_t word)
{
    enum { CALL_SIZE = 5, SMALL = 512 };
    int32_t distance;
    if (!in_program(pc) || !in_program(word) || !in_program(word - CALL_SIZE) ||
        *(const uint8_t *)(word - CALL_SIZE) != CALL)
        return false;
    memcpy(&distance, (const void *)(word - sizeof distance), sizeof distance);
    uintptr_t begin = word + (uintptr_t)(intptr_t)distance;
    if (!in_program(begin) || pc < begin || pc - begin >= SMALL)
        return false;
    if (memcmp((const void *)begin, landing, sizeof landing) == 0)
        begin += sizeof landing;
    return memcmp((const void *)begin, frame, sizeof frame) != 0;
}

#elif defined(__aarch64__)

static void read_registers(const ucontext_t *context, os_interrupted *at)
{
    at->pc = (uintptr_t)context->uc_mcontext.pc;
    at->sp = (uintptr_t)context->uc_mcontext.sp;
    at->fp = (uintptr_t)context->uc_mcontext.regs[29];
}

static bool saves_frame(uint32_t instruction) /* stp x29, x30, [sp, #…]! */
{
    return (instruction & 0xffc07fffu) == 0xa9807bfdu;
}

/* The instructions at both ends of a function, where x29 is still, or again, its caller's and x30
 * holds the return address. */
static void find_caller(const ucontext_t *context, os_interrupted *at)
{
    enum { LANDING = 0xd503245f, SIGN = 0xd503233f, SET_FRAME = 0x910003fd, RETURN = 0xd65f03c0 };
    const uint32_t *code = (const uint32_t *)at->pc;
    bool set = code[0] == (uint32_t)SET_FRAME && at->pc % PAGE != 0 && saves_frame(code[-1]);
    if (set || saves_frame(code[0]) || code[0] == (uint32_t)LANDING || code[0] == (uint32_t)SIGN ||
        code[0] == (uint32_t)RETURN)
        at->caller = (uintptr_t)context->uc_mcontext.regs[30];
}

/* A function that calls nothing leaves its return address in a register, which says nothing in one
 * that does: not told apart here. */
bool os_tick_was_called_from(uintptr_t pc, uintptr_t word)
{
    (void)pc, (void)word;
    return false;
}

#else
#error "weft: unknown processor; os_tick_linux.c needs its registers"
#endif

/* ---- The signal ---- */

/* A signal that no timer of ours sent: the handler that was there before gets it. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    if (previous.sa_flags & SA_SIGINFO)
        previous.sa_sigaction(number, info, context);
    else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
        previous.sa_handler(number);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    if (info->si_code != SI_TIMER || info->si_value.sival_ptr != &marker) {
        pass_on(number, info, context);
    } else {
        os_interrupted at = {0};
        os_tick_fn fn = atomic_load_relaxed(&receiver);
        read_registers(context, &at);
        find_caller(context, &at);
        fn(&at, 1 + (unsigned)info->si_overrun);
    }
    errno = saved;
}

/* A fault of the interrupted code, or of ours, is to reach its handler. */
static void block_all_but_faults(sigset_t *set)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigfillset(set);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(set, faults[i]);
}

int os_tick_install(os_tick_fn fn)
{
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    struct sigaction old;
    int saved = errno, error = 0;
    block_all_but_faults(&action.sa_mask);
    atomic_store_relaxed(&receiver, fn);
    if (sigaction(SIGPROF, NULL, &old) != 0)
        error = -errno;
    bool ours = !error && (old.sa_flags & SA_SIGINFO) && old.sa_sigaction == on_signal;
    if (!error && !ours) {
        previous = old;
        (void)dl_iterate_phdr(note_program, NULL);
        if (sigaction(SIGPROF, &action, NULL) != 0)
            error = -errno;
    }
    errno = saved;
    return error;
}

/* ---- Timers ---- */

/* The kernel's number for the clock of a thread's CPU time (posix-timers.h: CPUCLOCK_SCHED of one
 * thread). */
static clockid_t thread_clock(uint64_t tid)
{
    return (clockid_t)(~(unsigned)tid << 3 | 6);
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SEC),
                             .tv_nsec = (long)(ns % NS_PER_SEC)};
}

int os_tick_start(os_tick_timer *timer, uint64_t tid, uint64_t first_ns, uint64_t period_ns)
{
    struct sigevent event;
    timer_t id;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGPROF;
    event.sigev_value.sival_ptr = &marker;
    event.sigev_notify_thread_id = (int)tid;
    int saved = errno, error = 0;
    if (timer_create(thread_clock(tid), &event, &id) != 0) {
        error = -errno;
        errno = saved;
        return error;
    }
    *timer = (os_tick_timer){.id = (void *)id, .made = true};
    struct itimerspec times = {.it_value = timespec_of(first_ns),
                               .it_interval = timespec_of(period_ns)};
    if (timer_settime(id, 0, &times, NULL) != 0) {
        error = -errno;
        os_tick_stop(timer);
    }
    errno = saved;
    return error;
}

void os_tick_stop(os_tick_timer *timer)
{
    int saved = errno;
    if (timer->made)
        (void)timer_delete((timer_t)timer->id); /* a thread that is gone has taken none along */
    timer->made = false;
    errno = saved;
}

/* ---- Other signals ---- */

void os_signal_place(const void *context, os_interrupted *at)
{
    *at = (os_interrupted){.pc = 0};
    read_registers(context, at);
}

void os_signal_repeat(uint64_t tid, const void *info)
{
    siginfo_t copy = *(const siginfo_t *)info;
    int saved = errno;
    copy.si_code = SI_QUEUE; /* the kernel lets no thread say to another that a process sent it */
    if (syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)tid, copy.si_signo, &copy) != 0)
        (void)kill(getpid(), copy.si_signo);
    errno = saved;
}

/* ---- Alternate stacks ---- */

void os_signal_stack_set(void *low, size_t size)
{
    stack_t now, wanted = {.ss_sp = low, .ss_size = size};
    int saved = errno;
    if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE))
        (void)sigaltstack(&wanted, NULL);
    errno = saved;
}

void os_signal_stack_clear(const void *low)
{
    stack_t now, none = {.ss_flags = SS_DISABLE};
    int saved = errno;
    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == low)
        (void)sigaltstack(&none, NULL);
    errno = saved;
}
