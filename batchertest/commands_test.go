package batchertest_test

// What the sink does on command.

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
)

// outcomes calls sink.Write n times and returns what was recorded as Err.
func outcomes(t *testing.T, sink *batchertest.Sink[int], n int) (errs []error) {
	t.Helper()
	before := sink.Attempts()
	for i := range n {
		<-write(t.Context(), sink, i)
	}
	for _, call := range sink.Calls()[before:] {
		require.True(t, call.Done)
		errs = append(errs, call.Err)
	}
	return errs
}

func TestTheNextCommandsAreAScript(t *testing.T) {
	sink := batchertest.NewSink[int]()
	sink.SucceedNext(1)
	sink.FailNext(2, errDown)
	sink.PanicNext(1, "boom")
	sink.GoexitNext(1)
	sink.FailNext(0, errBad)
	errs := outcomes(t, sink, 6)
	assert.NoError(t, errs[0])
	assert.Equal(t, []error{errDown, errDown}, errs[1:3])
	var panicked *batcher.PanicError
	require.ErrorAs(t, errs[3], &panicked)
	assert.Equal(t, "boom", panicked.Value)
	assert.Equal(t, batcher.ErrGoexit, errs[4])
	assert.NoError(t, errs[5])
	assert.Equal(t, 2, sink.Count())
}

func TestANegativeNumberLastsUntilToldOtherwise(t *testing.T) {
	lasting := map[string]func(sink *batchertest.Sink[int]){
		"FailNext":   func(sink *batchertest.Sink[int]) { sink.FailNext(-1, errDown) },
		"PanicNext":  func(sink *batchertest.Sink[int]) { sink.PanicNext(-1, errDown) },
		"GoexitNext": func(sink *batchertest.Sink[int]) { sink.GoexitNext(-1) },
	}
	others := map[string]func(sink *batchertest.Sink[int]){
		"Succeed":       func(sink *batchertest.Sink[int]) { sink.Succeed() },
		"SucceedNext 1": func(sink *batchertest.Sink[int]) { sink.SucceedNext(1) },
		"FailNext 0":    func(sink *batchertest.Sink[int]) { sink.FailNext(0, errDown) },
		"SucceedNext":   func(sink *batchertest.Sink[int]) { sink.SucceedNext(-1) },
	}
	for name, command := range lasting {
		for otherName, other := range others {
			t.Run(name+", "+otherName, func(t *testing.T) {
				sink := batchertest.NewSink[int]()
				command(sink)
				for _, err := range outcomes(t, sink, 20) {
					assert.Error(t, err)
				}
				other(sink)
				assert.Equal(t, []error{nil, nil}, outcomes(t, sink, 2))
			})
		}
	}
}

func TestACommandAfterOneThatIsNotUsedUpWaitsForIt(t *testing.T) {
	sink := batchertest.NewSink[int]()
	sink.FailNext(2, errDown)
	assert.Equal(t, []error{errDown}, outcomes(t, sink, 1))
	sink.FailNext(1, errBad)
	sink.FailNext(-1, errDown)
	sink.SucceedNext(-1) // in place of the one before, not of the others
	assert.Equal(t, []error{errDown, errBad, nil, nil}, outcomes(t, sink, 4))
}

func TestFailNextRefusesANilError(t *testing.T) {
	sink := batchertest.NewSink[int]()
	assert.PanicsWithValue(t, "batchertest: Sink.FailNext: nil error", func() { sink.FailNext(1, nil) })
}

func TestTheBatcherSeesAPanicAsTheSinkDoes(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		letters := batchertest.NewLetters[int]()
		b := newBatcher(t, sink, batcher.WithMaxSize(1), batcher.WithDeadLetter(letters.Handle))
		sink.PanicNext(1, errBad)
		sink.PanicNext(1, nil)
		sink.GoexitNext(1)
		for i := range 3 {
			assert.Error(t, b.AddWait(t.Context(), i))
		}
		sink.FailWith(func(context.Context, []int) error { panicHere(); return nil })
		assert.Error(t, b.AddWait(t.Context(), 3))

		require.NoError(t, letters.WaitLetters(t.Context(), 4))
		calls, all := sink.Calls(), letters.All()
		var seen, recorded [4]*batcher.PanicError
		for _, i := range []int{0, 1, 3} {
			require.ErrorAs(t, all[i].Err, &seen[i])
			require.ErrorAs(t, calls[i].Err, &recorded[i])
			assert.Equal(t, seen[i].Value, recorded[i].Value)
		}
		assert.Equal(t, errBad, seen[0].Value)
		assert.IsType(t, new(runtime.PanicNilError), seen[1].Value)
		assert.Equal(t, batcher.ErrGoexit, all[2].Err)
		assert.Equal(t, batcher.ErrGoexit, calls[2].Err)
		assert.Contains(t, string(seen[3].Stack), "panicHere", "the stack leads to the culprit")
		assert.Contains(t, string(recorded[3].Stack), "panicHere")
	})
}

func panicHere() { panic("here") }

