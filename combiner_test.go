package batcher_test

// The promises that a Combiner keeps in its own way.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestP3_ACombinerSealsABatchThatHasMaxSizeDistinctKeys(t *testing.T) {
	playCounts(t, answers(), options{batcher.WithMaxSize(2)}, func(s *countStage) {
		s.add("a", "a", "a", "b", "a")
		s.saw("0s size a=3 b=1")
		s.until(100 * ms)
		s.saw("0s size a=3 b=1", "100ms delay a=1")
	})
}

func TestP3_ACombinerWithMaxSizeOneFlushesEachValueWhileTheSinkIsIdle(t *testing.T) {
	playCounts(t, answers(), options{batcher.WithMaxSize(1)}, func(s *countStage) {
		for range 3 {
			s.add("a")
			synctest.Wait()
		}
		s.saw("0s size a=1", "0s size a=1", "0s size a=1")
	})
}

func TestP4_F21_F22_ACombinedBatchIsDueMaxDelayAfterItsFirstValue(t *testing.T) {
	playCounts(t, answers(), options{batcher.WithMaxDelay(10 * ms), batcher.WithMaxSize(2)}, func(s *countStage) {
		s.add("a")
		s.until(9 * ms)
		s.add("a")
		s.until(10 * ms)
		s.saw("10ms delay a=2")
		s.until(15 * ms)
		s.add("a", "b")
		s.until(16 * ms)
		s.add("c")
		s.until(30 * ms)
		s.saw("10ms delay a=2", "15ms size a=1 b=1", "26ms delay c=1")
	})
}

func TestP4_ACombinedBatchThatIsDueKeepsCombiningUntilAWorkerTakesIt(t *testing.T) {
	playCounts(t, takesCounts(50*ms), options{batcher.WithMaxDelay(10 * ms)}, func(s *countStage) {
		s.add("a")
		s.until(15 * ms)
		s.add("b")
		s.until(40 * ms)
		s.add("b", "c")
		s.until(70 * ms)
		s.saw("10ms delay a=1", "60ms delay b=2 c=1")
	})
}

func TestP4_AnEagerCombinerFlushesAtOnceAndCombinesMeanwhile(t *testing.T) {
	playCounts(t, takesCounts(10*ms), options{batcher.WithEager()}, func(s *countStage) {
		s.add("a")
		s.until(5 * ms)
		s.add("a", "b", "a")
		s.until(30 * ms)
		s.saw("0s eager a=1", "10ms eager a=2 b=1")
	})
}

func TestP4_F23_ACombinerNeverSealsForTheLongestDelay(t *testing.T) {
	playCounts(t, answers(), options{batcher.WithMaxDelay(math.MaxInt64)}, func(s *countStage) {
		s.add("a")
		s.until(1000 * sec)
		s.saw()
	})
}

func TestP1_TheBooksOfACombinerCountEntriesAndTheValuesMergedIntoThem(t *testing.T) {
	playCounts(t, takesCounts(10*ms), options{batcher.WithMaxSize(2), batcher.WithMaxDelay(5 * ms)}, func(s *countStage) {
		s.add("a", "a", "b", "a")
		synctest.Wait()
		st := s.c.Stats()
		require.Equal(t, tally{Added: 3, Pending: 3}, tallyOf(st))
		require.EqualValues(t, 1, st.Merged)
		require.Equal(t, 1, st.Running)
		s.add("a")
		require.EqualValues(t, 2, s.c.Stats().Merged, "exact at once, before anything is sealed")
		s.until(20 * ms)
		st = s.c.Stats()
		require.Equal(t, tally{Added: 3, Flushed: 3}, tallyOf(st))
		require.EqualValues(t, 2, st.Merged)
	})
}

func TestP2_TheValuesOfAKeyAreCombinedInTheOrderInWhichTheyWereAccepted(t *testing.T) {
	var got []string
	c, err := batcher.NewCombiner(func(old, new string) string { return old + new },
		func(_ context.Context, batch map[int]string) error {
			got = append(got, batch[1])
			return nil
		})
	require.NoError(t, err)
	for _, letter := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		require.NoError(t, c.Add(background, 1, letter))
		require.NoError(t, c.TryAdd(2, letter))
	}
	require.NoError(t, c.Close(background))
	assert.Equal(t, []string{"abcdefghijklmnopqrstuvwxyz"}, got)
}

