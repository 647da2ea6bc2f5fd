package hottenantlock

// Half of the way: several maps, each with a lock of its own.

import (
	"hash/maphash"
	"sync"
)

// shardCount is a power of two, so that the remainder costs a mask and not a division.
const shardCount = 16

// Shards spreads the tenants over maps. Only those of one map wait for one another.
type Shards struct {
	size   int
	sink   Sink
	seed   maphash.Seed
	shards [shardCount]shard
}

// shard is a Slow without the rest: a lock and a map.
type shard struct {
	mu   sync.Mutex // guards bufs and what is in it; never held in the sink
	bufs map[string][]Item

	// Two locks in one cache line would be handed to and fro between processors as if they were
	// one.
	_ [64]byte
}

// NewShards returns a batcher for batches of size items.
func NewShards(size int, sink Sink) *Shards {
	s := &Shards{size: size, sink: sink, seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i].bufs = make(map[string][]Item)
	}
	return s
}

// Add adds an item to the batch of its tenant.
func (s *Shards) Add(item Item) {
	sh := &s.shards[index(maphash.String(s.seed, item.Tenant))]
	sh.mu.Lock()
	full := appendTo(sh.bufs, item, s.size)
	sh.mu.Unlock()
	if full != nil {
		s.sink(item.Tenant, full)
	}
}

// index makes the number of a shard of a hash. The hash has another seed in each process, so
// nobody can choose names that all fall into one shard.
//
// The trap: int(hash) % shardCount looks the same and is negative for almost half of all hashes,
// those whose highest bit is set, and indexing by it panics. The remainder must be taken
// while the number is unsigned.
func index(hash uint64) int { return int(hash % shardCount) }

// signedIndex is what one must not write: int(hash) % shardCount, spelled out for machines on which
// an int has 32 bits. On those it is the 32nd bit that makes the result negative.
func signedIndex(hash uint64) int { return int(int64(hash) % shardCount) }

// Flush passes on what is left.
func (s *Shards) Flush() {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		rest := sh.bufs
		sh.bufs = make(map[string][]Item)
		sh.mu.Unlock()
		pass(rest, s.sink)
	}
}
