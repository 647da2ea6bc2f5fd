package hottenantlock

// Another way: a lock for each tenant.

import "sync"

// PerTenant has a lock for each tenant, in a sync.Map. Two tenants never wait for each other.
//
// The look-up comes before the lock, and takes none as long as the tenant is known. The name has to
// be made an interface for it, which would mean an allocation in every Add if the compiler did not
// see that Load keeps nothing of it.
type PerTenant struct {
	size int
	sink Sink
	bufs sync.Map // from the tenant to its *tenantBuf; they are never removed
}

// tenantBuf is the batch of one tenant.
type tenantBuf struct {
	mu  sync.Mutex // guards buf; never held in the sink
	buf []Item
}

// NewPerTenant returns a batcher for batches of size items.
func NewPerTenant(size int, sink Sink) *PerTenant {
	return &PerTenant{size: size, sink: sink}
}

// Add adds an item to the batch of its tenant.
func (p *PerTenant) Add(item Item) {
	found, ok := p.bufs.Load(item.Tenant)
	if !ok {
		// Two producers may both come here with a new tenant; LoadOrStore gives both of them
		// the buffer of the one who was first.
		found, _ = p.bufs.LoadOrStore(item.Tenant, new(tenantBuf))
	}
	if full := found.(*tenantBuf).append(item, p.size); full != nil {
		p.sink(item.Tenant, full)
	}
}

func (t *tenantBuf) append(item Item, size int) (full []Item) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.buf == nil {
		t.buf = make([]Item, 0, size)
	}
	t.buf = append(t.buf, item)
	if len(t.buf) == size {
		full, t.buf = t.buf, nil
	}
	return full
}

// Flush passes on what is left.
//
// The buffers stay in the map, since an Add may be about to append to one that it has found. That
// is the price of a look-up without a lock: a tenant that never comes back is
// never forgotten.
func (p *PerTenant) Flush() {
	p.bufs.Range(func(tenant, found any) bool {
		t := found.(*tenantBuf)
		t.mu.Lock()
		rest := t.buf
		t.buf = nil
		t.mu.Unlock()
		if len(rest) > 0 {
			p.sink(tenant.(string), rest)
		}
		return true
	})
}
