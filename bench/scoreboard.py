#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the benchmark programs of weft and of its peers in turns and says what weft reaches.

A source is a command that prints lines "FIGURE VALUE UNIT". In each round every source of the rows asked for
runs once, one after the other, so that both sides of a ratio saw the machine in the same state. A row compares
a figure of weft with one of a peer; the ratio is the median of the rounds' ratios, the values are medians.
"""
import argparse
import collections
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time

FIGURE = re.compile(r"^(\S+) ([-+.\de]+)(?: (\S+))?$")
TIMEOUT = 300  # seconds for one run of a source

# NAME GROUP: which rows an argument selects. BETTER: '<' the ratio or value must be at most the goal, '>' at least.
Row = collections.namedtuple("Row", "name figure peer ratio_goal value_goal better note", defaults=("<", ""))


def sources(build, go, trace, tool):
    """Name of a source -> command, whether its programs are there or not."""
    bench = os.path.join(build, "bench")
    peers = os.path.join(build, "bench-peers")

    def sched(bench_name):
        return [f"{bench}/sched", "-b", bench_name, "-r", "1", "-t", "50"]

    def go_sched(bench_name, modes="off"):
        return [f"{go}/sched", "-bench", bench_name, "-rounds", "1", "-time", "50ms", "-modes", modes]

    all_sources = {}
    for name in ("gosched", "chan_pingpong", "chan_buffered", "mutex", "mutex_handoff", "select4", "spawn_join",
                 "wg_fanout100"):
        all_sources[f"weft:{name}"] = sched(name)
        all_sources[f"go:{name}"] = go_sched(name, "off,discard")
    # Shorter than a time slice: who computes longer than that loses the P and goes on beside the next, contending with it.
    all_sources["weft:mutex"] = [f"{bench}/sched", "-b", "mutex", "-r", "9", "-t", "4"]
    all_sources["hookless:chan_pingpong"] = [f"{bench}/sched_hookless", "-o", "-b", "chan_pingpong", "-r", "1", "-t", "50"]
    all_sources["weft:events"] = [f"{bench}/events"]
    all_sources["weft:annotate"] = [f"{bench}/annotate_bench"]
    all_sources["go:annotate"] = [f"{go}/annot", "-rounds", "1", "-time", "50ms", "-procs", "1", "-modes", "off,discard"]
    all_sources["weft:startstop"] = [f"{bench}/startstop", "10", "100000"]
    all_sources["go:startstop"] = [f"{go}/startstop", "-procs", "2", "-rounds", "3", "-n", "10,100000"]
    all_sources["weft:parked"] = [f"{bench}/parked"]
    all_sources["go:parked"] = [f"{go}/parked", "-procs", "1", "-rounds", "1", "-n", "100000", "-modes", "off"]
    all_sources["weft:timers"] = [f"{bench}/timers"]
    all_sources["go:timers"] = [f"{go}/timers", "-procs", "2", "-rounds", "1", "-modes", "off"]
    all_sources["weft:stall"] = [f"{bench}/stall"]
    all_sources["go:stall"] = [f"{go}/stall"]
    all_sources["weft:coro"] = [f"{bench}/coro_bench"]
    all_sources["floor:switch"] = [f"{bench}/switch_floor"]
    all_sources["weft:clock"] = [f"{bench}/clock_bench"]
    all_sources["boost:fibers"] = [f"{peers}/boost_fiber"]
    all_sources["st:threads"] = [f"{peers}/state_threads"]
    all_sources["lttng:event"] = ["sh", f"{peers}/lttng.sh", f"{peers}/lttng_event"]
    for conns in ("64", "1000"):
        all_sources[f"libuv:echo{conns}"] = [f"{bench}/echo", f"{peers}/uv_echo", conns, "700"]
        for server in ("weft", "epoll"):
            all_sources[f"{server}:echo{conns}"] = [f"{bench}/echo", server, conns, "700"]
        all_sources[f"traced:echo{conns}"] = [f"{bench}/echo", "weft", conns, "700", "trace"]
        all_sources[f"go:echo{conns}"] = [f"{go}/echo", "-procs", "2", "-rounds", "1", "-modes", "off", "-time", "700ms",
                                          "-conns", conns]
    if trace:
        all_sources["weft:read1"] = [f"{bench}/read", trace, "1"]
        all_sources["weft:read2"] = [f"{bench}/read", trace, "2"]
        all_sources["go:read"] = [f"{go}/traceread", "-name", "go_read", trace]
        all_sources["weft:summary"] = ["time", "summary", tool, "summary", trace]
        all_sources["weft:profile"] = ["time", "sched_profile", tool, "profile", "--kind", "sched", "-o", "/dev/null", trace]
        all_sources["go:profile"] = ["time", "go_sched_profile", os.path.join(go, "..", "trace"), "-pprof=sched", trace]
    return all_sources


def go_row(name, bench, procs, goal, value=None, unit_note=""):
    figure = f"p{procs}/{bench}/off"
    return Row(name, (f"weft:{bench}", figure), (f"go:{bench}", figure), goal, value, "<", unit_note)


def added(bench):
    """What tracing adds to an operation, beside what it adds in Go."""
    return Row(f"{bench}: what tracing adds", (f"weft:{bench}", f"p1/{bench}/discard-off"),
               (f"go:{bench}", f"p1/{bench}/discard-off"), 0.25, None)


def beside(name, bench, source, figure, note=""):
    """A figure on 1 P beside a library that has one thread."""
    return Row(f"{name}, beside {source}", (f"weft:{bench}", f"p1/{bench}/off"), figure, 1, None, "<", note)


def peer_rows():
    """weft is to be ahead of each peer that can be had."""
    boost, st = "Boost.Fiber", "State Threads"
    return [
        beside("yield", "gosched", boost, ("boost:fibers", "boost/gosched")),
        beside("channel round trip", "chan_pingpong", boost, ("boost:fibers", "boost/chan_pingpong")),
        beside("spawn and exit", "spawn_join", boost, ("boost:fibers", "boost/spawn_join")),
        beside("yield", "gosched", st, ("st:threads", "st/gosched"), "a sleep of 0 there"),
        beside("channel round trip", "chan_pingpong", st, ("st:threads", "st/chan_pingpong"), "condition variables there"),
        beside("spawn and exit", "spawn_join", st, ("st:threads", "st/spawn_join")),
        *(Row(f"echo, {n} connections: server CPU, to libuv", (f"weft:echo{n}", f"weft/echo{n}/server_cpu"),
              (f"libuv:echo{n}", f"uv_echo/echo{n}/server_cpu"), 1, None) for n in ("64", "1000")),
        Row("event without stack, to LTTng-UST", ("weft:events", "event/plain_1t"), ("lttng:event", "lttng/event"), 1, None),
        Row("reader, 1 thread, to babeltrace2", ("weft:read1", "read/rate"), ("lttng:event", "babeltrace/rate"), 1, None, ">"),
        Row("clock, beside the bare counter", ("weft:clock", "clock/now_loose"), ("weft:clock", "clock/counter_instruction"),
            None, None),
    ]


def rows():
    third = 1 / 3
    return {
        "sched": [
            go_row("yield, 1 P", "gosched", 1, 1 / 6, 15),
            go_row("channel round trip, 1 P", "chan_pingpong", 1, 0.25, 70),
            go_row("channel round trip, 2 Ps", "chan_pingpong", 2, third, 100),
            go_row("buffered channel, an item", "chan_buffered", 1, third),
            go_row("mutex, uncontended", "mutex", 1, 0.5),
            go_row("mutex, handed over", "mutex_handoff", 1, third),
            go_row("select over 4 channels", "select4", 1, third),
            go_row("spawn and exit", "spawn_join", 1, 0.2, 60),
            go_row("spawn, 100 at once", "wg_fanout100", 1, 0.2),
            Row("coroutine, a switch", ("weft:coro", "coro_switch"), ("floor:switch", "floor/switch"), None, 12, "<",
                "beside a bare switch of stacks"),
        ],
        "memory": [Row("memory of a parked goroutine", ("weft:parked", "parked100000/rss_each"),
                       ("go:parked", "p1/parked100000/rss_each/off"), None, 4352)],
        "timers": [Row("CPU of a sleep", ("weft:timers", "sleep/cpu"), ("go:timers", "p2/sleep/cpu_per_sleep/off"), third, None)],
        "stall": [
            Row("ticker beside computing loops", ("weft:stall", "stall/computing"), ("go:stall", "stall/computing"), None, 12),
            Row("ticker beside blocking calls", ("weft:stall", "stall/blocking"), ("go:stall", "stall/blocking"), None, 12),
        ],
        "echo": [
            row
            for n in ("64", "1000")
            for row in (
                Row(f"echo, {n} connections: server CPU, to epoll", (f"weft:echo{n}", f"weft/echo{n}/server_cpu"),
                    (f"epoll:echo{n}", f"epoll/echo{n}/server_cpu"), 1.08, None),
                Row(f"echo, {n} connections: server CPU, to Go", (f"weft:echo{n}", f"weft/echo{n}/server_cpu"),
                    (f"go:echo{n}", f"p2/echo{n}/server_cpu/off"), 0.85, None),
                Row(f"echo, {n} connections: rate, to epoll", (f"weft:echo{n}", f"weft/echo{n}/rate"),
                    (f"epoll:echo{n}", f"epoll/echo{n}/rate"), 0.97, None, ">"),
                Row(f"echo, {n} connections: server CPU, traced", (f"traced:echo{n}", f"weft_traced/echo{n}/server_cpu"),
                    (f"weft:echo{n}", f"weft/echo{n}/server_cpu"), 1.02, None),
            )
        ],
        "trace": [
            Row("tracing compiled in, round trip", ("weft:chan_pingpong", "p1/chan_pingpong/off"),
                ("hookless:chan_pingpong", "p1/chan_pingpong/off"), 1.01, None),
            Row("annotation while off", ("weft:annotate", "region/off-empty"), None, None, 0.5),
            Row("event without stack, 1 thread", ("weft:events", "event/plain_1t"), ("weft:events", "event/clock"), None, 12,
                "<", "beside a read of the clock"),
            Row("event without stack, 2 threads", ("weft:events", "event/plain_2t"), ("weft:events", "event/clock"), None, 15,
                "<", "beside a read of the clock"),
            Row("event with 8 frames", ("weft:events", "event/stack8_1t"), ("weft:events", "event/clock"), None, 25,
                "<", "beside a read of the clock; the mean of one with and one without"),
            Row("region, begin and end", ("weft:annotate", "region/on"), ("go:annotate", "p1/start_region_end/discard"), None, 50),
            added("gosched"),
            added("chan_pingpong"),
            added("spawn_join"),
        ],
        "startstop": [
            Row("start, 10 goroutines", ("weft:startstop", "g10/start"), ("go:startstop", "p2/g10/start"), None, 150),
            Row("stop, 10 goroutines", ("weft:startstop", "g10/stop"), ("go:startstop", "p2/g10/stop"), None, 150),
            Row("stop, 100,000 goroutines", ("weft:startstop", "g100000/stop"), ("go:startstop", "p2/g100000/stop"), None, 8000),
            Row("snapshot, 100,000 goroutines", ("weft:startstop", "g100000/snapshot"),
                ("go:startstop", "p2/g100000/write_to_first"), None, 8000),
        ],
        "reader": [
            Row("reader, 1 thread", ("weft:read1", "read/rate"), ("go:read", "go_read/event_rate"), 4, None, ">"),
            Row("reader, 2 threads", ("weft:read2", "read/rate"), ("go:read", "go_read/event_rate"), 6, None, ">"),
            Row("reader, peak memory", ("weft:read1", "read/peak_rss"), ("go:read", "go_read/peak_rss"), 0.5, None),
            Row("weft summary, time", ("weft:summary", "summary/wall"), ("go:profile", "go_sched_profile/wall"), None, 0.25),
            Row("weft summary, memory", ("weft:summary", "summary/peak_rss"), ("go:profile", "go_sched_profile/peak_rss"), None, 64),
            Row("sched profile, time", ("weft:profile", "sched_profile/wall"), ("go:profile", "go_sched_profile/wall"), None, 0.25),
            Row("sched profile, memory", ("weft:profile", "sched_profile/peak_rss"), ("go:profile", "go_sched_profile/peak_rss"),
                None, 64),
        ],
        "peers": peer_rows(),
    }


def is_there(command, build):
    """Whether the programs and files of a command have been built."""
    return all(os.path.exists(part) for part in command if part.startswith(build + os.sep))


def figures_of(text):
    found = {}
    for line in text.splitlines():
        match = FIGURE.match(line)
        if match:
            found[match[1]] = (float(match[2]), match[3] or "")
    return found


def run(command):
    """The figures that a command prints; for a command behind `time NAME`, what the process took."""
    timed = command[0] == "time"
    name, command = (command[1], command[2:]) if timed else ("", command)
    begin = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL if timed else subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        out, errors = process.communicate(timeout=TIMEOUT) if not timed else ("", process.stderr.read())
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        print(f"bench: {' '.join(command)}: no end after {TIMEOUT} s: left out", file=sys.stderr)
        return {}
    usage = None
    if timed:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        print(f"bench: {' '.join(command)}: status {process.returncode}: left out\n{errors}", file=sys.stderr)
        return {}
    if not timed:
        return figures_of(out)
    return {f"{name}/wall": (time.monotonic() - begin, "s"), f"{name}/peak_rss": (usage.ru_maxrss / 1024, "MiB")}


def value_of(figures, name):
    """A figure, or for MODE-BASE at the end of a name the difference of two."""
    if name in figures:
        return figures[name]
    stem, _, last = name.rpartition("/")
    mode, dash, base = last.partition("-")
    if dash:
        base_name = f"{stem}/{base}" if f"{stem}/{base}" in figures else f"{base}/{mode}"
        if f"{stem}/{mode}" in figures and base_name in figures:
            (a, unit), (b, _) = figures[f"{stem}/{mode}"], figures[base_name]
            return a - b, unit
    return None


def measure(selected, commands, rounds):
    """samples[source] -> one dictionary of figures for each round."""
    wanted = []
    for row in selected:
        for place in (row.figure, row.peer):
            if place and place[0] in commands and place[0] not in wanted:
                wanted.append(place[0])
    samples = collections.defaultdict(list)
    for number in range(rounds):
        for source in wanted:
            print(f"bench: round {number + 1} of {rounds}: {source}", file=sys.stderr)
            samples[source].append(run(commands[source]))
    return samples


def judge(row, samples):
    """The row's medians and verdict, or None where weft's side was not run."""
    def series(place):
        found = [value_of(figures, place[1]) for figures in samples.get(place[0], [])] if place else []
        return [item for item in found if item]

    ours, theirs = series(row.figure), series(row.peer)
    if not ours:
        return None
    result = {"name": row.name, "value": statistics.median(v for v, _ in ours), "unit": ours[0][1], "note": row.note}
    if theirs:
        result["peer"] = row.peer[0].split(":")[0]
        result["peer_value"] = statistics.median(v for v, _ in theirs)
        result["ratio"] = statistics.median(a / b for (a, _), (b, _) in zip(ours, theirs) if b)

    def reached(value, goal):
        return value <= goal if row.better == "<" else value >= goal

    verdicts = []
    if row.ratio_goal is not None:
        result["ratio_goal"] = row.ratio_goal
        if "ratio" in result:
            verdicts.append(reached(result["ratio"], row.ratio_goal))
    if row.value_goal is not None:
        result["value_goal"] = row.value_goal
        verdicts.append(reached(result["value"], row.value_goal))
    result["better"] = row.better
    result["verdict"] = "none" if not verdicts else "ok" if all(verdicts) else "MISS"
    return result


def goal_text(result):
    sign = "≤" if result["better"] == "<" else "≥"
    parts = []
    if "value_goal" in result:
        parts.append(f"{sign} {result['value_goal']:g} {result['unit']}")
    if "ratio_goal" in result:
        parts.append(f"{sign} {result['ratio_goal']:.3g} x")
    return ", ".join(parts)


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}"


def version(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "none"


def report(results, rounds, go_version):
    load = os.getloadavg()[0]
    lines = ["# Benchmarks", "",
             "Written by `./dev bench`, which runs each program and its peers in turns; medians of "
             f"{rounds} rounds, ratios round by round. MISS: the goal is not reached.", "",
             f"- {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}; {machine()}; load at the end {load:.1f}",
             f"- {version(['cc', '--version'])}; {go_version}", "",
             "| figure | weft | peer | ratio | goal | |", "| --- | ---: | ---: | ---: | --- | --- |"]
    for result in results:
        peer = f"{result['peer']} {result['peer_value']:.4g}" if "peer" in result else ""
        ratio = f"{result['ratio']:.3g}" if "ratio" in result else ""
        name = result["name"] + (f" ({result['note']})" if result["note"] else "")
        lines.append(f"| {name} | {result['value']:.4g} {result['unit']} | {peer} | {ratio} | {goal_text(result)} "
                     f"| {result['verdict']} |")
    return "\n".join(lines) + "\n"


def make_trace(go, build):
    """A trace of a Go program for the reader's rows, made once for each build folder."""
    path = os.path.join(build, "bench-go", "5m.trace")
    generator = os.path.join(go, "gentrace")
    if not os.path.exists(path) and os.path.exists(generator):
        subprocess.run([generator, "-steps", "660000", "-o", path], check=True, stdout=subprocess.DEVNULL)
    return path if os.path.exists(path) else None


