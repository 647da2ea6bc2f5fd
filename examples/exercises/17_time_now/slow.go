// Package timenow is exercise 17: a timestamp for every item.
package timenow

// The baseline: time.Now in each Add.

import "time"

// Stamped is an item with the time at which it was added.
type Stamped struct {
	Value int
	Added time.Time
}

// Slow asks for the time with each item, and keeps it with the item: 24 bytes, of which one word
// is a pointer to the location, so that the garbage collector has to look into the batch.
//
// It does not allocate, whatever one may read: a time.Time is three words and lives where it is
// put. The cost is the two clocks that are read, that of the wall and the monotonic one.
type Slow struct {
	items []Stamped
	sink  func(batch []Stamped)
}

// NewSlow returns a batcher for one goroutine, for batches of size items. The sink must not
// keep the slice.
func NewSlow(size int, sink func([]Stamped)) *Slow {
	return &Slow{make([]Stamped, 0, size), sink}
}

// Add adds an item.
func (s *Slow) Add(value int) {
	s.items = append(s.items, Stamped{value, time.Now()})
	if len(s.items) == cap(s.items) {
		s.Flush()
	}
}

// Flush passes on what there is, if anything.
func (s *Slow) Flush() {
	if len(s.items) > 0 {
		s.sink(s.items)
		s.items = s.items[:0]
	}
}
