//go:build unix && !linux

package main

import (
	"runtime"
	"syscall"
)

// peakMemory returns the most memory of this process that was resident, in bytes.
func peakMemory() float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return float64(r.Maxrss)
	}
	return float64(r.Maxrss) * 1024
}
