package batcher

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// held returns a batcher that is full, with two batches of one item, and the function
// that lets it go on; seen is what was flushed, once it is closed.
func held(t *testing.T, opts ...Option) (b *Batcher[int], release func(), seen *[][]int) {
	gate := make(chan struct{})
	seen = new([][]int)
	b, err := New(func(_ context.Context, batch []int) error {
		<-gate
		*seen = append(*seen, append([]int{}, batch...))
		return nil
	}, append(opts, WithQueueDepth(1))...)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, b.Add(context.Background(), 10))
		b.sealNow()
		synctest.Wait()
	}
	return b, func() { close(gate) }, seen
}

// sealNow seals the filling batch, if there is one.
func (b *Batcher[T]) sealNow() {
	b.lock()
	defer b.unlock()
	if b.open != nil {
		b.sealLocked(ReasonDelay)
	}
}

func TestP3_P5_TheWeightOfThoseWhoWaitedCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, release, seen := held(t, WithMaxWeight(10, func(n int) int { return n }))
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { assert.NoError(t, b.Add(context.Background(), 6)) })
		}
		synctest.Wait()
		assert.Equal(t, 3, b.Stats().Waiting)
		release()
		wg.Wait()
		require.NoError(t, b.Close(context.Background()))
		assert.Equal(t, [][]int{{10}, {10}, {6}, {6}, {6}}, *seen)
	})
}

func TestAReceiptOfAnItemThatWaitedForRoomIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, release, _ := held(t)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				r, err := b.Submit(context.Background(), 1)
				assert.NoError(t, err)
				assert.NoError(t, r.Wait(context.Background()))
			})
		}
		synctest.Wait()
		release()
		wg.Wait()
		require.NoError(t, b.Close(context.Background()))
	})
}

func TestP5_F18_AWaiterIsNotWokenByWhatWasMeantForAnotherBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, release, seen := held(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.ErrorIs(t, b.Add(ctx, 1), context.DeadlineExceeded)
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, b.Add(context.Background(), 2)) })
		synctest.Wait()
		assert.Equal(t, 1, b.Stats().Waiting)
		release()
		wg.Wait()
		require.NoError(t, b.Close(context.Background()))
		assert.Equal(t, [][]int{{10}, {10}, {2}}, *seen)
	})
}

func TestP10_AWaiterGoesBackBlank(t *testing.T) {
	for _, keep := range []bool{true, false} {
		var l line[*int]
		one := 1
		w := l.join([]*int{&one, &one}, 7, true)
		items, over := w.items, w.over
		l.end(w, ErrClosed)
		<-w.over
		l.put(w, keep)
		assert.Equal(t, []*int{nil, nil}, items, "nothing is kept alive")
		want := &waiter[*int]{over: over}
		if keep {
			want.items = items[:0]
		}
		assert.Equal(t, want, w)
	}
}

func TestOldestAgeCountsAQueuedBatchThatNoWorkerHasTakenYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := New(func(context.Context, []int) error { return nil }, WithMaxSize(1))
		require.NoError(t, err)
		b.engine.working++ // so that none is started
		require.NoError(t, b.Add(context.Background(), 1))
		time.Sleep(time.Minute)
		assert.Equal(t, time.Minute, b.Stats().OldestAge)
		b.engine.work()
		require.NoError(t, b.Close(context.Background()))
	})
}
