package main

// What the program has used so far of the machine.

import "runtime/metrics"

// usage is what this process, clients and server together, has used. Two of them
// are subtracted.
type usage struct {
	cpu     float64 // seconds, user and system; 0 where the system does not tell
	objects uint64  // allocated on the heap
	bytes   uint64
}

func currentUsage() usage {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	return usage{
		cpu:     cpuSeconds(),
		objects: samples[0].Value.Uint64(),
		bytes:   samples[1].Value.Uint64(),
	}
}

func (u usage) minus(o usage) usage {
	return usage{cpu: u.cpu - o.cpu, objects: u.objects - o.objects, bytes: u.bytes - o.bytes}
}
