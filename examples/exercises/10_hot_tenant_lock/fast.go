package hottenantlock

// The fast side: many locks, and less to do under each.

import (
	"hash/maphash"
	"sync"
)

// Fast is Shards with pointers in its maps. The library does it in shard.go and sharded.go, with
// more shards the more processors there are.
//
// An append to a buffer that is itself in a map looks the tenant up twice: to read the slice, and
// to store what append has returned. Behind a pointer it is changed in place, so the lock is held
// for about half as long, whoever else may want it.
type Fast struct {
	size   int
	sink   Sink
	seed   maphash.Seed
	shards [shardCount]slotShard
}

// slotShard is a shard of pointers.
type slotShard struct {
	mu    sync.Mutex // guards slots and what is in it; never held in the sink
	slots map[string]*[]Item

	_ [64]byte // as in shard
}

// NewFast returns a batcher for batches of size items.
func NewFast(size int, sink Sink) *Fast {
	f := &Fast{size: size, sink: sink, seed: maphash.MakeSeed()}
	for i := range f.shards {
		f.shards[i].slots = make(map[string]*[]Item)
	}
	return f
}

// Add adds an item to the batch of its tenant.
func (f *Fast) Add(item Item) {
	sh := f.shardOf(item.Tenant)
	sh.mu.Lock()
	full := sh.append(item, f.size)
	sh.mu.Unlock()
	if full != nil {
		f.sink(item.Tenant, full)
	}
}

func (f *Fast) shardOf(tenant string) *slotShard {
	return &f.shards[index(maphash.String(f.seed, tenant))]
}

// append is appendTo, for pointers.
func (sh *slotShard) append(item Item, size int) (full []Item) {
	slot := sh.slots[item.Tenant]
	if slot == nil {
		slot = new([]Item)
		sh.slots[item.Tenant] = slot
	}
	if *slot == nil {
		*slot = make([]Item, 0, size)
	}
	*slot = append(*slot, item)
	if len(*slot) == size {
		full, *slot = *slot, nil
	}
	return full
}

// Flush passes on what is left, and forgets the tenants. It may: a slot is only touched under the
// lock, so nobody has a pointer to one that is no longer in the map.
func (f *Fast) Flush() {
	for i := range f.shards {
		sh := &f.shards[i]
		sh.mu.Lock()
		rest := sh.slots
		sh.slots = make(map[string]*[]Item)
		sh.mu.Unlock()
		for tenant, slot := range rest {
			if len(*slot) > 0 {
				f.sink(tenant, *slot)
			}
		}
	}
}
