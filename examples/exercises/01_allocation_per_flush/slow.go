// Package allocationperflush is exercise 1: the slice that is made for every batch.
package allocationperflush

// The slow side: a fresh slice for each flush.

// Sink writes a batch. It must not keep the slice when it has returned, unless said otherwise.
type Sink[T any] func(batch []T)

// Slow passes on a copy of what it is given, in a slice made for this one batch.
//
// The copy is needed: the producers go on filling the buffer, and the sink may sort or
// overwrite what it gets. That it is a new slice is what costs: the allocator clears the memory
// first, and the garbage collector has to find out, batch by batch, that nobody has it any more.
type Slow[T any] struct{ sink Sink[T] }

// NewSlow returns a Slow. Its sink may keep the slice.
func NewSlow[T any](sink Sink[T]) *Slow[T] { return &Slow[T]{sink} }

// Flush passes on a copy of buf. It may be called from several goroutines.
func (s *Slow[T]) Flush(buf []T) {
	batch := make([]T, len(buf))
	copy(batch, buf)
	s.sink(batch)
}
