package batcher

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// laned returns a batcher with two lanes of eight, and what it has flushed.
func laned(t *testing.T, opts ...Option) (b *Batcher[int], flushed func() []int) {
	t.Helper()
	var mu sync.Mutex
	var all []int
	b, err := New(func(_ context.Context, batch []int) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, batch...)
		return nil
	}, append([]Option{WithLanes(2), WithMaxSize(32), WithMaxDelay(time.Second)}, opts...)...)
	require.NoError(t, err)
	return b, func() []int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// The timer fires while an Add is between taking the lane's lock and appending.
func TestP4_TheTimerWaitsForAnAddThatHasALane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b, flushed := laned(t)
		require.NoError(t, b.AddToLane(1, ctx, 1))
		l := &b.lanes.all[1]
		l.mu.Lock()
		time.Sleep(time.Second) // the timer's goroutine is at the lock now, or will be
		for range 10 {
			runtime.Gosched()
		}
		l.items = append(l.items, 2)
		l.mu.Unlock()
		synctest.Wait()
		assert.Equal(t, []int{1, 2}, flushed())
		require.NoError(t, b.Close(ctx))
	})
}

func TestP8_F10_CloseWhileTheTimerWaitsForALane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 50 {
			ctx := context.Background()
			b, flushed := laned(t)
			require.NoError(t, b.AddToLane(0, ctx, 1))
			l := &b.lanes.all[0]
			l.mu.Lock()
			time.Sleep(time.Second)
			var wg sync.WaitGroup
			wg.Go(func() { assert.NoError(t, b.Close(ctx)) })
			for range 10 {
				runtime.Gosched()
			}
			l.items = append(l.items, 2) // an Add that came just before Close
			l.mu.Unlock()
			wg.Wait()
			assert.Equal(t, []int{1, 2}, flushed())
			assert.Equal(t, ErrClosed, b.AddToLane(0, ctx, 3))
		}
	})
}

// Between the barrier of a Flush and its drain, a batch is opened, which is in a later
// epoch, and then gets a chunk of the earlier one: Flush must wait for it, and not
// for its delay.
func TestP7_ABatchThatGetsAnAwaitedChunkIsAwaitedAndDueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b, flushed := laned(t)
		require.NoError(t, b.AddToLane(0, ctx, 1))
		b.engine.mu.Lock()
		barrier := b.engine.epochs.raise()
		b.engine.mu.Unlock()
		require.NoError(t, b.TryAdd(100))
		synctest.Wait()
		assert.Empty(t, flushed())
		for item := range 7 { // fills the chunk: it moves before the drain comes
			require.NoError(t, b.AddToLane(0, ctx, 2+item))
		}
		select {
		case <-barrier.epoch.over:
			require.Fail(t, "Flush returned before the chunk was flushed")
		default:
		}
		synctest.Wait()
		assert.Equal(t, []int{100, 1, 2, 3, 4, 5, 6, 7, 8}, flushed())
		<-barrier.epoch.over
		require.NoError(t, b.Close(ctx))
	})
}

// fullLanes returns a batcher that is full, with a full chunk in lane 0, and what lets
// it go on. Making room by hand shows the moment before a worker calls admit.
func fullLanes(t *testing.T, opts ...Option) (b *Batcher[int], makeRoom, release func()) {
	t.Helper()
	gate := make(chan struct{})
	b, err := New(func(context.Context, []int) error { <-gate; return nil },
		append(opts, WithLanes(2), WithMaxSize(32), WithQueueDepth(1), WithMaxDelay(time.Hour))...)
	require.NoError(t, err)
	_, err = b.AddAll(context.Background(), make([]int, 64))
	require.NoError(t, err)
	for item := range 8 {
		require.NoError(t, b.AddToLane(0, context.Background(), item))
	}
	synctest.Wait()
	makeRoom = func() {
		b.engine.mu.Lock()
		defer b.engine.mu.Unlock()
		b.engine.queueDepth++
	}
	return b, makeRoom, func() { close(gate) }
}

func TestP5_ADrainThatComesBeforeAdmitLetsInThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, makeRoom, release := fullLanes(t)
		var waiting sync.WaitGroup
		for range 3 {
			waiting.Go(func() { assert.NoError(t, b.AddToLane(0, context.Background(), 9)) })
		}
		synctest.Wait()
		assert.Equal(t, 3, b.Stats().Waiting)
		makeRoom()
		b.due(ReasonFlush)
		waiting.Wait()
		assert.Len(t, b.items, 11, "they are in the batch that the drain has opened")
		release()
		require.NoError(t, b.Close(context.Background()))
	})
}