func TestP5_F18_AddToACombinerWaitsForRoomAndIsLetInInTurn(t *testing.T) {
	playCounts(t, takesCounts(10*ms), options{batcher.WithMaxSize(1), batcher.WithQueueDepth(1)}, func(s *countStage) {
		s.add("a")
		synctest.Wait()
		s.add("b")
		c := s.adding(background, "c", 1)
		ctx, cancel := context.WithCancelCause(background)
		d := s.adding(ctx, "d", 1)
		e := s.adding(background, "e", 1)
		require.Equal(t, 3, s.c.Stats().Waiting)
		s.until(5 * ms)
		cancel(errEnded)
		s.returned(d, 5*ms, errEnded)
		s.returned(c, 10*ms, nil)
		s.returned(e, 20*ms, nil)
		s.until(100 * ms)
		s.saw("0s size a=1", "10ms size b=1", "20ms size c=1", "30ms size e=1")
	})
}

func TestP5_AProducerWhoseKeyWasLetInBeforeItCombines(t *testing.T) {
	playCounts(t, takesCounts(10*ms), options{batcher.WithMaxSize(2), batcher.WithQueueDepth(1)}, func(s *countStage) {
		s.add("a", "b")
		synctest.Wait()
		s.add("a", "b")
		first := s.adding(background, "c", 1)
		second := s.adding(background, "c", 10)
		s.returned(first, 10*ms, nil)
		s.returned(second, 10*ms, nil)
		s.until(200 * ms)
		s.saw("0s size a=1 b=1", "10ms size a=1 b=1", "110ms delay c=11")
	})
}

func TestP5_AProducerWhoseBatchWasSealedBeforeItCouldCombineKeepsItsTurn(t *testing.T) {
	playCounts(t, takesCounts(10*ms), options{batcher.WithMaxSize(2), batcher.WithQueueDepth(1)}, func(s *countStage) {
		s.add("a", "b")
		synctest.Wait()
		s.add("a", "b")
		var calls []*call
		// The batch that opens at 10 ms takes c and d; the second c finds its key, and
		// the batch sealed. It comes before the e that has waited less.
		for i, key := range []string{"c", "c", "d", "e", "f"} {
			calls = append(calls, s.adding(background, key, 1+9*(i%2)))
		}
		s.until(100 * ms)
		for i, at := range []int{10, 20, 10, 20, 30} {
			s.returned(calls[i], time.Duration(at)*ms, nil)
		}
		s.until(300 * ms)
		s.saw("0s size a=1 b=1", "10ms size a=1 b=1", "20ms size c=1 d=1", "30ms size c=10 e=10", "130ms delay f=1")
	})
}

func TestP5_TheLongestWaitersDoNotStarveUnderOneHotKey(t *testing.T) {
	playCounts(t, takesCounts(1*ms), options{batcher.WithMaxSize(2), batcher.WithQueueDepth(1)}, func(s *countStage) {
		var wg sync.WaitGroup
		for _, key := range []string{"hot", "hot", "hot", "cold", "cool"} {
			wg.Go(func() {
				for range 100 {
					assert.NoError(t, s.c.Add(background, key, 1))
				}
			})
		}
		wg.Wait()
		require.NoError(t, s.c.Close(background))
		st := s.c.Stats()
		require.EqualValues(t, 500, st.Added+st.Merged)
	})
}

func TestP5_F17_ACombinerRefusesAContextThatHasEnded(t *testing.T) {
	playCounts(t, answers(), nil, func(s *countStage) {
		s.add("a")
		require.Equal(t, errEnded, s.c.Add(endedContext(), "a", 1))
		require.Equal(t, errEnded, s.c.Add(endedContext(), "b", 1))
		require.Equal(t, tally{Added: 1, Pending: 1}, tallyOf(s.c.Stats()))
		require.Zero(t, s.c.Stats().Merged)
	})
}

