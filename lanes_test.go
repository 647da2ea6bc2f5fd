package batcher_test

// Lanes, by scripts that say which item goes into which lane: delay, Flush, Close and
// room. The stress is in lanes_stress_test.go.

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

const (
	laneSize  = 32 // the smallest MaxSize with lanes: two of them
	laneChunk = 8
)

// twoLanes are the options of most scripts: two lanes of eight, and room for two batches.
func twoLanes(more ...batcher.Option) options {
	return append(options{
		batcher.WithLanes(2), batcher.WithMaxSize(laneSize), batcher.WithQueueDepth(1),
		batcher.WithMaxDelay(10 * ms),
	}, more...)
}

// addTo adds items by a lane, without waiting.
func (s *stage) addTo(lane int, items ...int) {
	s.Helper()
	began := s.now()
	for _, item := range items {
		require.NoError(s, s.b.AddToLane(lane, background, item), "item %d", item)
	}
	require.Equal(s, began, s.now(), "Add waited")
}

// fill takes the room for two batches, with items from 1000 on, past the lanes.
func (s *stage) fill() {
	s.Helper()
	n, err := s.b.AddAll(background, from(1000, 2*laneSize))
	require.NoError(s, err)
	require.Equal(s, 2*laneSize, n)
	synctest.Wait()
}

// from returns n numbers from first on.
func from(first, n int) []int {
	items := ints(n)
	for i := range items {
		items[i] += first
	}
	return items
}

// visitOf is what saw prints for a call.
func visitOf(at time.Duration, why batcher.Reason, items ...int) string {
	return fmt.Sprint(at, " ", why, " ", items)
}

// filled is how the two batches of fill are flushed by a sink that takes a second.
func filled() []string {
	return []string{
		visitOf(0, batcher.ReasonSize, from(1000, laneSize)...),
		visitOf(sec, batcher.ReasonSize, from(1000+laneSize, laneSize)...),
	}
}

func TestP5_F34_LanesHoldAtMostHalfABatchAndAreFewerForSmallBatches(t *testing.T) {
	for _, c := range []struct{ n, size, lanes, chunk int }{
		{1, math.MaxInt, 0, 0}, {2, 1, 0, 0}, {4096, 2, 0, 0}, {8, 16, 0, 0}, {8, 17, 0, 0},
		{8, 31, 0, 0}, {8, 32, 2, 8}, {2, 47, 2, 11}, {8, 100, 4, 12}, {3, 500, 4, 62},
		{8, 500, 8, 31}, {64, 500, 16, 15}, {5, 1000, 8, 62}, {8, 1024, 8, 64},
		{2, math.MaxInt, 2, 64}, {4096, math.MaxInt, 4096, 64}, {4095, 1 << 16, 4096, 8},
	} {
		b := start(t, discard[int], batcher.WithLanes(c.n), batcher.WithMaxSize(c.size))
		lanes, chunk := b.LaneSizes()
		assert.Equal(t, []int{c.lanes, c.chunk}, []int{lanes, chunk}, "%+v", c)
		for item := range 3 * 4096 {
			require.NoError(t, b.Add(background, item))
		}
		require.EqualValues(t, 3*4096, finish(t, b).Flushed)
	}
	weigh := batcher.WithMaxWeight(9, func(int) int { return 1 })
	weighed := start(t, discard[int], batcher.WithLanes(8), weigh)
	lanes, _ := weighed.LaneSizes()
	assert.Zero(t, lanes, "weights need the batch that they go into")
	finish(t, weighed)
}

func TestP14_F34_LanesOutOfBoundsAndEagerLanesAreRefused(t *testing.T) {
	for _, c := range []struct {
		opts options
		want string
	}{
		{options{batcher.WithLanes(0)}, "WithLanes(0): must be from 1 to 4096"},
		{options{batcher.WithLanes(-1)}, "WithLanes(-1): must be from 1 to 4096"},
		{options{batcher.WithLanes(4097)}, "WithLanes(4097): must be from 1 to 4096"},
		{options{batcher.WithLanes(math.MaxInt)}, "must be from 1 to 4096"},
		{options{batcher.WithLanes(2), batcher.WithEager()}, "WithLanes(2) and WithEager"},
	} {
		b, err := batcher.New(discard[int], c.opts...)
		require.ErrorIs(t, err, batcher.ErrConfig)
		require.ErrorContains(t, err, c.want)
		require.Nil(t, b)
	}
	one := start(t, discard[int], batcher.WithLanes(1), batcher.WithEager())
	require.NoError(t, one.AddWait(background, 1), "one lane is none")
	finish(t, one)
}

