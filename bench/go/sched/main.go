// SPDX-License-Identifier: MIT

// Sched measures scheduler primitives: ns per operation, by tracing mode.
package main

import (
	"flag"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"tracebench/harness"
)

var benches = []struct {
	name string
	run  func(n int) time.Duration // runs n operations
}{
	{"gosched", gosched},
	{"chan_pingpong", pingpong},
	{"chan_buffered", buffered},
	{"mutex", mutex},
	{"mutex_handoff", mutexHandoff},
	{"select4", select4},
	{"spawn_join", spawnJoin},
	{"wg_fanout100", fanout},
	{"iter_pull", iterPull},
}

func main() {
	only := flag.String("bench", "", "comma-separated benchmarks; empty means all")
	span := flag.Duration("time", 300*time.Millisecond, "length of one sample with tracing off")
	c := harness.Flags("off,discard,file,flight")
	c.EachProcs(func(prefix string) {
		for _, b := range benches {
			if *only != "" && !slices.Contains(strings.Split(*only, ","), b.name) {
				continue
			}
			n := harness.Calibrate(*span, b.run)
			c.Compare(prefix+b.name, "ns", func() float64 {
				return float64(b.run(n).Nanoseconds()) / float64(n)
			})
		}
	})
}

// together runs the functions as goroutines that start at once, and times them.
func together(fs ...func()) time.Duration {
	start := make(chan struct{})
	var ready, done sync.WaitGroup
	for _, f := range fs {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			f()
		})
	}
	ready.Wait()
	t0 := time.Now()
	close(start)
	done.Wait()
	return time.Since(t0)
}

// gosched: one operation is one Gosched call, by two goroutines in turn.
func gosched(n int) time.Duration {
	f := func() {
		for range n / 2 {
			runtime.Gosched()
		}
	}
	return together(f, f)
}

// pingpong: one operation is a round trip over two unbuffered channels.
func pingpong(n int) time.Duration {
	ping, pong := make(chan int), make(chan int)
	return together(func() {
		for i := range n {
			ping <- i
			<-pong
		}
	}, func() {
		for range n {
			pong <- <-ping
		}
	})
}

// buffered: one operation is one item through a channel of capacity 128.
func buffered(n int) time.Duration {
	c := make(chan int, 128)
	return together(func() {
		for i := range n {
			c <- i
		}
	}, func() {
		for range n {
			<-c
		}
	})
}

// contend runs four goroutines that together enter a critical section n times.
func contend(n int, section func()) time.Duration {
	var mu sync.Mutex
	f := func() {
		for range n / 4 {
			mu.Lock()
			section()
			mu.Unlock()
		}
	}
	return together(f, f, f, f)
}

// mutex: four goroutines and an almost empty critical section.
func mutex(n int) time.Duration {
	counter := 0
	return contend(n, func() { counter++ })
}

// mutexHandoff: four goroutines, and the holder yields, so that others block.
func mutexHandoff(n int) time.Duration { return contend(n, runtime.Gosched) }

// select4: one operation is one item received by a select over four channels.
func select4(n int) time.Duration {
	var c [4]chan int
	for i := range c {
		c[i] = make(chan int)
	}
	return together(func() {
		for i := range n {
			c[i%4] <- i
		}
	}, func() {
		for range n {
			select {
			case <-c[0]:
			case <-c[1]:
			case <-c[2]:
			case <-c[3]:
			}
		}
	})
}

// spawnJoin: one operation starts a goroutine and waits for its end.
func spawnJoin(n int) time.Duration {
	return together(func() {
		var wg sync.WaitGroup
		for range n {
			wg.Add(1)
			go wg.Done()
			wg.Wait()
		}
	})
}

// fanout: one operation is one goroutine of a WaitGroup of 100.
func fanout(n int) time.Duration {
	return together(func() {
		var wg sync.WaitGroup
		for range n / 100 {
			wg.Add(100)
			for range 100 {
				go wg.Done()
			}
			wg.Wait()
		}
	})
}

// iterPull: one operation is one value pulled, that is two coroutine switches.
func iterPull(n int) time.Duration {
	return together(func() {
		next, stop := iter.Pull(func(yield func(int) bool) {
			for i := 0; yield(i); i++ {
			}
		})
		defer stop()
		for range n {
			next()
		}
	})
}
