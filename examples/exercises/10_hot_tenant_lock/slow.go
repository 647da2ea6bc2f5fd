// Package hottenantlock is exercise 10: a batch for each tenant, and one lock for all of them.
package hottenantlock

// The slow side: one lock in front of a map of buffers.

import "sync"

// Item is what is batched: a value of a tenant.
type Item struct {
	Tenant string
	Value  int64
}

// Sink receives full batches, each of one tenant. It runs on the goroutine of the producer who has
// completed the batch, with no lock held, and may keep the slice.
type Sink func(tenant string, batch []Item)

// Slow has one lock for all tenants.
type Slow struct {
	size int
	sink Sink

	mu   sync.Mutex // guards bufs and what is in it; never held in the sink
	bufs map[string][]Item
}

// NewSlow returns a batcher for batches of size items.
func NewSlow(size int, sink Sink) *Slow {
	return &Slow{size: size, sink: sink, bufs: make(map[string][]Item)}
}

// Add adds an item to the batch of its tenant.
//
// The lock is held for a hash, a look-up, an append and a store in the map. Producers of a thousand
// tenants, who have nothing to do with one another, wait in one line for that. With few cores
// the line is short; the more cores, the larger the part of the time that all but one of
// them spend in it.
func (s *Slow) Add(item Item) {
	s.mu.Lock()
	full := appendTo(s.bufs, item, s.size)
	s.mu.Unlock()
	if full != nil {
		s.sink(item.Tenant, full)
	}
}

// appendTo appends an item to the buffer of its tenant. If that makes size items of them, they
// are taken out and returned. The lock of bufs is held.
//
// The sink is called after the lock was released, so two batches of one tenant may
// reach it in the wrong order, if two producers complete them. To call it under the lock
// would be worse: a slow tenant would stop all others.
func appendTo(bufs map[string][]Item, item Item, size int) (full []Item) {
	buf := bufs[item.Tenant]
	if buf == nil {
		buf = make([]Item, 0, size)
	}
	buf = append(buf, item)
	if len(buf) == size {
		full, buf = buf, nil
	}
	bufs[item.Tenant] = buf
	return full
}

// Flush passes on what is left.
func (s *Slow) Flush() {
	s.mu.Lock()
	rest := s.bufs
	s.bufs = make(map[string][]Item)
	s.mu.Unlock()
	pass(rest, s.sink)
}

// pass passes on the buffers that have something in them.
func pass(bufs map[string][]Item, sink Sink) {
	for tenant, buf := range bufs {
		if len(buf) > 0 {
			sink(tenant, buf)
		}
	}
}
