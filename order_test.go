package batcher_test

// Order: what one worker keeps, and what more of them keep.

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestP2_OneWorkerKeepsTheOrderAcrossRetries(t *testing.T) {
	flush := inTurn(fails(errSink), fails(errSink), takes(ms), fails(errSink), takes(ms))
	opts := options{batcher.WithMaxSize(2), batcher.WithQueueDepth(3), batcher.WithRetry(5, constant(sec))}
	play(t, flush, opts, func(s *stage) {
		s.add(1, 2, 3, 4, 5)
		require.NoError(s, s.b.Close(background))
		s.saw(
			"0s size [1 2]", "1s size [1 2]", "2s size [1 2]",
			"2.001s size [3 4]", "3.001s size [3 4]", "3.002s close [5]")
	})
}

func TestP2_OneWorkerKeepsTheOrderAcrossSplits(t *testing.T) {
	tooLarge := func(ctx context.Context, _ int, items []int) error {
		if len(items) > 2 {
			return batcher.TooLarge(errSink)
		}
		return pause(ctx, sec)
	}
	opts := options{batcher.WithMaxSize(5), batcher.WithMaxDelay(time.Hour)}
	play(t, tooLarge, opts, func(s *stage) {
		s.add(1, 2, 3, 4, 5, 6)
		require.NoError(s, s.b.Close(background))
		s.saw(
			"0s size [1 2 3 4 5]", "0s size [1 2 3]", "0s size [1 2]", "1s size [3]", "2s size [4 5]", "3s close [6]")
	})

	poison := func(ctx context.Context, _ int, items []int) error {
		if slices.Contains(items, 3) {
			return batcher.Permanent(errSink)
		}
		return pause(ctx, sec)
	}
	play(t, poison, append(opts, batcher.WithBisect()), func(s *stage) {
		s.add(1, 2, 3, 4, 5, 6)
		require.NoError(s, s.b.Close(background))
		s.saw(
			"0s size [1 2 3 4 5]", "0s size [1 2 3]", "0s size [1 2]", "1s size [3]", "1s size [4 5]", "2s close [6]")
	})
}

func TestP2_WhatIsLeftOfABatchIsRetriedInOrderBeforeTheNextBatch(t *testing.T) {
	partial := fails(&batcher.PartialError{Errs: map[int]error{3: errSink, 1: batcher.Permanent(errSink), 0: errSink}})
	opts := options{batcher.WithMaxSize(4), batcher.WithRetry(2, constant(sec))}
	play(t, inTurn(partial, takes(0)), opts, func(s *stage) {
		s.add(1, 2, 3, 4, 5)
		require.NoError(s, s.b.Close(background))
		s.saw("0s size [1 2 3 4]", "1s size [1 4]", "1s close [5]")
		require.Equal(s, tally{Added: 5, Flushed: 4, Failed: 1}, tallyOf(s.b.Stats()))
	})
}

func TestP2_AFlushThatLeavesByGoexitOrPanicsDoesNotUpsetTheOrder(t *testing.T) {
	flush := inTurn(
		func(context.Context, int, []int) error { runtime.Goexit(); return nil },
		func(context.Context, int, []int) error { panic("boom") },
		takes(sec))
	play(t, flush, options{batcher.WithMaxSize(1), batcher.WithQueueDepth(9)}, func(s *stage) {
		s.add(1, 2, 3, 4)
		require.NoError(s, s.b.Close(background))
		s.saw("0s size [1]", "0s size [2]", "0s size [3]", "1s size [4]")
	})
}