func TestP4_P7_NobodyTakesTheRoomThatWhatLagsInTheLanesWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b, makeRoom, release := fullLanes(t, WithOverflow(Reject))
		b.due(ReasonFlush)
		makeRoom()
		assert.Equal(t, ErrFull, b.TryAdd(1))
		assert.Equal(t, ErrFull, b.AddToLane(0, ctx, 1))
		n, err := b.AddAll(ctx, make([]int, 99))
		assert.Equal(t, ErrFull, err)
		assert.Zero(t, n)
		b.admit(nil)
		assert.Len(t, b.items, 8)
		assert.NoError(t, b.TryAdd(1))
		assert.NoError(t, b.AddToLane(0, ctx, 1))
		release()
		require.NoError(t, b.Close(ctx))
	})
}

func TestP13_TheBuffersOfIdleLanesAreLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b, flushed := laned(t)
		var buffers []weak.Pointer[int]
		add := func(n int) {
			for item := range n {
				for lane := range 2 {
					require.NoError(t, b.AddToLane(lane, ctx, item))
				}
			}
			b.lock()
			defer b.unlock()
			for i := range b.lanes.all {
				buffers = append(buffers, weak.Make(&b.lanes.all[i].items[:1][0]))
			}
		}
		add(3)
		require.NoError(t, b.Flush(ctx))
		add(8) // the lanes are emptied by Add; a drain that finds them empty lets go
		time.Sleep(time.Second)
		add(16) // the batch is sealed by its size, and nothing is held
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Len(t, flushed(), 2*(3+8+16))
		for range 3 {
			runtime.GC()
		}
		for i, buffer := range buffers {
			assert.Nil(t, buffer.Value(), "buffer %d is kept", i)
		}
		require.NoError(t, b.Close(ctx))
		for i := range b.lanes.all {
			assert.Nil(t, b.lanes.all[i].epoch, "an epoch keeps all later ones")
		}
	})
}

func TestP10_NothingThatWentThroughALaneIsReachableFromIt(t *testing.T) {
	ctx := context.Background()
	type payload [1 << 10]byte
	b, err := New(func(context.Context, []*payload) error { return nil },
		WithLanes(2), WithMaxSize(40), WithMaxDelay(time.Hour), WithQueueDepth(2))
	require.NoError(t, err)
	n, err := b.AddAll(ctx, make([]*payload, 5)) // so that a chunk of 10 is split
	require.NoError(t, err)
	require.Equal(t, 5, n)
	var watched []weak.Pointer[payload]
	for i := range 80 {
		p := new(payload)
		if i < 75 { // the others are held
			watched = append(watched, weak.Make(p))
		}
		require.NoError(t, b.AddToLane(0, ctx, p))
	}
	for b.Stats().Flushed < 80 {
		runtime.Gosched()
	}
	for range 5 {
		runtime.GC()
	}
	for i, w := range watched {
		require.Nil(t, w.Value(), "item %d is still reachable", i)
	}
	require.NoError(t, b.Close(ctx))
}

// Under DropOldest, room has come back, or the lanes were drained, in the moment before
// something was to be dropped for what lags.
func TestNothingIsDroppedForLanesIfThereIsRoomAgain(t *testing.T) {
	b, flushed := laned(t, WithOverflow(DropOldest))
	b.dropForLanes()
	require.NoError(t, b.AddToLane(0, context.Background(), 1))
	b.lock()
	b.lagging = true
	b.unlock()
	b.dropForLanes()
	assert.False(t, b.lagging)
	assert.Zero(t, b.Stats().Dropped)
	require.NoError(t, b.Close(context.Background()))
	assert.Equal(t, []int{1}, flushed())
}

func TestEarlierIgnoresZeroTimes(t *testing.T) {
	var none time.Time
	one := time.Now()
	two := one.Add(1)
	assert.Equal(t, none, earlier(none, none))
	assert.Equal(t, one, earlier(one, none))
	assert.Equal(t, one, earlier(none, one))
	assert.Equal(t, one, earlier(one, two))
	assert.Equal(t, one, earlier(two, one))
}

func TestGoroutinesThatAreAliveAtTheSameTimeAreSpreadOverTheLanes(t *testing.T) {
	ls := newLanes[int](8, 1<<20)
	picked := make(map[*lane[int]]int)
	var mu sync.Mutex
	var wg, all sync.WaitGroup
	all.Add(1000)
	for range 1000 {
		wg.Go(func() {
			l := ls.pick()
			mu.Lock()
			picked[l]++
			mu.Unlock()
			all.Done()
			all.Wait() // so that no stack is used twice
		})
	}
	wg.Wait()
	assert.Len(t, picked, 8, "%v", picked)
}
