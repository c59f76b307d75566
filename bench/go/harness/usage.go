// SPDX-License-Identifier: MIT

package harness

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// CPU returns the processor time the process has used.
func CPU() time.Duration {
	var ru syscall.Rusage
	Check(syscall.Getrusage(syscall.RUSAGE_SELF, &ru))
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// Status returns a field of /proc/PID/status that is given in kB, in bytes.
func Status(pid int, field string) float64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	Check(err)
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if rest, ok := strings.CutPrefix(sc.Text(), field+":"); ok {
			var kb float64
			_, err := fmt.Sscan(rest, &kb)
			Check(err)
			return kb * 1024
		}
	}
	Check(fmt.Errorf("no %s in the status of process %d", field, pid))
	return 0
}
