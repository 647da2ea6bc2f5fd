//go:build !unix

package main

// fromSystem is not known on this system; the report leaves it out.
func fromSystem() (cpu, memory float64) { return 0, 0 }
