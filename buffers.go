package batcher

// Buffers for batches of very different sizes.

import (
	"math/bits"
	"sync"
	"unsafe"
)

// buffers recycles slices by size, where one key has a thousand items and the next
// a single one: a slice goes only to a batch that needs about as much. With one pool
// for all, large slices would end up under small batches, and a million of those
// would hold a thousand times their items.
type buffers[T any] struct {
	ofSize  [bits.UintSize]sync.Pool // of *loan[T]: capacity 1<<i, empty, zero beyond
	holders sync.Pool                // of *loan[T] without a slice: a bare slice in a pool allocates
}

// grow returns items with a capacity of at least n, which must be above the present
// one. It takes ownership of items.
func (p *buffers[T]) grow(items []T, n int) []T {
	grown := append(p.get(n), items...)
	p.put(items)
	return grown
}

// get returns an empty slice with a capacity of at least n, from 1 on, and of 32
// bytes: what comes next is often one more.
func (p *buffers[T]) get(n int) []T {
	var item T
	if size := int(unsafe.Sizeof(item)); size > 0 {
		n = max(n, 32/size)
	}
	class := bits.Len(uint(n - 1))
	l, ok := p.ofSize[class].Get().(*loan[T])
	if !ok {
		return make([]T, 0, 1<<class)
	}
	items := l.items
	l.items = nil
	p.holders.Put(l)
	return items
}

// put takes ownership of items and clears them.
func (p *buffers[T]) put(items []T) {
	if cap(items) == 0 {
		return
	}
	clear(items)
	l, ok := p.holders.Get().(*loan[T])
	if !ok {
		l = new(loan[T])
	}
	l.items = items[:0]
	p.ofSize[bits.Len(uint(cap(items)-1))].Put(l)
}
