package prombatcher_test

// What is counted, and that it agrees.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestEachReasonIsCounted(t *testing.T) {
	weigh := batcher.WithMaxWeight(1, func(int) int { return 1 })
	for reason, run := range map[batcher.Reason]func(t *testing.T) (batcher.Observed, func()){
		batcher.ReasonSize:   plain(func(b *batcher.Batcher[int]) error { return b.AddWait(t.Context(), 1) }, batcher.WithMaxSize(1)),
		batcher.ReasonWeight: plain(func(b *batcher.Batcher[int]) error { return b.AddWait(t.Context(), 1) }, weigh),
		batcher.ReasonDelay:  plain(func(b *batcher.Batcher[int]) error { return b.AddWait(t.Context(), 1) }),
		batcher.ReasonEager:  plain(func(b *batcher.Batcher[int]) error { return b.AddWait(t.Context(), 1) }, batcher.WithEager()),
		batcher.ReasonFlush: plain(func(b *batcher.Batcher[int]) error {
			return errors.Join(b.Add(t.Context(), 1), b.Flush(t.Context()))
		}),
		batcher.ReasonClose: plain(func(b *batcher.Batcher[int]) error {
			return errors.Join(b.Add(t.Context(), 1), b.Close(t.Context()))
		}),
		batcher.ReasonBudget: func(t *testing.T) (batcher.Observed, func()) {
			s, err := batcher.NewSharded(func(context.Context, int, []int) error { return nil },
				batcher.WithMaxPending(1), batcher.WithMaxDelay(time.Hour))
			require.NoError(t, err)
			return s, func() {
				require.NoError(t, s.Add(t.Context(), 1, 1))
				require.NoError(t, s.Add(t.Context(), 2, 1)) // for which the first has to go
				require.NoError(t, s.Close(t.Context()))
			}
		},
	} {
		t.Run(reason.String(), func(t *testing.T) {
			c, registry := registered(t)
			b, add := run(t)
			stop, err := c.WatchAs("a", b)
			require.NoError(t, err)
			defer stop()
			add()
			assert.EqualValues(t, 1, scrape(t, registry)["batcher_batches_total{name=a,reason="+reason.String()+"}"])
		})
	}
}

// plain returns a function that makes a batcher, and returns it with what is to be done with it.
func plain(add func(*batcher.Batcher[int]) error, opts ...batcher.Option) func(*testing.T) (batcher.Observed, func()) {
	return func(t *testing.T) (batcher.Observed, func()) {
		b := start(t, good, opts...)
		return b, func() { require.NoError(t, add(b)) }
	}
}

func TestEachClassOfErrorsIsCounted(t *testing.T) {
	outcomes := map[string]func() error{
		"dropped":   func() error { return fmt.Errorf("the batcher behind: %w", batcher.ErrDropped) },
		"panic":     func() error { panic("boom") },
		"goexit":    func() error { return goexit() },
		"partial":   func() error { return &batcher.PartialError{Errs: map[int]error{0: errSink}} },
		"too_large": func() error { return batcher.TooLarge(errSink) },
		"permanent": func() error { return batcher.Permanent(errSink) },
		"timeout":   func() error { return context.DeadlineExceeded },
		"canceled":  func() error { return context.Canceled },
		"throttled": func() error { return batcher.RetryAfter(errSink, 0) },
		"other":     func() error { return hostile{} },
	}
	assert.ElementsMatch(t, batcher.ErrorClasses(), slices.Collect(maps.Keys(outcomes)))
	for class, outcome := range outcomes {
		t.Run(class, func(t *testing.T) {
			c, registry := registered(t)
			b := start(t, func(context.Context, []int) error { return outcome() }, batcher.WithName("a"))
			watch(t, c, b)
			assert.Error(t, b.AddWait(t.Context(), 1))
			found := scrape(t, registry)
			assert.EqualValues(t, 1, found["batcher_flush_errors_total{class="+class+",name=a}"], "%v", found.nonzero())
			assert.EqualValues(t, 1, found["batcher_flush_duration_seconds_count{name=a,result=error}"])
			assert.EqualValues(t, 1, found["batcher_failed_total{name=a}"])
		})
	}
}

// hostile is an error whose methods panic when they are looked at.
type hostile struct{}

func (hostile) Error() string { return "hostile" }
func (hostile) Is(error) bool { panic("Is") }
func (hostile) Unwrap() error { panic("Unwrap") }
func (hostile) Timeout() bool { panic("Timeout") }
func (hostile) As(any) bool   { panic("As") }

func goexit() error {
	runtime.Goexit()
	return nil
}

func TestASplitBatchCountsOnce(t *testing.T) {
	c, registry := registered(t)
	b := start(t, func(_ context.Context, batch []int) error {
		if len(batch) > 1 {
			return batcher.TooLarge(errSink)
		}
		return nil
	}, batcher.WithName("a"), batcher.WithMaxSize(4))
	watch(t, c, b)
	_, err := b.AddAll(t.Context(), []int{1, 2, 3, 4})
	require.NoError(t, err)
	require.NoError(t, b.Flush(t.Context()))
	found := scrape(t, registry)
	assert.EqualValues(t, 1, found["batcher_batch_size_items_count{name=a}"])
	assert.EqualValues(t, 4, found["batcher_batch_size_items_sum{name=a}"])
	assert.EqualValues(t, 1, found["batcher_queue_delay_seconds_count{name=a}"])
	assert.EqualValues(t, 3, found["batcher_flush_duration_seconds_count{name=a,result=error}"])
	assert.EqualValues(t, 4, found["batcher_flush_duration_seconds_count{name=a,result=ok}"])
}

func TestAllFrontEndsAreShown(t *testing.T) {
	c, registry := registered(t)
	sharded, err := batcher.NewSharded(func(context.Context, string, []int) error { return nil },
		batcher.WithName("sharded"), batcher.WithMaxPending(77))
	require.NoError(t, err)
	combiner, err := batcher.NewCombiner(func(old, new int) int { return old + new },
		func(context.Context, map[string]int) error { return nil }, batcher.WithName("combiner"), batcher.WithEager())
	require.NoError(t, err)
	watch(t, c, sharded)
	watch(t, c, combiner)
	for range 3 {
		require.NoError(t, sharded.Add(t.Context(), "k", 1))
		require.NoError(t, combiner.Add(t.Context(), "k", 1))
	}
	require.NoError(t, sharded.Close(t.Context()))
	require.NoError(t, combiner.Close(t.Context()))
	found := scrape(t, registry)
	assert.EqualValues(t, 77, found["batcher_max_pending_items{name=sharded}"])
	assert.EqualValues(t, 0, found["batcher_max_queue_depth{name=sharded}"])
	assert.EqualValues(t, 0, found["batcher_max_delay_seconds{name=combiner}"], "it is eager")
	assert.EqualValues(t, 3, found["batcher_flushed_total{name=sharded}"])
	assert.EqualValues(t, 3, found["batcher_flushed_total{name=combiner}"]+found["batcher_merged_total{name=combiner}"])
}
