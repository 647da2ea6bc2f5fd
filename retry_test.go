package batcher_test

// What a flush function may return, and what follows: faults 26, 43 to 47 and 51.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

var errSink = errors.New("sink is down")

// constant is a Backoff without jitter.
func constant(d time.Duration) batcher.Backoff { return func(int) time.Duration { return d } }

func TestF26_ErrorsReachTheDeadLetterAndTheReceiptAsTheyWere(t *testing.T) {
	typed := &batcher.FlushError{Items: 7, Err: io.EOF} // any type that errors.As must find
	for name, err := range map[string]error{
		"plain":   errSink,
		"wrapped": fmt.Errorf("writing: %w", errSink),
		"joined":  errors.Join(errors.New("other"), errSink, typed),
	} {
		synctest.Test(t, func(t *testing.T) {
			var sink script[int]
			var box mailbox[int]
			b := start(t, sink.fail(err, err).flush, batcher.WithMaxSize(2),
				batcher.WithRetry(2, constant(time.Second)), batcher.WithDeadLetter(box.handle))
			receipt, submitErr := b.Submit(context.Background(), 1)
			require.NoError(t, submitErr)
			require.NoError(t, b.Add(context.Background(), 2))
			require.NoError(t, b.Add(context.Background(), 3)) // of the next batch: unaffected

			fate := receipt.Wait(context.Background())
			require.ErrorIs(t, fate, errSink, name)
			var flushErr *batcher.FlushError
			require.ErrorAs(t, fate, &flushErr)
			assert.Equal(t, 2, flushErr.Items)
			assert.Equal(t, 2, flushErr.Attempts)

			s := finish(t, b)
			assert.EqualValues(t, 2, s.Failed)
			assert.EqualValues(t, 1, s.Flushed)
			require.Len(t, box.letters, 1)
			assert.Equal(t, err, box.letters[0].Err)
			assert.Equal(t, 2, box.letters[0].Attempts)
			assert.Equal(t, []int{1, 2}, box.letters[0].Items)
		})
	}
}

func TestF43_PermanentIsNotRetriedAndATimeoutIs(t *testing.T) {
	t.Run("permanent", func(t *testing.T) {
		var sink script[int]
		b := start(t, sink.fail(fmt.Errorf("row: %w", batcher.Permanent(errSink))).flush,
			batcher.WithRetry(10, constant(time.Hour)))
		addInts(t, b, 3)
		err := b.Flush(context.Background())
		require.ErrorIs(t, err, errSink)
		assert.Len(t, sink.seen(), 1)
		assert.EqualValues(t, 3, finish(t, b).Failed)
	})
	t.Run("refused by RetryIf", func(t *testing.T) {
		var sink script[int]
		b := start(t, sink.fail(io.EOF, errSink).flush, batcher.WithRetry(10, constant(0)),
			batcher.WithRetryIf(func(err error) bool { return errors.Is(err, io.EOF) }))
		addInts(t, b, 1)
		require.ErrorIs(t, b.Flush(context.Background()), errSink)
		assert.Len(t, sink.seen(), 2)
		assert.EqualValues(t, 1, finish(t, b).Retries)
	})
	synctest.Test(t, func(t *testing.T) { // the attempt's own deadline
		calls := 0
		b := start(t, func(ctx context.Context, _ []int) error {
			calls++
			if calls == 1 {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}, batcher.WithFlushTimeout(5*time.Second), batcher.WithRetry(2, constant(time.Second)))
		addInts(t, b, 1)
		begin := time.Now()
		require.NoError(t, b.Flush(context.Background()))
		assert.Equal(t, 6*time.Second, time.Since(begin))
		finish(t, b)
	})
	synctest.Test(t, func(t *testing.T) { // the batcher's end
		calls := 0
		b := start(t, func(ctx context.Context, _ []int) error {
			calls++
			<-ctx.Done()
			return context.Cause(ctx)
		}, batcher.WithRetry(10, constant(0)))
		addInts(t, b, 1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var closeErr *batcher.CloseError[int]
		require.ErrorAs(t, b.Close(ctx), &closeErr)
		assert.Equal(t, []int{0}, closeErr.Unknown)
		synctest.Wait()
		assert.Equal(t, 1, calls)
	})
}

func TestF44_RetryAfterIsTheLongerOfHintAndBackoff(t *testing.T) {
	for _, c := range []struct {
		name          string
		backoff, hint time.Duration
		want          time.Duration
	}{
		{"hint is longer", time.Second, time.Minute, time.Minute},
		{"backoff is longer", time.Minute, time.Second, time.Minute},
		{"hint is in the past", time.Second, -time.Hour, time.Second},
		{"hint is absurd", time.Second, 1 << 62, time.Hour},
		{"backoff is negative", -time.Second, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			var sink script[int]
			sink.fail(fmt.Errorf("HTTP 429: %w", batcher.RetryAfter(errSink, c.hint)))
			b := start(t, sink.flush, batcher.WithRetry(2, constant(c.backoff)))
			addInts(t, b, 1)
			begin := time.Now()
			require.NoError(t, b.Flush(context.Background()))
			assert.Equal(t, c.want, time.Since(begin), c.name)
			finish(t, b)
		})
	}
}

func TestF25_NoPauseAfterTheLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink script[int]
		b := start(t, sink.fail(errSink, errSink, errSink, errSink).flush, batcher.WithMaxSize(1),
			batcher.WithRetry(4, func(attempt int) time.Duration { return time.Duration(attempt) * time.Second }))
		begin := time.Now()
		addInts(t, b, 1)
		require.ErrorIs(t, b.Flush(context.Background()), errSink)
		assert.Equal(t, 6*time.Second, time.Since(begin)) // 1 + 2 + 3
		assert.EqualValues(t, 3, finish(t, b).Retries)
	})
}

