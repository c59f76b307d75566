// SPDX-License-Identifier: MIT

// Stall measures the worst delay of a 1 ms ticker while every one of two Ps is
// hogged for 300 ms, by a computing loop and by a raw system call.
package main

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"tracebench/harness"
)

const procs, hogged = 2, 300 * time.Millisecond

var sink uint64

func compute() {
	var x uint64
	for end := time.Now().Add(hogged); time.Now().Before(end); {
		for i := uint64(0); i < 1000; i++ {
			x += i
		}
	}
	atomic.AddUint64(&sink, x)
}

func block() {
	ts := syscall.NsecToTimespec(int64(hogged))
	syscall.Syscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
}

func measure(name string, hog func()) {
	var left atomic.Int32
	left.Store(procs)
	for range procs {
		go func() {
			hog()
			left.Add(-1)
		}()
	}
	var worst time.Duration
	for left.Load() > 0 {
		t := time.Now()
		time.Sleep(time.Millisecond)
		worst = max(worst, time.Since(t)-time.Millisecond)
	}
	harness.Print("stall/"+name, float64(worst)/1e6, "ms")
}

func main() {
	runtime.GOMAXPROCS(procs)
	measure("computing", compute)
	measure("blocking", block)
}
