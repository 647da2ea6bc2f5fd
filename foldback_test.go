package batcher_test

// WithFoldBack: what is out of attempts is combined into the batch that fills.

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// growing waits for 10 ms more after each attempt.
func growing(attempt int) time.Duration { return time.Duration(attempt) * 10 * ms }

// folding are the options of most scripts here: due after 5 ms, no second attempt.
func folding(opts ...batcher.Option) options {
	return append(options{batcher.WithMaxDelay(5 * ms), batcher.WithRetry(1, growing), batcher.WithFoldBack()}, opts...)
}

func TestP1_ABatchOutOfAttemptsIsFoldedIntoTheFillingOne(t *testing.T) {
	playCounts(t, answers(errSink), folding(), func(s *countStage) {
		s.add("a", "a", "b")
		s.until(14 * ms)
		s.add("a", "c")
		s.until(15 * ms) // the pause of 10 ms is over; the other batch is due 5 ms after its first value
		s.saw("5ms delay a=2 b=1")
		st := s.c.Stats()
		require.EqualValues(t, 1, st.Folded, "a; b has moved")
		require.Equal(t, tally{Added: 4, Pending: 3}, tallyOf(st))
		require.EqualValues(t, 5, st.Added+st.Merged, "the values accepted")
		require.Equal(t, 15*ms, st.OldestAge, "of the value that has waited longest")
		s.until(30 * ms)
		s.saw("5ms delay a=2 b=1", "19ms delay a=3 b=1 c=1")
		require.Equal(t, s.opening, s.visits[1].info.FirstAdded)
		require.Equal(t, []int{1, 2}, s.attempts())
		st = s.c.Stats()
		require.EqualValues(t, 1, st.Folded)
		require.Equal(t, tally{Added: 4, Flushed: 3}, tallyOf(st))
		require.EqualValues(t, 1, st.Retries)
		require.Empty(t, s.mail.letters)
	})
}

func TestP4_ADueBatchReceivesWhatIsFoldedBackAndGoesAtOnce(t *testing.T) {
	playCounts(t, answers(errSink), folding(), func(s *countStage) {
		s.add("a")
		s.until(6 * ms)
		s.add("a", "b")
		s.until(50 * ms)
		s.saw("5ms delay a=1", "15ms delay a=2 b=1")
	})
}

func TestTheBackoffGrowsOverFoldBacksAndASuccessResetsIt(t *testing.T) {
	playCounts(t, answers(errSink, errSink, errSink, nil, errSink), folding(), func(s *countStage) {
		for at := time.Duration(0); at < 200*ms; at += 10 * ms {
			s.until(at)
			s.add("a")
		}
		// Failed at 5, paused 10; folded at 15, when the batch of 10 is due; failed at
		// 15, paused 20; folded at 35; failed at 35, paused 30; folded at 65.
		s.until(300 * ms)
		s.saw("5ms delay a=1", "15ms delay a=2", "35ms delay a=4", "65ms delay a=7",
			"75ms delay a=1", "85ms delay a=2", "95ms delay a=1", "105ms delay a=1", "115ms delay a=1",
			"125ms delay a=1", "135ms delay a=1", "145ms delay a=1", "155ms delay a=1", "165ms delay a=1",
			"175ms delay a=1", "185ms delay a=1", "195ms delay a=1")
		require.Equal(t, []int{1, 2, 3, 4, 1, 2, 1}, s.attempts()[:7])
		st := s.c.Stats()
		require.EqualValues(t, 20, st.Added+st.Merged)
	})
}

func TestABatchIsTriedAgainAsItIsWhileNothingFills(t *testing.T) {
	playCounts(t, answers(errSink, errSink, errSink), folding(), func(s *countStage) {
		s.add("a")
		s.until(200 * ms)
		s.saw("5ms delay a=1", "15ms delay a=1", "35ms delay a=1", "65ms delay a=1")
		require.Equal(t, []int{1, 2, 3, 4}, s.attempts())
		st := s.c.Stats()
		require.Zero(t, st.Folded)
		require.EqualValues(t, 3, st.Retries)
	})
}

