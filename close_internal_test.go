package batcher

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// Room has come back in the moment before the oldest batch was to be dropped.
func TestNothingIsDroppedIfThereIsRoomAgain(t *testing.T) {
	b, err := New(func(context.Context, []int) error { return nil }, WithOverflow(DropOldest))
	assert.NoError(t, err)
	assert.Zero(t, b.engine.dropOldest())
	assert.Zero(t, b.Stats().Dropped)
	assert.NoError(t, b.Close(context.Background()))
}

// Nothing is left to do, but a worker has not got the lock yet in which it ends:
// Close gives nothing up, and does not return before the worker has ended.
func TestP8_CloseWithAnEndedContextWaitsForAWorkerOnItsWayOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := New(func(context.Context, []int) error { return nil })
		assert.NoError(t, err)
		b.engine.working++ // it has released its batch
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		returned := false
		go func() {
			assert.NoError(t, b.Close(ended))
			returned = true
		}()
		synctest.Wait()
		assert.False(t, returned)
		assert.Nil(t, b.engine.take()) // it ends
		synctest.Wait()
		assert.True(t, returned)
	})
}