func TestP2_F14_WhatIsSealedWhileAllWorkersAreBusyWaitsInOrder(t *testing.T) {
	play(t, takes(sec), options{batcher.WithMaxSize(2), batcher.WithQueueDepth(3)}, func(s *stage) {
		s.add(1, 2, 3, 4, 5, 6, 7, 8)
		synctest.Wait()
		stats := s.b.Stats()
		require.Equal(s, 1, stats.Running)
		require.Equal(s, 3, stats.QueueDepth)
		require.Equal(s, batcher.ErrFull, s.b.TryAdd(9), "the queue is bounded")
		s.until(500 * ms)
		require.Equal(s, 500*ms, s.b.Stats().OldestAge)
		require.NoError(s, s.b.Close(background))
		s.saw("0s size [1 2]", "1s size [3 4]", "2s size [5 6]", "3s size [7 8]")
	})
}

func TestP2_F14_WorkersTakeBatchesInOrder(t *testing.T) {
	opts := options{batcher.WithMaxSize(2), batcher.WithWorkers(2), batcher.WithQueueDepth(4)}
	play(t, func(ctx context.Context, nth int, _ []int) error {
		return pause(ctx, time.Duration(nth)*sec)
	}, opts, func(s *stage) {
		s.add(1, 2)
		synctest.Wait()
		s.add(3, 4)
		synctest.Wait()
		s.add(5, 6, 7, 8, 9)
		require.NoError(s, s.b.Close(background))
		s.saw("0s size [1 2]", "0s size [3 4]", "1s size [5 6]", "2s size [7 8]", "4s close [9]")
	})
}

func TestP2_AddAllKeepsItsItemsTogetherWhenNobodyElseAdds(t *testing.T) {
	play(t, takes(0), options{batcher.WithMaxSize(3), batcher.WithMaxDelay(10 * ms)}, func(s *stage) {
		s.add(0)
		n, err := s.b.AddAll(background, []int{1, 2, 3, 4, 5, 6, 7})
		require.NoError(s, err)
		require.Equal(s, 7, n)
		s.until(sec)
		s.saw("0s size [0 1 2]", "0s size [3 4 5]", "10ms delay [6 7]")
	})
}

// Many producers on one worker, each with all the ways to hand an item over: the
// items of each arrive in the order in which it was told that they were accepted,
// though batches fail, panic and are retried meanwhile.
func TestP2_EachProducersItemsStayInOrderWithOneWorker(t *testing.T) {
	const producers, each = 8, 2000
	for _, eager := range []bool{false, true} {
		var delivered []int // by the one worker; read after Close
		opts := options{
			batcher.WithMaxSize(5), batcher.WithQueueDepth(1), batcher.WithMaxDelay(50 * time.Microsecond),
			batcher.WithRetry(3, constant(0)),
		}
		if eager {
			opts = append(opts, batcher.WithEager())
		}
		failed := 0
		b := start(t, func(_ context.Context, items []int) error {
			if failed++; failed%3 != 0 { // two attempts of three
				return errSink
			}
			delivered = append(delivered, items...)
			return nil
		}, opts...)
		var accepted [producers]int
		var wg sync.WaitGroup
		for p := range producers {
			wg.Go(func() {
				for ; accepted[p] < each; accepted[p]++ {
					assert.NoError(t, handOver(b, p+accepted[p], p<<24|accepted[p]))
				}
			})
		}
		wg.Wait()
		finish(t, b)
		requireEachInOrder(t, accepted[:], delivered)
	}
}

func TestP2_MoreWorkersKeepTheOrderWithinABatch(t *testing.T) {
	const items = 10_000
	var mu sync.Mutex
	seen := make(map[int]bool)
	b := start(t, func(_ context.Context, batch []int) error {
		mu.Lock()
		defer mu.Unlock()
		for i, item := range batch {
			if item != batch[0]+i { // one producer: a batch is a run of its items
				assert.Fail(t, "out of order", "%v", batch)
			}
			seen[item] = true
		}
		return nil
	}, batcher.WithMaxSize(7), batcher.WithWorkers(4))
	for item := range items {
		require.NoError(t, b.Add(background, item))
	}
	finish(t, b)
	require.Len(t, seen, items)
}