func TestP5_OverflowPoliciesOfACombiner(t *testing.T) {
	for policy, want := range map[batcher.Overflow]struct {
		add, tryAdd error
		at          time.Duration // when Add returns
		dropped     string
	}{
		batcher.Block:      {nil, batcher.ErrFull, 10 * ms, ""},
		batcher.Reject:     {batcher.ErrFull, batcher.ErrFull, 0, ""},
		batcher.DropNewest: {nil, nil, 0, "x=5 y=5"},
		batcher.DropOldest: {nil, nil, 0, "c=1 d=1"},
	} {
		t.Run(policy.String(), func(t *testing.T) {
			playCounts(t, takesCounts(10*ms), options{
				batcher.WithMaxSize(2), batcher.WithQueueDepth(1), batcher.WithOverflow(policy),
			}, func(s *countStage) {
				s.add("a", "b")
				synctest.Wait()
				s.add("c", "d")
				require.ErrorIs(t, s.c.TryAdd("x", 5), want.tryAdd)
				s.returned(s.adding(background, "y", 5), want.at, want.add)
				require.Equal(t, want.dropped, lineOfEntries(s.mail.items()))
				for _, letter := range s.mail.letters {
					require.Equal(t, batcher.ErrDropped, letter.Err)
				}
			})
		})
	}
}

func TestP5_AKnownKeyNeedsNoRoom(t *testing.T) {
	playCounts(t, takesCounts(10*ms), options{batcher.WithMaxSize(2), batcher.WithQueueDepth(1)}, func(s *countStage) {
		s.add("a", "b")
		synctest.Wait()
		s.add("c")
		require.NoError(t, s.c.TryAdd("c", 1))
		s.add("d")
		require.ErrorIs(t, s.c.TryAdd("c", 1), batcher.ErrFull, "sealed")
	})
}

func TestP6_F3_F5_ACombinerThatIsClosedRefuses(t *testing.T) {
	playCounts(t, takesCounts(10*ms), options{batcher.WithMaxSize(1), batcher.WithQueueDepth(1)}, func(s *countStage) {
		s.add("a")
		synctest.Wait()
		s.add("b")
		waiting := s.adding(background, "c", 1)
		closing := s.call(func() error { return s.c.Close(background) })
		s.returned(waiting, 0, batcher.ErrClosed)
		require.ErrorIs(t, s.c.Add(background, "a", 1), batcher.ErrClosed)
		require.ErrorIs(t, s.c.Add(endedContext(), "a", 1), batcher.ErrClosed)
		require.ErrorIs(t, s.c.TryAdd("a", 1), batcher.ErrClosed)
		require.ErrorIs(t, s.c.Flush(background), batcher.ErrClosed)
		s.returned(closing, 20*ms, nil)
		s.saw("0s size a=1", "10ms size b=1")
	})
}

func TestP7_FlushOfACombinerWaitsForWhatWasAcceptedBefore(t *testing.T) {
	playCounts(t, takesCounts(10*ms), nil, func(s *countStage) {
		s.add("a", "a")
		flush := s.call(func() error { return s.c.Flush(background) })
		s.until(5 * ms)
		s.add("a")
		s.returned(flush, 10*ms, nil)
		require.NoError(t, s.c.Flush(background))
		s.saw("0s flush a=2", "10ms flush a=1")
		require.NoError(t, s.c.Flush(endedContext()), "with nothing held")
	})
}

func TestP8_F7_ACombinerHandsBackEntriesWhenCloseGivesUp(t *testing.T) {
	playCounts(t, takesCounts(sec), options{batcher.WithMaxSize(2), batcher.WithName("views")}, func(s *countStage) {
		s.add("a", "a", "b")
		synctest.Wait()
		s.add("a", "c", "c", "d")
		err := s.c.Close(endedContext())
		var left *batcher.CloseError[entry]
		require.ErrorAs(t, err, &left)
		require.Equal(t, "a=2 b=1", lineOfEntries(left.Unknown))
		require.Equal(t, "a=1 c=1 c=1 d=1", lineOfEntries(left.Unflushed))
		require.Equal(t, tally{Added: 6, Returned: 6}, tallyOf(s.c.Stats()))
		require.EqualValues(t, 1, s.c.Stats().Merged)
		require.Equal(t, err, s.c.Close(background))
	})
}

