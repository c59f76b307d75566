/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "input.h"

static int write_file(void *context, const void *data, size_t size)
{
    return fwrite(data, 1, size, context) == size ? 0 : errno ? -errno : -EIO;
}

static int close_output(FILE *file, const char *path)
{
    int status = file == stdout ? fflush(file) : fclose(file);
    if (status != 0)
        cli_message("%s: cannot write: %s\n", path, strerror(errno));
    return status != 0;
}

static int convert(const char *input, const char *output, bool assemble)
{
    struct cli_input *from = cli_input_open(input);
    if (!from)
        return 1;
    FILE *to = cli_output_open(output);
    if (!to) {
        cli_message("%s: cannot write: %s\n", output, strerror(errno));
        cli_input_free(from);
        return 1;
    }
    weft_reader_error error;
    int status = (assemble ? weft_raw_assemble : weft_raw_print)(cli_input_read, from, write_file,
                                                                 to, &error);
    if (status < 0 && *error.rule && assemble)
        cli_message("%s: line %llu: %s\n", cli_file_name(input), (unsigned long long)error.offset,
                    error.message);
    else if (status < 0 && *error.rule)
        cli_report(input, &error);
    else if (status < 0)
        cli_message("%s: cannot write: %s\n", output, strerror(-status));
    cli_input_free(from);
    return close_output(to, output) || status < 0;
}

int cli_raw(int argc, char **argv)
{
    bool assemble = false;
    const char *input, *output = NULL;
    const struct cli_option options[] = {CLI_FLAG('a', "assemble", &assemble),
                                         CLI_TEXT('o', "output", &output), CLI_END};
    int status = cli_parse(argc, argv, options, &input);
    if (status >= 0)
        return status;
    if (assemble && !output)
        return cli_usage(argv[0], "--assemble needs -o FILE (- is the standard output)");
    return convert(input, output ? output : "-", assemble);
}
