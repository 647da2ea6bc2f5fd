package prombatcher_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// modes are a batcher as it is, and one that is watched.
func modes(b *testing.B, run func(b *testing.B, q *batcher.Batcher[int64])) {
	for _, watched := range []bool{false, true} {
		name := map[bool]string{false: "metrics=none", true: "metrics=prombatcher"}[watched]
		b.Run(name, func(b *testing.B) {
			q, err := batcher.New(func(context.Context, []int64) error { return nil }, batcher.WithName("a"),
				batcher.WithMaxSize(500))
			require.NoError(b, err)
			if watched {
				c, _ := registered(b)
				watch(b, c, q)
			}
			b.ReportAllocs()
			run(b, q)
			require.NoError(b, q.Close(context.Background()))
		})
	}
}

// BenchmarkAdd is Add with all that follows, for an item.
func BenchmarkAdd(b *testing.B) {
	modes(b, func(b *testing.B, q *batcher.Batcher[int64]) {
		ctx := context.Background()
		for b.Loop() {
			_ = q.Add(ctx, 1)
		}
	})
}

// BenchmarkBatch is a batch of one item, from Add to its end.
func BenchmarkBatch(b *testing.B) {
	modes(b, func(b *testing.B, q *batcher.Batcher[int64]) {
		ctx := context.Background()
		for b.Loop() {
			_ = q.Add(ctx, 1)
			_ = q.Flush(ctx)
		}
	})
}

func TestP13_ABatchCostsNoAllocationMore(t *testing.T) {
	measure := func(watched bool) float64 {
		q := start(t, good, batcher.WithName("a"))
		if watched {
			c, _ := registered(t)
			watch(t, c, q)
		}
		return testing.AllocsPerRun(200, func() {
			assert.NoError(t, q.Add(context.Background(), 1))
			assert.NoError(t, q.Flush(context.Background()))
		})
	}
	assert.Equal(t, measure(false), measure(true))
}