def main():
    table = rows()
    parser = argparse.ArgumentParser(prog="./dev bench", description="weft's scoreboard")
    parser.add_argument("names", nargs="*", metavar="NAME", help="groups of rows: " + ", ".join(table) + "; none: all")
    parser.add_argument("--rounds", type=int, default=7, help="rounds in which all programs take turns (7)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--output", metavar="FILE", help="also write the table, as Markdown")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.build = options.build.rstrip(os.sep)
    unknown = [name for name in options.names if name not in table]
    if unknown or options.rounds < 1:
        parser.error(f"no such group: {', '.join(unknown)}" if unknown else "--rounds is 1 or more")
    go = os.path.join(options.build, "bench-go")
    groups = options.names or list(table)
    selected = [row for group in groups for row in table[group]]
    trace = make_trace(go, options.build) if "reader" in groups or "peers" in groups else None
    commands = sources(options.build, go, trace, os.path.join(options.build, "bin", "weft"))
    commands = {name: command for name, command in commands.items() if is_there(command, options.build)}
    results = [result for result in (judge(row, measured) for measured in [measure(selected, commands, options.rounds)]
                                     for row in selected) if result]
    go_version = version([os.path.join(go, "goroot", "bin", "go"), "version"])
    if options.json:
        print(json.dumps({"machine": machine(), "rounds": options.rounds, "go": go_version, "rows": results}, indent=1))
    else:
        for result in results:
            ratio = f"  {result['ratio']:.3g} x {result['peer']}" if "ratio" in result else ""
            print(f"{result['name']} {result['value']:.4g} {result['unit']}{ratio}  {goal_text(result)}  {result['verdict']}")
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            file.write(report(results, options.rounds, go_version))
    missing = [row.name for row in selected if row.name not in [result["name"] for result in results]]
    if missing:
        print(f"bench: not measured, as a program was missing: {', '.join(missing)}", file=sys.stderr)


if __name__ == "__main__":
    main()
