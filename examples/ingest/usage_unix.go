//go:build unix

package main

import (
	"runtime"
	"syscall"
)

// fromSystem returns the processor time of this process so far, in seconds, and the most
// memory that was resident, in bytes.
func fromSystem() (cpu, memory float64) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, 0
	}
	unit := 1024.0
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9, float64(r.Maxrss) * unit
}
