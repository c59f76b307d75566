// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// blockedThreads makes as many goroutines hang in system calls, so that their procs are taken away.
func blockedThreads(n int) func(context.Context) {
	return func(context.Context) {
		var all sync.WaitGroup
		for range n {
			var ends [2]int
			check(syscall.Pipe(ends[:]))
			all.Add(1)
			go func() {
				defer all.Done()
				var b [1]byte
				syscall.Read(ends[0], b[:]) // blocks the thread: the runtime does not know this pipe
				syscall.Close(ends[0])
			}()
			time.AfterFunc(time.Millisecond, func() {
				syscall.Write(ends[1], []byte("x"))
				syscall.Close(ends[1])
			})
		}
		all.Wait()
	}
}

// lockedThreads hands values between goroutines of which each keeps its thread.
func lockedThreads(context.Context) {
	ping, pong := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		for v := range ping {
			pong <- v
		}
		close(pong)
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := range 10 {
		ping <- i
		<-pong
	}
	close(ping)
	<-pong
}

func goexit(context.Context) {
	var all sync.WaitGroup
	for i := range 4 {
		all.Add(1)
		go func() {
			defer all.Done()
			if i%2 == 0 {
				runtime.Goexit()
			}
			defer func() { _ = recover() }()
			panic("recovered")
		}()
	}
	all.Wait()
}
