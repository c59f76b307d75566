// SPDX-License-Identifier: MIT

// Parked measures memory and start time per parked goroutine. Each sample is a
// process of its own.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"tracebench/harness"
)

func main() {
	counts := flag.String("n", "100000,1000000", "goroutine counts")
	gc := flag.Bool("gc", true, "let the garbage collector run")
	child := flag.Int("child", 0, "internal: park this many and print the sample")
	c := harness.Flags("off,discard,flight")
	if *child > 0 {
		runtime.GOMAXPROCS(c.Procs[0])
		if !*gc {
			debug.SetGCPercent(-1)
		}
		sample(c, *child)
		return
	}
	self, err := os.Executable()
	harness.Check(err)
	for _, p := range c.Procs {
		for _, count := range strings.Split(*counts, ",") {
			rss := make([][]float64, len(c.Modes))
			spawn := make([][]float64, len(c.Modes))
			for round := -1; round < c.Rounds; round++ {
				for m, mode := range c.Modes {
					out, err := exec.Command(self, "-child", count, "-procs", strconv.Itoa(p), "-modes", mode,
						fmt.Sprintf("-gc=%t", *gc)).Output()
					harness.Check(err)
					var r, s float64
					_, err = fmt.Sscan(string(out), &r, &s)
					harness.Check(err)
					if round < 0 {
						continue
					}
					rss[m] = append(rss[m], r)
					spawn[m] = append(spawn[m], s)
				}
			}
			name := fmt.Sprintf("p%d/parked%s", p, count)
			c.Report(name+"/rss_each", "B", rss)
			c.Report(name+"/spawn_each", "ns", spawn)
		}
	}
}

func sample(c *harness.Config, count int) {
	stop := c.Start(c.Modes[0], "parked")
	before := harness.Status(os.Getpid(), "VmRSS")
	gate := make(chan struct{})
	var started sync.WaitGroup
	started.Add(count)
	t0 := time.Now()
	for range count {
		go func() {
			started.Done()
			<-gate
		}()
	}
	started.Wait()
	took := time.Since(t0)
	each := (harness.Status(os.Getpid(), "VmRSS") - before) / float64(count)
	fmt.Println(each, float64(took.Nanoseconds())/float64(count))
	close(gate)
	stop()
}
