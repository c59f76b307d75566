// SPDX-License-Identifier: MIT

// Startstop measures how long trace.Start, trace.Stop and the flight recorder's
// WriteTo take while many goroutines are parked.
package main

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/trace"
	"strconv"
	"strings"
	"sync"
	"time"

	"tracebench/harness"
)

func main() {
	counts := flag.String("n", "10,10000,100000", "goroutine counts")
	pause := flag.Duration("pause", 20*time.Millisecond, "time traced between start and stop")
	c := harness.Flags("off")
	c.EachProcs(func(prefix string) {
		for _, s := range strings.Split(*counts, ",") {
			count, err := strconv.Atoi(s)
			harness.Check(err)
			release := park(count)
			name := fmt.Sprintf("%sg%d/", prefix, count)
			report(name, measure(c.Rounds, *pause))
			release()
		}
	})
}

// park starts count goroutines that block until release is called.
func park(count int) (release func()) {
	gate := make(chan struct{})
	var started, done sync.WaitGroup
	started.Add(count)
	for range count {
		done.Go(func() {
			started.Done()
			<-gate
		})
	}
	started.Wait()
	runtime.GC()
	return func() {
		close(gate)
		done.Wait()
	}
}

// A byteCounter counts the bytes of the trace it throws away.
type byteCounter int

func (b *byteCounter) Write(p []byte) (int, error) {
	*b += byteCounter(len(p))
	return len(p), nil
}

func measure(rounds int, pause time.Duration) map[string][]float64 {
	samples := make(map[string][]float64)
	add := func(name string, v float64) { samples[name] = append(samples[name], v) }
	timed := func(name string, f func()) {
		t0 := time.Now()
		f()
		add(name+" us", float64(time.Since(t0).Nanoseconds())/1e3)
	}
	for round := -1; round < rounds; round++ {
		if round == 0 {
			clear(samples) // the first round was the warm-up
		}
		var bytes byteCounter
		timed("start", func() { harness.Check(trace.Start(&bytes)) })
		time.Sleep(pause)
		timed("stop", trace.Stop)
		add("trace_size B", float64(bytes))

		fr := trace.NewFlightRecorder(trace.FlightRecorderConfig{})
		timed("flight_start", func() { harness.Check(fr.Start()) })
		time.Sleep(pause)
		write := func() {
			n, err := fr.WriteTo(io.Discard)
			harness.Check(err)
			add("flight_size B", float64(n))
		}
		timed("write_to_first", write)
		time.Sleep(pause)
		timed("write_to_next", write)
		timed("flight_stop", fr.Stop)
	}
	return samples
}

func report(prefix string, samples map[string][]float64) {
	for _, key := range []string{"start us", "stop us", "trace_size B", "flight_start us", "write_to_first us",
		"write_to_next us", "flight_size B", "flight_stop us"} {
		name, unit, _ := strings.Cut(key, " ")
		harness.Print(prefix+name, harness.Median(samples[key]), unit)
	}
}
