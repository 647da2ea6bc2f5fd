package hottenantlock

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// adder is what all variants are.
type adder interface {
	Add(item Item)
	Flush()
}

// variants are all of them, the slow one first.
var variants = []struct {
	name string
	make func(tb testing.TB, size int, sink Sink) adder
}{
	{"slow", func(_ testing.TB, size int, sink Sink) adder { return NewSlow(size, sink) }},
	{"pertenant", func(_ testing.TB, size int, sink Sink) adder { return NewPerTenant(size, sink) }},
	{"shards", func(_ testing.TB, size int, sink Sink) adder { return NewShards(size, sink) }},
	{"fast", func(_ testing.TB, size int, sink Sink) adder { return NewFast(size, sink) }},
	{"library", func(tb testing.TB, size int, sink Sink) adder {
		l, err := NewLibrary(size, sink)
		require.NoError(tb, err)
		tb.Cleanup(func() { require.NoError(tb, l.Close()) })
		return l
	}},
}

// tenantNames returns n names.
func tenantNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("tenant-%06d", i)
	}
	return names
}

// store is a sink that remembers what each tenant got.
type store struct {
	mu      sync.Mutex // guards batches
	batches map[string][][]Item
}

func (s *store) take(tenant string, batch []Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.batches == nil {
		s.batches = make(map[string][][]Item)
	}
	s.batches[tenant] = append(s.batches[tenant], slices.Clone(batch))
}

func TestEveryTenantGetsItsOwnItemsInOrderAndInBatchesOfTheSize(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			var s store
			b := v.make(t, 2, s.take)
			for i := range int64(5) {
				b.Add(Item{"a", i})
				if i < 2 {
					b.Add(Item{"b", 10 + i})
				}
			}
			b.Flush()
			assert.Equal(t, map[string][][]Item{
				"a": {{{"a", 0}, {"a", 1}}, {{"a", 2}, {"a", 3}}, {{"a", 4}}},
				"b": {{{"b", 10}, {"b", 11}}},
			}, s.batches)
		})
	}
}

func TestNothingIsLostOrDoubledWhileAllGoroutinesTouchAllTenants(t *testing.T) {
	const goroutines, each, size = 8, 2000, 7
	names := tenantNames(100)
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			var s store
			b := v.make(t, size, s.take)
			var wg sync.WaitGroup
			for g := range goroutines {
				wg.Go(func() {
					for i := range each {
						b.Add(Item{names[(g*31+i)%len(names)], int64(g*each + i)})
					}
				})
			}
			wg.Wait()
			b.Flush()
			seen := make(map[int64]bool)
			for tenant, batches := range s.batches {
				for _, batch := range batches {
					assert.LessOrEqual(t, len(batch), size)
					for _, item := range batch {
						assert.Equal(t, tenant, item.Tenant)
						assert.False(t, seen[item.Value], "doubled: %v", item)
						seen[item.Value] = true
					}
				}
			}
			assert.Len(t, seen, goroutines*each)
		})
	}
}

// While one shard is locked, its tenants wait and the others do not. If this hangs, they do.
func TestTenantsOfOtherShardsDoNotWait(t *testing.T) {
	var s store
	f := NewFast(1, s.take)
	names := tenantNames(1000)
	locked := f.shardOf(names[0])
	locked.mu.Lock()
	added := 0
	for _, name := range names {
		if f.shardOf(name) != locked {
			f.Add(Item{name, 1})
			added++
		}
	}
	locked.mu.Unlock()
	assert.Len(t, s.batches, added)
	assert.Positive(t, added)
}

// The chance that a shard gets none of 1000 tenants is below 1e-26.
func TestAThousandTenantsAreSpreadOverAllShards(t *testing.T) {
	f := NewFast(1, func(string, []Item) {})
	used := make(map[*slotShard]int)
	for _, name := range tenantNames(1000) {
		used[f.shardOf(name)]++
	}
	assert.Len(t, used, shardCount)
}

func TestTheRemainderOfASignedHashIsNegativeForAlmostHalfOfAll(t *testing.T) {
	negative := 0
	for high := range uint64(2) {
		for low := range uint64(shardCount) {
			hash := high<<63 | low
			assert.GreaterOrEqual(t, index(hash), 0)
			assert.Less(t, index(hash), shardCount)
			if signedIndex(hash) < 0 {
				negative++
			}
		}
	}
	assert.Equal(t, shardCount-1, negative, "of %d: where the high bit is set and the remainder is not 0", 2*shardCount)
}