func TestFailWithDecides(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		b := newBatcher(t, sink, batcher.WithMaxSize(2), batcher.WithRetry(3, noPause))
		sink.FailWith(func(ctx context.Context, batch []int) error {
			info, _ := batcher.InfoFrom(ctx)
			sink.Attempts() // no lock is held
			clear(batch)    // the slice is the function's, and the record is not the slice
			if info.Attempt < 3 {
				return errDown
			}
			return nil
		})
		_, err := b.AddAll(t.Context(), []int{1, 2})
		require.NoError(t, err)
		require.NoError(t, b.Flush(t.Context()))
		assert.Equal(t, 3, sink.Attempts())
		assert.Equal(t, []int{1, 2}, sink.Items())

		sink.FailWith(nil)
		require.NoError(t, b.AddWait(t.Context(), 3))
		assert.Equal(t, 4, sink.Attempts())
	})
}

func TestFailWithMayLeaveByGoexit(t *testing.T) {
	sink := batchertest.NewSink[int]()
	sink.FailWith(func(context.Context, []int) error { runtime.Goexit(); return nil })
	assert.Equal(t, []error{batcher.ErrGoexit}, outcomes(t, sink, 1))
}

func TestRejectItemsFailsOnlyThose(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		letters := batchertest.NewLetters[int]()
		b := newBatcher(t, sink, batcher.WithMaxSize(5), batcher.WithRetry(2, noPause),
			batcher.WithDeadLetter(letters.Handle))
		sink.RejectItems(func(item int) error {
			switch item {
			case 1:
				return batcher.Permanent(errBad)
			case 2:
				return errDown
			}
			return nil
		})
		_, err := b.AddAll(t.Context(), []int{0, 1, 2, 3})
		require.NoError(t, err)
		require.Error(t, b.Flush(t.Context()))
		assert.Equal(t, [][]int{{0, 3}}, sink.Batches())
		require.Len(t, sink.Calls(), 2)
		assert.Equal(t, []int{2}, sink.Calls()[1].Items)
		assert.Equal(t, []int{1, 2}, letters.Items())
		require.ErrorIs(t, letters.All()[0].Err, errBad)
		require.ErrorIs(t, letters.All()[1].Err, errDown)
		assert.Equal(t, 2, letters.All()[1].Attempts)

		sink.RejectItems(nil)
		require.NoError(t, b.AddWait(t.Context(), 1))
	})
}

func TestRejectItemsIsAskedAfterFailWith(t *testing.T) {
	sink := batchertest.NewSink[int]()
	sink.RejectItems(func(int) error { return errBad })
	sink.FailWith(func(_ context.Context, batch []int) error {
		if batch[0] == 0 {
			return errDown
		}
		return nil
	})
	sink.SucceedNext(1)
	assert.NoError(t, sink.Write(t.Context(), []int{0}), "a step of the script comes first")
	assert.Equal(t, errDown, sink.Write(t.Context(), []int{0}))
	assert.Equal(t, &batcher.PartialError{Errs: map[int]error{0: errBad, 1: errBad}},
		sink.Write(t.Context(), []int{1, 2}))
	assert.Equal(t, []int{0}, sink.Items())
}

func TestDelayIsExactAndEndsWithTheContext(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		b := newBatcher(t, sink, batcher.WithMaxSize(1), batcher.WithFlushTimeout(time.Minute), quiet)
		begin := time.Now()
		sink.Delay(59 * time.Second)
		require.NoError(t, b.AddWait(t.Context(), 1))
		assert.Equal(t, 59*time.Second, time.Since(begin))

		begin = time.Now()
		sink.Delay(61 * time.Second)
		sink.SucceedNext(1)
		require.ErrorIs(t, b.AddWait(t.Context(), 2), context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(begin))
		assert.Equal(t, context.DeadlineExceeded, sink.Calls()[1].CtxErr)

		begin = time.Now()
		sink.IgnoreContext(true)
		require.NoError(t, b.AddWait(t.Context(), 3))
		assert.Equal(t, 61*time.Second, time.Since(begin))
		assert.Equal(t, context.DeadlineExceeded, sink.Calls()[2].CtxErr)

		begin = time.Now()
		sink.Delay(0)
		require.NoError(t, b.AddWait(t.Context(), 4))
		assert.Zero(t, time.Since(begin))
	})
}

func TestHoldAndRelease(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		b := newBatcher(t, sink, batcher.WithMaxSize(1), batcher.WithWorkers(3))
		sink.Hold()
		for i := range 3 {
			require.NoError(t, b.Add(t.Context(), i))
		}
		require.NoError(t, sink.WaitHeld(t.Context(), 3))
		assert.Equal(t, 3, sink.Held())
		assert.Zero(t, sink.Count())

		assert.Equal(t, 2, sink.ReleaseNext(2))
		require.NoError(t, sink.WaitItems(t.Context(), 2))
		require.NoError(t, b.Add(t.Context(), 3))
		require.NoError(t, sink.WaitHeld(t.Context(), 2), "the sink still holds")
		assert.Zero(t, sink.ReleaseNext(-1))
		assert.Equal(t, 2, sink.ReleaseNext(5))
		assert.Zero(t, sink.ReleaseNext(1))
		require.NoError(t, sink.WaitItems(t.Context(), 4))

		require.NoError(t, b.Add(t.Context(), 4))
		require.NoError(t, sink.WaitHeld(t.Context(), 1))
		sink.Release()
		require.NoError(t, b.AddWait(t.Context(), 5))
		require.NoError(t, b.Close(t.Context()))
		assert.Equal(t, 6, sink.Count())
		assert.Zero(t, sink.Held())
	})
}

