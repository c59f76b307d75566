/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "report.h"

typedef unsigned long long ull;

/* Complaints of the strict validator that are printed; the others are counted. */
#define COMPLAINTS 10

struct counts {
    uint64_t events, goroutines, complaints;
};

static void print_complaint(const char *path, const weft_reader *reader,
                            const weft_complaint *complaint, uint64_t nth)
{
    if (nth > COMPLAINTS)
        return;
    weft_reader_error error = {complaint->rule, weft_reader_generation(reader),
                               weft_reader_event_offset(reader), complaint->message};
    cli_report(path, &error);
}

static int read_all(const char *path, weft_reader *reader, weft_validator *validator,
                    struct counts *counts)
{
    weft_event event;
    weft_complaint complaint;
    int status;
    while ((status = weft_reader_next(reader, &event)) == 1) {
        counts->events++;
        counts->goroutines +=
            event.kind == WEFT_EVENT_STATE_TRANSITION &&
            event.resource == WEFT_RESOURCE_GOROUTINE &&
            (event.from == WEFT_STATE_UNDETERMINED || event.from == WEFT_STATE_NOT_EXIST);
        int opinion = weft_validator_event(validator, &event, &complaint);
        if (opinion < 0)
            return opinion;
        if (opinion)
            print_complaint(path, reader, &complaint, ++counts->complaints);
    }
    return status;
}

static void print_warnings(const char *path, const weft_reader *reader)
{
    weft_reader_warning warning;
    for (size_t i = 0; weft_reader_warning_get(reader, i, &warning); i++)
        cli_message("%s: %llu: %llu: warning: %s (%llu times)\n", cli_file_name(path),
                    (ull)warning.offset, (ull)warning.generation, warning.text, (ull)warning.count);
}

static int validate(const char *path, weft_reader *reader, bool coarse, struct counts *counts)
{
    weft_validator *validator;
    int status = weft_validator_new(&validator, reader);
    if (status == 0) {
        if (coarse)
            weft_validator_ignore_clocks(validator);
        status = read_all(path, reader, validator, counts);
        weft_validator_free(validator);
    }
    if (status < 0 && *weft_reader_error_get(reader)->rule)
        return cli_report(path, weft_reader_error_get(reader));
    if (status < 0)
        cli_message("%s: %s\n", cli_file_name(path), strerror(-status));
    if (counts->complaints > COMPLAINTS)
        cli_message("%s: %llu more complaints\n", cli_file_name(path),
                    (ull)(counts->complaints - COMPLAINTS));
    return status < 0 || counts->complaints;
}

static void put_counts(const char *path, const weft_reader *reader, const struct counts *counts)
{
    cli_put_text(cli_file_name(path));
    cli_printf(": valid: %llu events, %llu generations, %llu goroutines, %llu bytes, format 1.%u\n",
               (ull)counts->events, (ull)weft_reader_generations(reader), (ull)counts->goroutines,
               (ull)weft_reader_offset(reader), weft_reader_version(reader));
}

int cli_validate(int argc, char **argv)
{
    bool verbose = false, quiet = false, coarse = false;
    const char *path;
    const struct cli_option options[] = {CLI_FLAG('v', "verbose", &verbose),
                                         CLI_FLAG('q', "quiet", &quiet),
                                         CLI_FLAG(0, "coarse-clock", &coarse), CLI_END};
    int status = cli_parse(argc, argv, options, &path);
    if (status >= 0)
        return status;
    weft_reader *reader = cli_open(path);
    if (!reader)
        return 1;
    struct counts counts = {0, 0, 0};
    status = validate(path, reader, coarse, &counts);
    if (!quiet)
        print_warnings(path, reader);
    if (status == 0 && verbose)
        put_counts(path, reader, &counts);
    weft_reader_free(reader);
    return cli_flush(status);
}
