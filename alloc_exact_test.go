//go:build !race

package batcher_test

// Exact allocation budgets: promise 13, for every way of handing over an item.
//
// An item costs nothing, exactly: a batch of a thousand allocates as many objects as a batch of
// one. testing.AllocsPerRun rounds down, so what a collection that falls into the runs may
// empty, a pool for instance, does not count.

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// A Sharded allocates one object more, since Info.Key is an interface.

// exactly is a front end, ready to take so many items and to flush them, and what a batch
// allocates, the waiting for it in Flush included.
type exactly struct {
	name     string
	perBatch float64
	open     func(t *testing.T) (fill func(items int), end func())
}

func TestP13_AllocsOfABatchAreTheSameForOneItemAndForAThousand(t *testing.T) {
	ctx := context.Background()
	var all [1000]int64
	add := func(b *batcher.Batcher[int64], items int) {
		for range items {
			_ = b.Add(ctx, 1)
		}
	}
	sharded := func(s *batcher.Sharded[string, int64], items int) {
		for range items {
			_ = s.Add(ctx, "key", 1)
		}
	}
	for _, c := range []exactly{
		{"Add", 8, plainly(add)},
		{"Add without a timeout", 6, plainly(add, batcher.WithFlushTimeout(0))},
		{"Add to lanes", 8, plainly(add, batcher.WithLanes(8))},
		{"Add with weights", 8, plainly(add, batcher.WithMaxWeight(1<<30, func(int64) int { return 1 }))},
		{"TryAdd", 8, plainly(func(b *batcher.Batcher[int64], items int) {
			for range items {
				_ = b.TryAdd(1)
			}
		})},
		{"AddAll", 8, plainly(func(b *batcher.Batcher[int64], items int) {
			_, _ = b.AddAll(ctx, all[:items])
		})},
		{"Submit", 9, plainly(func(b *batcher.Batcher[int64], items int) {
			for range items {
				_, _ = b.Submit(ctx, 1)
			}
		})},
		{"Sharded.Add", 9, byKey(sharded)},
		{"Sharded.TryAdd", 9, byKey(func(s *batcher.Sharded[string, int64], items int) {
			for range items {
				_ = s.TryAdd("key", 1)
			}
		})},
		{"Sharded.AddAll", 9, byKey(func(s *batcher.Sharded[string, int64], items int) {
			_, _ = s.AddAll(ctx, "key", all[:items])
		})},
		{"Sharded.Submit", 10, byKey(func(s *batcher.Sharded[string, int64], items int) {
			for range items {
				_, _ = s.Submit(ctx, "key", 1)
			}
		})},
		{"Combiner.Add", 8, combined(func(c *batcher.Combiner[int, int], items int) {
			for i := range items {
				_ = c.Add(ctx, i%100, 1)
			}
		})},
		{"Combiner.TryAdd", 8, combined(func(c *batcher.Combiner[int, int], items int) {
			for i := range items {
				_ = c.TryAdd(i%100, 1)
			}
		})},
	} {
		fill, end := c.open(t)
		for range 20 { // warm up
			fill(1000)
		}
		assert.Equal(t, c.perBatch, testing.AllocsPerRun(100, func() { fill(1) }), "%s, one item", c.name)
		assert.Equal(t, c.perBatch, testing.AllocsPerRun(100, func() { fill(1000) }), "%s, 1000 items", c.name)
		end()
	}
}

func plainly(put func(*batcher.Batcher[int64], int), opts ...batcher.Option) func(*testing.T) (func(int), func()) {
	return func(t *testing.T) (fill func(int), end func()) {
		noop := func(context.Context, []int64) error { return nil }
		b := start(t, noop, append(opts, batcher.WithMaxSize(1001))...)
		return func(items int) {
			put(b, items)
			_ = b.Flush(context.Background())
		}, func() { finish(t, b) }
	}
}

func byKey(put func(*batcher.Sharded[string, int64], int)) func(*testing.T) (func(int), func()) {
	return func(t *testing.T) (fill func(int), end func()) {
		s := startKeyed(t, discardKeyed[string, int64], batcher.WithMaxSize(1001))
		return func(items int) {
			put(s, items)
			_ = s.Flush(context.Background())
		}, func() { finishKeyed(t, s) }
	}
}

func combined(put func(*batcher.Combiner[int, int], int)) func(*testing.T) (func(int), func()) {
	return func(t *testing.T) (fill func(int), end func()) {
		c, err := batcher.NewCombiner(sum, func(context.Context, map[int]int) error { return nil })
		require.NoError(t, err)
		return func(items int) {
			put(c, items)
			_ = c.Flush(context.Background())
		}, func() { require.NoError(t, c.Close(context.Background())) }
	}
}
