#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures how figures change with a size and draws them: docs/pictures/bench_*.svg from docs/pictures/bench.json.

Without --draw-only everything is measured first, once, by the programs in BUILD/bench, and by Go's in BUILD/bench-go
where they are there; each prints "FIGURE VALUE UNIT" lines. A program that fails is left out, and so is its picture.
"""
import argparse
import collections
import json
import math
import os
import re
import subprocess
import sys
import time

import scoreboard

PROCS = (1, 2, 4, 8, 16)
OPERATIONS = {"gosched": "yield", "chan_pingpong": "channel round trip", "chan_buffered": "buffered channel, an item",
              "mutex": "mutex", "mutex_handoff": "mutex, handed over", "select4": "select over 4 channels",
              "spawn_join": "spawn and exit", "wg_fanout100": "spawn, 100 at once"}
GOROUTINES = (10, 100, 1000, 10000, 100000, 1000000)
BYTES_OF_A_GOROUTINE = 4500
STEPS = (2600, 26000, 264000, 2640000)  # of bench/go/gentrace: traces of 0.1 to 105 MB

Panel = collections.namedtuple("Panel", "title x_label y_label lines")  # lines: name -> [(x, y)]


# ---- Measuring ----

def run(command):
    print(f"bench: {' '.join(command)}", file=sys.stderr)
    return {name: value for name, (value, _) in scoreboard.run(command).items()}


def measure_scaling(bench, go):
    """figures[program][operation][number of Ps]"""
    found = {}
    for procs in PROCS:
        commands = {"weft": [f"{bench}/sched", "-o", "-p", str(procs), "-r", "3", "-t", "20"],
                    "Go": [f"{go}/sched", "-procs", str(procs), "-rounds", "3", "-time", "20ms", "-modes", "off"]}
        for program, command in commands.items():
            figures = run(command) if os.path.exists(command[0]) else {}
            for operation in OPERATIONS:
                value = figures.get(f"p{procs}/{operation}/off")
                if value is not None:
                    found.setdefault(program, {}).setdefault(operation, []).append((procs, value))
    return found


def free_memory():
    with open("/proc/meminfo", encoding="utf-8") as file:
        return int(re.search(r"MemAvailable:\s+(\d+) kB", file.read())[1]) * 1024


def measure_stop(bench, go):
    counts = [n for n in GOROUTINES if n * BYTES_OF_A_GOROUTINE < free_memory() / 2]
    figures = run([f"{bench}/startstop", *map(str, counts)])
    lines = {f"weft: {what}": [(n, figures[f"g{n}/{key}"]) for n in counts if f"g{n}/{key}" in figures]
             for what, key in (("start", "start"), ("stop", "stop"), ("snapshot", "snapshot"),
                               ("worst delay", "worst_delay"))}
    if os.path.exists(f"{go}/startstop"):
        go_counts = [n for n in counts if n <= 100000]
        figures = run([f"{go}/startstop", "-procs", "2", "-rounds", "3", "-n", ",".join(map(str, go_counts))])
        lines["Go: stop"] = [(n, figures[f"p2/g{n}/stop"]) for n in go_counts if f"p2/g{n}/stop" in figures]
    return lines


def measure_latency(bench):
    """figures[situation][quantile]"""
    found = {}
    for name, value in run([f"{bench}/latency", "5000"]).items():
        _, situation, quantile = name.split("/")
        found.setdefault(situation, {})[quantile] = value
    return found


def threads_of(figures, pattern, scale):
    found = [(int(match[1]), value * scale) for name, value in figures.items() if (match := re.fullmatch(pattern, name))]
    return [pair for pair in sorted(found) if pair[0] > 0]


def measure_threads(bench):
    return {"membarrier": threads_of(run([f"{bench}/fence_bench", "64"]), r"fence/heavy/busy_threads=(\d+)", 1e-3),
            "all leases revoked": threads_of(run([f"{bench}/revoke", "64"]), r"revoke/threads=(\d+)", 1)}


def measure_reader(bench, go):
    """Lines of events a second over the trace's size in MB."""
    lines = {}
    if not os.path.exists(f"{go}/gentrace"):
        return lines
    path = os.path.join(go, "plots.trace")
    for steps in STEPS:
        subprocess.run([f"{go}/gentrace", "-steps", str(steps), "-o", path], check=True, stdout=subprocess.DEVNULL)
        size = os.path.getsize(path) / 1e6
        for name, command, figure in (("weft, 1 thread", [f"{bench}/read", path, "1"], "read/rate"),
                                      ("weft, 2 threads", [f"{bench}/read", path, "2"], "read/rate"),
                                      ("Go", [f"{go}/traceread", "-name", "go", path], "go/event_rate")):
            value = run(command).get(figure)
            if value:
                lines.setdefault(name, []).append((size, value / 1e6))
    os.unlink(path)
    return lines


def measure(build):
    bench, go = os.path.join(build, "bench"), os.path.join(build, "bench-go")
    return {"machine": scoreboard.machine(), "date": time.strftime("%Y-%m-%d", time.gmtime()), "load": os.getloadavg()[0],
            "scaling": measure_scaling(bench, go), "stop": measure_stop(bench, go), "latency": measure_latency(bench),
            "threads": measure_threads(bench), "reader": measure_reader(bench, go)}