func TestAHeldCallTakesItsStepWhenItIsReleased(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		sink.Hold()
		var results []<-chan error
		for i := range 3 {
			results = append(results, write(t.Context(), sink, i))
			require.NoError(t, sink.WaitHeld(t.Context(), i+1))
		}
		sink.FailNext(1, errDown)
		sink.FailNext(1, errBad)
		sink.Delay(time.Second)
		begin := time.Now()
		sink.Release()
		assert.Equal(t, errDown, <-results[0], "the one held longest is the first")
		assert.Equal(t, errBad, <-results[1])
		require.NoError(t, <-results[2])
		assert.Equal(t, time.Second, time.Since(begin))
	})
}

func TestAHeldCallHonoursItsContextAndTakesNoStep(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		sink.Hold()
		sink.FailNext(1, errDown)
		ctx, cancel := context.WithCancelCause(t.Context())
		gaveUp, other := write(ctx, sink, 1), write(t.Context(), sink, 2)
		require.NoError(t, sink.WaitHeld(t.Context(), 2))
		cancel(errBad)
		assert.Equal(t, errBad, <-gaveUp)
		assert.Equal(t, 1, sink.Held())
		sink.Release()
		assert.Equal(t, errDown, <-other)
		require.NoError(t, sink.WaitCalls(t.Context(), 2))
		assert.Empty(t, sink.Items())
		for _, call := range sink.Calls() {
			assert.Equal(t, call.Items[0] == 1, call.CtxErr == errBad)
		}
	})
}

func TestAHeldCallMayIgnoreItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		b := newBatcher(t, sink, batcher.WithMaxSize(1), batcher.WithFlushTimeout(time.Second), quiet)
		sink.IgnoreContext(true)
		sink.Hold()
		receipt, err := b.Submit(t.Context(), 1)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		assert.Equal(t, 1, sink.Held())
		sink.Release()
		require.NoError(t, receipt.Wait(t.Context()))
		assert.Equal(t, context.DeadlineExceeded, sink.Calls()[0].CtxErr)

		sink.IgnoreContext(false)
		sink.Hold()
		require.ErrorIs(t, b.AddWait(t.Context(), 2), context.DeadlineExceeded)
	})
}

func TestAReleaseBeforeTheEndOfTheContextCounts(t *testing.T) {
	for range 50 { // both channels are ready, and select takes either
		inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
			sink.Hold()
			ctx, cancel := context.WithCancel(t.Context())
			result := write(ctx, sink, 1)
			require.NoError(t, sink.WaitHeld(t.Context(), 1))
			sink.Release()
			cancel()
			assert.NoError(t, <-result)
			assert.Equal(t, 1, sink.Count())
		})
	}
}

func TestCloseThatGivesUpReachesAHeldCall(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		b := newBatcher(t, sink, batcher.WithMaxSize(1))
		sink.Hold()
		require.NoError(t, b.Add(t.Context(), 1))
		require.NoError(t, b.Add(t.Context(), 2))
		require.NoError(t, sink.WaitHeld(t.Context(), 1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var left *batcher.CloseError[int]
		require.ErrorAs(t, b.Close(ctx), &left)
		assert.Equal(t, []int{1}, left.Unknown)
		assert.Equal(t, []int{2}, left.Unflushed)
		require.NoError(t, sink.WaitCalls(t.Context(), 1))
		assert.ErrorIs(t, sink.Calls()[0].Err, batcher.ErrClosed)
		assert.ErrorIs(t, sink.Calls()[0].CtxErr, batcher.ErrClosed)
	})
}

func TestSucceedTakesBackAllCommands(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		sink.Hold()
		sink.Delay(time.Hour)
		sink.FailNext(2, errDown)
		sink.PanicNext(-1, "boom")
		sink.FailWith(func(context.Context, []int) error { return errDown })
		sink.RejectItems(func(int) error { return errBad })
		result := write(t.Context(), sink, 1)
		require.NoError(t, sink.WaitHeld(t.Context(), 1))
		begin := time.Now()
		sink.Succeed()
		require.NoError(t, <-result)
		require.NoError(t, sink.Write(t.Context(), []int{2}))
		assert.Zero(t, time.Since(begin))
		assert.Equal(t, []int{1, 2}, sink.Items())
	})
}

func TestACallThatIsUnderWayEndsAsWasDecided(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		sink.Delay(time.Minute)
		sink.FailNext(1, errDown)
		begin := time.Now()
		result := write(t.Context(), sink, 1)
		synctest.Wait()
		sink.Succeed()
		sink.Hold()
		assert.Equal(t, errDown, <-result)
		assert.Equal(t, time.Minute, time.Since(begin))
	})
}
