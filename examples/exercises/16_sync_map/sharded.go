package syncmap

// Several maps, each with its mutex.

import "hash/maphash"

// shardCount is a power of two, so that the remainder costs a mask and not a division.
const shardCount = 16

// Sharded is several of Fast: one lock for look-up and append, but one that only the tenants of a
// shard share.
type Sharded struct {
	seed   maphash.Seed
	shards [shardCount]paddedFast
}

type paddedFast struct {
	Fast
	_ [64]byte // the next shard's lock is on another cache line
}

// NewSharded returns a batcher for batches of size items.
func NewSharded(size int, sink Sink) *Sharded {
	s := &Sharded{seed: maphash.MakeSeed()}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.size, sh.sink, sh.bufs = size, sink, make(map[string]*buffer)
	}
	return s
}

// Add adds an item to the batch of its tenant.
func (s *Sharded) Add(tenant string, item int64) {
	s.shards[maphash.String(s.seed, tenant)%shardCount].Add(tenant, item)
}

// Flush passes on what is left, and forgets the tenants.
func (s *Sharded) Flush() {
	for i := range s.shards {
		s.shards[i].Flush()
	}
}
