// SPDX-License-Identifier: MIT

// Goroutines prints what Go's own summary says of each goroutine of a trace, one a line, so that
// weft's statistics can be compared with it (tests/analysis/goroutine_lines.c prints the same).
//
//	goroutines FILE
//
// Ranges of procs are left out: Go credits one that ends on another goroutine to the end of the
// first. Where a goroutine is in a system call without a proc at the end of the trace, Go counts that
// time twice; it is taken out again. And where Go does not notice that a goroutine loses its proc in a
// system call (see losses), the time without it is taken for what it is.
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
	l := newLosses()
	for {
		ev, err := r.ReadEvent()
		if err == io.EOF {
			break
		}
		check(err)
		s.Event(&ev)
		l.event(&ev)
	}
	l.end()
	summary := s.Finalize()
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, id := range slices.Sorted(maps.Keys(summary.Goroutines)) {
		g := summary.Goroutines[id]
		g.SyscallTime -= l.unnoticed[id]
		g.SyscallBlockTime += l.unnoticed[id]
		line(out, g)
	}
}

// losses tells what Go's summary does not notice: a goroutine that leaves a system call takes the entry
// of the proc with which it entered it from a table, even if it has lost that proc since and another
// goroutine is in a system call on it. When that one loses the proc, Go finds no entry.
type losses struct {
	on        map[trace.ProcID]trace.GoID // who is in a system call on each proc
	entries   map[trace.ProcID]bool       // whether Go has an entry for it
	entered   map[trace.GoID]trace.ProcID // the proc at the entry to the system call
	lost      map[trace.GoID]trace.Time   // unnoticed, in the system call that it is in
	unnoticed map[trace.GoID]time.Duration
	last      trace.Time
}

func newLosses() *losses {
	return &losses{
		on:        map[trace.ProcID]trace.GoID{},
		entries:   map[trace.ProcID]bool{},
		entered:   map[trace.GoID]trace.ProcID{},
		lost:      map[trace.GoID]trace.Time{},
		unnoticed: map[trace.GoID]time.Duration{},
	}
}

func (l *losses) event(ev *trace.Event) {
	l.last = ev.Time()
	if ev.Kind() != trace.EventStateTransition {
		return
	}
	switch st := ev.StateTransition(); st.Resource.Kind {
	case trace.ResourceGoroutine:
		old, new := st.Goroutine()
		if old != new && old == trace.GoSyscall {
			l.leave(st.Resource.Goroutine())
		}
		if old != new && new == trace.GoSyscall {
			l.enter(st.Resource.Goroutine(), ev.Proc())
		}
	case trace.ResourceProc:
		if old, new := st.Proc(); old != new && new == trace.ProcIdle {
			l.idle(st.Resource.Proc())
		}
	}
}

func (l *losses) enter(g trace.GoID, p trace.ProcID) {
	l.entered[g] = p
	l.on[p] = g
	l.entries[p] = true
}

func (l *losses) leave(g trace.GoID) {
	p := l.entered[g]
	delete(l.entries, p)
	if l.on[p] == g {
		delete(l.on, p)
	}
	l.note(g)
}

func (l *losses) idle(p trace.ProcID) {
	if g, ok := l.on[p]; ok && !l.entries[p] {
		l.lost[g] = l.last
	}
	delete(l.on, p)
	delete(l.entries, p)
}

// note adds up the time since an unnoticed loss.
func (l *losses) note(g trace.GoID) {
	if lost, ok := l.lost[g]; ok {
		l.unnoticed[g] += l.last.Sub(lost)
		delete(l.lost, g)
	}
}

func (l *losses) end() {
	for g := range l.lost {
		l.note(g)
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
