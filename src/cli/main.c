/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli.h"
#include "progress.h"

const struct cli_command cli_commands[] = {
    {"validate", "check that a trace is valid",
     "Usage: weft validate [-v] [-q] FILE\n"
     "\n"
     "Checks FILE (- is the standard input) by the rules of Go's reader and by those of the "
     "strict\n"
     "validator. The exit status is 0 if the trace is valid and 1 if not; then each problem is\n"
     "written to stderr as FILE: offset: generation: rule: message. What a reader accepts though\n"
     "it is odd is a warning and does not change the exit status.\n"
     "\n"
     "  -v, --verbose       print a line of counts for a valid trace\n"
     "  -q, --quiet         no warnings\n"
     "      --coarse-clock  do not compare the clock snapshots of generations\n",
     cli_validate},
    {"events", "print all events in total order",
     "Usage: weft events [--format FORMAT] [--from TIME] [--to TIME] FILE\n"
     "\n"
     "Prints the events of FILE (- is the standard input), one a line.\n"
     "\n"
     "  -f, --format FORMAT  text (for people, the default) or canon (for comparing readers)\n"
     "      --from TIME      the first and the last time of what is printed: as weft events shows\n"
     "      --to TIME        it, with a unit (1.5s, 20ms, 300us, 7ns), or behind + from the first\n"
     "                       event on (+20ms). With an index (weft index) what is before is not\n"
     "                       read\n",
     cli_events},
    {"index", "make later openings go to any time at once",
     "Usage: weft index [-o INDEX] FILE\n"
     "       weft index --list [-o INDEX] FILE\n"
     "\n"
     "Writes an index of FILE to FILE.weft-index, which commands with --from use. An index that "
     "is\n"
     "older than its trace, or damaged, is not used.\n"
     "\n"
     "  -o, --output INDEX  another place for the index\n"
     "  -l, --list          print the generations that an index knows\n",
     cli_index},
    {"raw", "print the undecoded events, or turn such text into a trace",
     "Usage: weft raw FILE [-o OUTPUT]\n"
     "       weft raw --assemble TEXT -o FILE\n"
     "\n"
     "Prints the wire events of FILE (- is the standard input) in file order, in Go's raw text\n"
     "format; or assembles a trace from such a text.\n"
     "\n"
     "  -a, --assemble    from text to trace\n"
     "  -o, --output FILE  where to write (- is the standard output)\n",
     cli_raw},
    {"record", "run a program linked with weft and trace it",
     "Usage: weft record -o FILE [--for D] -- PROGRAM [ARGUMENT]…\n"
     "\n"
     "Runs PROGRAM with WEFT_TRACE=FILE, passes signals on, and ends with its exit status (128 "
     "and\n"
     "the number of the signal that ended it). A FILE that is there is replaced.\n"
     "\n"
     "  -o, --output FILE  where the trace goes\n"
     "  -f, --for D        trace the first 5s, 1.5s or 200ms (a number alone is seconds); the\n"
     "                     program runs on\n",
     cli_record},
    {"summary", "what happened in a trace, on one page",
     "Usage: weft summary [--json] [--top N] FILE\n"
     "\n"
     "Reads FILE (- is the standard input) once and prints: its span, events and generations; the\n"
     "utilisation of procs; how long goroutines waited for one (scheduler latency); where their "
     "time\n"
     "went, by state and by reason to block; stops of the world, collections and the heap; and "
     "the\n"
     "same by entry function, the largest execution time first.\n"
     "\n"
     "A trace that is cut off or damaged is summarised up to there, and the exit status is 1.\n"
     "\n"
     "  -j, --json   JSON: times in nanoseconds, all groups; \"complete\" is false for such a "
     "trace\n"
     "  -n, --top N  N groups only (15 by default; 0 is all)\n",
     cli_summary},
    {"goroutines", "list the goroutines and where their time went",
     "Usage: weft goroutines [--group F] [--sort COLUMN] [--json] FILE\n"
     "\n"
     "Prints a line for each goroutine of FILE (- is the standard input): its entry function, its\n"
     "lifetime within the trace, and of it the time running, runnable, blocked and in system "
     "calls.\n"
     "\n"
     "  -g, --group F      only goroutines whose entry function is F, which may be a shell "
     "pattern\n"
     "  -s, --sort COLUMN  id, name, lifetime, running (the default), runnable, blocked, syscall\n"
     "  -j, --json         JSON, times in nanoseconds, with all reasons and ranges\n",
     cli_goroutines},
    {"goroutine", "tell the story of one goroutine",
     "Usage: weft goroutine [--timeline] [--json] FILE ID\n"
     "\n"
     "Prints what goroutine ID of FILE (- is the standard input) spent its time on, where it was\n"
     "created and by whom, and which goroutines it woke or was woken by.\n"
     "\n"
     "  -t, --timeline  also all its states in order of time, with who ended its waits\n"
     "  -j, --json      JSON, times in nanoseconds\n",
     cli_goroutine},
    {"profile", "write a profile for pprof or flame graphs",
     "Usage: weft profile --kind KIND -o OUTPUT FILE\n"
     "       weft profile --kind KIND --folded [-o OUTPUT] FILE\n"
     "\n"
     "Reads FILE (- is the standard input) and writes time by stack, for `go tool pprof` and what\n"
     "else reads that format, or as folded stacks for flame graphs. What did not end within the\n"
     "trace does not count, nor what a goroutine waited for before it first ran.\n"
     "\n"
     "  -k, --kind KIND      net: blocked for the network; sync: for channels, select, locks;\n"
     "                       syscall: in system calls; sched: runnable but not running (these "
     "four\n"
     "                       equal `go tool trace -pprof=KIND`); cpu: CPU samples; region=NAME: "
     "user\n"
     "                       regions of that name, from begin to end\n"
     "  -o, --output OUTPUT  where to write (- is the standard output)\n"
     "  -f, --folded         folded stacks, in nanoseconds, or in samples for cpu\n"
     "      --period NS      time that a CPU sample stands for (10000000 by default: 100 Hz)\n",
     cli_profile},
    {"recover", "make a trace of what a program did last before it died",
     "Usage: weft recover FILE -o TRACE\n"
     "\n"
     "FILE (- is the standard input) is the flight file of a program that ran with\n"
     "WEFT_FLIGHT=FILE and has died, in whatever way (SIGKILL included). Writes a valid trace of\n"
     "the generations which it still had in memory, up to the end. Functions have names where\n"
     "the program and its libraries are still in place.\n"
     "If FILE is damaged, what cannot be put in order is left out and counted.\n"
     "\n"
     "  -o, --output TRACE  where to write (- is the standard output)\n"
     "  -q, --quiet         say nothing about success\n",
     cli_recover},
    {"tasks", "user tasks and how long they took",
     "Usage: weft tasks [--list] [FILTER]… [--json] FILE\n"
     "\n"
     "Prints, for each type of user task in FILE (- is the standard input), how many there are, "
     "and\n"
     "of those that are there from begin to end the distribution of how long they took.\n"
     "\n"
     "  -N, --name P       only those whose type matches the shell pattern P\n"
     "  -g, --goroutine G  only those of goroutine G\n"
     "      --from T, --to T  only those which begin between these times since the begin of the\n"
     "                     trace: 1.5s, 20ms\n"
     "  -t, --task ID      only task ID\n"
     "  -m, --min D        only those that took D, such as 20us, or longer\n"
     "  -l, --list         also a line for each task\n"
     "  -s, --sort COLUMN  order of these lines: begin (the default) or duration\n"
     "  -j, --json         JSON, times in nanoseconds\n",
     cli_tasks},
    {"task", "tell the story of one user task",
     "Usage: weft task [--no-states] [--json] FILE ID\n"
     "\n"
     "Prints what happened for task ID of FILE (- is the standard input), in order of time: tasks\n"
     "that descend from it, its regions and logs, and the states of the goroutines that worked "
     "for\n"
     "it: the one that began it, those with a region of it, and those which such a one created.\n"
     "\n"
     "      --no-states  leave out the states\n"
     "  -j, --json       JSON, times in nanoseconds\n",
     cli_task},
    {"regions", "user regions, how long they took, and on what",
     "Usage: weft regions [--list] [FILTER]… [--json] FILE\n"
     "\n"
     "Prints, for each name of user regions in FILE (- is the standard input), how many there "
     "are,\n"
     "and of those that are there from begin to end the distribution of how long they took, and\n"
     "what their goroutines spent that time on.\n"
     "\n"
     "  -N, --name P       only those whose name matches the shell pattern P\n"
     "  -g, --goroutine G  only those of goroutine G\n"
     "      --from T, --to T  only those which begin between these times since the begin of the\n"
     "                     trace: 1.5s, 20ms\n"
     "  -t, --task ID      only those of task ID\n"
     "  -m, --min D        only those that took D, such as 20us, or longer\n"
     "  -l, --list         also a line for each region\n"
     "  -s, --sort COLUMN  order of these lines: begin (the default) or duration\n"
     "  -j, --json         JSON, times in nanoseconds\n",
     cli_regions},
    {"logs", "user logs",
     "Usage: weft logs [FILTER]… [--where] [--json] FILE\n"
     "\n"
     "Prints the user logs in FILE (- is the standard input), in order of time.\n"
     "\n"
     "  -N, --name P       only those whose category matches the shell pattern P\n"
     "  -g, --goroutine G  only those of goroutine G\n"
     "      --from T, --to T  only those which begin between these times since the begin of the\n"
     "                     trace: 1.5s, 20ms\n"
     "  -t, --task ID      only those of task ID\n"
     "  -e, --text TEXT    only those whose message contains TEXT\n"
     "  -w, --where        also where they were written\n"
     "  -j, --json         JSON, times in nanoseconds\n",
     cli_logs},
    {"critical-path", "what determined the latency of a task or goroutine",
     "Usage: weft critical-path --task ID [--json|--folded] FILE\n"
     "       weft critical-path --goroutine ID [--from T] [--to T] [--json|--folded] FILE\n"
     "\n"
     "Follows, from the end of a task backwards, what it waited for: its own running; its waits "
     "for\n"
     "a proc; and where it was blocked, the goroutine that released it, for the time of the wait,\n"
     "by the same rule. Every moment from begin to end is spent by one goroutine in one state.\n"
     "Prints the sums by cause and by function, and the steps in order of time; steps further to\n"
     "the right say what the wait above them was for.\n"
     "\n"
     "  -t, --task ID       from the begin of user task ID to its end\n"
     "  -g, --goroutine ID  of goroutine ID, all its life\n"
     "      --from T, --to T  … or between two times since the begin of the trace: 1.5s, 20ms\n"
     "  -n, --top N         N sums of each sort (10 by default; 0 is all)\n"
     "  -m, --min D         leave out steps shorter than D, such as 20us, from the text\n"
     "  -j, --json          JSON: all sums and steps, with stacks; times in nanoseconds\n"
     "  -f, --folded        folded stacks for flame graphs, in nanoseconds\n",
     cli_critical_path},
    {"diff", "what became slower from one run to another",
     "Usage: weft diff [--top N] [--system] [--json] FIRST SECOND\n"
     "\n"
     "Compares the traces of two runs (- is the standard input): for each group of goroutines "
     "(those\n"
     "with one entry function), and in it for running, waiting for a proc, system calls and each\n"
     "reason to block. The largest effect stands first: the time that the second run's goroutines\n"
     "spent beyond what as many of the first run's would have.\n"
     "\n"
     "  -n, --top N   N rows of either sort (15 by default; 0 is all)\n"
     "      --system  also goroutines of the runtime\n"
     "  -j, --json    JSON with all rows; times in nanoseconds\n",
     cli_diff},
    {"stw", "stops of the world",
     "Usage: weft stw [--top N] [--json] FILE\n"
     "\n"
     "Prints how often and how long the world was stopped in FILE (- is the standard input), by "
     "reason,\n"
     "and the longest stops, with who asked for them and where.\n"
     "\n"
     "  -n, --top N  the N longest (10 by default; 0 is all)\n"
     "  -j, --json   JSON, with all stops; times in nanoseconds\n",
     cli_stw},
    {"gc", "the collections of a Go program",
     "Usage: weft gc [--json] FILE\n"
     "\n"
     "Prints a line for each collection in FILE (- is the standard input): its mark phase; the "
     "stops\n"
     "of the world for it; the heap before it, at most within it, and after it, and the goal that "
     "it "
     "had;\n"
     "the time that background workers took, those on idle procs apart; and that of allocating\n"
     "goroutines, assisting it and sweeping after it.\n"
     "\n"
     "  -j, --json  JSON, times in nanoseconds\n",
     cli_gc},
    {"mmu", "minimum mutator utilisation of a Go program",
     "Usage: weft mmu [--count LIST] [--per-proc] [--window D] [--json] FILE\n"
     "\n"
     "For windows of many lengths, prints the least share of the procs that the program had to "
     "itself\n"
     "in any such window of FILE (- is the standard input), and where the first such begins. The\n"
     "figures are those of `go tool trace`.\n"
     "\n"
     "  -c, --count LIST  what of the collector counts: stw, background, assist, sweep\n"
     "                    (stw,background,assist by default)\n"
     "  -p, --per-proc    the share of the worst proc, not of all; dedicated workers do not count\n"
     "  -w, --window D    one window only, such as 10ms\n"
     "  -j, --json        JSON, times in nanoseconds\n",
     cli_mmu},
    {"query", "ask a trace in SQL",
     "Usage: weft query [--format FORMAT] FILE SQL\n"
     "       weft query [--format FORMAT] -f SQLFILE FILE\n"
     "       weft query --schema\n"
     "\n"
     "Runs SQL over FILE (- is the standard input), whose events, intervals, goroutines, stacks "
     "and\n"
     "so on are tables; --schema tells which. Times are in nanoseconds on the trace's clock. "
     "Tables\n"
     "are read from the trace as the query goes on: conditions such as time < N end the reading\n"
     "early. A trace that is cut off or damaged is queried up to there, and the exit status is 1.\n"
     "\n"
     "      --format FORMAT  table (the default), csv, json (an array of objects) or jsonl (an "
     "object\n"
     "                       a line)\n"
     "  -f, --file SQLFILE   take the SQL from a file (- is the standard input); several "
     "statements\n"
     "                       are separated by ;\n"
     "      --schema         print the tables, with what each column means\n",
     cli_query},
    {"export", "write a trace in the format of another tool",
     "Usage: weft export --to FORMAT -o OUTPUT FILE\n"
     "\n"
     "Reads FILE (- is the standard input) and writes it as\n"
     "\n"
     "  perfetto  a trace for ui.perfetto.dev: procs, threads, goroutines, regions and tasks as\n"
     "            tracks, logs, CPU samples with their stacks, counters, arrows from wake-ups to\n"
     "            where the woken goroutine runs\n"
     "  chrome    the same as JSON, for chrome://tracing and others\n"
     "  sqlite    a database with the tables of weft query (weft query --schema)\n"
     "  csv       the tables as files in the folder OUTPUT, or one of them as the file OUTPUT\n"
     "  folded    time of all goroutines by stack and state, for flame graphs\n"
     "\n"
     "  -t, --to FORMAT      one of these\n"
     "  -o, --output OUTPUT  where to write (- is the standard output); perfetto, chrome and "
     "folded\n"
     "                       are compressed if it ends in .gz\n"
     "      --table NAME     with csv: this table only\n",
     cli_export},
    {"slice", "cut a piece out of a trace",
     "Usage: weft slice [--exact] [--from TIME] [--to TIME] -o OUTPUT FILE\n"
     "\n"
     "Writes a smaller trace: the generations of FILE (- is the standard input) that have a part\n"
     "in the time from one TIME to another, as they are. It has been read to its end before it is\n"
     "written. What lies behind it in FILE may be damaged.\n"
     "\n"
     "A TIME is counted from the begin of the trace (1.5s, 200ms, 10us, 7ns), or one of\n"
     "the wall clock in UTC (2026-01-31T12:00:00.25Z), which traces of format 1.25 and later "
     "know.\n"
     "\n"
     "      --from TIME      where to begin (the begin of the trace by default)\n"
     "      --to TIME        where to end (its end by default)\n"
     "  -e, --exact          only the events in that time, with others put in that tell the state\n"
     "                       of everything at its begin\n"
     "  -o, --output OUTPUT  where to write (- is the standard output)\n",
     cli_slice},
    {"merge", "make one trace out of the segments of a run",
     "Usage: weft merge -o OUTPUT SEGMENT SEGMENT…\n"
     "\n"
     "Writes one trace out of segments of one run of one program, given in order: pieces made by\n"
     "weft slice, or snapshots of a flight recorder, which may overlap. Each must go on where the\n"
     "one before ends: segments with a gap between them, of different formats, or of different\n"
     "runs are refused, and nothing is written. Traces of different processes cannot be merged.\n"
     "\n"
     "  -o, --output OUTPUT  where to write (- is the standard output)\n",
     cli_merge},
    {"top", "watch a trace while it is written",
     "Usage: weft top [-d D] [-n COUNT] FILE\n"
     "       weft top [-d D] [-n COUNT] -p PID\n"
     "\n"
     "Follows FILE (- is the standard input), or the trace that a process writes, and shows a "
     "page\n"
     "for each second of the trace's time: goroutines by state, how busy procs are, how long\n"
     "goroutines wait for one, and the shares of the time by entry function, where 100 % is one\n"
     "goroutine that does nothing else. A running program writes about once a second.\n"
     "\n"
     "  -d, --delay D      time that a page covers, such as 200ms (1s by default)\n"
     "  -n, --count COUNT  print COUNT pages as plain text and end; a file that no longer grows\n"
     "                     ends earlier\n"
     "  -p, --pid PID      the trace that this process has open, or its WEFT_TRACE names\n",
     cli_top},
    {NULL, NULL, NULL, NULL},
};

static void print_help(FILE *to)
{
    fputs("Usage: weft COMMAND [OPTION]… FILE\n"
          "Reads execution traces of weft and of Go programs (1.22 and later).\n\n",
          to);
    for (const struct cli_command *c = cli_commands; c->name; c++)
        fprintf(to, "  %-13s %s\n", c->name, c->summary);
    fputs("\nweft COMMAND --help tells more. weft --version prints the version.\n", to);
}

static int no_command(const char *name)
{
    cli_message("weft: there is no command '%s'; weft --help lists them\n", name);
    return 2;
}

static int help(const char *command)
{
    int status = command ? cli_print_help(command) : -1;
    if (status >= 0)
        return status;
    if (command)
        return no_command(command);
    print_help(stdout);
    return cli_flush(0);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return help(argc > 2 ? argv[2] : NULL);
    if (strcmp(name, "--version") == 0) {
        puts("weft " WEFT_VERSION_STRING);
        return cli_flush(0);
    }
    for (const struct cli_command *c = cli_commands; c->name; c++)
        if (strcmp(name, c->name) == 0) {
            int status = c->run(argc - 1, argv + 1);
            cli_progress_stop();
            return status;
        }
    if (*name)
        return no_command(name);
    print_help(stderr);
    return 2;
}
