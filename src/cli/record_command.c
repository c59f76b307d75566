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
#include "moment.h"

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

static int set_environment(const char *output, const char *length)
{
    char seconds[32] = "";
    int64_t ns = 1;
    if (length && (!cli_seconds_parse(length, &ns) || ns == 0))
        return cli_usage("record", "--for needs a time such as 5s, 1.5s or 200ms, not %s", length);
    if (length)
        snprintf(seconds, sizeof seconds, "%lld.%09lld", (long long)(ns / 1000000000),
                 (long long)(ns % 1000000000));
    /* An empty value counts as none. */
    return setenv("WEFT_TRACE", output, 1) || setenv("WEFT_TRACE_SECONDS", seconds, 1);
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
        int error = errno;
        cli_message("weft record: %s: %s\n", program[0], strerror(error));
        _exit(error == ENOENT ? 127 : 126);
    }
    if (pid < 0) {
        cli_message("weft record: no new process: %s\n", strerror(errno));
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
        cli_message("weft record: there is no %s: is the program linked with weft?\n", output);
        return status ? status : 1;
    }
    cli_message("weft record: %s: %lld bytes; `weft validate -v %s` checks it\n", output,
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
    const char *output = NULL, *length = NULL, *program;
    const struct cli_option options[] = {CLI_TEXT('o', "output", &output),
                                         CLI_TEXT('f', "for", &length), CLI_END};
    int at = find_program(argc, argv);
    int status = cli_parse(at + 1 < argc ? at + 1 : argc, argv, options, &program);
    if (status >= 0)
        return status;
    if (!output)
        return cli_usage(argv[0], "where to? -o FILE");
    struct stat about;
    status = set_environment(output, length);
    if (status)
        return status;
    if (is_file(output, &about) && unlink(output) != 0) {
        cli_message("weft record: %s: %s\n", output, strerror(errno));
        return 1;
    }
    return report(output, run(argv + at));
}