func TestP4_AnItemInALaneIsDueExactlyMaxDelayAfterItWasAccepted(t *testing.T) {
	play(t, takes(0), twoLanes(), func(s *stage) {
		s.addTo(1, 1)
		s.until(4 * ms)
		s.addTo(0, 2) // goes along, so that the batch is fuller
		s.until(9 * ms)
		s.saw()
		s.until(12 * ms)
		s.saw("10ms delay [2 1]")
		s.addTo(0, 3)
		s.until(15 * ms)
		require.NoError(s, s.b.Flush(background))
		s.until(19 * ms)
		s.addTo(0, 4) // the timer is set for 22 ms still
		s.until(23 * ms)
		s.addTo(1, 5)
		s.until(28 * ms)
		s.saw("10ms delay [2 1]", "15ms flush [3]")
		s.until(39 * ms)
		s.addTo(1, 6)
		s.until(time.Minute)
		s.saw("10ms delay [2 1]", "15ms flush [3]", "29ms delay [4 5]", "49ms delay [6]")
	})
}

func TestP4_TheFillingBatchIsAsOldAsTheOldestChunkInIt(t *testing.T) {
	play(t, takes(0), twoLanes(), func(s *stage) {
		s.addTo(0, 1)
		s.until(3 * ms)
		require.NoError(s, s.b.TryAdd(100)) // opens the batch
		s.until(5 * ms)
		s.addTo(0, 2, 3, 4, 5, 6, 7, 8) // fills the chunk, which moves
		s.until(7 * ms)
		s.addTo(0, 9)
		s.until(time.Minute)
		s.saw("10ms delay [100 1 2 3 4 5 6 7 8 9]")
		require.Equal(s, time.Duration(0), s.seen()[0].info.FirstAdded.Sub(s.opening))
		require.Equal(s, 10*ms, s.seen()[0].info.Sealed.Sub(s.opening))
	})
}

func TestP3_P4_AChunkIsSplitWhereTheBatchIsFullAndTheRestIsEarlyRatherThanLate(t *testing.T) {
	play(t, takes(0), twoLanes(), func(s *stage) {
		s.addTo(1, 0)
		s.until(1 * ms)
		_, err := s.b.AddAll(background, from(100, laneSize-5))
		require.NoError(s, err)
		s.until(2 * ms)
		s.addTo(1, 1, 2, 3, 4, 5, 6, 7)
		s.until(time.Minute)
		full := append(from(100, laneSize-5), 0, 1, 2, 3, 4)
		s.saw(visitOf(2*ms, batcher.ReasonSize, full...), "10ms delay [5 6 7]")
	})
}

func TestP4_AFullBatchThatTheTimerMakesLeavesTheYoungToTheirOwnDelay(t *testing.T) {
	play(t, takes(0), twoLanes(), func(s *stage) {
		_, err := s.b.AddAll(background, from(100, laneSize-5))
		require.NoError(s, err)
		s.until(6 * ms)
		s.addTo(0, 1, 2, 3, 4, 5)
		s.until(8 * ms)
		s.addTo(1, 6, 7)
		s.until(time.Minute)
		full := append(from(100, laneSize-5), 1, 2, 3, 4, 5)
		s.saw(visitOf(10*ms, batcher.ReasonSize, full...), "18ms delay [6 7]")
	})
}

// A chunk for which there is no room, and no Add ever comes again.
func TestP4_AChunkThatFindsNoRoomGoesWithTheFirstRoomThereIs(t *testing.T) {
	for _, items := range [][]int{{1}, from(1, laneChunk)} {
		play(t, takes(sec), twoLanes(), func(s *stage) {
			s.fill()
			s.addTo(1, items...)
			s.until(500 * ms)
			require.Equal(s, batcher.ErrFull, s.b.TryAdd(-1))
			s.until(time.Minute)
			s.saw(append(filled(), visitOf(2*sec, batcher.ReasonDelay, items...))...)
		})
	}
}

