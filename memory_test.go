package batcher_test

// What is kept and what is let go: promises 10 and 13, faults 9, 35, 37 and 38.

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// payload is an item whose memory can be watched.
type payload [1 << 10]byte

// requireCollected fails unless everything that watched points to is freed.
func requireCollected(t *testing.T, watched []weak.Pointer[payload]) {
	t.Helper()
	for range 5 {
		runtime.GC()
	}
	for i, w := range watched {
		require.Nil(t, w.Value(), "item %d is still reachable", i)
	}
}

func TestP10_F35_NothingFlushedIsReachableFromTheBatcher(t *testing.T) {
	for _, outcome := range []error{nil, errSink, batcher.TooLarge(errSink),
		&batcher.PartialError{Errs: map[int]error{1: errSink}}} {
		b := start(t, func(context.Context, []*payload) error { return outcome }, batcher.WithMaxSize(4), silent())
		var watched []weak.Pointer[payload]
		for range 10 {
			p := new(payload)
			watched = append(watched, weak.Make(p))
			require.NoError(t, b.Add(context.Background(), p))
		}
		_ = b.Flush(context.Background())
		require.NoError(t, b.Close(context.Background()))
		requireCollected(t, watched)
		runtime.KeepAlive(b)
	}
}

func TestF38_CollectionsInMidRunChangeNothing(t *testing.T) {
	var got []int
	b := start(t, func(_ context.Context, batch []int) error {
		got = append(got, batch...)
		return nil
	}, batcher.WithMaxSize(7))
	for i := range 2000 {
		require.NoError(t, b.Add(context.Background(), i))
		if i%100 == 0 {
			runtime.GC()
		}
	}
	finish(t, b)
	assert.Equal(t, ints(2000), got)
}

func TestF37_ABufferGrownByARareLargeBatchIsLetGo(t *testing.T) {
	const large = 1 << 20
	ctx := context.Background()
	b := start(t, func(context.Context, []int64) error { return nil }, batcher.WithMaxSize(large))
	base := heapInUse()
	n, err := b.AddAll(ctx, slices.Repeat([]int64{1}, large))
	require.NoError(t, err)
	require.Equal(t, large, n)
	for range 20 {
		_, err := b.AddAll(ctx, []int64{1, 2, 3})
		require.NoError(t, err)
		require.NoError(t, b.Flush(ctx))
	}
	assert.Less(t, heapInUse()-base, int64(large), "a buffer of 8 MiB would show")
	finish(t, b)
}

func TestP13_F9_ManyShortLivesLeaveNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 1000 {
		b := start(t, discard[int])
		require.NoError(t, b.Add(context.Background(), 1))
		require.NoError(t, b.Close(context.Background()))
	}
	for runtime.NumGoroutine() > before { // the last worker may be on its way out
		runtime.Gosched()
	}
}

func TestP13_AnIdleBatcherHasNoGoroutineAndCanBeForgotten(t *testing.T) {
	before := runtime.NumGoroutine()
	forgotten := func() weak.Pointer[batcher.Batcher[int]] {
		b := start(t, discard[int])
		require.NoError(t, b.AddWait(context.Background(), 1))
		return weak.Make(b)
	}()
	for runtime.NumGoroutine() > before || forgotten.Value() != nil {
		runtime.GC()
	}
}
