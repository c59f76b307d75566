// SPDX-License-Identifier: MIT

// Traceread reads a trace with internal/trace.Reader and reports throughput and
// peak memory. It must be built inside the standard library (see build.sh).
package main

import (
	"flag"
	"fmt"
	"internal/trace"
	"io"
	"os"
	"runtime/pprof"
	"syscall"
	"time"
)

func main() {
	name := flag.String("name", "traceread", "prefix of the figures")
	profile := flag.String("cpuprofile", "", "write a CPU profile here")
	flag.Parse()
	f, err := os.Open(flag.Arg(0))
	check(err)
	if *profile != "" {
		p, err := os.Create(*profile)
		check(err)
		check(pprof.StartCPUProfile(p))
		defer pprof.StopCPUProfile()
	}
	t0 := time.Now()
	r, err := trace.NewReader(f)
	check(err)
	events := 0
	for {
		_, err := r.ReadEvent()
		if err == io.EOF {
			break
		}
		check(err)
		events++
	}
	took := time.Since(t0).Seconds()
	info, err := f.Stat()
	check(err)
	var ru syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &ru))
	figure := func(key string, v float64, unit string) { fmt.Printf("%s/%s %.6g %s\n", *name, key, v, unit) }
	figure("events", float64(events), "count")
	figure("time", took, "s")
	figure("cpu", float64(ru.Utime.Nano()+ru.Stime.Nano())/1e9, "s")
	figure("event_rate", float64(events)/took, "1/s")
	figure("byte_rate", float64(info.Size())/took/1e6, "MB/s")
	figure("peak_rss", float64(ru.Maxrss)/1024, "MiB")
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
