// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
)

type node struct {
	left, right *node
	_           [4]uint64
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

// pressure allocates faster than the collector runs, so that goroutines must assist and sweep.
func pressure(context.Context) {
	before := debug.SetGCPercent(10)
	var all sync.WaitGroup
	var keep [4]*node
	for i := range keep {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 3 {
				keep[i] = tree(11)
			}
		}()
	}
	all.Wait()
	debug.SetGCPercent(before)
	runtime.KeepAlive(keep)
}

// stops stops the world for small reasons.
func stops(context.Context) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	runtime.NumGoroutine()
	debug.FreeOSMemory()
	records := make([]runtime.StackRecord, 100)
	runtime.GoroutineProfile(records)
}
