package batcher_test

// Hooks that come and go, and what a batcher tells about its configuration.

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// tape records the calls of hooks.
type tape struct {
	mu    sync.Mutex
	calls []string
}

func (r *tape) note(call string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
}

// rewind returns the calls so far, and forgets them.
func (r *tape) rewind() (calls []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls, r.calls = r.calls, nil
	return calls
}

// hooks returns hooks that record their calls under a name.
func (r *tape) hooks(name string) batcher.Hooks {
	return batcher.Hooks{
		FlushStart: func(ctx context.Context, _ batcher.Info) context.Context {
			r.note(name + " start")
			return ctx
		},
		FlushEnd: func(context.Context, batcher.Info, batcher.FlushResult) { r.note(name + " end") },
		Retry:    func(context.Context, batcher.Info, time.Duration, error) { r.note(name + " retry") },
		DeadLetter: func(context.Context, batcher.Info, *batcher.FlushError) {
			r.note(name + " letter")
		},
	}
}

func TestObserveAddsHooksUntilTheyAreRemoved(t *testing.T) {
	var r tape
	var sink script[int]
	b := start(t, sink.flush, batcher.WithMaxSize(1), batcher.WithHooks(r.hooks("a")),
		batcher.WithRetry(2, func(int) time.Duration { return 0 }))
	var observed batcher.Observed = b
	one := func() []string {
		require.NoError(t, b.Add(context.Background(), 1))
		_ = b.Flush(context.Background())
		return r.rewind()
	}
	assert.Equal(t, []string{"a start", "a end"}, one())

	removeB := observed.Observe(r.hooks("b"))
	removeC := observed.Observe(r.hooks("c"))
	assert.Equal(t, []string{"a start", "b start", "c start", "c end", "b end", "a end"}, one())

	removeB()
	removeB()
	sink.fail(errSink, errSink)
	assert.Equal(t, []string{
		"a start", "c start", "c end", "a end", "a retry", "c retry",
		"a start", "c start", "c end", "a end", "a letter", "c letter",
	}, one())

	removeC()
	observed.Observe(batcher.Hooks{}) // hooks may all be nil
	assert.Equal(t, []string{"a start", "a end"}, one())
	finish(t, b)
}

func TestAnAttemptKeepsTheHooksThatItBeganWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r tape
		release := make(chan struct{})
		b := start(t, func(context.Context, []int) error { <-release; return nil }, batcher.WithMaxSize(1))
		removeA := b.Observe(r.hooks("a"))
		addInts(t, b, 1)
		synctest.Wait() // in the flush function
		b.Observe(r.hooks("b"))
		removeA()
		close(release)
		finish(t, b)
		assert.Equal(t, []string{"a start", "a end"}, r.rewind())
	})
}

func TestHooksMayRemoveThemselvesAndAddOthers(t *testing.T) {
	var r tape
	b := start(t, func(context.Context, []int) error { return nil }, batcher.WithMaxSize(1))
	var remove func()
	remove = b.Observe(batcher.Hooks{FlushStart: func(ctx context.Context, _ batcher.Info) context.Context {
		remove()
		b.Observe(r.hooks("late"))
		return ctx
	}})
	for range 2 {
		require.NoError(t, b.AddWait(context.Background(), 1))
	}
	finish(t, b)
	assert.Equal(t, []string{"late start", "late end"}, r.rewind())
}

func TestObserversComeAndGoWhileBatchesFly(t *testing.T) {
	b := start(t, func(context.Context, []int) error { return nil }, batcher.WithMaxSize(3), batcher.WithWorkers(4))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 200 {
				var starts, ends int
				var mu sync.Mutex
				remove := b.Observe(batcher.Hooks{
					FlushStart: func(ctx context.Context, _ batcher.Info) context.Context {
						mu.Lock()
						defer mu.Unlock()
						starts++
						return ctx
					},
					FlushEnd: func(context.Context, batcher.Info, batcher.FlushResult) {
						mu.Lock()
						defer mu.Unlock()
						if ends++; ends > starts {
							t.Error("an end without a start")
						}
					},
				})
				_ = b.Add(context.Background(), i)
				_ = b.Flush(context.Background())
				remove()
			}
		})
	}
	group.Wait()
	assert.EqualValues(t, 800, finish(t, b).Flushed)
}

