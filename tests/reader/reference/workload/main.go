// SPDX-License-Identifier: MIT

// Workload writes a trace in which most kinds of events occur: it is what the readers are compared on.
//
//	workload -o FILE [-for DURATION] [-procs N] [-threads N] [-gc=0] [-net=0] [-profile=0] [-flight]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"time"
)

var (
	output   = flag.String("o", "out.trace", "trace file")
	duration = flag.Duration("for", 50*time.Millisecond, "how long to go on")
	collect  = flag.Bool("gc", true, "collect garbage")
	network  = flag.Bool("net", true, "use the network")
	profile  = flag.Bool("profile", true, "take CPU samples")
	procs    = flag.Int("procs", 4, "GOMAXPROCS, changed on the way")
	threads  = flag.Int("threads", 4, "goroutines that hang in system calls at once")
	flight   = flag.Bool("flight", false, "write what the flight recorder has")
)

func main() {
	flag.Parse()
	runtime.GOMAXPROCS(*procs)
	early := trace.StartRegion(context.Background(), "from before")
	_, before := trace.NewTask(context.Background(), "task from before")
	f, err := os.Create(*output)
	check(err)
	if *profile {
		check(pprof.StartCPUProfile(io.Discard))
	}
	finish := trace.Stop
	if *flight {
		finish = record(f)
	} else {
		check(trace.Start(f))
	}
	early.End()
	before.End()
	until := time.Now().Add(*duration)
	var all sync.WaitGroup
	run := func(job func(context.Context)) {
		all.Add(1)
		go func() {
			defer all.Done()
			ctx, task := trace.NewTask(context.Background(), "job")
			defer task.End()
			for time.Now().Before(until) {
				trace.WithRegion(ctx, "round", func() { job(ctx) })
			}
		}()
	}
	run(channels)
	run(locks)
	run(blocking)
	run(annotations)
	run(children)
	run(coroutines)
	run(timers)
	run(selects)
	run(readers)
	run(goexit)
	run(lockedThreads)
	run(blockedThreads(*threads))
	if *collect {
		run(garbage)
		run(pressure)
		run(stops)
		run(changeProcs)
	}
	if *network {
		run(echo())
	}
	all.Wait()
	_, open := trace.NewTask(context.Background(), "never ended")
	_ = open
	finish()
	if *profile {
		pprof.StopCPUProfile()
	}
	check(f.Close())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "workload:", err)
		os.Exit(1)
	}
}

func channels(context.Context) {
	a, b := make(chan int), make(chan int)
	go func() {
		defer close(b)
		for v := range a {
			b <- v
		}
	}()
	for i := range 20 {
		a <- i
		select {
		case <-b:
		case <-time.After(time.Second):
		}
	}
	close(a)
	runtime.Gosched()
}

func locks(context.Context) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	cond := sync.NewCond(&mu)
	n := 0
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mu.Lock()
			n++
			cond.Broadcast()
			for n < 4 {
				cond.Wait()
			}
			mu.Unlock()
		}()
	}
	wg.Wait()
}

func blocking(context.Context) {
	r, w, err := os.Pipe()
	check(err)
	go func() {
		time.Sleep(100 * time.Microsecond)
		w.Write([]byte("x"))
		w.Close()
	}()
	io.ReadAll(r)
	r.Close()
	os.ReadFile("/proc/self/status")
	time.Sleep(50 * time.Microsecond)
}

func annotations(ctx context.Context) {
	ctx, task := trace.NewTask(ctx, "inner \"task\" \xff")
	trace.Log(ctx, "key", "value, \u00e9\n")
	trace.WithRegion(ctx, "outer", func() {
		trace.WithRegion(ctx, "inner", func() { trace.Logf(ctx, "", "%d", 1) })
	})
	done := make(chan bool)
	go func() {
		defer trace.StartRegion(ctx, "other goroutine").End()
		defer task.End()
		done <- true
	}()
	<-done
	time.Sleep(20 * time.Microsecond)
}

func children(context.Context) {
	var wg sync.WaitGroup
	for range 10 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			x := 1
			for i := range 20000 {
				x = x*3 + i
			}
			sink = x
		}()
	}
	wg.Wait()
}

var (
	sink   int
	litter []byte
)

func garbage(context.Context) {
	for range 200 {
		litter = make([]byte, 64<<10)
	}
	runtime.GC()
	time.Sleep(time.Millisecond)
}

func changeProcs(context.Context) {
	for _, n := range []int{1, *procs * 2, *procs} {
		runtime.GOMAXPROCS(n)
		time.Sleep(300 * time.Microsecond)
	}
}

func echo() func(context.Context) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	return func(context.Context) {
		c, err := net.Dial("tcp", l.Addr().String())
		check(err)
		for range 5 {
			c.Write([]byte("hello"))
			io.ReadFull(c, make([]byte, 5))
		}
		c.Close()
	}
}