func TestP9_F26_ARetryGetsTheMapAsItWasWhateverTheFlushFunctionDidToIt(t *testing.T) {
	flush := func(_ context.Context, nth int, batch counted) error {
		delete(batch, "a")
		batch["b"], batch["stranger"] = 99, 99
		if nth < 3 {
			return errSink
		}
		return nil
	}
	playCounts(t, flush, options{batcher.WithRetry(3, constant(10*ms)), batcher.WithMaxDelay(5 * ms)}, func(s *countStage) {
		s.add("a", "b")
		s.until(6 * ms)
		s.add("a")
		s.until(100 * ms)
		s.saw("5ms delay a=1 b=1", "15ms delay a=1 b=1", "25ms delay a=1 b=1", "25ms delay a=1")
		require.Equal(t, []int{1, 2, 3, 1}, s.attempts())
	})
}

func TestP9_F27_AFailedCombinedBatchGoesToTheDeadLetterHandlerAsEntries(t *testing.T) {
	for name, c := range map[string]struct {
		flush countRole
		check func(t *testing.T, err error)
	}{
		"error": {answers(errSink), func(t *testing.T, err error) { require.Equal(t, errSink, err) }},
		"panic": {func(context.Context, int, counted) error { panic("boom") }, func(t *testing.T, err error) {
			require.IsType(t, &batcher.PanicError{}, err)
		}},
		"panic with a partial failure": {
			func(context.Context, int, counted) error {
				panic(&batcher.PartialKeyError[string]{Errs: map[string]error{"a": errSink}})
			},
			func(t *testing.T, err error) { require.IsType(t, &batcher.PanicError{}, err) },
		},
		"Goexit": {func(context.Context, int, counted) error { runtime.Goexit(); return nil }, func(t *testing.T, err error) {
			require.Equal(t, batcher.ErrGoexit, err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			playCounts(t, c.flush, options{batcher.WithMaxSize(2)}, func(s *countStage) {
				s.add("a", "a", "b")
				synctest.Wait()
				require.Len(t, s.mail.letters, 1)
				require.Equal(t, "a=2 b=1", lineOfEntries(s.mail.items()))
				c.check(t, s.mail.letters[0].Err)
				require.EqualValues(t, 2, s.c.Stats().Failed)
			})
		})
	}
}

func TestP3_F47_ACombinerSplitsABatchThatIsTooLargeOrPoisoned(t *testing.T) {
	flush := func(_ context.Context, _ int, batch counted) error {
		switch {
		case len(batch) > 4:
			return batcher.TooLarge(errSink)
		case batch["poison"] > 0:
			return batcher.Permanent(errSink)
		}
		return nil
	}
	playCounts(t, flush, options{batcher.WithMaxSize(8), batcher.WithBisect()}, func(s *countStage) {
		s.add("a", "b", "c", "d", "poison", "e", "f", "g")
		synctest.Wait()
		require.Equal(t, "poison=1", lineOfEntries(s.mail.items()))
		require.Equal(t, tally{Added: 8, Flushed: 7, Failed: 1}, tallyOf(s.c.Stats()))
	})
}

// keyErrors is a PartialKeyError.
func keyErrors(errs map[string]error) error { return &batcher.PartialKeyError[string]{Errs: errs} }

func TestF46_OnlyTheKeysOfAPartialKeyErrorFail(t *testing.T) {
	wrapped := fmt.Errorf("while writing: %w", keyErrors(map[string]error{
		"a": errSink, "b": batcher.Permanent(errSink), "c": nil,
	}))
	playCounts(t, answers(wrapped), options{batcher.WithMaxSize(4), batcher.WithRetry(2, constant(10*ms))}, func(s *countStage) {
		s.add("a", "a", "b", "c", "d")
		s.until(20 * ms)
		s.saw("0s size a=2 b=1 c=1 d=1", "10ms size a=2")
		require.Equal(t, "b=1", lineOfEntries(s.mail.items()))
		require.Equal(t, tally{Added: 4, Flushed: 3, Failed: 1}, tallyOf(s.c.Stats()))
	})
}

func TestF46_MarksAroundAPartialKeyErrorHoldForItsKeys(t *testing.T) {
	err := batcher.Permanent(errors.Join(errEnded, keyErrors(map[string]error{"a": errSink})))
	playCounts(t, answers(err), options{batcher.WithMaxSize(2), batcher.WithRetry(9, constant(0))}, func(s *countStage) {
		s.add("a", "b")
		s.saw("0s size a=1 b=1")
		require.Equal(t, "a=1", lineOfEntries(s.mail.items()))
	})
}

func TestF46_APartialKeyErrorThatSaysNothingUsableFailsTheWholeBatch(t *testing.T) {
	var none *batcher.PartialKeyError[string]
	for name, err := range map[string]error{
		"nil":            none,
		"empty":          keyErrors(nil),
		"all nil":        keyErrors(map[string]error{"a": nil, "b": nil}),
		"stranger":       keyErrors(map[string]error{"a": errSink, "x": errSink}),
		"nil stranger":   keyErrors(map[string]error{"a": errSink, "x": nil}),
		"another type":   &batcher.PartialKeyError[int]{Errs: map[int]error{1: errSink}},
		"of indexes":     &batcher.PartialError{Errs: map[int]error{0: errSink}},
		"panics in As":   &treacherous{as: func() { panic("boom") }},
		"leaves from As": &treacherous{as: runtime.Goexit},
	} {
		t.Run(name, func(t *testing.T) {
			playCounts(t, answers(err), options{batcher.WithMaxSize(2)}, func(s *countStage) {
				s.add("a", "b")
				synctest.Wait()
				require.Len(t, s.mail.letters, 1)
				require.Same(t, err, s.mail.letters[0].Err, "the user's own error")
				require.Equal(t, "a=1 b=1", lineOfEntries(s.mail.items()))
				s.add("c", "d")
				s.saw("0s size a=1 b=1", "0s size c=1 d=1")
			})
		})
	}
}

// treacherous is an error whose As method does as it likes.
type treacherous struct{ as func() }

func (*treacherous) Error() string { return "treacherous" }
func (e *treacherous) As(any) bool { e.as(); return false }

func TestF40_NaNInAPartialKeyErrorIsAStranger(t *testing.T) {
	calls := 0
	var letters mailbox[batcher.Entry[float64, int]]
	c, err := batcher.NewCombiner(sum, func(_ context.Context, batch map[float64]int) error {
		calls++
		batch[math.NaN()] = 1 // and may be put into the map
		return &batcher.PartialKeyError[float64]{Errs: map[float64]error{math.NaN(): errSink}}
	}, batcher.WithDeadLetter(letters.handle))
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, c.Add(background, 1, 1))
		require.Error(t, c.Flush(background))
	}
	require.NoError(t, c.Close(background))
	assert.Equal(t, 2, calls)
	assert.Len(t, letters.items(), 2)
}

