package batcher_test

// Configuration, and what is refused: promise 14, faults 16, 23 and 34 to 36.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func discard[T any](context.Context, []T) error { return nil }

func TestP14_F34_EachOptionNamesItsOwnFault(t *testing.T) {
	var noContext context.Context
	for _, c := range []struct {
		opt  batcher.Option
		want string // in the error; "" if the value is fine
	}{
		{batcher.WithMaxSize(math.MinInt), "WithMaxSize(-9223372036854775808): must be at least 1"},
		{batcher.WithMaxSize(0), "WithMaxSize(0)"},
		{batcher.WithMaxSize(1), ""},
		{batcher.WithMaxSize(math.MaxInt), ""},
		{batcher.WithMaxDelay(0), "WithMaxDelay(0s): must be positive"},
		{batcher.WithMaxDelay(-1), "WithMaxDelay(-1ns)"},
		{batcher.WithMaxDelay(1), ""},
		{batcher.WithMaxDelay(math.MaxInt64), ""},
		{batcher.WithMaxWeight(0, func(int) int { return 0 }), "WithMaxWeight(0): must be at least 1"},
		{batcher.WithMaxWeight(-1, func(int) int { return 0 }), "WithMaxWeight(-1)"},
		{batcher.WithMaxWeight[int](1, nil), "WithMaxWeight: the function is nil"},
		{batcher.WithMaxWeight(math.MaxInt, func(int) int { return 0 }), ""},
		{batcher.WithMaxWeight(9, func(string) int { return 0 }), "WithMaxWeight: its function is a func(string) int, but this batcher needs a func(int) int"},
		{batcher.WithWorkers(0), "WithWorkers(0): must be from 1 to 65536"},
		{batcher.WithWorkers(-1), "WithWorkers(-1)"},
		{batcher.WithWorkers(1 << 16), ""},
		{batcher.WithWorkers(1<<16 + 1), "WithWorkers(65537)"},
		{batcher.WithWorkers(math.MaxInt), "WithWorkers("},
		{batcher.WithQueueDepth(0), "WithQueueDepth(0): must be from 1 to 16777216"},
		{batcher.WithQueueDepth(-1), "WithQueueDepth(-1)"},
		{batcher.WithQueueDepth(1), ""},
		{batcher.WithQueueDepth(math.MaxInt), "WithQueueDepth("},
		{batcher.WithOverflow(4), "WithOverflow(4): must be Block, Reject, DropNewest or DropOldest"},
		{batcher.WithOverflow(batcher.DropOldest), ""},
		{batcher.WithFlushTimeout(-1), "WithFlushTimeout(-1ns): must not be negative"},
		{batcher.WithFlushTimeout(0), ""},
		{batcher.WithFlushTimeout(math.MaxInt64), ""},
		{batcher.WithRetry(0, nil), "WithRetry(0): attempts must be at least 1"},
		{batcher.WithRetry(-1, nil), "WithRetry(-1)"},
		{batcher.WithRetry(1, nil), ""},
		{batcher.WithRetry(2, nil), "WithRetry(2): the Backoff is nil"},
		{batcher.WithRetry(math.MaxInt, constant(0)), ""},
		{batcher.WithRetryIf(nil), "WithRetryIf: the function is nil"},
		{batcher.WithDeadLetter[int](nil), "WithDeadLetter: the function is nil"},
		{batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[string]) {}), "DeadLetter[string]"},
		{batcher.WithBaseContext(noContext), "WithBaseContext: the context is nil"},
		{batcher.WithLogger(nil), "WithLogger: the logger is nil"},
		{batcher.WithEager(), ""},
		{batcher.WithBisect(), ""},
		{batcher.WithoutReuse(), ""},
		{batcher.WithName(""), ""},
		{batcher.WithHooks(batcher.Hooks{}), ""},
		{nil, "option 1 of 1 is nil"},
	} {
		goroutines := runtime.NumGoroutine()
		b, err := batcher.New(discard[int], c.opt)
		if c.want == "" {
			require.NoError(t, err)
			require.NoError(t, b.Add(context.Background(), 1))
			assert.EqualValues(t, 1, finish(t, b).Flushed)
			continue
		}
		require.ErrorIs(t, err, batcher.ErrConfig)
		assert.Nil(t, b)
		want := c.want
		if math.MaxInt == math.MaxInt32 {
			want = strings.Replace(want, "-9223372036854775808", "-2147483648", 1)
		}
		assert.Contains(t, err.Error(), want)
		assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines, "a refused New starts nothing")
	}
}

