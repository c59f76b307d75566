// SPDX-License-Identifier: MIT

// Gentrace writes a trace of a scheduler-heavy workload: pairs of goroutines
// over unbuffered channels, yields, short-lived children, a shared mutex, and
// a region and a log now and then. One step is about 10 events.
package main

import (
	"context"
	"flag"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"time"

	"tracebench/harness"
)

func main() {
	steps := flag.Int("steps", 100_000, "steps over all pairs")
	pairs := flag.Int("pairs", 32, "pairs of goroutines")
	procs := flag.Int("procs", 2, "GOMAXPROCS")
	path := flag.String("o", "out.trace", "trace file")
	flag.Parse()
	runtime.GOMAXPROCS(*procs)
	f, err := os.Create(*path)
	harness.Check(err)
	harness.Check(trace.Start(f))
	t0 := time.Now()
	workload(*pairs, *steps / *pairs)
	took := time.Since(t0)
	trace.Stop()
	harness.Check(f.Close())
	info, err := os.Stat(*path)
	harness.Check(err)
	harness.Print("gentrace/time", took.Seconds(), "s")
	harness.Print("gentrace/size", float64(info.Size()), "B")
}

func workload(pairs, steps int) {
	ctx, task := trace.NewTask(context.Background(), "workload")
	defer task.End()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range pairs {
		ping, pong := make(chan int), make(chan int)
		wg.Go(func() {
			for i := range steps {
				ping <- i
				<-pong
				if i%4 == 0 {
					runtime.Gosched()
				}
				if i%8 == 0 {
					mu.Lock()
					runtime.Gosched()
					mu.Unlock()
				}
				if i%16 == 0 {
					var child sync.WaitGroup
					child.Go(runtime.Gosched)
					child.Wait()
				}
				if i%64 == 0 {
					trace.WithRegion(ctx, "batch", func() { trace.Log(ctx, "step", "64 more") })
				}
			}
		})
		wg.Go(func() {
			for range steps {
				pong <- <-ping
			}
		})
	}
	wg.Wait()
}
