package batchertest_test

// What the sink records.

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
)

func TestSinkRecordsABatchersCalls(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		begin := time.Now()
		b := newBatcher(t, sink, batcher.WithName("events"), batcher.WithMaxSize(2),
			batcher.WithMaxDelay(50*time.Millisecond))
		sink.Delay(time.Second)
		for i := range 3 {
			require.NoError(t, b.Add(t.Context(), i))
		}
		require.NoError(t, b.Close(t.Context()))

		calls := sink.Calls()
		require.Len(t, calls, 2)
		for i, want := range []batchertest.Call[int]{
			{Items: []int{0, 1}, Start: begin, End: begin.Add(time.Second), Done: true, Flushed: []int{0, 1},
				Info: batcher.Info{Name: "events", Reason: batcher.ReasonSize, Size: 2, FirstAdded: begin, Sealed: begin, Attempt: 1, First: true}},
			{Items: []int{2}, Start: begin.Add(time.Second), End: begin.Add(2 * time.Second), Done: true, Flushed: []int{2},
				Info: batcher.Info{Name: "events", Reason: batcher.ReasonClose, Size: 1, FirstAdded: begin, Sealed: begin, Attempt: 1, First: true}},
		} {
			want.Info.Batch = calls[i].Info.Batch // whose value nobody promises
			assert.Equal(t, plainTimes(want), plainTimes(calls[i]))
		}
		assert.Greater(t, calls[1].Info.Batch, calls[0].Info.Batch)
		assert.Positive(t, calls[0].Info.Batch)
		assert.Equal(t, [][]int{{0, 1}, {2}}, sink.Batches())
		assert.Equal(t, []int{0, 1, 2}, sink.Items())
		assert.Equal(t, 3, sink.Count())
		assert.Equal(t, 2, sink.Attempts())
	})
}

// plainTimes makes calls comparable by Equal. The fake clock has no monotonic reading to lose.
func plainTimes[T any](c batchertest.Call[T]) batchertest.Call[T] {
	for _, at := range []*time.Time{&c.Start, &c.End, &c.Info.FirstAdded, &c.Info.Sealed} {
		*at = at.Round(0).UTC()
	}
	return c
}

func TestANewSinkHasRecordedNothing(t *testing.T) {
	sink := batchertest.NewSink[int]()
	assert.Empty(t, sink.Calls())
	assert.Empty(t, sink.Batches())
	assert.Empty(t, sink.Items())
	assert.Zero(t, sink.Count())
	assert.Zero(t, sink.Attempts())
	assert.Zero(t, sink.Held())
}

func TestACallOutsideABatcherHasNoInfo(t *testing.T) {
	sink := batchertest.NewSink[int]()
	require.NoError(t, sink.Write(t.Context(), []int{1}))
	assert.Zero(t, sink.Calls()[0].Info)
}

func TestARunningCallIsRecordedAsNotDone(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		sink.Delay(time.Second)
		result := write(t.Context(), sink, 1)
		synctest.Wait()
		call := sink.Calls()[0]
		assert.Equal(t, batchertest.Call[int]{Items: []int{1}, Start: call.Start}, call)
		assert.Equal(t, 1, sink.Attempts())
		assert.Empty(t, sink.Batches())
		require.NoError(t, <-result)
		assert.True(t, sink.Calls()[0].Done)
	})
}

func TestTheRecordIsACopy(t *testing.T) {
	sink := batchertest.NewSink[int]()
	batch := []int{1, 2, 3}
	require.NoError(t, sink.Write(t.Context(), batch))
	clear(batch)
	for _, items := range [][]int{
		sink.Calls()[0].Items, sink.Calls()[0].Flushed, sink.Batches()[0], sink.Items(),
	} {
		assert.Equal(t, []int{1, 2, 3}, items)
		clear(items) // reaches none of the others
	}
	assert.Equal(t, []int{1, 2, 3}, sink.Items())
}

func TestCopyWithCopiesWhatItemsPointTo(t *testing.T) {
	sink := batchertest.NewSink[[]byte]()
	item := []byte("first")
	require.NoError(t, sink.Write(t.Context(), [][]byte{item}))
	sink.CopyWith(bytes.Clone)
	require.NoError(t, sink.Write(t.Context(), [][]byte{item}))
	copy(item, "worst")
	assert.Equal(t, [][]byte{[]byte("worst"), []byte("first")}, sink.Items())

	sink.CopyWith(nil)
	require.NoError(t, sink.Write(t.Context(), [][]byte{item}))
	copy(item, "third")
	assert.Equal(t, "third", string(sink.Items()[2]))
}

func TestBatchesAreInTheOrderInWhichCallsEnded(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		sink.FailWith(func(_ context.Context, batch []int) error {
			time.Sleep(time.Duration(batch[0]) * time.Second)
			return nil
		})
		for _, item := range []int{3, 1, 2} {
			write(t.Context(), sink, item)
			synctest.Wait()
		}
		require.NoError(t, sink.WaitCalls(t.Context(), 3))
		assert.Equal(t, []int{1, 2, 3}, sink.Items())
		assert.Equal(t, []int{3}, sink.Calls()[0].Items)
	})
}