func TestP14_AllFaultsComeInOneError(t *testing.T) {
	_, err := batcher.New[int](nil, batcher.WithMaxSize(0), nil, batcher.WithMaxDelay(-time.Second),
		batcher.WithWorkers(-3), batcher.WithMaxWeight(0, func(string) int { return 1 }))
	require.ErrorIs(t, err, batcher.ErrConfig)
	for _, want := range []string{
		"batcher: invalid configuration", "the flush function is nil", "WithMaxSize(0)", "option 2 of 5 is nil",
		"WithMaxDelay(-1s)", "WithWorkers(-3)", "WithMaxWeight(0)", "func(string) int",
	} {
		assert.Contains(t, err.Error(), want)
	}
}

func TestTheLastOfTwoOptionsCounts(t *testing.T) {
	var sink script[int]
	b := start(t, sink.flush, batcher.WithMaxSize(0), batcher.WithMaxSize(2), batcher.WithQueueDepth(0), batcher.WithQueueDepth(1))
	addInts(t, b, 4)
	finish(t, b)
	assert.Equal(t, [][]int{{0, 1}, {2, 3}}, sink.seen())
}

func TestP14_F16_ANilContextIsNamed(t *testing.T) {
	b := start(t, discard[int])
	receipt, err := b.Submit(context.Background(), 1)
	require.NoError(t, err)
	var none context.Context
	for method, call := range map[string]func(){
		"Add":          func() { _ = b.Add(none, 1) },
		"AddAll":       func() { _, _ = b.AddAll(none, nil) },
		"AddWait":      func() { _ = b.AddWait(none, 1) },
		"Submit":       func() { _, _ = b.Submit(none, 1) },
		"Flush":        func() { _ = b.Flush(none) },
		"Close":        func() { _ = b.Close(none) },
		"Receipt.Wait": func() { _ = receipt.Wait(none) },
	} {
		assert.PanicsWithValue(t, "batcher: "+method+": nil context", call)
	}
	assert.PanicsWithValue(t, "batcher: Receipt.Wait: zero Receipt, Submit did not accept the item",
		func() { _ = batcher.Receipt{}.Wait(context.Background()) })
	assert.PanicsWithValue(t, "batcher: Receipt.Done: zero Receipt, Submit did not accept the item",
		func() { batcher.Receipt{}.Done() })
	assert.EqualValues(t, 1, finish(t, b).Flushed)
}

func TestF23_ExtremeDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the longest Duration never ends
		var sink script[int]
		b := start(t, sink.flush, batcher.WithMaxDelay(math.MaxInt64))
		addInts(t, b, 3)
		time.Sleep(200 * 365 * 24 * time.Hour)
		assert.Empty(t, sink.seen())
		finish(t, b)
	})
	b := start(t, discard[int], batcher.WithMaxDelay(1)) // 1 ns under load is no livelock
	for range 100 {
		addInts(t, b, 100)
	}
	assert.EqualValues(t, 10_000, finish(t, b).Flushed)
}

// kinds runs one batcher over items of a kind and checks that they arrive.
func kinds[T any](t *testing.T, items ...T) {
	t.Helper()
	var sink script[T]
	b := start(t, sink.flush, batcher.WithMaxSize(2))
	for _, item := range items {
		require.NoError(t, b.Add(context.Background(), item))
	}
	assert.EqualValues(t, len(items), finish(t, b).Flushed)
	var got []T
	for _, batch := range sink.seen() {
		got = append(got, batch...)
	}
	assert.Equal(t, items, got)
}

