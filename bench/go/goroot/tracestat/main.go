// SPDX-License-Identifier: MIT

// Tracestat counts a trace's events with the raw reader. It must be built
// inside the standard library (see build.sh), for internal/trace/raw.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"internal/trace/raw"
	"internal/trace/tracev2"
	"io"
	"os"
	"slices"
	"time"
)

func main() {
	top := flag.Int("top", 8, "how many event types to list")
	name := flag.String("name", "tracestat", "prefix of the figures")
	flag.Parse()
	f, err := os.Open(flag.Arg(0))
	check(err)
	r, err := raw.NewReader(f)
	check(err)
	s := stats{first: ^uint64(0), freq: 15625000, gens: make(map[uint64]bool)}
	t0 := time.Now()
	for {
		e, err := r.ReadEvent()
		if err == io.EOF {
			break
		}
		check(err)
		s.add(&e)
	}
	took := time.Since(t0).Seconds()
	s.print(*name, took, *top)
}

type stats struct {
	timed, structural, batches uint64
	timedBytes, otherBytes     int
	count                      [256]uint64
	bytes                      [256]int
	now, first, last, freq     uint64
	gens                       map[uint64]bool
}

func (s *stats) add(e *raw.Event) {
	size := e.EncodedSize()
	s.count[e.Ev]++
	s.bytes[e.Ev] += size
	spec := e.Version.Specs()[e.Ev]
	switch {
	case e.Ev == tracev2.EvEventBatch:
		s.batches++
		s.gens[e.Args[0]] = true
		s.now = e.Args[2]
	case e.Ev == tracev2.EvFrequency:
		s.freq = e.Args[0]
	}
	if !spec.IsTimedEvent {
		s.structural++
		s.otherBytes += size
		return
	}
	s.timed++
	s.timedBytes += size
	s.now += e.Args[0]
	s.first = min(s.first, s.now)
	s.last = max(s.last, s.now)
}

func (s *stats) print(name string, took float64, top int) {
	span := float64(s.last-s.first) / float64(s.freq)
	total := float64(s.timedBytes + s.otherBytes)
	figure := func(key string, v float64, unit string) { fmt.Printf("%s/%s %.6g %s\n", name, key, v, unit) }
	figure("events", float64(s.timed), "count")
	figure("structural", float64(s.structural), "count")
	figure("batches", float64(s.batches), "count")
	figure("generations", float64(len(s.gens)), "count")
	figure("span", span, "s")
	figure("events_per_s", float64(s.timed)/span, "1/s")
	figure("bytes", total, "B")
	figure("bytes_per_event", total/float64(s.timed), "B")
	figure("event_bytes_per_event", float64(s.timedBytes)/float64(s.timed), "B")
	figure("raw_read_rate", float64(s.timed)/took, "1/s")
	types := make([]int, len(s.count))
	for i := range types {
		types[i] = i
	}
	slices.SortFunc(types, func(a, b int) int { return cmp.Compare(s.count[b], s.count[a]) })
	for _, t := range types[:top] {
		if n := s.count[t]; n > 0 {
			event := tracev2.Specs()[t].Name
			figure("type/"+event, float64(n), "count")
			figure("size/"+event, float64(s.bytes[t])/float64(n), "B")
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