func TestP2_OlderValuesDoNotOvertakeSealedNewerOnes(t *testing.T) {
	playCounts(t, answers(errSink), folding(batcher.WithMaxSize(2)), func(s *countStage) {
		s.add("a")
		s.until(6 * ms)
		s.add("a", "b") // sealed
		s.add("a")
		s.until(100 * ms)
		s.saw("5ms delay a=1", "15ms delay a=1", "15ms size a=1 b=1", "15ms delay a=1")
		require.Zero(t, s.c.Stats().Folded)
	})
}

func TestP3_WhatHasNoPlaceInTheFillingBatchIsTriedAgainAsItIs(t *testing.T) {
	playCounts(t, answers(errSink), folding(batcher.WithMaxSize(3), batcher.WithShards(1)), func(s *countStage) {
		s.add("a", "b", "c")
		s.until(7 * ms)
		s.add("d", "c")
		s.until(100 * ms) // a gets the last place, b none, and c finds its key
		s.saw("0s size a=1 b=1 c=1", "10ms size b=1", "10ms size a=1 c=2 d=1")
		require.Equal(t, []int{1, 2, 2}, s.attempts())
		st := s.c.Stats()
		require.Equal(t, tally{Added: 5, Flushed: 4}, tallyOf(st))
		require.EqualValues(t, 1, st.Folded)
	})
}

func TestP3_WithMaxSizeOneNothingEverFills(t *testing.T) {
	playCounts(t, answers(errSink, errSink), folding(batcher.WithMaxSize(1)), func(s *countStage) {
		s.add("a")
		s.until(1 * ms)
		s.add("a")
		s.until(100 * ms)
		s.saw("0s size a=1", "10ms size a=1", "30ms size a=1", "30ms size a=1")
	})
}

func TestPermanentFailuresAreNotFoldedBack(t *testing.T) {
	for name, flush := range map[string]countRole{
		"Permanent": answers(batcher.Permanent(errSink)),
		"TooLarge":  answers(batcher.TooLarge(errSink)),
		"panic":     func(context.Context, int, counted) error { panic("boom") },
		"Goexit":    func(context.Context, int, counted) error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			playCounts(t, flush, folding(batcher.WithMaxSize(1)), func(s *countStage) {
				s.add("a")
				synctest.Wait()
				require.Equal(t, "a=1", lineOfEntries(s.mail.items()))
			})
		})
	}
}

func TestF46_KeysOutOfAttemptsAreFoldedBackWithoutTheOthers(t *testing.T) {
	partial := keyErrors(map[string]error{"a": errSink, "b": batcher.Permanent(errSink)})
	playCounts(t, answers(partial), folding(), func(s *countStage) {
		s.add("a", "b", "c")
		s.until(12 * ms)
		s.add("a", "c")
		s.until(50 * ms)
		s.saw("5ms delay a=1 b=1 c=1", "17ms delay a=2 c=1")
		require.Equal(t, "b=1", lineOfEntries(s.mail.items()))
		st := s.c.Stats()
		require.Equal(t, tally{Added: 5, Flushed: 3, Failed: 1}, tallyOf(st))
		require.EqualValues(t, 1, st.Folded)
	})
}

func TestF44_RetryAfterSetsThePauseBeforeAFoldBack(t *testing.T) {
	playCounts(t, answers(batcher.RetryAfter(errSink, 50*ms)), folding(), func(s *countStage) {
		s.add("a")
		s.until(20 * ms)
		s.add("a")
		s.until(100 * ms)
		s.saw("5ms delay a=1", "55ms delay a=2")
	})
}

func TestP3_ThePiecesOfASplitBatchAreFoldedBackOneByOne(t *testing.T) {
	playCounts(t, answers(batcher.TooLarge(errSink), errSink, errSink), folding(), func(s *countStage) {
		s.add("a", "b")
		s.until(6 * ms)
		s.add("a") // due at 11 ms, and waits for the worker
		s.until(100 * ms)
		// The first piece fails at 5 ms and is folded at 15 ms, the second one 10 ms later.
		require.Len(t, s.visits, 4)
		require.Equal(t, 25*ms, s.visits[3].at)
		require.Equal(t, "a=2 b=1", s.visits[3].line)
		require.EqualValues(t, 3, s.c.Stats().Added)
		require.EqualValues(t, 1, s.c.Stats().Folded)
	})
}

