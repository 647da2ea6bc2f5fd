package allocationperflush

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var names = []string{"slow", "value", "fast", "library"}

// open starts the variant of this name, for batches of size items.
func open[T any](
	tb testing.TB, name string, size int, sink Sink[T], opts ...batcher.Option,
) (flush func([]T), end func()) {
	switch name {
	case "slow":
		return NewSlow(sink).Flush, func() {}
	case "value":
		return NewValue(sink).Flush, func() {}
	case "fast":
		return NewFast(sink).Flush, func() {}
	}
	l, err := NewLibrary(size, sink, opts...)
	require.NoError(tb, err)
	return l.Flush, func() { require.NoError(tb, l.Close()) }
}

func TestEveryVariantPassesOnTheSameBatches(t *testing.T) {
	for _, name := range names {
		var got [][]int
		flush, end := open(t, name, 3, func(batch []int) { got = append(got, slices.Clone(batch)) })
		flush([]int{1, 2, 3})
		flush([]int{4, 5, 6})
		flush([]int{7})
		end()
		assert.Equal(t, [][]int{{1, 2, 3}, {4, 5, 6}, {7}}, got, name)
	}
}

func TestTheSinkMayOverwriteWhatItGets(t *testing.T) {
	for _, name := range names {
		buf := []int{1, 2, 3}
		flush, end := open(t, name, 3, func(batch []int) { clear(batch) })
		flush(buf)
		end()
		assert.Equal(t, []int{1, 2, 3}, buf, name)
	}
}

func TestFlushesAtTheSameTimeDoNotShareASlice(t *testing.T) {
	const goroutines, each, size = 8, 200, 10
	for _, name := range names {
		var mu sync.Mutex
		seen := map[int]int{}
		flush, end := open(t, name, size, func(batch []int) {
			for i := range batch { // with a shared slice, the race detector would object
				batch[i]++
			}
			mu.Lock()
			defer mu.Unlock()
			for _, item := range batch {
				seen[item-1]++
			}
		}, batcher.WithWorkers(4))
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := range each {
					flush(slices.Repeat([]int{g*each + i}, size))
				}
			})
		}
		wg.Wait()
		end()
		require.Len(t, seen, goroutines*each, name)
		for item, times := range seen {
			require.Equal(t, size, times, "%s: item %d", name, item)
		}
	}
}

// kept flushes one batch to a sink that keeps it, and returns what it then has.
func kept(t *testing.T, name string, opts ...batcher.Option) (batch []int) {
	flush, end := open(t, name, 3, func(b []int) { batch = b }, opts...)
	flush([]int{1, 2, 3})
	end()
	return batch
}

func TestASinkThatKeepsAReusedSliceLosesItsItems(t *testing.T) {
	assert.Equal(t, []int{0, 0, 0}, kept(t, "value"))
	assert.Equal(t, []int{0, 0, 0}, kept(t, "fast"))
	assert.Equal(t, []int{0, 0, 0}, kept(t, "library"))

	assert.Equal(t, []int{1, 2, 3}, kept(t, "slow"))
	assert.Equal(t, []int{1, 2, 3}, kept(t, "library", batcher.WithoutReuse()))
}