func TestOnlyWhatAPartialErrorLeavesCountsAsFlushed(t *testing.T) {
	joined := errors.Join(errDown, &batcher.PartialError{Errs: map[int]error{1: errBad}})
	tests := map[string]struct {
		err     error
		flushed []int
	}{
		"some":            {&batcher.PartialError{Errs: map[int]error{1: errBad}}, []int{10, 12}},
		"all":             {&batcher.PartialError{Errs: map[int]error{0: errBad, 1: errBad, 2: errBad}}, nil},
		"nil entry":       {&batcher.PartialError{Errs: map[int]error{0: nil, 1: errBad}}, []int{10, 12}},
		"joined, wrapped": {batcher.Permanent(joined), []int{10, 12}},
		"none named":      {&batcher.PartialError{}, nil},
		"only nil":        {&batcher.PartialError{Errs: map[int]error{1: nil}}, nil},
		"out of range":    {&batcher.PartialError{Errs: map[int]error{1: errBad, 3: errBad}}, nil},
		"negative":        {&batcher.PartialError{Errs: map[int]error{1: errBad, -1: errBad}}, nil},
		"nil pointer":     {(*batcher.PartialError)(nil), nil},
		"another error":   {errDown, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
				letters := batchertest.NewLetters[int]()
				b := newBatcher(t, sink, batcher.WithMaxSize(3), batcher.WithDeadLetter(letters.Handle))
				sink.FailNext(1, test.err)
				_, err := b.AddAll(t.Context(), []int{10, 11, 12})
				require.NoError(t, err)
				require.NoError(t, b.Close(t.Context()))
				assert.Equal(t, test.flushed, sink.Items())
				assert.Equal(t, test.flushed, sink.Calls()[0].Flushed)
				assert.Equal(t, len(test.flushed), sink.Count())
				assert.EqualValues(t, len(test.flushed), b.Stats().Flushed, "the batcher counts alike")
				assert.Equal(t, 3-len(test.flushed), letters.Count())
			})
		})
	}
}

func TestACallRecordsThatItsContextHadEnded(t *testing.T) {
	sink := batchertest.NewSink[int]()
	ctx, cancel := context.WithCancelCause(t.Context())
	require.NoError(t, sink.Write(ctx, []int{1}))
	cancel(errDown)
	require.NoError(t, sink.Write(ctx, []int{2}), "a sink that does not wait does not look")
	calls := sink.Calls()
	assert.NoError(t, calls[0].CtxErr)
	assert.Equal(t, errDown, calls[1].CtxErr)
}

func TestANilContextIsNamed(t *testing.T) {
	sink := batchertest.NewSink[int]()
	letters := batchertest.NewLetters[int]()
	var none context.Context
	for name, call := range map[string]func(){
		"Sink.Write":          func() { _ = sink.Write(none, []int{1}) },
		"Sink.WaitCalls":      func() { _ = sink.WaitCalls(none, 1) },
		"Sink.WaitItems":      func() { _ = sink.WaitItems(none, 1) },
		"Sink.WaitHeld":       func() { _ = sink.WaitHeld(none, 1) },
		"Letters.WaitLetters": func() { _ = letters.WaitLetters(none, 1) },
		"Letters.WaitItems":   func() { _ = letters.WaitItems(none, 1) },
	} {
		assert.PanicsWithValue(t, "batchertest: "+name+": nil context", call)
	}
	assert.Zero(t, sink.Attempts())
}

func TestManyGoroutinesShareASink(t *testing.T) {
	sink := batchertest.NewSink[int]()
	sink.CopyWith(func(item int) int { return item })
	const producers, each = 8, 200
	b := newBatcher(t, sink, batcher.WithMaxSize(7), batcher.WithWorkers(4), batcher.WithQueueDepth(2),
		batcher.WithRetry(1<<30, noPause), batcher.WithMaxDelay(time.Millisecond))

	var busy, disturb sync.WaitGroup
	stop := make(chan struct{})
	disturb.Go(func() { disturbUntil(stop, sink) })
	for p := range producers {
		busy.Go(func() {
			for i := range each {
				assert.NoError(t, b.Add(t.Context(), p*each+i))
			}
		})
	}
	busy.Wait()
	require.NoError(t, b.Close(t.Context()))
	close(stop)
	disturb.Wait()

	require.NoError(t, sink.WaitItems(t.Context(), producers*each))
	items := sink.Items()
	slices.Sort(items)
	for i, item := range items {
		require.Equal(t, i, item)
	}
	s := b.Stats()
	assert.EqualValues(t, producers*each, s.Flushed)
	assert.Equal(t, s.Added, s.Flushed+s.Failed+s.Dropped+s.Returned+s.Pending)
}

// disturbUntil gives all commands that cost no item, and reads all records, again and again.
func disturbUntil(stop <-chan struct{}, sink *batchertest.Sink[int]) {
	for round := 0; ; round++ {
		select {
		case <-stop:
			sink.Succeed()
			return
		default:
		}
		sink.FailNext(1, errDown)
		sink.PanicNext(0, nil)
		sink.RejectItems(func(item int) error {
			if item%7 == round%7 {
				return errBad
			}
			return nil
		})
		sink.Hold()
		sink.Delay(time.Microsecond)
		sink.ReleaseNext(1)
		_, _, _ = sink.Held(), sink.Count(), sink.Attempts()
		_, _, _ = sink.Calls(), sink.Batches(), sink.Items()
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		_ = sink.WaitHeld(ctx, 1)
		cancel()
		sink.Succeed()
	}
}
