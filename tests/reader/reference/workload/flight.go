// SPDX-License-Identifier: MIT

//go:build go1.25

package main

import (
	"os"
	"runtime/trace"
)

// record keeps what happens in memory and writes the last of it.
func record(f *os.File) func() {
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{})
	check(recorder.Start())
	return func() {
		_, err := recorder.WriteTo(f)
		check(err)
		recorder.Stop()
	}
}