func TestThePartialKeyErrorSaysHowManyKeysFailed(t *testing.T) {
	var none *batcher.PartialKeyError[string]
	for want, err := range map[string]error{
		"batcher: partial failure of no keys":                none,
		"batcher: 1 key of the batch failed: sink is down":   keyErrors(map[string]error{"a": errSink, "b": nil}),
		"batcher: 2 keys of the batch failed":                keyErrors(map[string]error{"a": errSink, "b": errEnded}),
		"so: batcher: 2 keys of the batch failed":            fmt.Errorf("so: %w", keyErrors(map[string]error{"a": errSink, "b": errEnded})),
		"batcher: 1 key of the batch failed: sink is down\n": errors.Join(keyErrors(map[string]error{"a": errSink}), errors.New("")),
	} {
		assert.EqualError(t, err, want)
		assert.NotErrorIs(t, err, errSink, "an entry is not the error of all")
	}
}

func TestPartialErrorsCountWhatFailed(t *testing.T) {
	var none *batcher.PartialError
	var noKeys *batcher.PartialKeyError[string]
	for want, errs := range []interface{ Failed() int }{
		none,
		&batcher.PartialError{Errs: map[int]error{3: errSink, 4: nil}},
		&batcher.PartialKeyError[string]{Errs: map[string]error{"a": errSink, "b": errEnded, "c": nil}},
	} {
		assert.Equal(t, want, errs.Failed())
	}
	assert.Zero(t, noKeys.Failed())
	assert.Zero(t, (&batcher.PartialError{}).Failed())
}

