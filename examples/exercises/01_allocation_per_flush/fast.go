package allocationperflush

// The fast side: a pool of pointers to slices.

import "sync"

// Fast takes its slices from a pool, and puts them back when the sink has returned.
//
// What is in the pool are pointers, and the very pointer that came out goes in again. A slice by
// itself is three words; to make an interface of it, which Put wants, allocates (see
// Value). The library's pool holds pointers to batches, and to loans (pool.go).
type Fast[T any] struct {
	sink Sink[T]
	pool sync.Pool // of *[]T, cleared
}

// NewFast returns a Fast.
func NewFast[T any](sink Sink[T]) *Fast[T] { return &Fast[T]{sink: sink} }

// Flush passes on a copy of buf. It may be called from several goroutines.
func (f *Fast[T]) Flush(buf []T) {
	batch, ok := f.pool.Get().(*[]T)
	if !ok {
		batch = new([]T)
	}
	*batch = append((*batch)[:0], buf...)
	f.sink(*batch)
	clear(*batch) // what the items point to shall not live as long as the pool does
	f.pool.Put(batch)
}
