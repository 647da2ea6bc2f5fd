//go:build !race

package batcher_test

// Allocation budgets: promise 13. They are exact without the race detector only,
// under which sync.Pool drops objects at random.

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestP13_AllocsOfAddAreZero(t *testing.T) {
	ctx := context.Background()
	noop := func(context.Context, []int64) error { return nil }
	lanes := batcher.WithLanes(8)
	weigh := batcher.WithMaxWeight(1<<30, func(int64) int { return 1 })
	for name, c := range map[string]struct {
		opts []batcher.Option
		add  func(*batcher.Batcher[int64])
		max  float64 // per item
	}{
		"lanes":   {[]batcher.Option{lanes}, func(b *batcher.Batcher[int64]) { _ = b.Add(ctx, 1) }, 0.01},
		"Add":     {nil, func(b *batcher.Batcher[int64]) { _ = b.Add(ctx, 1) }, 0.01},
		"TryAdd":  {nil, func(b *batcher.Batcher[int64]) { _ = b.TryAdd(1) }, 0.01},
		"Submit":  {nil, func(b *batcher.Batcher[int64]) { _, _ = b.Submit(ctx, 1) }, 0.01},
		"weighed": {[]batcher.Option{weigh}, func(b *batcher.Batcher[int64]) { _ = b.Add(ctx, 1) }, 0.01},
	} {
		b := start(t, noop, append(c.opts, batcher.WithMaxSize(1000), batcher.WithQueueDepth(1000))...)
		add := func() {
			for range 10_000 {
				c.add(b)
			}
			_ = b.Flush(ctx)
		}
		add() // warm up
		assert.LessOrEqual(t, testing.AllocsPerRun(20, add)/10_000, c.max, name)
		finish(t, b)
	}
}

// What Flush, the timer or a worker takes out of the lanes leaves no garbage behind.
func TestP13_AllocsOfDrainedLanesAreZero(t *testing.T) {
	ctx := context.Background()
	allocs := func(opts ...batcher.Option) float64 {
		noop := func(context.Context, []int64) error { return nil }
		b := start(t, noop, append(opts, batcher.WithMaxSize(1000))...)
		add := func() {
			for range 100 {
				_ = b.Add(ctx, 1)
			}
			_ = b.Flush(ctx)
		}
		add()
		perRun := testing.AllocsPerRun(100, add)
		finish(t, b)
		return perRun
	}
	assert.Equal(t, allocs(), allocs(batcher.WithLanes(8)))
}

func TestP13_AllocsOfABatchAreFew(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		opts []batcher.Option
		max  float64 // per batch
	}{
		"plain":      {nil, 5.01},
		"no timeout": {[]batcher.Option{batcher.WithFlushTimeout(0)}, 3.01},
	} {
		b := start(t, func(context.Context, []int64) error { return nil },
			append(c.opts, batcher.WithMaxSize(1), batcher.WithQueueDepth(100))...)
		add := func() {
			for range 1000 {
				_ = b.Add(ctx, 1)
			}
			_ = b.Flush(ctx)
		}
		add()
		assert.LessOrEqual(t, testing.AllocsPerRun(20, add)/1000, c.max, name)
		finish(t, b)
	}
}

func TestP13_AllocsOfAddToALiveKeyAreZero(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		opts []batcher.Option
		add  func(s *batcher.Sharded[string, int64], key string)
	}{
		"Add":    {nil, func(s *batcher.Sharded[string, int64], key string) { _ = s.Add(ctx, key, 1) }},
		"TryAdd": {nil, func(s *batcher.Sharded[string, int64], key string) { _ = s.TryAdd(key, 1) }},
		"weighed": {options{batcher.WithMaxWeight(1<<30, func(int64) int { return 1 })},
			func(s *batcher.Sharded[string, int64], key string) { _ = s.Add(ctx, key, 1) }},
		"with a bound per key": {options{batcher.WithMaxPendingPerKey(1 << 20)},
			func(s *batcher.Sharded[string, int64], key string) { _ = s.Add(ctx, key, 1) }},
		"Submit": {nil, func(s *batcher.Sharded[string, int64], key string) { _, _ = s.Submit(ctx, key, 1) }},
	} {
		opts := append(c.opts, batcher.WithMaxSize(1000), batcher.WithMaxPending(1<<20))
		s := startKeyed(t, discardKeyed[string, int64], opts...)
		add := func() {
			for range 5000 {
				c.add(s, "a")
				c.add(s, "b")
			}
			_ = s.Flush(ctx)
		}
		add() // warm up
		assert.LessOrEqual(t, testing.AllocsPerRun(20, add)/10_000, 0.01, name)
		finishKeyed(t, s)
	}
}

func TestP13_AllocsOfABatchOfAKeyAreFew(t *testing.T) {
	ctx := context.Background()
	s := startKeyed(t, discardKeyed[int, int64], batcher.WithMaxSize(1))
	add := func() {
		for key := range 1000 {
			_ = s.Add(ctx, key, 1)
		}
		_ = s.Flush(ctx)
	}
	add()
	t.Log(testing.AllocsPerRun(20, add) / 1000)
	assert.LessOrEqual(t, testing.AllocsPerRun(20, add)/1000, 6.01)
	finishKeyed(t, s)
}