func TestP9_F26_HooksOfACombinerSeeTheUsersOwnError(t *testing.T) {
	partial := keyErrors(map[string]error{"a": errSink})
	var seen []error
	hooks := batcher.Hooks{FlushEnd: func(_ context.Context, _ batcher.Info, r batcher.FlushResult) { seen = append(seen, r.Err) }}
	playCounts(t, answers(partial), options{batcher.WithMaxSize(2), batcher.WithHooks(hooks)}, func(s *countStage) {
		s.add("a", "b")
		synctest.Wait()
		require.Len(t, seen, 1)
		require.Same(t, partial, seen[0])
	})
}

func TestP10_F29_AMapThatIsKeptShowsNothingUnlessWithoutReuse(t *testing.T) {
	for _, opts := range []options{nil, {batcher.WithoutReuse()}} {
		var kept []counted
		flush := func(_ context.Context, _ int, batch counted) error {
			kept = append(kept, batch)
			return nil
		}
		playCounts(t, flush, append(options{batcher.WithMaxSize(1)}, opts...), func(s *countStage) {
			s.add("a")
			synctest.Wait()
			if opts == nil {
				require.Empty(t, kept[0])
				return
			}
			s.add("b")
			synctest.Wait()
			require.Equal(t, []counted{{"a": 1}, {"b": 1}}, kept)
		})
	}
}

func TestP10_AMapIsNotUsedAgainAfterAPanic(t *testing.T) {
	var kept counted
	flush := func(_ context.Context, nth int, batch counted) error {
		if nth == 1 {
			kept = batch
			panic("boom")
		}
		return nil
	}
	playCounts(t, flush, options{batcher.WithMaxSize(1)}, func(s *countStage) {
		s.add("a")
		synctest.Wait()
		s.add("b")
		synctest.Wait()
		require.Equal(t, counted{"a": 1}, kept)
	})
}

func TestP10_F35_NothingFlushedIsReachableFromTheCombiner(t *testing.T) {
	for _, outcome := range []error{nil, errSink, batcher.TooLarge(errSink),
		&batcher.PartialKeyError[int]{Errs: map[int]error{1: errSink}}} {
		c, err := batcher.NewCombiner(func(_, new *payload) *payload { return new },
			func(context.Context, map[int]*payload) error { return outcome }, batcher.WithMaxSize(4), silent())
		require.NoError(t, err)
		var watched []weak.Pointer[payload]
		for i := range 10 {
			p := new(payload)
			watched = append(watched, weak.Make(p))
			require.NoError(t, c.Add(context.Background(), i%5, p))
		}
		_ = c.Flush(context.Background())
		require.NoError(t, c.Close(context.Background()))
		requireCollected(t, watched)
		runtime.KeepAlive(c)
	}
}

func TestF37_WhatARareLargeCombinedBatchHasTakenIsLetGo(t *testing.T) {
	const large = 1 << 17
	flush := func(_ context.Context, batch map[int]int) error {
		clear(batch) // though that does not make it smaller
		return nil
	}
	c, err := batcher.NewCombiner(sum, flush, batcher.WithMaxSize(large))
	require.NoError(t, err)
	base := heapInUse()
	for i := range large {
		require.NoError(t, c.Add(background, i, 1))
	}
	for range 30 {
		for i := range 3 {
			require.NoError(t, c.Add(background, i, 1))
		}
		require.NoError(t, c.Flush(background))
	}
	assert.Less(t, heapInUse()-base, int64(large), "slices and maps of 2 MiB and more would show")
	require.NoError(t, c.Close(background))
}

func TestP11_F28_CallsFromInsideACombinedFlush(t *testing.T) {
	var s *countStage
	flush := func(ctx context.Context, nth int, _ counted) error {
		if nth > 1 {
			return nil
		}
		assert.NoError(t, s.c.Add(ctx, "b", 1))
		assert.ErrorIs(t, s.c.Add(ctx, "c", 1), batcher.ErrReentrant)
		assert.ErrorIs(t, s.c.TryAdd("c", 1), batcher.ErrFull)
		assert.ErrorIs(t, s.c.Flush(ctx), batcher.ErrReentrant)
		assert.ErrorIs(t, s.c.Close(ctx), batcher.ErrReentrant)
		assert.EqualValues(t, 2, s.c.Stats().Pending)
		return nil
	}
	playCounts(t, flush, options{batcher.WithMaxSize(1), batcher.WithQueueDepth(1)}, func(stage *countStage) {
		s = stage
		s.add("a")
		s.saw("0s size a=1", "0s size b=1")
	})
}

