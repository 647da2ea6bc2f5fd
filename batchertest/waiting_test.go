package batchertest_test

// Waiting for what is recorded.

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
)

// waited runs wait on a goroutine of its own, and returns where its result will be.
func waited(ctx context.Context, wait func(context.Context, int) error, n int) <-chan error {
	result := make(chan error, 1)
	go func() { result <- wait(ctx, n) }()
	synctest.Wait()
	return result
}

// resolved reports whether a waiter has returned, once all goroutines have come to rest.
func resolved(result <-chan error) bool {
	synctest.Wait()
	return len(result) == 1
}

func TestWaitersWaitForTheirNumber(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		calls := waited(t.Context(), sink.WaitCalls, 2)
		items := waited(t.Context(), sink.WaitItems, 2)
		held := waited(t.Context(), sink.WaitHeld, 1)

		sink.FailNext(1, errDown)
		require.Error(t, sink.Write(t.Context(), []int{1, 2, 3}))
		assert.False(t, resolved(calls))
		require.NoError(t, sink.Write(t.Context(), []int{4}))
		assert.True(t, resolved(calls), "failed calls count")
		assert.False(t, resolved(items), "items of failed calls do not")
		require.NoError(t, sink.Write(t.Context(), []int{5}))
		assert.True(t, resolved(items))
		assert.False(t, resolved(held))

		sink.Hold()
		write(t.Context(), sink, 6)
		assert.True(t, resolved(held))
		more := waited(t.Context(), sink.WaitCalls, 4)
		assert.False(t, resolved(more), "a call counts when it has ended")
		sink.Release()
		assert.True(t, resolved(more))
		for _, result := range []<-chan error{calls, items, held, more} {
			assert.NoError(t, <-result)
		}
	})
}

func TestAWaiterHearsOfWhatIsPastAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		sink.Hold()
		held := waited(t.Context(), sink.WaitHeld, 1)
		sink.FailWith(func(context.Context, []int) error { return nil })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, sink.Write(ctx, []int{1}), context.Canceled)
		assert.Zero(t, sink.Held(), "it was held for no time at all")
		assert.NoError(t, <-held)
	})
}

func TestAWaiterGivesUpWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		letters := batchertest.NewLetters[int]()
		letters.Handle(t.Context(), batcher.DeadLetter[int]{Items: []int{1, 2}})
		sink.FailNext(1, errDown)
		require.Error(t, sink.Write(t.Context(), []int{1}))
		require.NoError(t, sink.Write(t.Context(), []int{1, 2, 3}))
		for text, wait := range map[string]func(context.Context, int) error{
			"Sink.WaitCalls: 2 of 5":      sink.WaitCalls,
			"Sink.WaitItems: 3 of 5":      sink.WaitItems,
			"Sink.WaitHeld: 0 of 5":       sink.WaitHeld,
			"Letters.WaitLetters: 1 of 5": letters.WaitLetters,
			"Letters.WaitItems: 2 of 5":   letters.WaitItems,
		} {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errBad)
			err := wait(ctx, 5)
			require.ErrorIs(t, err, errBad)
			assert.EqualError(t, err, "batchertest: "+text+": bad item")
			assert.NoError(t, wait(ctx, 0), "what is there already is there, whatever the context")
			assert.NoError(t, wait(ctx, -1))
			cancel()
		}
	})
}

func TestAWaiterThatGaveUpDoesNotDisturbTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		ctx, cancel := context.WithCancel(t.Context())
		first, second, third := waited(t.Context(), sink.WaitCalls, 1), waited(ctx, sink.WaitCalls, 1),
			waited(t.Context(), sink.WaitCalls, 2)
		cancel()
		require.ErrorIs(t, <-second, context.Canceled)
		assert.False(t, resolved(first))
		require.NoError(t, sink.Write(t.Context(), []int{1}))
		assert.True(t, resolved(first))
		assert.False(t, resolved(third))
		require.NoError(t, sink.Write(t.Context(), []int{1}))
		assert.True(t, resolved(third))
	})
}

func TestAConditionMetBeforeTheEndOfTheContextCounts(t *testing.T) {
	for range 50 { // both channels are ready, and select takes either
		inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
			ctx, cancel := context.WithCancel(t.Context())
			result := waited(ctx, sink.WaitCalls, 1)
			require.NoError(t, sink.Write(t.Context(), []int{1}))
			cancel()
			assert.NoError(t, <-result)
		})
	}
}
