package syncmap

// What many reach for first: a map with a lock for many readers.

import "sync"

// RWMutex looks tenants up under a lock that readers share, and appends under the buffer's. It is
// what a sync.Map is meant to be better than. Taking the lock for reading is an atomic add to one
// counter, and all processors fight for its cache line.
type RWMutex struct {
	size int
	sink Sink

	mu   sync.RWMutex // guards bufs, not what is in it
	bufs map[string]*buffer
}

// NewRWMutex returns a batcher for batches of size items.
func NewRWMutex(size int, sink Sink) *RWMutex {
	return &RWMutex{size: size, sink: sink, bufs: make(map[string]*buffer)}
}

// Add adds an item to the batch of its tenant.
func (r *RWMutex) Add(tenant string, item int64) {
	r.mu.RLock()
	b := r.bufs[tenant]
	r.mu.RUnlock()
	if b == nil {
		b = r.open(tenant)
	}
	b.add(tenant, item, r.size, r.sink)
}

// open returns the buffer of a tenant who had none a moment ago. Another one may have made it since
// the lock for reading was released.
func (r *RWMutex) open(tenant string) *buffer {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bufs[tenant]
	if b == nil {
		b = new(buffer)
		r.bufs[tenant] = b
	}
	return b
}

// Flush passes on what is left.
func (r *RWMutex) Flush() {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for tenant, b := range r.bufs {
		b.mu.Lock()
		b.flushLocked(tenant, r.sink)
		b.mu.Unlock()
	}
}
