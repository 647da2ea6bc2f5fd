//go:build unix

package httpsink_test

// What the benchmarks know of CPU time.

import (
	"syscall"
	"time"
)

// cpuTime returns how much CPU time the process has used, in the kernel and outside.
func cpuTime() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
