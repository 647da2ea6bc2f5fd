package mapcombiner

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// combiner is what all variants are.
type combiner interface {
	Add(key string)
	Flush()
}

// variants are all of them, the slow one first.
var variants = []struct {
	name string
	make func(tb testing.TB, sink Sink) combiner
}{
	{"slow", func(_ testing.TB, sink Sink) combiner { return NewSlow(sink) }},
	{"presized", func(_ testing.TB, sink Sink) combiner { return NewPresized(sink) }},
	{"onemap", func(_ testing.TB, sink Sink) combiner { return NewOneMap(sink) }},
	{"hoard", func(_ testing.TB, sink Sink) combiner { return NewHoard(sink) }},
	{"fast", func(_ testing.TB, sink Sink) combiner { return NewFast(sink) }},
	{"library", func(tb testing.TB, sink Sink) combiner {
		l, err := NewLibrary(sink)
		require.NoError(tb, err)
		tb.Cleanup(func() { require.NoError(tb, l.Close()) })
		return l
	}},
}

// keyNames returns n keys.
func keyNames(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%07d", i)
	}
	return keys
}

func TestEveryVariantPassesOnTheCountsOfEachBatch(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			var batches []map[string]int
			c := v.make(t, func(counts map[string]int) { batches = append(batches, maps.Clone(counts)) })
			for _, key := range []string{"a", "b", "a"} {
				c.Add(key)
			}
			c.Flush()
			c.Flush() // nothing to pass on
			c.Add("b")
			c.Flush()
			assert.Equal(t, []map[string]int{{"a": 2, "b": 1}, {"b": 1}}, batches)
		})
	}
}

func TestNothingIsLostOrCountedTwiceWhileOthersFlush(t *testing.T) {
	const producers, each = 8, 2000
	keys := keyNames(50)
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			var mu sync.Mutex
			total := make(map[string]int)
			c := v.make(t, func(counts map[string]int) {
				mu.Lock()
				defer mu.Unlock()
				for key, n := range counts {
					total[key] += n
				}
			})
			var wg sync.WaitGroup
			for range producers {
				wg.Go(func() {
					for i := range each {
						c.Add(keys[i%len(keys)])
						if i%100 == 0 {
							c.Flush()
						}
					}
				})
			}
			wg.Wait()
			c.Flush()
			assert.Len(t, total, len(keys))
			for key, n := range total {
				assert.Equal(t, producers*each/len(keys), n, key)
			}
		})
	}
}

// Who reuses a map takes it back: what Slow gives away is the sink's for good.
func TestASinkThatKeepsTheMapSeesItEmptiedUnlessItIsANewOne(t *testing.T) {
	for name, want := range map[string]map[string]int{
		"slow": {"a": 1}, "presized": {"a": 1}, "onemap": {}, "hoard": {}, "fast": {}, "library": {},
	} {
		for _, v := range variants {
			if v.name != name {
				continue
			}
			var kept map[string]int
			c := v.make(t, func(counts map[string]int) { kept = counts })
			c.Add("a")
			c.Flush()
			assert.Equal(t, want, kept, name)
		}
	}
}

// The sink of OneMap runs with the lock held; that of the others does not hold up Add.
func TestAddDoesNotWaitForTheSinkUnlessThereIsOneMap(t *testing.T) {
	for _, v := range variants {
		if v.name == "onemap" {
			continue
		}
		var c combiner
		calls := 0
		c = v.make(t, func(map[string]int) {
			if calls++; calls == 1 {
				c.Add("added by the sink") // would wait for ever under the lock
			}
		})
		c.Add("a")
		c.Flush()
		c.Flush()
		assert.Equal(t, 2, calls, v.name)
	}
	var o *OneMap
	o = NewOneMap(func(map[string]int) { assert.False(t, o.mu.TryLock(), "the sink runs under the lock") })
	o.Add("a")
	o.Flush()
}

func TestFastLetsGoOfAMapThatABatchHasMadeFarTooLarge(t *testing.T) {
	f := NewFast(func(map[string]int) {})
	fill := func(n int) {
		for _, key := range keyNames(n) {
			f.Add(key)
		}
		f.Flush()
	}
	fill(10_000)
	assert.Equal(t, 10_000, f.spare.most, "it may come again")
	fill(100) // in the other map
	fill(100)
	assert.Less(t, f.spare.most, 10_000, "it did not")
	assert.Less(t, f.full.most, 10_000)
	fill(100)
	assert.Equal(t, 100, f.spare.most, "what is used is kept")
}
