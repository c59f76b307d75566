// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"iter"
)

// coroutines makes direct switches between goroutines.
func coroutines(context.Context) {
	next, stop := iter.Pull(func(yield func(int) bool) {
		for i := range 10 {
			if !yield(i) {
				return
			}
		}
	})
	for range 5 {
		next()
	}
	stop()
	next, stop = iter.Pull(func(yield func(int) bool) { yield(1) })
	for _, ok := next(); ok; _, ok = next() {
	}
	stop()
}
