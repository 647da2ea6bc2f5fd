// Package syncmap is exercise 16: a batch for each tenant, in a sync.Map or in a map with a lock.
package syncmap

// The baseline: a sync.Map of buffers.

import "sync"

// Sink receives full batches, each of one tenant. It runs on the goroutine of the producer who has
// completed the batch. It must not keep the slice, nor call Add: it runs under the tenant's
// lock, or under that of all.
type Sink func(tenant string, batch []int64)

// buffer is the batch of one tenant.
type buffer struct {
	mu    sync.Mutex // guards items; never held while another lock is waited for
	items []int64
}

// add appends an item and passes on the batch if that makes size items. It takes the lock.
func (b *buffer) add(tenant string, item int64, size int, sink Sink) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addLocked(tenant, item, size, sink)
}

func (b *buffer) addLocked(tenant string, item int64, size int, sink Sink) {
	if b.items = append(b.items, item); len(b.items) == size {
		b.flushLocked(tenant, sink)
	}
}

func (b *buffer) flushLocked(tenant string, sink Sink) {
	if len(b.items) > 0 {
		sink(tenant, b.items)
		b.items = b.items[:0]
	}
}

// Slow has its buffers in a sync.Map.
//
// It looks tenants up without a lock. A batcher needs one nevertheless, to append: that of the
// buffer. Two goroutines meet only if they add to the same tenant at the same moment.
//
// A tenant that does not come back stays. To remove its buffer would need a mark on it, for those
// who have found it just before and would append to what nobody flushes any more.
type Slow struct {
	size int
	sink Sink
	bufs sync.Map // from the tenant to its *buffer
}

// NewSlow returns a batcher for batches of size items.
func NewSlow(size int, sink Sink) *Slow { return &Slow{size: size, sink: sink} }

// Add adds an item to the batch of its tenant.
func (s *Slow) Add(tenant string, item int64) {
	found, ok := s.bufs.Load(tenant)
	if !ok {
		found, _ = s.bufs.LoadOrStore(tenant, new(buffer))
	}
	found.(*buffer).add(tenant, item, s.size, s.sink)
}

// Flush passes on what is left.
func (s *Slow) Flush() {
	s.bufs.Range(func(tenant, found any) bool {
		b := found.(*buffer)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.flushLocked(tenant.(string), s.sink)
		return true
	})
}