# ---- Drawing ----

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 360, 280, 58, 28, 14, 44
LEGEND = 14  # height of a line of names, two in each
COLOURS = ("#1f5fa8", "#c2571a", "#3b8a3b", "#8a3b7a", "#666666")


def escape(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;")


def text(x, y, content, size=11, anchor="middle", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{extra}>{escape(content)}</text>'


def decade(value, up):
    """The power of ten at or beside a value."""
    power = 1.0
    while power > value:
        power /= 10
    while power * 10 <= value:
        power *= 10
    return power * 10 if up and power < value else power


class Axis:
    """A logarithmic scale from `low` to `high`, drawn from `begin` to `end`."""

    def __init__(self, values, begin, end, whole_decades):
        low, high = min(values), max(values)
        self.low = decade(low, False) if whole_decades else low
        self.high = decade(high, True) if whole_decades else max(high, low * 2)
        if self.low == self.high:
            self.high *= 10
        self.begin, self.end = begin, end

    def at(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.begin + part * (self.end - self.begin)

    def decades(self):
        value = decade(self.low, True)
        while value <= self.high * 1.0001:
            yield value
            value *= 10


def short(value):
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def panel_svg(panel, x0, y0):
    points = [point for line in panel.lines.values() for point in line]
    xs = sorted({x for x, _ in points})
    top = TOP + LEGEND * ((len(panel.lines) + 1) // 2)
    x_axis = Axis(xs, x0 + LEFT, x0 + WIDTH - RIGHT, False)
    y_axis = Axis([y for _, y in points], y0 + HEIGHT - BOTTOM, y0 + top, True)
    middle = y0 + (top + HEIGHT - BOTTOM) / 2
    out = [text(x0 + WIDTH / 2, y0 + 18, panel.title, 13, extra=' font-weight="bold"'),
           text(x0 + (LEFT + WIDTH - RIGHT) / 2, y0 + HEIGHT - 8, panel.x_label),
           text(x0 + 12, middle, panel.y_label, extra=f' transform="rotate(-90 {x0 + 12} {middle:.1f})"')]
    for value in y_axis.decades():
        y = y_axis.at(value)
        out.append(f'<line x1="{x_axis.begin}" y1="{y:.1f}" x2="{x_axis.end}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(text(x_axis.begin - 5, y + 4, short(value), 10, "end"))
    for value in xs if len(xs) <= 8 else x_axis.decades():
        out.append(text(x_axis.at(value), y_axis.begin + 15, short(float(f"{value:.2g}")), 10))
    for number, (name, line) in enumerate(panel.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in line)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        out += [f'<circle cx="{x_axis.at(x):.1f}" cy="{y_axis.at(y):.1f}" r="2.6" fill="{colour}"/>' for x, y in line]
        column, row = number % 2, number // 2
        out.append(text(x_axis.begin + column * (WIDTH - LEFT) / 2, y0 + TOP + LEGEND * row + 4, name, 11, "start",
                        f' fill="{colour}"'))
    return "\n".join(out)


def picture(panels, note):
    """An SVG of panels, two in a row."""
    panels = [panel for panel in panels if any(panel.lines.values())]
    if not panels:
        return None
    columns = min(2, len(panels))
    rows = (len(panels) + columns - 1) // columns
    width, height = columns * WIDTH, rows * HEIGHT + 18
    body = [panel_svg(panel, i % columns * WIDTH, i // columns * HEIGHT) for i, panel in enumerate(panels)]
    body.append(text(width / 2, height - 5, note, 9, extra=' fill="#666"'))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">\n'
            f'<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n")


def pictures(data):
    """Name -> panels."""
    scaling = [Panel(title, "Ps", "ns", {program: figures[operation] for program, figures in data["scaling"].items()
                                         if operation in figures}) for operation, title in OPERATIONS.items()]
    situations = {"alone": 1, "load": 2, "load_and_hog": 3}
    quantiles = {q: [(situations[s], figures[q]) for s, figures in data["latency"].items() if q in figures]
                 for q in ("p50", "p99", "p99.9")}
    return {
        "scaling": scaling,
        "stop": [Panel("start, stop, snapshot", "goroutines", "µs", data["stop"])],
        "latency": [Panel("how late a goroutine wakes, 2 Ps", "1: alone, 2: load, 3: load and a CPU hog", "µs", quantiles)],
        "threads": [Panel("beside computing threads", "threads", "µs", data["threads"])],
        "reader": [Panel("reading a trace", "MB", "million events/s", data["reader"])],
    }


def main():
    parser = argparse.ArgumentParser(prog="./dev bench plots", description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--pictures", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--draw-only", action="store_true", help="draw what was measured before")
    options = parser.parse_args()
    os.makedirs(options.pictures, exist_ok=True)
    path = os.path.join(options.pictures, "bench.json")
    if not options.draw_only:
        data = measure(options.build)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
            file.write("\n")
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    for name, panels in pictures(data).items():
        svg = picture(panels, f"{data['date']}; {data['machine']}; load before {data['load']:.1f}")
        if svg:
            with open(os.path.join(options.pictures, f"bench_{name}.svg"), "w", encoding="utf-8") as file:
                file.write(svg)


if __name__ == "__main__":
    main()
