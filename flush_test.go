package batcher_test

// Flush as a barrier: what it waits for, what it does not, and what it reports.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestP7_FlushReturnsWhenAllThatWasAcceptedBeforeHasMetItsFate(t *testing.T) {
	opts := options{
		batcher.WithMaxSize(2), batcher.WithQueueDepth(4), batcher.WithRetry(3, constant(time.Minute)),
		batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[int]) { time.Sleep(5 * sec) }),
	}
	// The first batch needs three attempts, the second fails for good, the third is partial.
	flush := inTurn(fails(errSink), fails(errSink), takes(sec), fails(batcher.Permanent(errSink)), takes(sec))
	play(t, flush, opts, func(s *stage) {
		s.submit(1, 2, 3, 4, 5)
		err := s.b.Flush(background)
		require.Equal(s, 2*time.Minute+sec+5*sec+sec, s.now(), "retries and dead letters included")
		s.saw("0s size [1 2]", "1m0s size [1 2]", "2m0s size [1 2]", "2m1s size [3 4]", "2m6s flush [5]")
		require.ErrorIs(s, err, errSink)
		require.Equal(s, []*batcher.FlushError{{Items: 2, Attempts: 1, Err: batcher.Permanent(errSink)}}, failuresIn(err))
		require.Equal(s, tally{Added: 5, Flushed: 3, Failed: 2}, tallyOf(s.b.Stats()))
		s.add(6)
		require.NoError(s, s.b.Flush(background), "it stays open, and old failures are forgotten")
	})
}

func TestP7_FlushIsNotHeldUpByWhatIsAddedAfterIt(t *testing.T) {
	opts := options{batcher.WithMaxSize(2), batcher.WithQueueDepth(9), batcher.WithMaxDelay(time.Hour)}
	play(t, takes(sec), opts, func(s *stage) {
		s.add(1, 2, 3)
		synctest.Wait()
		flush := s.call(func() error { return s.b.Flush(background) })
		s.waiting(flush)
		s.add(4, 5, 6, 7, 8, 9) // 4 travels with 3, the others behind
		s.returned(flush, 2*sec, nil)
		s.saw("0s size [1 2]", "1s size [3 4]", "2s size [5 6]")
		s.until(10 * sec)
		s.saw("0s size [1 2]", "1s size [3 4]", "2s size [5 6]", "3s size [7 8]")
		require.Equal(s, tally{Added: 9, Flushed: 8, Pending: 1}, tallyOf(s.b.Stats()), "9 waits for its delay")
	})
}

func TestP7_FlushMakesDueWhatIsHeldAndNothingElse(t *testing.T) {
	play(t, takes(0), options{batcher.WithMaxSize(10), batcher.WithMaxDelay(10 * ms)}, func(s *stage) {
		s.add(1, 2)
		s.until(4 * ms)
		require.NoError(s, s.b.Flush(background))
		s.saw("4ms flush [1 2]")
		s.until(8 * ms)
		s.add(3) // has its full delay, though the timer was set for 10 ms
		s.until(17 * ms)
		s.saw("4ms flush [1 2]")
		s.until(18 * ms)
		s.saw("4ms flush [1 2]", "18ms delay [3]")
	})
}

func TestP7_FlushWaitsForBatchesOfAllWorkers(t *testing.T) {
	flush := func(ctx context.Context, _ int, items []int) error { // 1 takes the longest
		return pause(ctx, time.Duration(4-items[0])*sec)
	}
	play(t, flush, options{batcher.WithMaxSize(1), batcher.WithWorkers(3)}, func(s *stage) {
		s.add(1, 2, 3)
		require.NoError(s, s.b.Flush(background))
		require.Equal(s, 3*sec, s.now())
	})
	// What another worker makes of later batches does not count.
	flush = func(ctx context.Context, _ int, items []int) error {
		if items[0] == 2 {
			return errSink
		}
		return pause(ctx, sec)
	}
	play(t, flush, options{batcher.WithMaxSize(1), batcher.WithWorkers(2)}, func(s *stage) {
		s.add(1)
		synctest.Wait()
		call := s.call(func() error { return s.b.Flush(background) })
		s.waiting(call)
		s.add(2)
		synctest.Wait()
		require.EqualValues(s, 1, s.b.Stats().Failed)
		s.returned(call, sec, nil)
	})
}

func TestP7_FlushReportsTheFailuresOfTheBatchesThatWereNotSettledWhenItWasCalled(t *testing.T) {
	flush := func(ctx context.Context, _ int, items []int) error {
		return errors.Join(pause(ctx, sec), fmt.Errorf("item %d", items[0]))
	}
	play(t, flush, options{batcher.WithMaxSize(1), batcher.WithQueueDepth(9)}, func(s *stage) {
		s.add(1, 2, 3)
		s.until(1500 * ms) // 1 has failed, 2 is being flushed
		first := s.call(func() error { return s.b.Flush(background) })
		s.waiting(first)
		s.add(4)
		second := s.call(func() error { return s.b.Flush(background) })
		s.waiting(second)
		s.add(5)
		s.returned(first, 3*sec, errOf(first))
		s.returned(second, 4*sec, errOf(second))
		require.Equal(s, []string{"item 2", "item 3"}, causes(first.err))
		require.Equal(s, []string{"item 2", "item 3", "item 4"}, causes(second.err))
		require.Equal(s, []string{"item 5"}, causes(s.b.Flush(background)))
		require.NoError(s, s.b.Flush(background), "with nothing held there is nothing to report")
	})
}