func TestF25_ExponentialBackoffNeverOverflowsAndIsNeverNegative(t *testing.T) {
	bounds := []struct {
		base, max time.Duration
	}{
		{time.Second, 10 * time.Second}, {time.Second, 1<<63 - 1}, {1, 1<<63 - 1}, {1<<63 - 1, 1<<63 - 1},
		{0, time.Second}, {-1, time.Second}, {time.Second, 0}, {time.Second, -1}, {time.Minute, time.Second},
	}
	for _, bound := range bounds {
		backoff := batcher.ExponentialBackoff(bound.base, bound.max)
		for _, attempt := range []int{math.MinInt, -1, 0, 1, 2, 3, 31, 32, 33, 34, 62, 63, 64, 65, math.MaxInt} {
			for range 20 {
				d := backoff(attempt)
				assert.GreaterOrEqual(t, d, time.Duration(0), "%v attempt %d", bound, attempt)
				assert.LessOrEqual(t, d, max(bound.max, 0), "%v attempt %d", bound, attempt)
			}
		}
	}
}

func TestF45_FullJitterSpreadsABatchersAttempts(t *testing.T) {
	backoff := batcher.ExponentialBackoff(time.Second, time.Minute)
	var early, late int
	for range 1000 {
		switch d := backoff(4); { // between 0 and 8 s
		case d < 2*time.Second:
			early++
		case d > 6*time.Second:
			late++
		}
	}
	// 250 are expected of each; 100 is 11 standard deviations away.
	assert.Greater(t, early, 100)
	assert.Greater(t, late, 100)
}

func TestTooLargeSplitsInOrderAndIsPermanentForASingleItem(t *testing.T) {
	var sink script[int]
	var box mailbox[int]
	limit := func(batch []int) error {
		if len(batch) > 2 || slices.Contains(batch, 3) {
			return batcher.TooLarge(errSink)
		}
		return nil
	}
	for range 20 {
		sink.answer(limit)
	}
	b := start(t, sink.flush, batcher.WithMaxSize(8), batcher.WithDeadLetter(box.handle))
	addInts(t, b, 7)
	require.ErrorIs(t, b.Flush(context.Background()), errSink)
	s := finish(t, b)
	assert.EqualValues(t, 6, s.Flushed)
	assert.Equal(t, []int{3}, box.items())
	assert.Equal(t, [][]int{{0, 1, 2, 3, 4, 5, 6}, {0, 1, 2, 3}, {0, 1}, {2, 3}, {2}, {3}, {4, 5, 6}, {4, 5}, {6}}, sink.seen())
	assert.Zero(t, s.Retries, "pieces of a split are not retries")
}