func TestF35_AnyTypeOfItemIsCountedAndDelivered(t *testing.T) {
	one := 1
	kinds(t, struct{}{}, struct{}{}, struct{}{})
	kinds(t, &one, nil, &one)
	kinds[any](t, nil, 1, (*int)(nil), "s", []int{1})
	kinds[error](t, nil, errSink)
	kinds(t, [1 << 20]byte{1}, [1 << 20]byte{2}, [1 << 20]byte{3})
}

func TestP3_F36_WeightsAreBoundedAndBadOnesRefused(t *testing.T) {
	var sink script[int]
	b := start(t, sink.flush, batcher.WithMaxSize(4), batcher.WithMaxDelay(time.Hour), batcher.WithQueueDepth(100),
		batcher.WithMaxWeight(10, func(n int) int { return n }))
	ctx := context.Background()
	require.ErrorIs(t, b.Add(ctx, 11), batcher.ErrTooHeavy)
	require.ErrorIs(t, b.TryAdd(-1), batcher.ErrNegativeWeight)
	require.ErrorIs(t, b.AddWait(ctx, math.MaxInt), batcher.ErrTooHeavy)
	_, err := b.Submit(ctx, math.MinInt)
	require.ErrorIs(t, err, batcher.ErrNegativeWeight)
	n, err := b.AddAll(ctx, []int{6, 5, 99, 1})
	require.ErrorIs(t, err, batcher.ErrTooHeavy)
	assert.Equal(t, 2, n)
	for _, weight := range []int{5, 0, 0, 0, 0, 0, 10, 1} {
		require.NoError(t, b.Add(ctx, weight))
	}
	s := finish(t, b)
	assert.Equal(t, [][]int{{6}, {5, 5}, {0, 0, 0, 0}, {0, 10}, {1}}, sink.seen())
	assert.EqualValues(t, 10, s.Added)
	assert.Equal(t, [8]int64{batcher.ReasonSize: 1, batcher.ReasonWeight: 3, batcher.ReasonClose: 1}, [8]int64(s.Batches))
	require.ErrorIs(t, b.Add(ctx, 11), batcher.ErrClosed, "ErrClosed wins over the others")
}

func TestF36_AWeigherThatPanicsReachesTheCallerAndLeavesNoTrace(t *testing.T) {
	b := start(t, discard[int], batcher.WithMaxWeight(10, func(n int) int {
		if n < 0 {
			panic("weigh")
		}
		return n
	}))
	assert.PanicsWithValue(t, "weigh", func() { _ = b.Add(context.Background(), -1) })
	require.NoError(t, b.Add(context.Background(), 1))
	assert.EqualValues(t, 1, finish(t, b).Added)
}

func TestErrorsSayWhatHappened(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&batcher.FlushError{Items: 1, Attempts: 2, Err: errSink}, "batcher: 1 item failed after 2 attempts: sink is down"},
		{&batcher.FlushError{Items: 3, Err: batcher.ErrDropped},
			"batcher: 3 items lost without an attempt: batcher: dropped for lack of room"},
		{&batcher.CloseError[int]{Unflushed: ints(3), Unknown: ints(2), Err: context.DeadlineExceeded},
			"batcher: closed with 3 items unflushed and 2 of unknown outcome: context deadline exceeded"},
		{&batcher.PanicError{Value: "boom"}, "batcher: panic in user code: boom"},
		{&batcher.PartialError{Errs: map[int]error{7: errors.New("b"), 3: errors.New("a"), 1: nil}},
			"batcher: 2 items of the batch failed, item 3: a"},
		{&batcher.PartialError{}, "batcher: partial failure of no items"},
		{(*batcher.PartialError)(nil), "batcher: partial failure of no items"},
	} {
		assert.Equal(t, c.want, c.err.Error())
	}
	assert.Equal(t, "size weight delay eager flush close", fmt.Sprint(batcher.ReasonSize, batcher.ReasonWeight,
		batcher.ReasonDelay, batcher.ReasonEager, batcher.ReasonFlush, batcher.ReasonClose))
	assert.Equal(t, "Reason(99)", batcher.Reason(99).String())
	assert.Equal(t, "Block Reject DropNewest DropOldest Overflow(9)", fmt.Sprint(batcher.Block, batcher.Reject,
		batcher.DropNewest, batcher.DropOldest, batcher.Overflow(9)))
}
