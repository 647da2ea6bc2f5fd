package batcher_test

// Time: when a batch is due, to the nanosecond, in virtual time.

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestP4_F21_ABatchIsDueMaxDelayAfterItsFirstItemExactly(t *testing.T) {
	play(t, takes(0), options{batcher.WithMaxDelay(10 * ms)}, func(s *stage) {
		s.until(3*ms + 7)
		s.add(1)
		s.until(13*ms + 6)
		s.saw()
		s.until(13*ms + 7)
		s.saw("13.000007ms delay [1]")
		info := s.seen()[0].info
		require.Equal(s, 3*ms+7, info.FirstAdded.Sub(s.opening))
		require.Equal(s, 13*ms+7, info.Sealed.Sub(s.opening))
	})
}

// "Timer reset by every add: never fires."
func TestP4_F21_LaterItemsDoNotPutTheDeadlineOff(t *testing.T) {
	play(t, takes(0), options{batcher.WithMaxDelay(10 * ms)}, func(s *stage) {
		for item := range 25 {
			s.until(time.Duration(item) * ms)
			s.add(item)
		}
		s.until(100 * ms)
		// In the instant in which a batch is due, an item may come before the worker does, or after.
		all := []int{}
		for _, v := range s.seen() {
			first := time.Duration(v.items[0]) * ms
			require.Equal(s, first+10*ms, v.at)
			require.Equal(s, batcher.ReasonDelay, v.info.Reason)
			all = append(all, v.items...)
		}
		require.Equal(s, ints(25), all)
	})
}

// "One ticker: real delay between T and 2T."
func TestP4_F21_TheDeadlineIsNotPeriodic(t *testing.T) {
	play(t, takes(0), options{batcher.WithMaxDelay(10 * ms)}, func(s *stage) {
		s.add(1)
		s.until(19 * ms)
		s.add(2)
		s.until(20 * ms)
		s.saw("10ms delay [1]")
		s.until(35 * ms)
		s.add(3)
		s.until(time.Hour)
		s.add(4)
		s.until(2 * time.Hour)
		s.saw("10ms delay [1]", "29ms delay [2]", "45ms delay [3]", "1h0m0.01s delay [4]")
	})
}

// "A stale timer flushes the next batch early": whatever cut the batch that the
// timer was set for, and whenever the next one begins.
func TestP4_F22_TheBatchAfterACutGetsItsFullDelay(t *testing.T) {
	cuts := map[string]struct {
		cut    func(s *stage)
		opts   options
		reason batcher.Reason
	}{
		"size": {func(s *stage) { s.add(2) }, options{batcher.WithMaxSize(2)}, batcher.ReasonSize},
		"weight": {
			func(s *stage) { s.add(2) },
			options{batcher.WithMaxWeight(2, func(int) int { return 1 })}, batcher.ReasonWeight,
		},
		"flush": {func(s *stage) { require.NoError(s, s.b.Flush(background)) }, nil, batcher.ReasonFlush},
	}
	for name, c := range cuts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for cutAt := time.Duration(0); cutAt < 10*ms; cutAt += ms {
					for _, gap := range []time.Duration{0, 1, 500 * time.Microsecond, ms, 5 * ms, 10*ms - 1, 10 * ms, 25 * ms} {
						s := open(t, takes(0), append(c.opts, batcher.WithMaxDelay(10*ms))...)
						s.add(1)
						s.until(cutAt)
						c.cut(s)
						s.until(cutAt + gap)
						s.add(3)
						s.until(cutAt + gap + 10*ms - 1)
						synctest.Wait()
						require.Len(t, s.seen(), 1, "cut at %v, next item %v later: flushed early", cutAt, gap)
						require.Equal(t, c.reason, s.seen()[0].info.Reason)
						s.until(cutAt + gap + 10*ms)
						synctest.Wait()
						require.Len(t, s.seen(), 2, "cut at %v, next item %v later: flushed late", cutAt, gap)
						require.Equal(t, []int{3}, s.seen()[1].items)
						require.Equal(t, batcher.ReasonDelay, s.seen()[1].info.Reason)
						s.end()
					}
				}
			})
		})
	}
}

func TestP4_F22_TheSecondItemOfAWeighedBatchBeginsABatchWithItsOwnDelay(t *testing.T) {
	weight := batcher.WithMaxWeight(10, func(item int) int { return item })
	play(t, takes(0), options{weight, batcher.WithMaxDelay(10 * ms)}, func(s *stage) {
		s.add(7)
		s.until(6 * ms)
		s.add(8) // does not fit beside 7
		s.until(time.Second)
		s.saw("6ms weight [7]", "16ms delay [8]")
	})
}

