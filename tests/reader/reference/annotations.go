// SPDX-License-Identifier: MIT

// Annotations prints what Go's own summary says of the user tasks and regions of a trace, one a line,
// so that weft's can be compared with it (tests/analysis/annotation_lines.c prints the same).
//
//	annotations FILE
//
// Regions which were not there from begin to end are left out, and those that a goroutine inherits.
package main

import (
	"bufio"
	"fmt"
	"internal/trace"
	"io"
	"os"
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
	for id, task := range summary.Tasks {
		if task.Start != nil || task.End != nil {
			fmt.Fprintf(out, "task %d %q %d %d\n", id, task.Name, at(task.Start), at(task.End))
		}
	}
	for id, g := range summary.Goroutines {
		for _, region := range g.Regions {
			line(out, id, region)
		}
	}
}

func line(out io.Writer, id trace.GoID, region *trace.UserRegionSummary) {
	if region.Name == "" || region.Start == nil || region.End == nil ||
		region.End.Kind() != trace.EventRegionEnd {
		return
	}
	blocked := time.Duration(0)
	for _, d := range region.BlockTimeByReason {
		blocked += d
	}
	fmt.Fprintf(out, "region %d %q %d %d %d running=%d runnable=%d blocked=%d syscall=%d\n",
		id, region.Name, region.TaskID, at(region.Start), at(region.End), region.ExecTime,
		region.SchedWaitTime, blocked, region.SyscallTime+region.SyscallBlockTime)
}

func at(ev *trace.Event) trace.Time {
	if ev == nil {
		return 0
	}
	return ev.Time()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "annotations:", err)
		os.Exit(1)
	}
}