// rude combines, but panics for 13 and leaves for 14.
func rude(old, new int) int {
	switch new {
	case 13:
		panic("rude")
	case 14:
		runtime.Goexit()
	}
	return old + new
}

func TestP12_F27_APanicInCombineLeavesTheEntryAsItWasAndReachesTheCaller(t *testing.T) {
	playCombined(t, rude, answers(), nil, func(s *countStage) {
		s.add("a")
		require.PanicsWithValue(t, "rude", func() { _ = s.c.Add(background, "a", 13) })
		require.PanicsWithValue(t, "rude", func() { _ = s.c.TryAdd("a", 13) })
		left := s.call(func() error { return s.c.Add(background, "a", 14) })
		s.returned(left, 0, nil) // its goroutine has gone before Add returned
		s.add("a", "b")
		require.EqualValues(t, 1, s.c.Stats().Merged)
		require.NoError(t, s.c.Flush(background))
		s.saw("0s flush a=2 b=1")
	})
}

func TestP12_F27_APanicInCombineOfAProducerThatHasWaitedIsItsOwn(t *testing.T) {
	opts := options{batcher.WithMaxSize(2), batcher.WithQueueDepth(1)}
	playCombined(t, rude, takesCounts(10*ms), opts, func(s *countStage) {
		s.add("a", "b")
		synctest.Wait()
		s.add("a", "b")
		first := s.adding(background, "c", 1)
		panics := s.call(func() (err error) {
			defer func() { err = fmt.Errorf("it said: %v", recover()) }()
			return s.c.Add(background, "c", 13)
		})
		leaves := s.adding(background, "c", 14)
		s.returned(first, 10*ms, nil)
		<-panics.done
		require.EqualError(t, panics.err, "it said: rude")
		<-leaves.done
		s.add("c", "d")
		s.until(50 * ms)
		s.saw("0s size a=1 b=1", "10ms size a=1 b=1", "20ms size c=2 d=1")
		require.Zero(t, s.c.Stats().Failed)
	})
}

func TestP12_KeysOfOtherShardsDoNotWaitWhileACombineRuns(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	c, err := batcher.NewCombiner(func(old, new int) int {
		if new == 13 {
			close(began)
			<-release
		}
		return old + new
	}, func(context.Context, map[int]int) error { return nil }, batcher.WithShards(8))
	require.NoError(t, err)
	const keys = 200 // one of which is in another shard than key 0
	for key := range keys {
		require.NoError(t, c.Add(background, key, 1))
	}
	var wg sync.WaitGroup
	wg.Go(func() { assert.NoError(t, c.Add(background, 0, 13)) })
	<-began
	passed := make(chan struct{}, keys)
	for key := range keys {
		wg.Go(func() {
			assert.NoError(t, c.Add(background, key, 1))
			passed <- struct{}{}
		})
	}
	<-passed // before the release
	close(release)
	wg.Wait()
	require.NoError(t, c.Close(background))
}

func TestP14_NewCombinerTellsAllThatIsWrong(t *testing.T) {
	_, err := batcher.NewCombiner[string, int](nil, nil, batcher.WithMaxSize(0), batcher.WithLanes(2),
		batcher.WithMaxWeight(1, func(int) int { return 1 }), batcher.WithMaxPending(1), batcher.WithMaxPendingPerKey(1),
		batcher.WithShards(0), batcher.WithFoldBack(), batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[int]) {}))
	require.ErrorIs(t, err, batcher.ErrConfig)
	for _, want := range []string{
		"the combine function is nil", "the flush function is nil", "WithMaxSize(0)", "WithLanes: not an option of NewCombiner",
		"WithMaxWeight: not an option of NewCombiner", "WithMaxPending: not", "WithMaxPendingPerKey: not", "WithShards(0)",
		"WithFoldBack: needs WithRetry with a Backoff", "DeadLetter[int]", "DeadLetter[github.com",
	} {
		assert.ErrorContains(t, err, want)
	}
	_, err = batcher.New(discard[int], batcher.WithFoldBack(), batcher.WithShards(1), batcher.WithRetry(1, constant(0)))
	assert.ErrorContains(t, err, "WithFoldBack: not an option of New")
	assert.ErrorContains(t, err, "WithShards: not an option of New")
}

