package syncmap

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
	Add(tenant string, item int64)
	Flush()
}

// variants are all of them, the sync.Map first.
var variants = []struct {
	name string
	make func(tb testing.TB, size int, sink Sink) adder
}{
	{"slow", func(_ testing.TB, size int, sink Sink) adder { return NewSlow(size, sink) }},
	{"fast", func(_ testing.TB, size int, sink Sink) adder { return NewFast(size, sink) }},
	{"rwmutex", func(_ testing.TB, size int, sink Sink) adder { return NewRWMutex(size, sink) }},
	{"sharded", func(_ testing.TB, size int, sink Sink) adder { return NewSharded(size, sink) }},
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
		names[i] = fmt.Sprintf("tenant-%07d", i)
	}
	return names
}

// store is a sink that remembers what each tenant got.
type store struct {
	mu      sync.Mutex // guards batches
	batches map[string][][]int64
}

func newStore() *store { return &store{batches: make(map[string][][]int64)} }

func (s *store) take(tenant string, batch []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches[tenant] = append(s.batches[tenant], slices.Clone(batch))
}

func TestEveryTenantGetsItsOwnItemsInOrderAndInBatchesOfTheSize(t *testing.T) {
	for _, v := range variants {
		s := newStore()
		b := v.make(t, 2, s.take)
		for i := range int64(5) {
			b.Add("a", i)
			if i < 2 {
				b.Add("b", 10+i)
			}
		}
		b.Flush()
		b.Flush() // nothing is left
		assert.Equal(t, map[string][][]int64{
			"a": {{0, 1}, {2, 3}, {4}},
			"b": {{10, 11}},
		}, s.batches, v.name)
	}
}

// All tenants are new at first: many goroutines come with the same one at the same moment.
func TestNothingIsLostOrDoubledWhileAllGoroutinesTouchAllTenants(t *testing.T) {
	const goroutines, each, size = 8, 3000, 7
	names := tenantNames(300)
	for _, v := range variants {
		s := newStore()
		b := v.make(t, size, s.take)
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := range each {
					b.Add(names[i%len(names)], int64(g*each+i))
				}
			})
		}
		wg.Wait()
		b.Flush()
		seen := make(map[int64]bool)
		for tenant, batches := range s.batches {
			last := make(map[int64]int64) // of each goroutine
			for _, item := range slices.Concat(batches...) {
				from, i := item/each, item%each
				assert.Equal(t, names[int(i)%len(names)], tenant, v.name)
				if before, ok := last[from]; ok {
					assert.Greater(t, i, before, "%s: a goroutine's items are in order", v.name)
				}
				last[from] = i
				seen[item] = true
			}
		}
		assert.Len(t, seen, goroutines*each, v.name)
	}
}
