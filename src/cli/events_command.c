/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli.h"

int cli_events(int argc, char **argv)
{
    const char *path, *format = "text";
    const struct cli_option options[] = {{'f', "format", &format, NULL}, {0, NULL, NULL, NULL}};
    int status = cli_parse(argc, argv, options, &path);
    if (status >= 0)
        return status;
    bool canon = strcmp(format, "canon") == 0;
    if (!canon && strcmp(format, "text") != 0)
        return cli_usage(argv[0], "unknown format %s; there are text and canon", format);
    weft_reader *reader = cli_open(path);
    if (!reader) {
        if (canon)
            cli_put_text("ERROR\n");
        return cli_flush(1);
    }
    weft_event event;
    while ((status = weft_reader_next(reader, &event)) == 1)
        (canon ? cli_print_canon : cli_print_event)(reader, &event);
    if (status < 0) {
        if (canon)
            cli_put_text("ERROR\n");
        cli_report(path, weft_reader_error_get(reader));
    }
    weft_reader_free(reader);
    return cli_flush(status < 0);
}
