package allocationperflush

// The trap: a pool of slices.

import "sync"

// Value is Fast without the pointer, as it is often written. The array is used again, so the
// large allocation is gone; but each Put puts a slice header of three words on the heap. There
// are as many allocations as before, only small ones. staticcheck reports it, as SA6002.
type Value[T any] struct {
	sink Sink[T]
	pool sync.Pool // of []T, cleared
}

// NewValue returns a Value.
func NewValue[T any](sink Sink[T]) *Value[T] { return &Value[T]{sink: sink} }

// Flush passes on a copy of buf. It may be called from several goroutines.
func (v *Value[T]) Flush(buf []T) {
	batch, _ := v.pool.Get().([]T)
	batch = append(batch[:0], buf...)
	v.sink(batch)
	clear(batch)
	v.pool.Put(batch) //lint:ignore SA6002 this is what the variant shows
}
