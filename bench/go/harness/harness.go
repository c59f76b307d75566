// SPDX-License-Identifier: MIT

// Package harness runs one workload under several tracing modes, interleaved,
// and prints medians and per-round ratios as `name value unit` lines.
package harness

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/trace"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config holds the flags that every benchmark shares.
type Config struct {
	Rounds int
	Modes  []string
	Procs  []int
	Dir    string
	Keep   string
	Raw    bool
}

// Flags parses the command line into a Config. Programs register their own
// flags before calling it.
func Flags(modes string) *Config {
	c := new(Config)
	flag.IntVar(&c.Rounds, "rounds", 7, "interleaved rounds; the median is printed")
	modeList := flag.String("modes", modes, "tracing modes: off, discard, file, flight; the first is the base of the ratios")
	procs := flag.String("procs", "1,2", "GOMAXPROCS values")
	flag.StringVar(&c.Dir, "dir", os.TempDir(), "directory of the trace file in mode file")
	flag.StringVar(&c.Keep, "keep", "", "keep the last trace file of each figure in this directory")
	flag.BoolVar(&c.Raw, "raw", false, "also print every sample to standard error")
	flag.Parse()
	c.Modes = strings.Split(*modeList, ",")
	for _, s := range strings.Split(*procs, ",") {
		n, err := strconv.Atoi(s)
		Check(err)
		c.Procs = append(c.Procs, n)
	}
	return c
}

// Check ends the program when err is not nil.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Print writes one figure.
func Print(name string, value float64, unit string) {
	format := "%s %.4g %s\n"
	if value >= 1000 {
		format = "%s %.0f %s\n"
	}
	fmt.Printf(format, name, value, unit)
}

// Median returns the median of samples.
func Median(samples []float64) float64 {
	s := slices.Sorted(slices.Values(samples))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// EachProcs calls f once for each GOMAXPROCS value, with a name prefix.
func (c *Config) EachProcs(f func(prefix string)) {
	for _, p := range c.Procs {
		runtime.GOMAXPROCS(p)
		f(fmt.Sprintf("p%d/", p))
	}
}

// Compare samples f under every mode in turn, Rounds times, after one uncounted
// round. It prints the median per mode and the median of the per-round ratios
// to the first mode.
func (c *Config) Compare(name, unit string, f func() float64) {
	c.CompareMany(name, []string{""}, []string{unit}, func() []float64 { return []float64{f()} })
}

// CompareMany is Compare for a workload that yields several figures.
func (c *Config) CompareMany(name string, figures, units []string, f func() []float64) {
	samples := make([][][]float64, len(figures))
	for i := range samples {
		samples[i] = make([][]float64, len(c.Modes))
	}
	for round := -1; round < c.Rounds; round++ {
		for m, mode := range c.Modes {
			runtime.GC()
			stop := c.Start(mode, name)
			values := f()
			stop()
			if round < 0 {
				continue
			}
			for i, v := range values {
				samples[i][m] = append(samples[i][m], v)
			}
		}
	}
	for i, fig := range figures {
		c.Report(name+fig, units[i], samples[i])
	}
}

// Report prints the medians of samples[mode][round] and their ratios.
func (c *Config) Report(name, unit string, samples [][]float64) {
	for m, mode := range c.Modes {
		if c.Raw {
			fmt.Fprintf(os.Stderr, "%s/%s %.4g\n", name, mode, samples[m])
		}
		Print(name+"/"+mode, Median(samples[m]), unit)
	}
	for m, mode := range c.Modes[1:] {
		ratios := make([]float64, len(samples[0]))
		for r := range ratios {
			ratios[r] = samples[m+1][r] / samples[0][r]
		}
		Print(name+"/"+mode+"_ratio", Median(ratios), "x")
	}
}

// Start begins tracing in the given mode and returns the function that ends it.
func (c *Config) Start(mode, name string) (stop func()) {
	switch mode {
	case "off":
		return func() {}
	case "discard":
		Check(trace.Start(io.Discard))
		return trace.Stop
	case "file":
		path, keep := c.tracePath(name)
		f, err := os.Create(path)
		Check(err)
		Check(trace.Start(f))
		return func() {
			trace.Stop()
			Check(f.Close())
			if !keep {
				Check(os.Remove(path))
			}
		}
	case "flight":
		fr := trace.NewFlightRecorder(trace.FlightRecorderConfig{})
		Check(fr.Start())
		return fr.Stop
	}
	Check(fmt.Errorf("unknown mode %q", mode))
	return nil
}

func (c *Config) tracePath(name string) (path string, keep bool) {
	if c.Keep != "" {
		return filepath.Join(c.Keep, strings.ReplaceAll(name, "/", "-")+".trace"), true
	}
	return filepath.Join(c.Dir, fmt.Sprintf("bench-%d.trace", os.Getpid())), false
}

// Calibrate returns how many operations f needs to run for about d.
func Calibrate(d time.Duration, f func(n int) time.Duration) int {
	n := 1000
	for {
		t := f(n)
		if t > d/10 || n > 1<<30 {
			return max(1, int(float64(n)*float64(d)/float64(t)))
		}
		n *= 4
	}
}
