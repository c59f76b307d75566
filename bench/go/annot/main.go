// SPDX-License-Identifier: MIT

// Annot measures the user annotation API: ns per call, by tracing mode.
package main

import (
	"context"
	"flag"
	"runtime/trace"
	"time"

	"tracebench/harness"
)

var calls = []struct {
	name string
	run  func(ctx context.Context)
}{
	{"empty", func(context.Context) {}},
	{"is_enabled", func(context.Context) { sink = trace.IsEnabled() }},
	{"log", func(ctx context.Context) { trace.Log(ctx, "category", "message") }},
	{"with_region", func(ctx context.Context) { trace.WithRegion(ctx, "region", func() {}) }},
	{"start_region_end", func(ctx context.Context) { trace.StartRegion(ctx, "region").End() }},
	{"new_task_end", func(ctx context.Context) {
		_, task := trace.NewTask(ctx, "task")
		task.End()
	}},
}

var sink bool

func main() {
	span := flag.Duration("time", 200*time.Millisecond, "length of one sample with tracing off")
	c := harness.Flags("off,discard,file,flight")
	background := context.Background()
	inTask, task := trace.NewTask(background, "outer")
	defer task.End()
	c.EachProcs(func(prefix string) {
		for _, scope := range []struct {
			name string
			ctx  context.Context
		}{{"", background}, {"_in_task", inTask}} {
			for _, call := range calls {
				run := func(n int) time.Duration {
					t0 := time.Now()
					for range n {
						call.run(scope.ctx)
					}
					return time.Since(t0)
				}
				n := min(harness.Calibrate(*span, run), 2_000_000)
				c.Compare(prefix+call.name+scope.name, "ns", func() float64 {
					return float64(run(n).Nanoseconds()) / float64(n)
				})
			}
		}
	})
}
