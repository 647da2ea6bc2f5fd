package main

import (
	"bytes"
	"os"
	"strconv"
)

// peakMemory returns the most memory of this process that was resident, in bytes, 0 if the system
// does not tell. The figure of getrusage is no good here: a child's begins with what its parent had.
func peakMemory() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, line, _ := bytes.Cut(status, []byte("\nVmHWM:"))
	line, _, _ = bytes.Cut(line, []byte("kB"))
	kib, _ := strconv.ParseFloat(string(bytes.TrimSpace(line)), 64)
	return kib * 1024
}
