//go:build !unix

package main

// cpuSeconds is not implemented here; the report leaves it out.
func cpuSeconds() float64 { return 0 }