func TestP4_AYoungChunkThatWentWithTheFirstRoomHasItsFullDelay(t *testing.T) {
	play(t, takes(sec), twoLanes(batcher.WithMaxDelay(5*sec)), func(s *stage) {
		s.fill()
		s.addTo(0, from(1, laneChunk)...)
		call := s.call(func() error { return s.b.AddToLane(0, background, 9) })
		s.waiting(call)
		s.returned(call, sec, nil) // the chunk was moved first, then the one who waits
		s.until(time.Minute)
		s.saw(append(filled(), visitOf(5*sec, batcher.ReasonDelay, from(1, 9)...))...)
	})
}

func TestP7_FlushTakesWhatIsInAllLanes(t *testing.T) {
	play(t, takes(sec), twoLanes(batcher.WithMaxDelay(time.Hour)), func(s *stage) {
		s.addTo(0, 1, 2)
		s.addTo(1, 3)
		require.NoError(s, s.b.TryAdd(4))
		flush := s.call(func() error { return s.b.Flush(background) })
		s.waiting(flush)
		s.addTo(0, 5) // does not hold it up
		s.returned(flush, sec, nil)
		s.saw("0s flush [4 1 2 3]")
		require.NoError(s, s.b.Flush(background))
		s.saw("0s flush [4 1 2 3]", "1s flush [5]")
		require.NoError(s, s.b.Flush(endedContext()), "nothing is held")
	})
}

func TestP7_FlushWaitsForChunksThatFindNoRoom(t *testing.T) {
	play(t, takes(sec), twoLanes(batcher.WithMaxDelay(time.Hour)), func(s *stage) {
		s.fill()
		s.addTo(0, 1)
		s.addTo(1, from(2, laneChunk)...)
		var calls []*call
		for range 20 {
			calls = append(calls, s.call(func() error { return s.b.Flush(background) }))
		}
		synctest.Wait()
		s.addTo(0, 10)
		waiting := s.call(func() error { return s.b.AddToLane(1, background, 11) })
		s.waiting(waiting)
		require.Equal(s, 1, s.b.Stats().Waiting)
		for _, c := range calls {
			s.returned(c, 3*sec, nil)
		}
		s.returned(waiting, sec, nil)
		s.saw(append(filled(),
			visitOf(2*sec, batcher.ReasonFlush, append(append([]int{1, 10}, from(2, 8)...), 11)...))...)
	})
}

func TestP7_FlushWaitsForTheRestOfAChunkThatFoundRoomForAPartOnly(t *testing.T) {
	play(t, takes(sec), twoLanes(batcher.WithMaxDelay(time.Hour)), func(s *stage) {
		n, err := s.b.AddAll(background, from(1000, 2*laneSize-3))
		require.NoError(s, err)
		synctest.Wait()
		s.addTo(0, 1, 2, 3, 4)
		s.addTo(1, 5)
		flush := s.call(func() error { return s.b.Flush(background) })
		s.waiting(flush)
		require.Equal(s, batcher.ErrFull, s.b.TryAdd(-1))
		s.returned(flush, 3*sec, nil)
		s.saw(
			visitOf(0, batcher.ReasonSize, from(1000, laneSize)...),
			visitOf(sec, batcher.ReasonSize, append(from(1000+laneSize, laneSize-3), 1, 2, 3)...),
			"2s flush [4 5]")
		require.EqualValues(s, n+5, s.b.Stats().Flushed)
	})
}

func TestP7_FlushReportsTheFailureOfItemsFromALane(t *testing.T) {
	play(t, fails(errSink), twoLanes(), func(s *stage) {
		s.addTo(1, 1)
		require.ErrorIs(s, s.b.Flush(background), errSink)
		require.NoError(s, s.b.Flush(background))
	})
}