func TestConfigShowsTheOptionsInEffect(t *testing.T) {
	flush := func(context.Context, []int) error { return nil }
	usual := batcher.Config{
		FrontEnd: "Batcher", MaxSize: 500, MaxDelay: 100 * time.Millisecond, Workers: 1, QueueDepth: 2,
		MaxHeld: 1500, FlushTimeout: 30 * time.Second, MaxAttempts: 1, Lanes: 1,
	}
	assert.Equal(t, usual, start(t, flush).Config())

	b := start(t, flush, batcher.WithName("orders"), batcher.WithMaxSize(64), batcher.WithMaxDelay(time.Second),
		batcher.WithWorkers(3), batcher.WithQueueDepth(5), batcher.WithOverflow(batcher.DropOldest), batcher.WithLanes(1000),
		batcher.WithFlushTimeout(0), batcher.WithRetry(7, batcher.ExponentialBackoff(1, 2)), batcher.WithBisect(),
		batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[int]) {}))
	assert.Equal(t, batcher.Config{
		FrontEnd: "Batcher", Name: "orders", MaxSize: 64, MaxDelay: time.Second, Workers: 3, QueueDepth: 5,
		Overflow: batcher.DropOldest, MaxHeld: 64*8 + 32, MaxAttempts: 7, Bisect: true, DeadLetter: true, Lanes: 4,
	}, b.Config())

	weighed := start(t, flush, batcher.WithMaxWeight(10, func(int) int { return 1 }), batcher.WithEager(),
		batcher.WithMaxSize(math.MaxInt))
	assert.Equal(t, 10, weighed.Config().MaxWeight)
	assert.True(t, weighed.Config().Eager)
	assert.GreaterOrEqual(t, weighed.Config().MaxHeld, int64(math.MaxInt), "no overflow")
}

func TestConfigOfKeysAndCombiners(t *testing.T) {
	s, err := batcher.NewSharded(func(context.Context, string, []int) error { return nil },
		batcher.WithMaxPending(1000), batcher.WithMaxPendingPerKey(10), batcher.WithShards(3))
	require.NoError(t, err)
	assert.Equal(t, batcher.Config{
		FrontEnd: "Sharded", MaxSize: 500, MaxDelay: 100 * time.Millisecond, Workers: 1, MaxHeld: 1000,
		MaxPendingPerKey: 10, FlushTimeout: 30 * time.Second, MaxAttempts: 1, Shards: 4,
	}, s.Config())
	c, err := batcher.NewCombiner(func(a, b int) int { return a + b },
		func(context.Context, map[string]int) error { return errors.New("no") },
		batcher.WithMaxSize(3), batcher.WithFoldBack(), batcher.WithRetry(1, batcher.ExponentialBackoff(1, 1)))
	require.NoError(t, err)
	assert.Equal(t, batcher.Config{
		FrontEnd: "Combiner", MaxSize: 3, MaxDelay: 100 * time.Millisecond, Workers: 1, QueueDepth: 2, MaxHeld: 9,
		FlushTimeout: 30 * time.Second, MaxAttempts: 1, FoldBack: true, Shards: 2,
	}, c.Config())
	for _, observed := range []batcher.Observed{s, c} {
		observed.Observe(batcher.Hooks{})()
		assert.Zero(t, observed.Stats().Pending)
	}
}

func TestInfoFirstIsTrueOnceForEachBatch(t *testing.T) {
	type attempt struct {
		batch, size int
		first       bool
	}
	var attempts []attempt // one worker: one after another
	var numbers []uint64
	b := start(t, func(_ context.Context, batch []int) error {
		switch {
		case len(batch) > 2:
			return batcher.TooLarge(errSink)
		case len(attempts) == 2:
			return errSink
		}
		return nil
	}, batcher.WithMaxSize(4), batcher.WithRetry(2, func(int) time.Duration { return 0 }),
		batcher.WithHooks(batcher.Hooks{FlushStart: func(_ context.Context, info batcher.Info) context.Context {
			if len(numbers) == 0 || numbers[len(numbers)-1] != info.Batch {
				numbers = append(numbers, info.Batch)
			}
			attempts = append(attempts, attempt{len(numbers), info.Size, info.First})
			return nil
		}}))
	for i := range 6 {
		require.NoError(t, b.Add(t.Context(), i))
	}
	require.NoError(t, b.Close(t.Context()))
	assert.Equal(t, []attempt{
		{1, 4, true}, {1, 2, false}, {1, 2, false}, {1, 2, false}, // whole, left half twice, right half
		{2, 2, true},
	}, attempts)
}
