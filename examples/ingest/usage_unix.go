//go:build unix

package main

import "syscall"

// fromSystem returns the processor time of this process so far, in seconds, and the most
// memory that was resident, in bytes.
func fromSystem() (cpu, memory float64) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, 0
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9, peakMemory()
}
