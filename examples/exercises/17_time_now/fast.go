package timenow

// The fast side: the time of the first item is the time of the batch.

import "time"

// Fast asks for the time when a batch gets its first item. All others came later, and no later
// than the batch was passed on: that is within the delay of the batcher, which is exact enough
// for most of what a time is wanted for. And the timer of the batch needs this one anyway.
type Fast struct {
	first time.Time
	items []int
	sink  func(first time.Time, batch []int)
}

// NewFast returns a batcher for one goroutine, for batches of size items. The sink must not
// keep the slice.
func NewFast(size int, sink func(first time.Time, batch []int)) *Fast {
	return &Fast{items: make([]int, 0, size), sink: sink}
}

// Add adds an item.
func (f *Fast) Add(value int) {
	if len(f.items) == 0 {
		f.first = time.Now()
	}
	if f.items = append(f.items, value); len(f.items) == cap(f.items) {
		f.Flush()
	}
}

// Flush passes on what there is, if anything.
func (f *Fast) Flush() {
	if len(f.items) > 0 {
		f.sink(f.first, f.items)
		f.items = f.items[:0]
	}
}
