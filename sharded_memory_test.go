package batcher_test

// What keys cost, and what is let go: promise 13, faults 35, 37 and 39.

import (
	"context"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestP10_F35_NothingOfAKeyIsReachableOnceItHoldsNothing(t *testing.T) {
	for _, outcome := range []error{nil, errSink, batcher.TooLarge(errSink)} {
		for _, policy := range []batcher.Overflow{batcher.Block, batcher.DropNewest, batcher.DropOldest} {
			s := startKeyed(t, func(context.Context, *payload, []*payload) error { return outcome },
				batcher.WithMaxSize(4), batcher.WithMaxPending(9), batcher.WithMaxPendingPerKey(6), batcher.WithOverflow(policy))
			var watched []weak.Pointer[payload]
			for range 10 {
				key := new(payload)
				watched = append(watched, weak.Make(key))
				for range 7 {
					item := new(payload)
					watched = append(watched, weak.Make(item))
					require.NoError(t, s.Add(background, key, item))
				}
			}
			_ = s.Flush(background)
			requireIdle(t, s)
			requireCollected(t, watched)
			require.NoError(t, s.Close(background))
		}
	}
}

// requireIdle waits until the last worker is on its way out.
func requireIdle[K comparable, T any](t *testing.T, s *batcher.Sharded[K, T]) {
	t.Helper()
	require.Zero(t, s.Stats().Pending)
	for engineGoroutines() > 0 {
		runtime.Gosched()
	}
}

// A sanity bound only: the exact figures are those of BenchmarkSharded.
func TestF39_ALiveKeyIsCheapAndAnIdleOneCostsNothing(t *testing.T) {
	const keys = 100_000
	s := startKeyed(t, discardKeyed[int, int64], batcher.WithMaxDelay(time.Hour), batcher.WithMaxPending(keys))
	base := heapInUse()
	for key := range keys {
		require.NoError(t, s.Add(background, key, 1))
	}
	perKey := (heapInUse() - base) / keys
	assert.LessOrEqual(t, perKey, int64(332), "bytes for each live key, of which 32 are for items")
	assert.Greater(t, perKey, int64(0), "the measurement is worth nothing")
	require.NoError(t, s.Flush(background))
	requireIdle(t, s)
	assert.Less(t, (heapInUse()-base)/keys, int64(20), "bytes for each idle key")
	finishKeyed(t, s)
}

func TestF37_ABufferGrownByARareLargeBatchOfAKeyIsLetGo(t *testing.T) {
	const large = 1 << 20
	s := startKeyed(t, discardKeyed[int, int64], batcher.WithMaxSize(large), batcher.WithMaxPending(large))
	base := heapInUse()
	n, err := s.AddAll(background, 1, make([]int64, large))
	require.NoError(t, err)
	require.Equal(t, large, n)
	for key := range 20 {
		require.NoError(t, s.Add(background, key, 1))
		require.NoError(t, s.Flush(background))
	}
	assert.Less(t, heapInUse()-base, int64(large), "a buffer of 8 MiB would show")
	finishKeyed(t, s)
}

func TestP13_AShardedThatIsForgottenIsCollected(t *testing.T) {
	forgotten := func() weak.Pointer[batcher.Sharded[int, int]] {
		s := startKeyed(t, discardKeyed[int, int])
		require.NoError(t, s.AddWait(background, 1, 1))
		return weak.Make(s)
	}()
	for forgotten.Value() != nil {
		runtime.GC()
	}
}
