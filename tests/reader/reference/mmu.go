// SPDX-License-Identifier: MIT

// Mmu prints what Go's own tool takes for the minimum mutator utilisation of a trace, so that weft's
// can be compared with it (tests/analysis/mmu_lines.c prints the same).
//
//	mmu FILE
package main

import (
	"bufio"
	"fmt"
	"internal/trace"
	"io"
	"os"
	"time"
)

func main() {
	f, err := os.Open(os.Args[1])
	check(err)
	r, err := trace.NewReader(bufio.NewReader(f))
	check(err)
	var events []trace.Event
	for {
		ev, err := r.ReadEvent()
		if err == io.EOF {
			break
		}
		check(err)
		events = append(events, ev)
	}
	all := trace.UtilSTW | trace.UtilBackground | trace.UtilAssist | trace.UtilSweep
	for flags := trace.UtilFlags(1); flags <= all; flags++ {
		print(events, flags)
		print(events, flags|trace.UtilPerProc)
	}
}

func print(events []trace.Event, flags trace.UtilFlags) {
	curve := trace.NewMMUCurve(trace.MutatorUtilizationV2(events, flags))
	for window := time.Duration(1000); window <= time.Second; window *= 10 {
		fmt.Printf("%d %d %.9f\n", flags, window, curve.MMU(window))
		fmt.Printf("%d %d %.9f\n", flags, window*3, curve.MMU(window*3))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "mmu:", err)
		os.Exit(1)
	}
}