func TestP14_F16_ACombinerNamesANilContext(t *testing.T) {
	var none context.Context
	playCounts(t, answers(), nil, func(s *countStage) {
		require.PanicsWithValue(t, "batcher: Add: nil context", func() { _ = s.c.Add(none, "a", 1) })
		require.PanicsWithValue(t, "batcher: Flush: nil context", func() { _ = s.c.Flush(none) })
		require.PanicsWithValue(t, "batcher: Close: nil context", func() { _ = s.c.Close(none) })
	})
}

func TestP1_F40_AKeyThatCannotBeLookedUpIsRefusedAndLeavesNoTrace(t *testing.T) {
	type pair struct {
		name  string
		value any
	}
	var got []map[any]int
	c, err := batcher.NewCombiner(sum, func(_ context.Context, batch map[any]int) error {
		copied := make(map[any]int)
		for k, v := range batch {
			copied[k] = v
		}
		got = append(got, copied)
		return nil
	}, silent())
	require.NoError(t, err)
	for _, bad := range []any{math.NaN(), []int{1}, map[string]int{}, func() {}, pair{"x", []int{}}, [1]any{math.NaN()}} {
		require.Equal(t, batcher.ErrBadKey, c.Add(background, bad, 1), "%T", bad)
		require.Equal(t, batcher.ErrBadKey, c.TryAdd(bad, 1), "%T", bad)
		require.Equal(t, errEnded, c.Add(endedContext(), bad, 1))
	}
	require.NoError(t, c.Add(background, nil, 1))
	require.NoError(t, c.Add(background, 0.0, 1))
	require.NoError(t, c.Add(background, math.Copysign(0, -1), 1)) // -0 == 0
	require.NoError(t, c.Add(background, pair{"x", 1}, 1))
	require.NoError(t, c.Close(background))
	require.Equal(t, batcher.ErrClosed, c.Add(background, math.NaN(), 1), "wins over the others")
	assert.Equal(t, []map[any]int{{nil: 1, 0.0: 2, pair{"x", 1}: 1}}, got)
	assert.Equal(t, tally{Added: 3, Flushed: 3}, tallyOf(c.Stats()))
}

func TestF42_ShardsChangeNothingButSpeed(t *testing.T) {
	for _, shards := range []int{1, 3, 64, 1 << 16} {
		for _, size := range []int{1, 2, 7, math.MaxInt} {
			c, err := batcher.NewCombiner(sum, func(_ context.Context, batch map[int]int) error {
				if len(batch) > size {
					assert.Fail(t, "P3", "%d keys", len(batch))
				}
				return nil
			}, batcher.WithShards(shards), batcher.WithMaxSize(size))
			require.NoError(t, err)
			for i := range 100 {
				require.NoError(t, c.Add(background, i%10, 1))
			}
			require.NoError(t, c.Close(background))
			st := c.Stats()
			require.EqualValues(t, 100, st.Added+st.Merged)
			requireCountsBalanced(t, st)
		}
	}
}

func TestP13_F9_ManyShortLivesOfCombinersLeaveNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			c, err := batcher.NewCombiner(sum, func(context.Context, counted) error { return nil })
			require.NoError(t, err)
			require.NoError(t, c.Add(background, "a", 1))
			require.NoError(t, c.Close(background))
			require.NoError(t, c.Close(endedContext()))
		}
		synctest.Wait() // the last worker may be on its way out
		require.Zero(t, engineGoroutines())
	})
}

func TestF10_F13_ACombinerClosesInTheInstantInWhichItsTimerFires(t *testing.T) {
	for range 50 {
		playCounts(t, answers(), options{batcher.WithMaxDelay(10 * ms)}, func(s *countStage) {
			s.add("a")
			flushing := s.call(func() error { time.Sleep(10 * ms); _ = s.c.Flush(background); return nil })
			closing := s.call(func() error { time.Sleep(10 * ms); return s.c.Close(background) })
			s.returned(closing, 10*ms, nil)
			s.returned(flushing, 10*ms, nil)
			require.Len(t, s.visits, 1)
			require.Equal(t, "a=1", s.visits[0].line)
		})
	}
}
