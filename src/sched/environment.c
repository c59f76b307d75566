/* SPDX-License-Identifier: MIT */
#include "sched/environment.h"

#include "base/fatal.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define SECONDS_MAX   UINT64_C(1000000000)

const char *environment_text(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

static bool parse_number(const char *text, unsigned long *out)
{
    char *end;
    errno = 0;
    *out = strtoul(text, &end, 10);
    return errno == 0 && *end == 0 && *text >= '0' && *text <= '9';
}

bool environment_number(const char *name, unsigned long low, unsigned long high, unsigned long *out)
{
    const char *text = environment_text(name);
    unsigned long value;
    if (!text)
        return true;
    if (!parse_number(text, &value) || value < low || value > high) {
        base_warn("%s=%s is not a number from %lu to %lu", name, text, low, high);
        return false;
    }
    *out = value;
    return true;
}

/* What is beyond nanoseconds is left out. False: none, or more than SECONDS_MAX. */
static bool parse_seconds(const char *text, uint64_t *ns)
{
    uint64_t whole = 0, scale = NS_PER_SECOND;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && whole <= SECONDS_MAX; at++)
        whole = whole * 10 + (uint64_t)(*at - '0');
    *ns = whole * NS_PER_SECOND;
    if (at != text && *at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++)
            *ns += (scale /= 10) * (uint64_t)(*at - '0');
    return at != text && *at == 0 && *ns > 0 && whole <= SECONDS_MAX;
}

bool environment_seconds(const char *name, uint64_t *ns)
{
    const char *text = environment_text(name);
    uint64_t value;
    if (!text)
        return true;
    if (!parse_seconds(text, &value)) {
        base_warn("%s=%s is not a number of seconds, such as 5 or 0.2", name, text);
        return false;
    }
    *ns = value;
    return true;
}

static int signal_by_name(const char *text)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {{"HUP", SIGHUP},     {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"USR1", SIGUSR1},
                 {"USR2", SIGUSR2},   {"ALRM", SIGALRM}, {"TERM", SIGTERM}, {"URG", SIGURG},
                 {"WINCH", SIGWINCH}, {"IO", SIGIO},     {"PWR", SIGPWR}};
    if (strncmp(text, "SIG", 3) == 0)
        text += 3;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i].name) == 0)
            return known[i].number;
    return 0;
}

static bool is_reserved(unsigned long number)
{
    return number == SIGKILL || number == SIGSTOP || number == SIGSEGV || number == SIGBUS ||
           number == SIGFPE || number == SIGILL || number == SIGABRT || number == SIGPROF;
}

bool environment_signal(const char *name, int *out)
{
    const char *text = environment_text(name);
    unsigned long number = 0;
    *out = 0;
    if (!text)
        return true;
    if (!parse_number(text, &number))
        number = (unsigned long)signal_by_name(text);
    if (number == 0 || number > (unsigned long)SIGRTMAX || is_reserved(number)) {
        base_warn("%s=%s is no signal that can be used for that", name, text);
        return false;
    }
    *out = (int)number;
    return true;
}