func TestAPieceOfASplitStartsItsAttemptsAnew(t *testing.T) {
	var sink script[int]
	sink.fail(errSink, batcher.TooLarge(errSink), errSink, nil, errSink, nil)
	b := start(t, sink.flush, batcher.WithMaxSize(2), batcher.WithRetry(2, constant(0)))
	addInts(t, b, 2)
	require.NoError(t, b.Flush(context.Background()))
	assert.Equal(t, [][]int{{0, 1}, {0, 1}, {0}, {0}, {1}, {1}}, sink.seen())
	var attempts []int
	for _, info := range sink.infos {
		attempts = append(attempts, info.Attempt)
		assert.Equal(t, batcher.ReasonSize, info.Reason)
	}
	assert.Equal(t, []int{1, 2, 1, 2, 1, 2}, attempts)
	assert.EqualValues(t, 3, finish(t, b).Retries)
}

func TestF46_PartialFailureSettlesEachItemByItself(t *testing.T) {
	errLater, errBad := errors.New("later"), batcher.Permanent(errors.New("bad row"))
	var sink script[int]
	var box mailbox[int]
	sink.fail(
		fmt.Errorf("bulk: %w", &batcher.PartialError{Errs: map[int]error{1: errLater, 2: errBad, 3: errBad, 5: errLater, 6: nil}}),
		&batcher.PartialError{Errs: map[int]error{1: errLater}},
	)
	b := start(t, sink.flush, batcher.WithMaxSize(8), batcher.WithRetry(3, constant(0)), batcher.WithDeadLetter(box.handle))
	var receipts []batcher.Receipt
	for i := range 7 {
		r, err := b.Submit(context.Background(), i)
		require.NoError(t, err)
		receipts = append(receipts, r)
	}
	require.ErrorIs(t, b.Flush(context.Background()), errBad)
	assert.Equal(t, [][]int{{0, 1, 2, 3, 4, 5, 6}, {1, 5}, {5}}, sink.seen())
	assert.Equal(t, []int{2, 3}, box.items())
	assert.Len(t, box.letters, 1, "items that fail for the same reason share a letter")
	for i, r := range receipts {
		err := r.Wait(context.Background())
		if i == 2 || i == 3 {
			require.ErrorIs(t, err, errBad, "item %d", i)
		} else {
			require.NoError(t, err, "item %d", i)
		}
	}
	s := finish(t, b)
	assert.EqualValues(t, 5, s.Flushed)
	assert.EqualValues(t, 2, s.Failed)
}

func TestF46_AReceiptOfAPartialFailureResolvesBeforeItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink script[int]
		sink.fail(&batcher.PartialError{Errs: map[int]error{0: batcher.RetryAfter(errSink, time.Minute)}})
		b := start(t, sink.flush, batcher.WithMaxSize(2), batcher.WithRetry(2, constant(0)))
		slow, err := b.Submit(context.Background(), 1)
		require.NoError(t, err)
		done := slow.Done()
		quick, err := b.Submit(context.Background(), 2)
		require.NoError(t, err)
		begin := time.Now()
		<-quick.Done()
		require.NoError(t, quick.Wait(context.Background()))
		assert.Zero(t, time.Since(begin))
		select {
		case <-done:
			t.Fatal("the failed item is settled already")
		default:
		}
		require.NoError(t, slow.Wait(context.Background()))
		assert.Equal(t, time.Minute, time.Since(begin))
		<-done
		<-slow.Done()
		finish(t, b)
	})
}

func TestAWaitOutlastsTheSettlingOfOtherItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink script[int]
		for i := range 3 { // the items of the batch are flushed one at a time, the first one last
			errs := map[int]error{}
			for j := range 3 - i {
				errs[j] = errSink
			}
			sink.fail(&batcher.PartialError{Errs: errs})
		}
		b := start(t, sink.flush, batcher.WithMaxSize(4), batcher.WithRetry(9, constant(time.Minute)))
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range 4 {
			receipt, err := b.Submit(context.Background(), i)
			require.NoError(t, err)
			wg.Go(func() {
				assert.NoError(t, receipt.Wait(context.Background()))
				assert.Equal(t, time.Duration(3-i)*time.Minute, time.Since(begin), "item %d", i)
			})
		}
		wg.Wait()
		finish(t, b)
	})
}