func TestP8_CloseDeliversWhatIsInTheLanesThoughThereIsNoRoom(t *testing.T) {
	for _, inLanes := range []int{1, laneChunk} {
		play(t, takes(sec), twoLanes(batcher.WithMaxDelay(time.Hour)), func(s *stage) {
			s.fill()
			s.addTo(0, from(1, inLanes)...)
			s.addTo(1, from(10, inLanes)...)
			require.NoError(s, s.b.Close(background))
			require.Equal(s, 3*sec, s.now())
			s.saw(append(filled(),
				visitOf(2*sec, batcher.ReasonClose, slices.Concat(from(1, inLanes), from(10, inLanes))...))...)
			for lane := range 2 {
				require.Equal(s, batcher.ErrClosed, s.b.AddToLane(lane, background, 1))
			}
			require.Equal(s, batcher.ErrClosed, s.b.Add(background, 1))
			require.Equal(s, batcher.ErrClosed, s.b.Flush(background))
		})
	}
}

func TestP8_ACloseThatGivesUpHandsBackWhatIsInTheLanes(t *testing.T) {
	play(t, takes(sec), twoLanes(), func(s *stage) {
		_, err := s.b.AddAll(background, from(1000, 2*laneSize-1))
		require.NoError(s, err)
		s.addTo(0, 1, 2)
		s.addTo(1, from(3, laneChunk)...) // one goes into the batch
		synctest.Wait()
		answer := answerOf(s.b.Close(endedContext()))
		require.Equal(s, from(1000, laneSize), answer.Unknown)
		sealed, rest := from(1000+laneSize, laneSize-1), append([]int{3, 1, 2}, from(4, laneChunk-1)...)
		require.Equal(s, append(sealed, rest...), answer.Unflushed)
		require.Equal(s, tally{Added: 2*laneSize + 9, Returned: 2*laneSize + 9}, tallyOf(s.b.Stats()))
	})
	play(t, takes(sec), twoLanes(), func(s *stage) {
		s.addTo(0, 1)
		require.NotNil(s, answerOf(s.b.Close(endedContext())))
		require.Equal(s, tally{Added: 1, Returned: 1}, tallyOf(s.b.Stats()))
	})
}

func TestP5_ExactlyTheChunksAreHeldBesidesTheBatches(t *testing.T) {
	opts := twoLanes(batcher.WithMaxDelay(time.Hour), batcher.WithOverflow(batcher.Reject))
	play(t, takes(sec), opts, func(s *stage) {
		s.fill()
		for lane := range 2 {
			s.addTo(lane, ints(laneChunk)...)
			require.Equal(s, batcher.ErrFull, s.b.AddToLane(lane, background, -1))
		}
		held := int64(2*laneSize + 2*laneChunk)
		require.Equal(s, tally{Added: held, Pending: held}, tallyOf(s.b.Stats()))
		s.until(sec)
		synctest.Wait()
		s.addTo(0, 8) // its chunk finds room now, the other one stays
		require.NoError(s, s.b.Close(background))
		last := append(from(0, 9), ints(8)...)
		s.saw(append(filled(), visitOf(2*sec, batcher.ReasonClose, last...))...)
	})
}

func TestP5_OnlyAddUsesTheLanes(t *testing.T) {
	opts := twoLanes(batcher.WithMaxDelay(time.Hour), batcher.WithOverflow(batcher.Reject))
	play(t, takes(sec), opts, func(s *stage) {
		s.fill()
		require.NoError(s, s.b.Add(background, 1), "there is room in its lane")
		require.Equal(s, batcher.ErrFull, s.b.TryAdd(2))
		_, err := s.b.AddAll(background, []int{3})
		require.Equal(s, batcher.ErrFull, err)
		_, err = s.b.Submit(background, 4)
		require.Equal(s, batcher.ErrFull, err)
		require.Equal(s, batcher.ErrFull, s.b.AddWait(background, 5))
		require.NoError(s, s.b.Close(background))
		s.saw(append(filled(), "2s close [1]")...)
	})
}