// errOf waits for a call and returns its error, for callers who look at it later.
func errOf(c *call) error {
	<-c.done
	return c.err
}

// causes returns the texts of the causes of the failures joined in err.
func causes(err error) []string {
	texts := []string{}
	for _, failure := range failuresIn(err) {
		texts = append(texts, failure.Err.Error())
	}
	return texts
}

func TestP7_WhatOneFlushReportsIsBoundedAndTheRestIsCounted(t *testing.T) {
	const batches = 1000
	flush := func(ctx context.Context, _ int, items []int) error {
		return errors.Join(pause(ctx, 1), fmt.Errorf("item %d", items[0]))
	}
	opts := options{
		batcher.WithMaxSize(1), batcher.WithQueueDepth(batches),
		batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[int]) {}),
	}
	play(t, flush, opts, func(s *stage) {
		s.add(ints(batches)...)
		err := s.b.Flush(background)
		failures := failuresIn(err)
		require.NotEmpty(s, failures)
		require.LessOrEqual(s, len(failures), 32, "bounded")
		for i, failure := range failures {
			want := batches - len(failures) + i
			require.Equal(s, fmt.Sprintf("item %d", want), failure.Err.Error(), "the last ones, in order")
		}
		require.ErrorContains(s, err, strconv.Itoa(batches-len(failures))+" earlier")
		require.EqualValues(s, batches, s.b.Stats().Failed)
	})
}

func TestP7_FlushReportsWhatDropOldestDropped(t *testing.T) {
	opts := options{
		batcher.WithMaxSize(1), batcher.WithQueueDepth(1), batcher.WithOverflow(batcher.DropOldest),
		batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[int]) {}),
	}
	play(t, takes(sec), opts, func(s *stage) {
		s.add(1)
		synctest.Wait()
		s.add(2)
		call := s.call(func() error { return s.b.Flush(background) })
		s.waiting(call)
		s.add(3) // in place of 2
		s.returned(call, sec, batcher.ErrDropped)
		s.until(2 * sec)
		s.saw("0s size [1]", "1s size [3]")
	})
}

func TestP7_F11_FlushOnEmptyReturnsNilAtOnceAndFlushesNothing(t *testing.T) {
	play(t, takes(sec), nil, func(s *stage) {
		require.NoError(s, s.b.Flush(background))
		require.NoError(s, s.b.Flush(endedContext()), "nothing is held, so nothing has to be waited for")
		s.add(1)
		require.NoError(s, s.b.Flush(background))
		require.NoError(s, s.b.Flush(background))
		require.NoError(s, s.b.Flush(endedContext()))
		require.Equal(s, sec, s.now())
		s.saw("0s flush [1]")
	})
}

func TestP7_F11_FlushFromFiftyGoroutinesIsOneBatch(t *testing.T) {
	play(t, takes(sec), options{batcher.WithMaxSize(10)}, func(s *stage) {
		s.add(1, 2, 3)
		var calls []*call
		for range 50 {
			calls = append(calls, s.call(func() error { return s.b.Flush(background) }))
		}
		for _, c := range calls {
			s.returned(c, sec, nil)
		}
		s.saw("0s flush [1 2 3]")
	})
}

// "Flush returned before what was enqueued was exported": here, fifty goroutines
// each flush what they have just added, while all the others do.
func TestP7_F11_FlushFromFiftyGoroutinesThatAddCoversEachOnesItems(t *testing.T) {
	const goroutines, rounds = 50, 40
	for _, workers := range []int{1, 4} {
		var flushed [goroutines * rounds]atomic.Bool
		b := start(t, func(_ context.Context, items []int) error {
			for _, item := range items {
				runtime.Gosched()
				flushed[item].Store(true)
			}
			return nil
		}, batcher.WithMaxSize(7), batcher.WithWorkers(workers), batcher.WithMaxDelay(time.Hour))
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for round := range rounds {
					item := g*rounds + round
					assert.NoError(t, b.Add(background, item))
					assert.NoError(t, b.Flush(background))
					if !flushed[item].Load() {
						assert.Fail(t, "Flush returned before the item was flushed", "%d", item)
					}
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, goroutines*rounds, finish(t, b).Flushed)
	}
}