func TestP7_FlushWaitsForValuesThatWereFoldedBack(t *testing.T) {
	playCounts(t, answers(errSink, errSink), folding(batcher.WithMaxDelay(sec)), func(s *countStage) {
		s.add("a")
		flush := s.call(func() error { return s.c.Flush(background) })
		s.until(5 * ms)
		s.add("a", "b") // after the call: due only since it gets the value of before
		s.until(12 * ms)
		s.add("b")
		s.returned(flush, 30*ms, nil)
		s.saw("0s flush a=1", "10ms flush a=2 b=1", "30ms flush a=2 b=2")
	})
}

func TestP7_FlushThatWasMadeEarlierMakesTheReceivingBatchDue(t *testing.T) {
	playCounts(t, answers(errSink), folding(batcher.WithMaxDelay(sec)), func(s *countStage) {
		s.add("a")
		flush := s.call(func() error { return s.c.Flush(background) })
		s.add("b")
		later := s.call(func() error { return s.c.Flush(background) })
		s.returned(flush, 10*ms, nil)
		s.returned(later, 10*ms, nil)
		s.saw("0s flush a=1", "10ms flush a=1 b=1")
	})
}

func TestP8_AfterCloseABatchIsTriedAgainAsItWasUntilItIsWritten(t *testing.T) {
	playCounts(t, answers(errSink, errSink), folding(), func(s *countStage) {
		s.add("a")
		s.until(6 * ms)
		s.add("a")
		closing := s.call(func() error { return s.c.Close(background) })
		s.returned(closing, 35*ms, nil)
		s.saw("5ms delay a=1", "15ms delay a=1", "35ms delay a=1", "35ms close a=1")
	})
}

func TestP8_WhatWasFoldedIsHandedBackOnceWhenCloseGivesUp(t *testing.T) {
	fails := func(context.Context, int, counted) error { return errSink }
	playCounts(t, fails, folding(), func(s *countStage) {
		s.add("a", "b")
		s.until(12 * ms)
		s.add("a", "c")
		s.until(20 * ms) // folded at 15 ms, failed again at 17 ms
		s.add("a")
		var left *batcher.CloseError[entry]
		require.ErrorAs(t, s.c.Close(endedContext()), &left)
		require.Equal(t, "a=2 b=1 c=1", lineOfEntries(left.Unknown))
		require.Equal(t, "a=1", lineOfEntries(left.Unflushed))
		st := s.c.Stats()
		require.Equal(t, tally{Added: 5, Returned: 4}, tallyOf(st))
		require.EqualValues(t, 1, st.Folded)
		require.EqualValues(t, 5, st.Added+st.Merged)
	})
}

func TestP9_F27_APanicInCombineGivesUpTheEntryThatWasToBeFoldedAndNoOther(t *testing.T) {
	for name, c := range map[string]struct {
		value int
		check func(t *testing.T, err error)
	}{
		"panic":  {13, func(t *testing.T, err error) { require.IsType(t, &batcher.PanicError{}, err) }},
		"Goexit": {14, func(t *testing.T, err error) { require.Equal(t, batcher.ErrGoexit, err) }},
	} {
		t.Run(name, func(t *testing.T) {
			playCombined(t, rude, answers(errSink), folding(), func(s *countStage) {
				s.add("a", "bad", "c", "d")
				s.until(12 * ms)
				s.add("a", "c")
				require.NoError(t, s.c.Add(background, "bad", c.value)) // combined as the new one
				s.until(15 * ms)
				require.Len(t, s.mail.letters, 1)
				letter := s.mail.letters[0]
				require.Equal(t, []entry{{Key: "bad", Item: 1}}, letter.Items)
				require.Equal(t, 1, letter.Attempts)
				c.check(t, letter.Err)
				s.until(100 * ms)
				s.saw("5ms delay a=1 bad=1 c=1 d=1", map[int]string{
					13: "17ms delay a=2 bad=13 c=2 d=1", 14: "17ms delay a=2 bad=14 c=2 d=1"}[c.value])
				st := s.c.Stats()
				require.Equal(t, tally{Added: 7, Flushed: 4, Failed: 1}, tallyOf(st))
				require.EqualValues(t, 2, st.Folded)
			})
		})
	}
}

