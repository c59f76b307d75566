// SPDX-License-Identifier: MIT

// Goroutines prints what Go's own summary says of each goroutine of a trace, one a line, so that
// weft's statistics can be compared with it (tests/analysis/goroutine_lines.c prints the same).
//
//	goroutines FILE
//
// Ranges of procs are left out: Go credits one that ends on another goroutine to the end of the
// first. Where a goroutine is in a system call without a proc at the end of the trace, Go counts that
// time twice; it is taken out again.
package main

import (
	"bufio"
	"fmt"
	"internal/trace"
	"io"
	"maps"
	"os"
	"slices"
	"time"
)

func main() {
	f, err := os.Open(os.Args[1])
	check(err)
	r, err := trace.NewReader(bufio.NewReader(f))
	check(err)
	s := trace.NewSummarizer()
	for {
		ev, err := r.ReadEvent()
		if err == io.EOF {
			break
		}
		check(err)
		s.Event(&ev)
	}
	summary := s.Finalize()
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, id := range slices.Sorted(maps.Keys(summary.Goroutines)) {
		line(out, summary.Goroutines[id])
	}
}

func line(out io.Writer, g *trace.GoroutineSummary) {
	stats := g.GoroutineExecStats
	sum := stats.ExecTime + stats.SchedWaitTime + stats.SyscallTime + stats.SyscallBlockTime
	blocked := time.Duration(0)
	for _, d := range stats.BlockTimeByReason {
		blocked += d
	}
	if twice := sum + blocked - stats.TotalTime; twice > 0 {
		stats.SchedWaitTime -= twice
		stats.SyscallTime -= twice
		stats.SyscallBlockTime += twice
	}
	fmt.Fprintf(out, "%d %q created=%d started=%d ended=%d total=%d running=%d runnable=%d blocked=%d syscall=%d syscall-blocked=%d",
		g.ID, g.Name, g.CreationTime, g.StartTime, g.EndTime, stats.TotalTime, stats.ExecTime,
		stats.SchedWaitTime, blocked, stats.SyscallTime, stats.SyscallBlockTime)
	shares(out, "reason", stats.BlockTimeByReason)
	delete(stats.RangeTime, "GC incremental sweep")
	shares(out, "range", stats.RangeTime)
	fmt.Fprintln(out)
}

func shares(out io.Writer, word string, of map[string]time.Duration) {
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if of[name] != 0 {
			fmt.Fprintf(out, " %s[%s]=%d", word, name, of[name])
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "goroutines:", err)
		os.Exit(1)
	}
}