func TestOldestAgeIsThatOfTheOldestBatchWhereverItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := start(t, func(context.Context, []int) error { <-release; return nil }, batcher.WithMaxSize(2),
			batcher.WithMaxDelay(time.Hour), batcher.WithQueueDepth(2))
		assert.Zero(t, b.Stats().OldestAge)
		requireAge := func(minutes int) {
			t.Helper()
			synctest.Wait()
			require.Equal(t, time.Duration(minutes)*time.Minute, b.Stats().OldestAge)
		}
		for i := range 5 { // one batch runs, one is queued, one is filling
			require.NoError(t, b.Add(context.Background(), i))
			requireAge(i)
			time.Sleep(time.Minute)
		}
		release <- struct{}{} // the batch of minutes 0 and 1 is done
		requireAge(3)
		release <- struct{}{}
		requireAge(1)
		close(release)
		finish(t, b)
		requireAge(0)
	})
}

func TestF46_AnUnusablePartialErrorFailsTheWholeBatch(t *testing.T) {
	var none *batcher.PartialError
	for name, err := range map[string]error{
		"empty":         &batcher.PartialError{},
		"all nil":       &batcher.PartialError{Errs: map[int]error{0: nil, 1: nil}},
		"out of range":  &batcher.PartialError{Errs: map[int]error{0: errSink, 2: errSink}},
		"negative":      &batcher.PartialError{Errs: map[int]error{-1: errSink}},
		"typed nil":     none,
		"wrapped empty": fmt.Errorf("bulk: %w", &batcher.PartialError{}),
	} {
		var sink script[int]
		var box mailbox[int]
		b := start(t, sink.fail(err, err).flush, batcher.WithMaxSize(3), batcher.WithRetry(2, constant(0)),
			batcher.WithDeadLetter(box.handle))
		addInts(t, b, 2)
		require.Error(t, b.Flush(context.Background()), name)
		assert.Equal(t, [][]int{{0, 1}, {0, 1}}, sink.seen(), name)
		assert.Equal(t, []int{0, 1}, box.items(), name)
		assert.EqualValues(t, 2, finish(t, b).Failed, name)
	}
}

func TestF46_OneItemsMarkDoesNotCondemnTheOthers(t *testing.T) {
	partial := &batcher.PartialError{Errs: map[int]error{0: batcher.Permanent(errSink), 1: io.EOF}}
	assert.NotErrorIs(t, partial, errSink, "PartialError must not unwrap to its entries")
	var sink script[int]
	var box mailbox[int]
	b := start(t, sink.fail(partial).flush, batcher.WithMaxSize(4), batcher.WithRetry(2, constant(0)),
		batcher.WithBisect(), batcher.WithDeadLetter(box.handle))
	addInts(t, b, 3)
	require.Error(t, b.Flush(context.Background()))
	assert.Equal(t, [][]int{{0, 1, 2}, {1}}, sink.seen())
	assert.Equal(t, []int{0}, box.items())
	finish(t, b)
}

func TestAMarkAroundAPartialErrorHoldsForAllItsItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink script[int]
		var box mailbox[int]
		errs := map[int]error{0: io.EOF, 2: batcher.RetryAfter(io.EOF, 2*time.Second)}
		sink.fail(
			batcher.RetryAfter(&batcher.PartialError{Errs: errs}, time.Second),
			batcher.Permanent(&batcher.PartialError{Errs: map[int]error{0: io.EOF}}),
		)
		b := start(t, sink.flush, batcher.WithMaxSize(4), batcher.WithRetry(9, constant(0)), batcher.WithDeadLetter(box.handle))
		addInts(t, b, 3)
		begin := time.Now()
		require.Error(t, b.Flush(context.Background()))
		assert.Equal(t, 2*time.Second, time.Since(begin), "the longest pause asked for")
		assert.Equal(t, [][]int{{0, 1, 2}, {0, 2}}, sink.seen())
		assert.Equal(t, []int{0}, box.items())
		finish(t, b)
	})
}

func TestF47_BisectIsolatesOnePoisonItemInAThousand(t *testing.T) {
	const n, poison = 1000, 617
	var calls int
	var flushed []int
	var box mailbox[int]
	b := start(t, func(_ context.Context, batch []int) error {
		calls++
		if slices.Contains(batch, poison) {
			return batcher.Permanent(errSink)
		}
		flushed = append(flushed, batch...)
		return nil
	}, batcher.WithMaxSize(n+1), batcher.WithBisect(), batcher.WithDeadLetter(box.handle))
	addInts(t, b, n)
	require.ErrorIs(t, b.Flush(context.Background()), errSink)
	s := finish(t, b)
	assert.Equal(t, []int{poison}, box.items())
	assert.EqualValues(t, n-1, s.Flushed)
	assert.True(t, slices.IsSorted(flushed), "P2: in order across splits")
	assert.LessOrEqual(t, calls, 1+2*10, "about 2 log2(n) extra calls")
}

