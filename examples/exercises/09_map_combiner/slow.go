// Package mapcombiner is exercise 9: a batcher that counts, and makes a new map for every batch.
package mapcombiner

// The slow side: each flush sends its map away and makes another.

import "sync"

// Sink receives the counts of one batch. Whether it may keep the map is up to who calls it.
type Sink func(counts map[string]int)

// Slow gives the sink a map of its own in each batch.
type Slow struct {
	sink Sink

	mu     sync.Mutex // guards counts
	counts map[string]int
}

// NewSlow returns an empty combiner.
func NewSlow(sink Sink) *Slow {
	return &Slow{sink: sink, counts: make(map[string]int)}
}

// Add counts key once more.
func (s *Slow) Add(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[key]++
}

// Flush passes on what was counted since the last one. The sink may keep the map.
//
// That is what the new map buys. What it costs is more than one allocation: a map that starts
// empty grows in steps, and each step allocates, copies what is there and hashes its keys
// again, on the way of an Add and under the lock. In steady state, it grows in every batch to
// the very size that the last one had.
func (s *Slow) Flush() {
	s.mu.Lock()
	counts := s.counts
	s.counts = make(map[string]int)
	s.mu.Unlock()
	if len(counts) > 0 {
		s.sink(counts)
	}
}
