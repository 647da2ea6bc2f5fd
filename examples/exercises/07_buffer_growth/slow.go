// Package buffergrowth is exercise 7: a buffer that keeps the size of the largest batch there
// ever was.
package buffergrowth

// The slow side: the buffer is emptied, never let go.

// Sink writes a batch. It must not keep the slice.
type Sink func(batch []int)

// Slow is a buffer for one goroutine. items[:0] has the whole array behind it: after one rare
// batch of a million the memory for a million is never given back, in each batcher of the program
// that has ever had such a batch. (And if the items were pointers, those beyond the length would
// keep alive what they point to: clear them first.)
type Slow struct {
	items []int
	sink  Sink
}

// NewSlow returns an empty buffer, with room for a usual batch.
func NewSlow(usual int, sink Sink) *Slow { return &Slow{make([]int, 0, usual), sink} }

// Add adds items.
func (s *Slow) Add(items []int) { s.items = append(s.items, items...) }

// Flush passes on what there is, if anything.
func (s *Slow) Flush() {
	if len(s.items) > 0 {
		s.sink(s.items)
	}
	s.items = s.items[:0]
}

// Cap returns for how many items there is memory.
func (s *Slow) Cap() int { return cap(s.items) }
