/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_H
#define WEFT_CLI_H

/*
 * The `weft` command: one function for each subcommand. Exit status: 0, 1 for a bad trace or a
 * failed operation (explained on stderr with file, offset, generation and rule), 2 for wrong usage;
 * `record` has that of its program.
 */

#include <stdbool.h>
#include <stdio.h>

#include <weft/reader.h>

struct cli_command {
    const char *name;
    const char *summary;               /* one line */
    const char *help;                  /* the rest of --help */
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
};

extern const struct cli_command cli_commands[]; /* ends with an entry without a name */

int cli_validate(int argc, char **argv);
int cli_events(int argc, char **argv);
int cli_raw(int argc, char **argv);
int cli_index(int argc, char **argv);
int cli_record(int argc, char **argv);
int cli_summary(int argc, char **argv);
int cli_goroutines(int argc, char **argv);
int cli_goroutine(int argc, char **argv);
int cli_profile(int argc, char **argv);
int cli_recover(int argc, char **argv);
int cli_tasks(int argc, char **argv);
int cli_task(int argc, char **argv);
int cli_regions(int argc, char **argv);
int cli_logs(int argc, char **argv);
int cli_critical_path(int argc, char **argv);
int cli_diff(int argc, char **argv);
int cli_stw(int argc, char **argv);
int cli_gc(int argc, char **argv);
int cli_mmu(int argc, char **argv);
int cli_query(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_slice(int argc, char **argv);
int cli_merge(int argc, char **argv);
int cli_top(int argc, char **argv);

/* An option of a command, and where its argument goes. Exactly one of the places is there. */
struct cli_option {
    char letter;       /* 0 if it has no short form */
    const char *name;  /* without dashes */
    bool *flag;        /* set if it is given; it takes no argument */
    const char **text; /* the argument as it is */
    uint64_t *number;  /* digits only */
    int64_t *duration; /* as cli_duration_parse takes it */
};

#define CLI_FLAG(letter, name, place)                                                              \
    {                                                                                              \
        letter, name, place, NULL, NULL, NULL                                                      \
    }
#define CLI_TEXT(letter, name, place)                                                              \
    {                                                                                              \
        letter, name, NULL, place, NULL, NULL                                                      \
    }
#define CLI_NUMBER(letter, name, place)                                                            \
    {                                                                                              \
        letter, name, NULL, NULL, place, NULL                                                      \
    }
#define CLI_DURATION(letter, name, place)                                                          \
    {                                                                                              \
        letter, name, NULL, NULL, NULL, place                                                      \
    }
#define CLI_END                                                                                    \
    {                                                                                              \
        0, NULL, NULL, NULL, NULL, NULL                                                            \
    }

/*
 * Parses options and exactly one operand. Returns -1 to go on, or the exit status: 0 after --help,
 * 2 after a usage error. options ends with CLI_END.
 */
int cli_parse(int argc, char **argv, const struct cli_option *options, const char **operand);
/* The same for a number of operands in a range; those that are not given are NULL. */
int cli_parse_operands(int argc, char **argv, const struct cli_option *options,
                       const char **operands, int least, int most);

/* The text of --help. Returns the exit status, or -1 if there is no such command. */
int cli_print_help(const char *command);

/*
 * To the standard error: lines that end with \n. Everything that commands say there goes through
 * it, so that the line of progress is out of the way.
 */
void cli_message(const char *format, ...) WEFT_PRINTF(1, 2);

/* Says what is wrong with the usage; returns 2. */
int cli_usage(const char *command, const char *format, ...) WEFT_PRINTF(2, 3);

/* Opens a trace, packed or not; "-" is the standard input. Returns NULL after saying why not. */
weft_reader *cli_open(const char *path);
/*
 * Goes to the generation of a time if the trace has an index, without reading what is before it.
 * Warns of an index that does not fit. Returns false when the reader is where it was.
 */
bool cli_seek(weft_reader *reader, const char *path, int64_t time);
/* What messages call the file. */
const char *cli_file_name(const char *path);

/* Says why reading ended; returns 1. */
int cli_report(const char *path, const weft_reader_error *error);

/* Opens a file for output; "-" is the standard output. NULL and errno if it cannot be. */
FILE *cli_output_open(const char *path);

/* Flushes the standard output; returns status, or 1 after saying that writing failed. */
int cli_flush(int status);

/* Output, with a buffer of its own: printf is too slow for a million lines. */
void cli_put(const char *data, size_t size);
void cli_put_text(const char *text);
void cli_put_char(char c);
void cli_put_unsigned(uint64_t number);
void cli_put_signed(int64_t number);

/* One event as text. */
void cli_print_event(const weft_reader *reader, const weft_event *event); /* for people */
void cli_print_canon(const weft_reader *reader, const weft_event *event); /* for comparison */

#endif
