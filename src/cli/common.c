/* SPDX-License-Identifier: MIT */
/* What the commands share: options, output. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "report.h"

static char buffer[1 << 16];
static size_t used;
static bool failed;

static void drain(void)
{
    cli_progress_output();
    if (used && fwrite(buffer, 1, used, stdout) != used)
        failed = true;
    used = 0;
}

void cli_put(const char *data, size_t size)
{
    while (size > 0) {
        if (used == sizeof buffer)
            drain();
        size_t n = sizeof buffer - used < size ? sizeof buffer - used : size;
        memcpy(buffer + used, data, n);
        used += n;
        data += n;
        size -= n;
    }
}

void cli_put_text(const char *text)
{
    cli_put(text, strlen(text));
}

void cli_put_char(char c)
{
    if (used == sizeof buffer)
        drain();
    buffer[used++] = c;
}

void cli_put_unsigned(uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    cli_put(digits + at, sizeof digits - at);
}

void cli_put_signed(int64_t number)
{
    if (number < 0)
        cli_put_char('-');
    cli_put_unsigned(number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

int cli_flush(int status)
{
    drain();
    if (fflush(stdout) != 0)
        failed = true;
    if (!failed)
        return status;
    cli_message("weft: cannot write: %s\n", strerror(errno));
    return 1;
}

FILE *cli_output_open(const char *path)
{
    if (strcmp(path, "-") != 0)
        return fopen(path, "wb");
    cli_progress_output();
    return stdout;
}

void cli_message(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cli_progress_pause();
    vfprintf(stderr, format, args);
    cli_progress_resume();
    va_end(args);
}

int cli_usage(const char *command, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cli_message("weft %s: %s\nweft %s --help tells how to use it\n", command, text, command);
    return 2;
}

int cli_print_help(const char *command)
{
    for (const struct cli_command *c = cli_commands; c->name; c++)
        if (strcmp(c->name, command) == 0) {
            cli_put_text(c->help);
            return cli_flush(0);
        }
    return -1;
}

static const struct cli_option *find_option(const struct cli_option *options, const char *arg,
                                            const char **value)
{
    *value = NULL;
    for (; options->name; options++) {
        size_t size = strlen(options->name);
        if (arg[1] == '-' && strncmp(arg + 2, options->name, size) == 0) {
            if (arg[2 + size] == '=')
                *value = arg + 3 + size;
            if (arg[2 + size] == '=' || arg[2 + size] == 0)
                return options;
        } else if (arg[1] == options->letter && arg[1]) {
            if (arg[2])
                *value = arg + 2;
            return options;
        }
    }
    return NULL;
}

/* Puts the argument of an option where it goes. Returns 0 or 2 after a usage error. */
static int take_argument(const char *command, const struct cli_option *option, const char *value)
{
    if (option->number && !cli_number_parse(value, option->number))
        return cli_usage(command, "--%s needs a number, not %s", option->name, value);
    if (option->duration && !cli_duration_parse(value, option->duration))
        return cli_usage(command, "--%s needs a time such as 1.5s, 20ms or 300us, not %s",
                         option->name, value);
    if (option->text)
        *option->text = value;
    return 0;
}

/* Takes the option at *at. Returns 0 or 2 after a usage error. */
static int take_option(int argc, char **argv, int *at, const struct cli_option *options)
{
    const char *value;
    const struct cli_option *option = find_option(options, argv[*at], &value);
    if (!option)
        return cli_usage(argv[0], "unknown option %s", argv[*at]);
    if (option->flag && value)
        return cli_usage(argv[0], "option --%s takes no argument", option->name);
    if (option->flag) {
        *option->flag = true;
        return 0;
    }
    if (!value && *at + 1 < argc)
        value = argv[++*at];
    if (!value)
        return cli_usage(argv[0], "option --%s needs an argument", option->name);
    return take_argument(argv[0], option, value);
}

static int count_of_standard_input(const char *const *operands, int count)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        n += strcmp(operands[i], "-") == 0;
    return n;
}

int cli_parse_operands(int argc, char **argv, const struct cli_option *options,
                       const char **operands, int least, int most)
{
    bool plain = false; /* after -- */
    int count = 0;
    memset(operands, 0, (size_t)most * sizeof *operands);
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (!plain && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0))
            return cli_print_help(argv[0]);
        if (!plain && strcmp(arg, "--") == 0) {
            plain = true;
        } else if (!plain && arg[0] == '-' && arg[1]) {
            int status = take_option(argc, argv, &i, options);
            if (status)
                return status;
        } else if (count == most) {
            return most == 1 ? cli_usage(argv[0], "one file only, not also %s", arg)
                             : cli_usage(argv[0], "what is %s?", arg);
        } else {
            operands[count++] = arg;
        }
    }
    if (count < least)
        return cli_usage(argv[0], count ? "too few files" : "which file?");
    return count_of_standard_input(operands, count) < 2
               ? -1
               : cli_usage(argv[0], "the standard input can be one of the files only");
}

int cli_parse(int argc, char **argv, const struct cli_option *options, const char **operand)
{
    return cli_parse_operands(argc, argv, options, operand, 1, 1);
}

bool cli_take_id(int *argc, char **argv, uint64_t *id)
{
    int at = *argc - 1;
    while (at > 1 && argv[at][0] == '-')
        at--;
    if (at < 2 || !cli_number_parse(argv[at], id))
        return false;
    for (; at < *argc; at++)
        argv[at] = argv[at + 1];
    --*argc;
    return true;
}

const char *cli_file_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "<stdin>" : path;
}

int cli_report(const char *path, const weft_reader_error *error)
{
    cli_message("%s: %llu: %llu: %s: %s\n", cli_file_name(path), (unsigned long long)error->offset,
                (unsigned long long)error->generation, error->rule, error->message);
    return 1;
}
