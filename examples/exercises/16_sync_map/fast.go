package syncmap

// A map and a mutex.

import "sync"

// Fast has its buffers in a map under one lock, which also guards what is in them: a look-up and an
// append for one lock. That is what the exercise recommends for a thousand tenants that all
// goroutines touch.
type Fast struct {
	size int
	sink Sink

	mu   sync.Mutex // guards bufs and what is in it
	bufs map[string]*buffer
}

// NewFast returns a batcher for batches of size items.
func NewFast(size int, sink Sink) *Fast {
	return &Fast{size: size, sink: sink, bufs: make(map[string]*buffer)}
}

// Add adds an item to the batch of its tenant.
func (f *Fast) Add(tenant string, item int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.bufs[tenant]
	if b == nil {
		b = new(buffer)
		f.bufs[tenant] = b
	}
	b.addLocked(tenant, item, f.size, f.sink)
}

// Flush passes on what is left, and forgets the tenants.
func (f *Fast) Flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for tenant, b := range f.bufs {
		b.flushLocked(tenant, f.sink)
	}
	clear(f.bufs)
}
