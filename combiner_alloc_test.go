//go:build !race

package batcher_test

// Allocation budgets of a Combiner: promise 13.

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestP13_AllocsOfAddToACombinerAreZero(t *testing.T) {
	ctx := context.Background()
	c, err := batcher.NewCombiner(sum, func(context.Context, counted) error { return nil })
	require.NoError(t, err)
	require.NoError(t, c.Add(ctx, "a", 1))
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _ = c.Add(ctx, "a", 1) }), "Add")
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _ = c.TryAdd("a", 1) }), "TryAdd")
	require.NoError(t, c.Close(ctx))
}

func TestP13_AllocsOfACombinedBatchAreFewWhateverItsSize(t *testing.T) {
	ctx := context.Background()
	for _, keys := range []int{1, 100} {
		c, err := batcher.NewCombiner(sum, func(context.Context, map[int]int) error { return nil },
			batcher.WithMaxSize(keys), batcher.WithQueueDepth(100))
		require.NoError(t, err)
		fill := func() {
			for range 100 {
				for key := range keys {
					_ = c.Add(ctx, key, 1)
				}
			}
			_ = c.Flush(ctx)
		}
		for range 20 { // warm up
			fill()
		}
		assert.LessOrEqual(t, testing.AllocsPerRun(20, fill)/100, 5.1, "as many as a Batcher's; %d keys", keys)
		require.NoError(t, c.Close(ctx))
	}
}
