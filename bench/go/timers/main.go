// SPDX-License-Identifier: MIT

// Timers measures many goroutines that sleep: processor time per sleep and how
// late they wake.
package main

import (
	"flag"
	"math/rand"
	"slices"
	"sync"
	"time"

	"tracebench/harness"
)

func main() {
	count := flag.Int("n", 100_000, "sleeping goroutines")
	repeat := flag.Int("repeat", 3, "sleeps of each goroutine; lateness leaves out the first")
	longest := flag.Duration("longest", time.Second, "sleeps are uniform up to this")
	c := harness.Flags("off,discard,file,flight")
	c.EachProcs(func(prefix string) {
		c.CompareMany(prefix+"sleep",
			[]string{"/cpu_per_sleep", "/late_p50", "/late_p99", "/wall"},
			[]string{"ns", "us", "us", "ms"},
			func() []float64 { return sleepers(*count, *repeat, *longest) })
	})
}

func sleepers(count, repeat int, longest time.Duration) []float64 {
	late := make([]float64, count*(repeat-1))
	rng := rand.New(rand.NewSource(1))
	cpu, t0 := harness.CPU(), time.Now()
	var wg sync.WaitGroup
	for g := range count {
		seed := rng.Int63()
		wg.Go(func() {
			for r := range repeat {
				d := time.Duration(seed>>(8*r)&0xffff) * longest / 0xffff
				begin := time.Now()
				time.Sleep(d)
				if r > 0 {
					late[g*(repeat-1)+r-1] = float64(time.Since(begin)-d) / 1e3
				}
			}
		})
	}
	wg.Wait()
	wall := time.Since(t0)
	perSleep := float64(harness.CPU()-cpu) / float64(count*repeat)
	slices.Sort(late)
	return []float64{perSleep, late[len(late)/2], late[len(late)*99/100], float64(wall) / 1e6}
}
