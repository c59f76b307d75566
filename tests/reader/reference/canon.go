// SPDX-License-Identifier: MIT

// Canon prints the events of traces, as Go's reader gives them, in the canonical text that
// `weft events --format canon` prints too, so that the two can be compared byte for byte.
//
//	canon FILE           to the standard output
//	canon -o DIR FILE…   each to DIR/BASENAME.go
//
// A text ends with a line ERROR where the reader fails, and with PANIC where it, or one of its
// accessors, panics. With -messages the error follows on the same line.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"internal/trace"
	"io"
	"os"
	"path/filepath"
	"strings"
)

var messages = flag.Bool("messages", false, "print the reader's errors behind ERROR")

func main() {
	dir := flag.String("o", "", "folder for the texts")
	flag.Parse()
	if *dir == "" {
		canon(flag.Arg(0), os.Stdout)
		return
	}
	for _, file := range flag.Args() {
		out, err := os.Create(filepath.Join(*dir, filepath.Base(file)+".go"))
		check(err)
		canon(file, out)
		check(out.Close())
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func canon(file string, to io.Writer) {
	f, err := os.Open(file)
	check(err)
	defer f.Close()
	w := bufio.NewWriterSize(to, 1<<16)
	defer w.Flush()
	defer func() {
		if p := recover(); p != nil {
			end(w, "PANIC", fmt.Errorf("%v", p))
		}
	}()
	r, err := trace.NewReader(bufio.NewReaderSize(f, 1<<16))
	for err == nil {
		var e trace.Event
		if e, err = r.ReadEvent(); err == nil {
			io.WriteString(w, line(e))
		}
	}
	if err != io.EOF || r == nil {
		end(w, "ERROR", err)
	}
}

func end(w io.Writer, word string, err error) {
	if *messages {
		word += " " + strings.ReplaceAll(err.Error(), "\n", " ")
	}
	fmt.Fprintln(w, word)
}

func line(e trace.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s %s %s", e.Time(), id(int64(e.Thread())), id(int64(e.Proc())), id(int64(e.Goroutine())), e.Kind())
	transition := trace.NoStack
	switch e.Kind() {
	case trace.EventSync:
		putSync(&b, e.Sync())
	case trace.EventMetric:
		m := e.Metric()
		fmt.Fprintf(&b, " name=%s value=%d", quote(m.Name), m.Value.Uint64())
	case trace.EventLabel:
		l := e.Label()
		fmt.Fprintf(&b, " label=%s scope=%s", quote(l.Label), l.Resource)
	case trace.EventRangeBegin, trace.EventRangeActive, trace.EventRangeEnd:
		r := e.Range()
		fmt.Fprintf(&b, " name=%s scope=%s", quote(r.Name), r.Scope)
		if e.Kind() == trace.EventRangeEnd {
			for _, a := range e.RangeAttributes() {
				fmt.Fprintf(&b, " %s=%d", strings.ReplaceAll(a.Name, " ", "_"), a.Value.Uint64())
			}
		}
	case trace.EventTaskBegin, trace.EventTaskEnd:
		t := e.Task()
		fmt.Fprintf(&b, " id=%s parent=%s type=%s", task(t.ID), task(t.Parent), quote(t.Type))
	case trace.EventRegionBegin, trace.EventRegionEnd:
		r := e.Region()
		fmt.Fprintf(&b, " task=%s type=%s", task(r.Task), quote(r.Type))
	case trace.EventLog:
		l := e.Log()
		fmt.Fprintf(&b, " task=%s category=%s message=%s", task(l.Task), quote(l.Category), quote(l.Message))
	case trace.EventStateTransition:
		t := e.StateTransition()
		transition = t.Stack
		fmt.Fprintf(&b, " %s %s reason=%s", t.Resource, states(t), quote(t.Reason))
	case trace.EventExperimental:
		x := e.Experimental()
		fmt.Fprintf(&b, " experiment=%s name=%s", x.Experiment, x.Name)
		for i, name := range x.Args {
			fmt.Fprintf(&b, " %s=%d", name, x.ArgValue(i).Uint64())
		}
	}
	putStack(&b, "stack", e.Stack())
	if transition != e.Stack() {
		putStack(&b, "tstack", transition)
	}
	b.WriteByte('\n')
	return b.String()
}

func putSync(b *strings.Builder, s trace.Sync) {
	fmt.Fprintf(b, " n=%d", s.N)
	if c := s.ClockSnapshot; c != nil {
		fmt.Fprintf(b, " trace=%d mono=%d wall=%d.%09d", c.Trace, c.Mono, c.Wall.Unix(), c.Wall.Nanosecond())
	}
	if n := len(s.ExperimentalBatches["AllocFree"]); n > 0 {
		fmt.Fprintf(b, " AllocFree=%d", n)
	}
}

func states(t trace.StateTransition) string {
	if t.Resource.Kind == trace.ResourceGoroutine {
		from, to := t.Goroutine()
		return from.String() + "->" + to.String()
	}
	from, to := t.Proc()
	return from.String() + "->" + to.String()
}

func putStack(b *strings.Builder, key string, s trace.Stack) {
	sep := " " + key + "="
	for f := range s.Frames() {
		b.WriteString(sep + quote(f.Func))
		sep = ";"
	}
}

func id(n int64) string {
	if n == -1 {
		return "-"
	}
	return fmt.Sprint(n)
}

func task(t trace.TaskID) string {
	if t == trace.NoTask {
		return "-"
	}
	return fmt.Sprint(uint64(t))
}

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x20 && c < 0x7f && c != '"' && c != '\\' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