func TestP7_F11_FlushUnderAFloodOfAddsIsNotStarved(t *testing.T) {
	const producers, flushes = 4, 300
	var empty atomic.Bool
	b := start(t, func(_ context.Context, items []int) error {
		if len(items) == 0 {
			empty.Store(true)
		}
		return nil
	}, batcher.WithMaxSize(50), batcher.WithQueueDepth(1), batcher.WithMaxDelay(time.Hour))

	var wg sync.WaitGroup
	var over atomic.Bool
	for range producers {
		wg.Go(func() {
			for !over.Load() { // the flood lasts for as long as Flush is called
				assert.NoError(t, b.Add(background, 1))
			}
		})
	}
	for range flushes {
		r, err := b.Submit(background, 2)
		require.NoError(t, err)
		require.NoError(t, b.Flush(background))
		select {
		case <-r.Done():
		default:
			require.Fail(t, "Flush returned before the item met its fate")
		}
	}
	over.Store(true)
	wg.Wait()
	finish(t, b)
	require.False(t, empty.Load(), "an empty batch was flushed")
}

// A flood in virtual time, that no goroutine ever lets up: Flush returns after
// exactly the batches that were there before it.
func TestP7_F11_FlushUnderAFloodWaitsForWhatWasThereBeforeOnly(t *testing.T) {
	play(t, takes(sec), options{batcher.WithMaxSize(2), batcher.WithQueueDepth(2)}, func(s *stage) {
		flood, stop := context.WithCancel(background)
		defer stop()
		for item := range 20 {
			s.call(func() error {
				for {
					if err := s.b.Add(flood, item); err != nil {
						return err
					}
				}
			})
		}
		for range 10 {
			synctest.Wait() // the flood has filled all three batches that may be held
			began := s.now()
			require.NoError(s, s.b.Flush(background))
			require.Equal(s, 3*sec, s.now()-began)
		}
	})
}

func TestP7_P8_F11_FlushRacingCloseReturns(t *testing.T) {
	for round := range 300 {
		b := start(t, func(_ context.Context, items []int) error {
			if len(items) == 0 {
				return errors.New("an empty batch")
			}
			return nil
		}, batcher.WithMaxSize(2), batcher.WithMaxDelay(time.Duration(1+round)))
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for {
					if err := b.Add(background, g); err != nil {
						assert.Equal(t, batcher.ErrClosed, err)
						return
					}
					if err := b.Flush(background); err != nil {
						assert.Equal(t, batcher.ErrClosed, err)
						return
					}
				}
			})
		}
		for range round % 64 {
			runtime.Gosched()
		}
		require.NoError(t, b.Close(background))
		wg.Wait()
		stats := b.Stats()
		require.Equal(t, stats.Added, stats.Flushed)
	}
}

func TestP7_F12_FlushWhoseContextEndsFirstReturnsTheCauseAndTheBatchGoesOn(t *testing.T) {
	play(t, takes(sec), options{batcher.WithMaxSize(2)}, func(s *stage) {
		s.add(1, 2, 3)
		ctx, cancel := context.WithTimeoutCause(background, 300*ms, errEnded)
		defer cancel()
		require.Equal(s, errEnded, s.b.Flush(ctx))
		require.Equal(s, 300*ms, s.now())
		require.Equal(s, errEnded, s.b.Flush(endedContext()), "something is held")
		require.Equal(s, 300*ms, s.now())

		require.NoError(s, s.b.Flush(background), "a later one is right all the same")
		require.Equal(s, 2*sec, s.now())
		s.saw("0s size [1 2]", "1s flush [3]")
		for _, v := range s.seen() {
			require.Equal(s, context.Canceled, v.ctx.Err(), "they ended because the function returned")
		}
		require.Equal(s, tally{Added: 3, Flushed: 3}, tallyOf(s.b.Stats()))
	})
}

// A Flush that was given up must leave nothing behind: neither what it would have
// reported, nor a grain of memory for each call while the sink hangs.
func TestP7_F12_FlushesThatAreGivenUpLeaveNothingBehind(t *testing.T) {
	play(t, inTurn(takes(20*sec), fails(errSink)), options{batcher.WithMaxSize(1)}, func(s *stage) {
		s.add(1, 2)
		for range 10 {
			ctx, cancel := context.WithTimeout(background, sec)
			require.Equal(s, context.DeadlineExceeded, s.b.Flush(ctx))
			cancel()
		}
		require.Equal(s, 10*sec, s.now())
		s.until(20 * sec)
		synctest.Wait()
		require.NoError(s, s.b.Flush(background), "the failure was before this call")
	})
	held := make(chan struct{})
	b := start(t, func(context.Context, []int) error { <-held; return nil }, batcher.WithMaxSize(1))
	require.NoError(t, b.Add(background, 1))
	ended := endedContext()
	before := heapObjects()
	const flushes = 100_000
	for range flushes {
		_ = b.Flush(ended)
	}
	kept := heapObjects() - before
	close(held)
	finish(t, b)
	assert.Less(t, kept, int64(flushes/10), "objects kept alive by %d calls of Flush that have returned", flushes)
}

// heapObjects returns how many objects are alive.
func heapObjects() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapObjects)
}
