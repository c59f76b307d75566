// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"sync"
	"time"
)

// timers waits for tickers, deadlines and functions that are called later.
func timers(ctx context.Context) {
	ticker := time.NewTicker(100 * time.Microsecond)
	defer ticker.Stop()
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	called := make(chan bool, 1)
	time.AfterFunc(200*time.Microsecond, func() { called <- true })
	for {
		select {
		case <-ticker.C:
		case <-called:
		case <-ctx.Done():
			return
		}
	}
}

// selects waits for whichever of several channels comes first, and for none.
func selects(context.Context) {
	in := [4]chan int{}
	done := make(chan bool)
	for i := range in {
		in[i] = make(chan int, i%2)
		go func() {
			for v := range 5 {
				select {
				case in[i] <- v:
				case <-done:
					return
				}
			}
		}()
	}
	for range 10 {
		select {
		case <-in[0]:
		case <-in[1]:
		case <-in[2]:
		case <-in[3]:
		}
		select {
		case <-in[0]:
		default:
		}
	}
	close(done)
}

// readers share a lock with one that writes, and work that is done once.
func readers(context.Context) {
	var lock sync.RWMutex
	var once sync.Once
	var all sync.WaitGroup
	for i := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			once.Do(func() { time.Sleep(20 * time.Microsecond) })
			if i == 3 {
				lock.Lock()
				time.Sleep(10 * time.Microsecond)
				lock.Unlock()
				return
			}
			lock.RLock()
			time.Sleep(10 * time.Microsecond)
			lock.RUnlock()
		}()
	}
	all.Wait()
}