func TestP5_WhileProducersWaitABatchIsTriedAgainAsItIs(t *testing.T) {
	opts := folding(batcher.WithMaxSize(1), batcher.WithQueueDepth(1))
	playCounts(t, answers(errSink), opts, func(s *countStage) {
		s.add("a")
		synctest.Wait()
		s.add("a")
		waiting := s.adding(background, "a", 1)
		s.returned(waiting, 10*ms, nil)
		s.until(50 * ms)
		s.saw("0s size a=1", "10ms size a=1", "10ms size a=1", "10ms size a=1")
	})
}

func TestWithSeveralWorkersABatchIsFoldedIntoOneThatAnotherWorkerWillTake(t *testing.T) {
	flush := func(ctx context.Context, nth int, _ counted) error {
		if nth == 1 {
			return errSink
		}
		return pause(ctx, 20*ms)
	}
	playCounts(t, flush, folding(batcher.WithWorkers(2)), func(s *countStage) {
		s.add("a")
		s.until(6 * ms)
		s.add("b") // taken by the other worker at 11 ms
		s.until(14 * ms)
		s.add("a")
		s.until(18 * ms)
		require.Equal(t, 18*ms, s.c.Stats().OldestAge, "though the batch of 6 ms runs")
		s.until(100 * ms)
		s.saw("5ms delay a=1", "11ms delay b=1", "19ms delay a=2")
	})
}

func TestP5_OldestAgeFindsTheOldestValueBehindAYoungerRunningBatch(t *testing.T) {
	flush := func(ctx context.Context, nth int, _ counted) error {
		if nth == 1 {
			return errSink
		}
		return pause(ctx, 100*ms)
	}
	playCounts(t, flush, folding(batcher.WithWorkers(2)), func(s *countStage) {
		s.add("a")
		s.until(6 * ms)
		s.add("b")
		s.until(14 * ms)
		s.add("a")
		s.until(30 * ms) // the batch of 14 ms runs since 19 ms, with the value of 0
		require.Equal(t, 2, s.c.Stats().Running)
		require.Equal(t, 30*ms, s.c.Stats().OldestAge)
	})
}

func TestP9_TheRetryHookHearsOfAFoldBackBeforeItsPause(t *testing.T) {
	var heard []error
	hooks := batcher.Hooks{Retry: func(_ context.Context, info batcher.Info, wait time.Duration, err error) {
		heard = append(heard, err)
		if info.Size != 1 || wait != 10*ms {
			heard = append(heard, errors.New("another size or wait"))
		}
	}}
	playCounts(t, answers(errSink), folding(batcher.WithHooks(hooks)), func(s *countStage) {
		s.add("a")
		s.until(12 * ms)
		s.add("a")
		s.until(50 * ms)
		require.Equal(t, []error{errSink}, heard)
	})
}

func TestTheBackoffOfAFoldBackMayPanic(t *testing.T) {
	opts := options{batcher.WithMaxDelay(5 * ms), batcher.WithRetry(1, func(int) time.Duration { panic("boom") }), batcher.WithFoldBack()}
	playCounts(t, answers(errSink), opts, func(s *countStage) {
		s.add("a")
		s.until(20 * ms)
		s.saw("5ms delay a=1", "5ms delay a=1")
	})
}

func TestWithRetryTheAttemptsAreUsedUpBeforeAFoldBack(t *testing.T) {
	opts := folding(batcher.WithRetry(2, constant(10*ms)))
	playCounts(t, answers(errSink, errSink), opts, func(s *countStage) {
		s.add("a")
		s.until(6 * ms)
		s.add("a")
		s.until(100 * ms)
		s.saw("5ms delay a=1", "15ms delay a=1", "25ms delay a=2")
		require.Equal(t, []int{1, 2, 3}, s.attempts())
	})
}