func TestBisectIsForPermanentFailuresOnly(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		splits bool
	}{
		{"permanent", batcher.Permanent(errSink), true},
		{"refused by RetryIf", io.EOF, true},
		{"used up", errSink, false},
	} {
		var sink script[int]
		b := start(t, sink.fail(c.err).flush, batcher.WithMaxSize(4), batcher.WithBisect(),
			batcher.WithRetryIf(func(err error) bool { return !errors.Is(err, io.EOF) }))
		addInts(t, b, 4)
		_ = b.Flush(context.Background())
		want := [][]int{{0, 1, 2, 3}}
		if c.splits {
			want = append(want, []int{0, 1}, []int{2, 3})
		}
		assert.Equal(t, want, sink.seen(), c.name)
		finish(t, b)
	}
}

func TestThePiecesOfASplitAreNoRetriesAndHaveNoPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink script[int]
		var retries []batcher.Info
		sink.fail(errSink, batcher.TooLarge(errSink))
		b := start(t, sink.flush, batcher.WithMaxSize(2), batcher.WithRetry(5, constant(time.Second)),
			batcher.WithHooks(batcher.Hooks{Retry: func(_ context.Context, info batcher.Info, _ time.Duration, _ error) {
				retries = append(retries, info)
			}}))
		begin := time.Now()
		addInts(t, b, 2)
		finish(t, b)
		assert.Equal(t, [][]int{{0, 1}, {0, 1}, {0}, {1}}, sink.seen())
		assert.Len(t, retries, 1)
		assert.Equal(t, time.Second, time.Since(begin))
	})
}

func TestAReceiptThatSomebodyWaitsForResolvesWhenItsBatchIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := start(t, func(context.Context, []int) error { <-release; return nil }, silent(),
			batcher.WithMaxSize(1), batcher.WithQueueDepth(1), batcher.WithOverflow(batcher.DropOldest))
		require.NoError(t, b.Add(context.Background(), 1)) // runs
		synctest.Wait()
		receipt, err := b.Submit(context.Background(), 2)
		require.NoError(t, err)
		fate := make(chan error, 1)
		go func() { fate <- receipt.Wait(context.Background()) }()
		synctest.Wait()
		require.NoError(t, b.Add(context.Background(), 3))
		synctest.Wait()
		require.ErrorIs(t, <-fate, batcher.ErrDropped)
		<-receipt.Done()
		close(release)
		assert.EqualValues(t, 1, finish(t, b).Dropped)
	})
}

func TestF48_AnAttemptThatTimedOutMayHaveWrittenAndIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var written []int
		b := start(t, func(ctx context.Context, batch []int) error {
			written = append(written, batch...) // committed, but the answer is lost
			if len(written) == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}, batcher.WithRetry(2, constant(0)), batcher.WithFlushTimeout(time.Second))
		addInts(t, b, 1)
		require.NoError(t, b.Flush(context.Background()))
		assert.Equal(t, []int{0, 0}, written, "as documented: sinks must be idempotent where that matters")
		finish(t, b)
	})
}

func TestF51_AThousandAttemptsKeepOneError(t *testing.T) {
	var last error
	attempts := 0
	b := start(t, func(context.Context, []int) error {
		attempts++
		last = fmt.Errorf("attempt %d", attempts)
		return last
	}, batcher.WithRetry(1000, constant(0)))
	err := b.AddWait(context.Background(), 1)
	var flushErr *batcher.FlushError
	require.NoError(t, b.Close(context.Background()))
	require.ErrorAs(t, err, &flushErr)
	assert.Equal(t, last, flushErr.Err)
	assert.Equal(t, 1000, flushErr.Attempts)
}

func TestMarksOfNilAreNil(t *testing.T) {
	require.NoError(t, batcher.Permanent(nil))
	require.NoError(t, batcher.TooLarge(nil))
	require.NoError(t, batcher.RetryAfter(nil, time.Second))
}

func TestMarksKeepTheErrorTheyMark(t *testing.T) {
	for _, err := range []error{batcher.Permanent(errSink), batcher.TooLarge(errSink), batcher.RetryAfter(errSink, time.Second)} {
		require.ErrorIs(t, err, errSink)
		assert.Contains(t, err.Error(), errSink.Error())
	}
}
