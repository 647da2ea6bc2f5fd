//go:build !unix

package main

// cpuSeconds is not known on this system; the report leaves it out.
func cpuSeconds() float64 { return 0 }
