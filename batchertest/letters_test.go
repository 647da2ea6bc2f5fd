package batchertest_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
)

func TestLettersRecordWhatWasGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		letters := batchertest.NewLetters[int]()
		b := newBatcher(t, sink, batcher.WithMaxSize(2), batcher.WithRetry(3, noPause),
			batcher.WithDeadLetter(letters.Handle))
		assert.Empty(t, letters.All())
		assert.Empty(t, letters.Items())
		sink.FailNext(3, errDown)
		sink.FailNext(1, batcher.Permanent(errBad))
		_, err := b.AddAll(t.Context(), []int{1, 2, 3, 4, 5, 6})
		require.NoError(t, err)
		require.NoError(t, letters.WaitLetters(t.Context(), 2))
		require.NoError(t, letters.WaitItems(t.Context(), 4))
		require.NoError(t, b.Close(t.Context()))

		all := letters.All()
		require.Len(t, all, 2)
		assert.Equal(t, []int{1, 2}, all[0].Items)
		assert.ErrorIs(t, all[0].Err, errDown)
		assert.Equal(t, 3, all[0].Attempts)
		assert.Equal(t, 2, all[0].Info.Size)
		assert.Equal(t, []int{3, 4}, all[1].Items)
		assert.ErrorIs(t, all[1].Err, errBad)
		assert.Equal(t, 1, all[1].Attempts)
		assert.Equal(t, []int{1, 2, 3, 4}, letters.Items())
		assert.Equal(t, 4, letters.Count())
		assert.Equal(t, []int{5, 6}, sink.Items())
	})
}

func TestLettersRecordDrops(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		letters := batchertest.NewLetters[int]()
		b := newBatcher(t, sink, batcher.WithMaxSize(1), batcher.WithQueueDepth(1),
			batcher.WithOverflow(batcher.DropOldest), batcher.WithDeadLetter(letters.Handle))
		sink.Hold()
		require.NoError(t, b.Add(t.Context(), 0))
		require.NoError(t, sink.WaitHeld(t.Context(), 1))
		for i := 1; letters.Count() == 0; i++ {
			require.NoError(t, b.Add(t.Context(), i))
		}
		assert.Equal(t, []int{1}, letters.Items())
		assert.ErrorIs(t, letters.All()[0].Err, batcher.ErrDropped)
		assert.Zero(t, letters.All()[0].Attempts)
	})
}

func TestLettersHandOutCopies(t *testing.T) {
	letters := batchertest.NewLetters[int]()
	letters.Handle(t.Context(), batcher.DeadLetter[int]{Items: []int{1, 2}})
	clear(letters.All()[0].Items)
	clear(letters.Items())
	letters.All()[0] = batcher.DeadLetter[int]{}
	assert.Equal(t, []int{1, 2}, letters.Items())
}

func TestManyGoroutinesShareLetters(t *testing.T) {
	letters := batchertest.NewLetters[int]()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 25 {
				letters.Handle(t.Context(), batcher.DeadLetter[int]{Items: []int{i}})
				_, _, _ = letters.All(), letters.Items(), letters.Count()
			}
		})
	}
	require.NoError(t, letters.WaitItems(t.Context(), 200))
	require.NoError(t, letters.WaitLetters(t.Context(), 200))
	wg.Wait()
}