// "A slow sink gets full batches, not many small ones."
func TestP4_ADueBatchKeepsFillingWhileNoWorkerIsIdle(t *testing.T) {
	opts := options{batcher.WithMaxSize(5), batcher.WithMaxDelay(10 * ms), batcher.WithQueueDepth(3)}
	play(t, takes(100*ms), opts, func(s *stage) {
		s.add(1)
		s.until(10 * ms) // [1] is due, and taken
		synctest.Wait()
		for item := 2; item <= 9; item++ {
			s.until(time.Duration(item) * 11 * ms)
			s.add(item)
		}
		s.until(sec)
		s.saw("10ms delay [1]", "110ms size [2 3 4 5 6]", "210ms delay [7 8 9]")
		require.Equal(s, 77*ms, s.seen()[2].info.FirstAdded.Sub(s.opening))
		require.Equal(s, 66*ms, s.seen()[1].info.Sealed.Sub(s.opening), "sealed when it was full")
		require.Equal(s, 210*ms, s.seen()[2].info.Sealed.Sub(s.opening), "sealed when the worker took it")
	})
}

func TestP4_ADueBatchIsFlushedAtOnceIfAnyWorkerIsIdle(t *testing.T) {
	opts := options{batcher.WithMaxDelay(10 * ms), batcher.WithWorkers(2)}
	play(t, takes(15*ms), opts, func(s *stage) {
		for item := range 4 {
			s.until(time.Duration(item) * 11 * ms)
			s.add(item)
		}
		s.until(sec)
		s.saw("10ms delay [0]", "21ms delay [1]", "32ms delay [2]", "43ms delay [3]")
	})
}

// "A lone item waits the whole delay for nothing."
func TestP4_WithEagerAnItemThatFindsAnIdleWorkerWaitsForNothing(t *testing.T) {
	opts := options{batcher.WithEager(), batcher.WithMaxDelay(time.Hour), batcher.WithMaxSize(4)}
	play(t, takes(10*ms), opts, func(s *stage) {
		s.until(ms)
		s.add(1)
		synctest.Wait()
		s.until(3 * ms)
		s.add(2, 3)
		s.until(5 * ms)
		s.add(4)
		s.until(12 * ms)
		s.add(5, 6, 7, 8, 9)
		s.until(sec)
		s.saw("1ms eager [1]", "11ms eager [2 3 4]", "21ms size [5 6 7 8]", "31ms eager [9]")
	})
}

// Three callers cut the same batch in the same instant; only one of them does.
func TestP4_F13_TimerFlushAndCloseInTheSameInstantCutOneBatchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reasons := map[batcher.Reason]int{}
		for range 500 {
			s := open(t, takes(0), batcher.WithMaxDelay(10*ms))
			s.add(1, 2)
			flush := s.call(func() error { s.until(10 * ms); return s.b.Flush(background) })
			closing := s.call(func() error { s.until(10 * ms); return s.b.Close(background) })
			s.returned(closing, 10*ms, nil)
			if <-flush.done; flush.err != nil {
				s.returned(flush, 10*ms, batcher.ErrClosed)
			}
			require.Equal(t, []string{"10ms [1 2]"}, s.flushes())
			requireReasonsCounted(s)
			reasons[s.seen()[0].info.Reason]++
			s.end()
		}
		for reason := range reasons {
			require.Contains(t, []batcher.Reason{
				batcher.ReasonDelay, batcher.ReasonFlush, batcher.ReasonClose,
			}, reason)
		}
	})
}

// With the item that fills the batch coming in the same instant, too, it travels
// with the others or in a batch of its own, or is refused.
func TestP4_F13_SizeTimerFlushAndCloseInTheSameInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 500 {
			s := open(t, takes(0), batcher.WithMaxDelay(10*ms), batcher.WithMaxSize(3))
			s.add(1, 2)
			add := s.call(func() error { s.until(10 * ms); return s.b.Add(background, 3) })
			flush := s.call(func() error { s.until(10 * ms); return s.b.Flush(background) })
			closing := s.call(func() error { s.until(10 * ms); return s.b.Close(background) })
			s.returned(closing, 10*ms, nil)
			<-flush.done
			switch <-add.done; add.err {
			case nil:
				require.Contains(t, [][]string{{"10ms [1 2 3]"}, {"10ms [1 2]", "10ms [3]"}}, s.flushes())
			default:
				require.Equal(t, batcher.ErrClosed, add.err)
				require.Equal(t, []string{"10ms [1 2]"}, s.flushes())
			}
			requireReasonsCounted(s)
			s.end()
		}
	})
}

// requireReasonsCounted checks that every batch was counted once, under the reason
// that its flush was told.
func requireReasonsCounted(s *stage) {
	s.Helper()
	want := batcher.Stats{}.Batches
	for _, v := range s.seen() {
		want[v.info.Reason]++
	}
	require.Equal(s, want, s.b.Stats().Batches, "Stats.Batches")
}

