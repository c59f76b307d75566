// SPDX-License-Identifier: MIT

//go:build !go1.25

package main

import (
	"os"
	"runtime/trace"
)

// record is the ordinary way of tracing: this runtime has no flight recorder.
func record(f *os.File) func() {
	check(trace.Start(f))
	return trace.Stop
}