func TestP5_F18_AProducerThatFindsItsLaneFullWaitsAsAnyOther(t *testing.T) {
	play(t, takes(sec), twoLanes(batcher.WithMaxDelay(time.Hour)), func(s *stage) {
		s.fill()
		s.addTo(0, from(1, laneChunk)...)
		ctx, cancel := context.WithTimeoutCause(background, 300*ms, errEnded)
		defer cancel()
		gone := s.call(func() error { return s.b.AddToLane(0, ctx, -1) })
		s.waiting(gone)
		stays := s.call(func() error { return s.b.AddToLane(0, background, 9) })
		s.waiting(stays)
		require.Equal(s, 2, s.b.Stats().Waiting)
		s.returned(gone, 300*ms, errEnded)
		s.returned(stays, sec, nil)
		require.Equal(s, errEnded, s.b.Add(endedContext(), -2), "room in the lane or not")
		require.NoError(s, s.b.Close(background))
		s.saw(append(filled(), visitOf(2*sec, batcher.ReasonClose, from(1, 9)...))...)
	})
}

func TestP11_AddInsideAFlushUsesALaneAndDoesNotWait(t *testing.T) {
	var b *batcher.Batcher[int]
	var last error
	flush := func(ctx context.Context, nth int, _ []int) error {
		for item := 0; nth == 1 && last == nil; item++ {
			last = b.AddToLane(0, ctx, item)
		}
		return nil
	}
	play(t, flush, twoLanes(), func(s *stage) {
		b = s.b
		_, err := s.b.AddAll(background, from(1000, 2*laneSize))
		require.NoError(s, err)
		synctest.Wait()
		require.Equal(s, batcher.ErrReentrant, last)
	})
}

func TestP1_StatsCountWhatIsInTheLanes(t *testing.T) {
	play(t, takes(sec), twoLanes(batcher.WithMaxDelay(time.Hour)), func(s *stage) {
		s.addTo(1, 1)
		s.until(sec)
		s.addTo(0, 2, 3)
		s.until(2 * sec)
		require.NoError(s, s.b.TryAdd(4))
		s.until(3 * sec)
		stats := s.b.Stats()
		require.Equal(s, tally{Added: 4, Pending: 4}, tallyOf(stats))
		require.Equal(s, 3*sec, stats.OldestAge)
		require.Zero(s, stats.Waiting+stats.QueueDepth+stats.Running)
	})
}

func TestDropNewestDropsWhenTheLaneIsFullToo(t *testing.T) {
	play(t, takes(sec), twoLanes(batcher.WithOverflow(batcher.DropNewest)), func(s *stage) {
		s.fill()
		s.addTo(0, from(1, laneChunk+3)...)
		require.Equal(s, tally{Added: 75, Dropped: 3, Pending: 72}, tallyOf(s.b.Stats()))
		s.addTo(1, 1)
		require.EqualValues(s, 3, s.b.Stats().Dropped)
	})
}

// What lags in the lanes was accepted before: the place of the dropped batch is theirs.
func TestDropOldestLetsTheLanesGoFirst(t *testing.T) {
	play(t, takes(sec), twoLanes(batcher.WithOverflow(batcher.DropOldest)), func(s *stage) {
		s.fill()
		s.addTo(0, from(1, laneChunk)...)
		s.addTo(1, 10)
		s.until(10 * ms)
		synctest.Wait() // the timer has found no room
		require.NoError(s, s.b.TryAdd(20))
		require.EqualValues(s, laneSize, s.b.Stats().Dropped)
		flush := s.call(func() error { return s.b.Flush(background) })
		s.returned(flush, 2*sec, nil)
		s.saw(filled()[0], visitOf(sec, batcher.ReasonDelay, append(from(1, laneChunk), 10, 20)...))
	})
	play(t, takes(sec), twoLanes(batcher.WithOverflow(batcher.DropOldest)), func(s *stage) {
		s.fill()
		s.addTo(0, from(1, laneChunk+1)...) // no room and nothing lags: as without lanes
		require.EqualValues(s, laneSize, s.b.Stats().Dropped)
	})
}

func TestP13_ABatcherWithLanesHasNoGoroutineWhileItWaits(t *testing.T) {
	play(t, takes(0), twoLanes(batcher.WithMaxDelay(time.Hour)), func(s *stage) {
		s.addTo(0, 1)
		s.addTo(1, 2)
		synctest.Wait()
		require.Zero(s, engineGoroutines())
		s.until(time.Hour)
		s.saw("1h0m0s delay [1 2]")
		require.Zero(s, engineGoroutines())
	})
}
