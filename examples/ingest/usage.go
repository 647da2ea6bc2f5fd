package main

// What a process has used so far of the machine.

import "runtime/metrics"

// usage is what a process has used. Two of them are subtracted.
type usage struct {
	cpu     float64 // seconds, user and system; 0 where the system does not tell
	objects float64 // allocated on the heap
	bytes   float64
	memory  float64 // bytes, the most that was resident at once; 0 where the system does not tell
}

// currentUsage is that of this process.
func currentUsage() usage {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	cpu, memory := fromSystem()
	return usage{
		cpu:     cpu,
		objects: float64(samples[0].Value.Uint64()),
		bytes:   float64(samples[1].Value.Uint64()),
		memory:  memory,
	}
}

// minus returns what was used since o, and the memory as it is in u.
func (u usage) minus(o usage) usage {
	return usage{cpu: u.cpu - o.cpu, objects: u.objects - o.objects, bytes: u.bytes - o.bytes,
		memory: u.memory}
}