func TestP14_F23_AMaxDelayThatIsNotPositiveIsRefused(t *testing.T) {
	for _, d := range []time.Duration{0, -1, math.MinInt64} {
		_, err := batcher.New(func(context.Context, []int) error { return nil }, batcher.WithMaxDelay(d))
		require.ErrorIs(t, err, batcher.ErrConfig, "zero must not mean the default")
		require.ErrorContains(t, err, fmt.Sprintf("WithMaxDelay(%v)", d))
	}
}

func TestP4_F23_TheLargestMaxDelayNeverFires(t *testing.T) {
	play(t, takes(0), options{batcher.WithMaxDelay(math.MaxInt64), batcher.WithMaxSize(3)}, func(s *stage) {
		s.add(1)
		s.until(100 * 365 * 24 * time.Hour)
		s.saw()
		s.add(2, 3) // full
		s.saw("876000h0m0s size [1 2 3]")
		s.add(4)
		time.Sleep(100 * 365 * 24 * time.Hour)
		s.saw("876000h0m0s size [1 2 3]")
		require.EqualValues(s, 1, s.b.Stats().Pending)
	})
}

func TestP4_F23_ANanosecondOfDelayUnderLoadIsNoLivelock(t *testing.T) {
	const producers, each = 4, 5000
	delivered := 0
	b := start(t, func(_ context.Context, items []int) error { delivered += len(items); return nil },
		batcher.WithMaxDelay(1), batcher.WithMaxSize(100))
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for item := range each {
				assert.NoError(t, b.Add(background, item))
			}
		})
	}
	wg.Wait()
	finish(t, b)
	require.Equal(t, producers*each, delivered)
}

// Times that carry a monotonic reading are compared by it, so a wall clock that is
// set back or forth has no effect on the delay.
func TestF24_TheDelayIsMeasuredOnTheMonotonicClock(t *testing.T) {
	var info batcher.Info
	b := start(t, func(ctx context.Context, _ []int) error { info, _ = batcher.InfoFrom(ctx); return nil },
		batcher.WithMaxDelay(time.Microsecond))
	require.NoError(t, b.AddWait(background, 1))
	finish(t, b)
	require.True(t, strings.Contains(info.FirstAdded.String(), " m="), "FirstAdded has no monotonic reading")
	require.True(t, strings.Contains(info.Sealed.String(), " m="), "Sealed has no monotonic reading")
}

func TestF25_ExponentialBackoffStaysWithinItsBoundsForAllArguments(t *testing.T) {
	durations := []time.Duration{
		math.MinInt64, -sec, -1, 0, 1, 2, ms, sec, time.Hour, math.MaxInt64 / 2, math.MaxInt64 - 1, math.MaxInt64,
	}
	attempts := []int{math.MinInt, -1, 0, 1, 2, 3, 10, 33, 34, 35, 61, 62, 63, 64, 65, 1000, math.MaxInt}
	for _, base := range durations {
		for _, limit := range durations {
			backoff := batcher.ExponentialBackoff(base, limit)
			for _, attempt := range attempts {
				for range 20 {
					d := backoff(attempt)
					if d < 0 || d > max(limit, 0) || base <= 0 && d != 0 {
						require.Fail(t, "out of bounds", "ExponentialBackoff(%d, %d)(%d) = %d", base, limit, attempt, d)
					}
				}
			}
		}
	}
}

func TestF25_ThereIsNoPauseAfterTheLastAttempt(t *testing.T) {
	asked := []int{}
	backoff := func(attempt int) time.Duration {
		asked = append(asked, attempt)
		return time.Duration(attempt) * sec
	}
	play(t, fails(errSink), options{batcher.WithMaxSize(1), batcher.WithRetry(4, backoff)}, func(s *stage) {
		require.ErrorIs(s, s.b.AddWait(background, 1), errSink)
		require.Equal(s, 6*sec, s.now())
		s.saw("0s size [1]", "1s size [1]", "3s size [1]", "6s size [1]")
		require.Equal(s, []int{1, 2, 3}, asked)
	})
}

// "Busy spin", and P13: while a batch waits for its delay, nothing runs at all.
func TestP13_NoGoroutineRunsWhileABatchWaitsForItsDelay(t *testing.T) {
	play(t, takes(0), options{batcher.WithMaxDelay(time.Hour), batcher.WithWorkers(4)}, func(s *stage) {
		for item := range 10 {
			s.add(item)
			synctest.Wait()
			require.Zero(s, engineGoroutines())
		}
		s.until(time.Hour)
		synctest.Wait()
		require.Len(s, s.seen(), 1)
		require.Zero(s, engineGoroutines())
	})
}
