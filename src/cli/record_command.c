/* SPDX-License-Identifier: MIT */
/* `weft record`: runs a program that is linked with weft, and traces it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

static volatile sig_atomic_t child;

/* What the terminal sends goes to the program as well; what somebody sends to this process alone is
 * passed on. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    (void)context;
    if (child && info->si_code != SI_KERNEL)
        kill((pid_t)child, number);
    errno = saved;
}

static void pass_signals_on(const sigset_t *passed)
{
    struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_RESTART | SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    for (int number = 1; number < 32; number++)
        if (sigismember(passed, number))
            sigaction(number, &action, NULL);
}

static int set_environment(const char *output, const char *seconds)
{
    char number[16] = "";
    size_t digits = seconds ? strspn(seconds, "0123456789") : 0;
    if (seconds && (digits == 0 || digits >= sizeof number || strspn(seconds, "0") == digits ||
                    (strcmp(seconds + digits, "s") != 0 && seconds[digits])))
        return cli_usage("record", "--for %s is not a number of seconds", seconds);
    if (seconds)
        memcpy(number, seconds, digits);
    /* An empty value counts as none. */
    return setenv("WEFT_TRACE", output, 1) || setenv("WEFT_TRACE_SECONDS", number, 1);
}

/* The signals are blocked until there is a child for them. Returns its exit status, or 128 and the
 * signal that ended it. */
static int run(char **program)
{
    sigset_t passed, before;
    int status;
    sigemptyset(&passed);
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&passed, numbers[i]);
    sigprocmask(SIG_BLOCK, &passed, &before);
    pid_t pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        execvp(program[0], program);
        fprintf(stderr, "weft record: %s: %s\n", program[0], strerror(errno));
        _exit(errno == ENOENT ? 127 : 126);
    }
    if (pid < 0) {
        fprintf(stderr, "weft record: no new process: %s\n", strerror(errno));
        return 1;
    }
    child = (sig_atomic_t)pid;
    pass_signals_on(&passed);
    sigprocmask(SIG_SETMASK, &before, NULL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    child = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool is_file(const char *path, struct stat *about)
{
    return stat(path, about) == 0 && S_ISREG(about->st_mode);
}

static int report(const char *output, int status)
{
    struct stat about;
    if (!is_file(output, &about)) {
        fprintf(stderr, "weft record: there is no %s: is the program linked with weft?\n", output);
        return status ? status : 1;
    }
    fprintf(stderr, "weft record: %s: %lld bytes; `weft validate -v %s` checks it\n", output,
            (long long)about.st_size, output);
    return status;
}

/* Where the program's name stands: behind --, or it is the last word. */
static int find_program(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--") == 0)
            return i + 1;
    return argc - 1;
}

int cli_record(int argc, char **argv)
{
    const char *output = NULL, *seconds = NULL, *program;
    const struct cli_option options[] = {
        {'o', "output", &output, NULL}, {'f', "for", &seconds, NULL}, {0, NULL, NULL, NULL}};
    int at = find_program(argc, argv);
    int status = cli_parse(at + 1 < argc ? at + 1 : argc, argv, options, &program);
    if (status >= 0)
        return status;
    if (!output)
        return cli_usage(argv[0], "where to? -o FILE");
    struct stat about;
    status = set_environment(output, seconds);
    if (status)
        return status;
    if (is_file(output, &about) && unlink(output) != 0) {
        fprintf(stderr, "weft record: %s: %s\n", output, strerror(errno));
        return 1;
    }
    return report(output, run(argv + at));
}
