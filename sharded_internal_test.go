package batcher

// The inside of Sharded: the alarm, and what is left of a key.

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// While a sweep is under way, an Add in a shard that it has seen already arms the alarm for
// a whole MaxDelay. An older batch of another shard must not wait for that.
func TestP4_F21_AnAddInMidSweepDoesNotPutOffOlderBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opening := time.Now()
		var at []time.Duration
		s, err := NewSharded(func(context.Context, int, []int) error {
			at = append(at, time.Since(opening))
			return nil
		}, WithMaxDelay(10*time.Millisecond))
		require.NoError(t, err)
		ctx := context.Background()
		time.Sleep(5 * time.Millisecond)
		require.NoError(t, s.Add(ctx, 1, 1))
		time.Sleep(5*time.Millisecond - 1)

		require.True(t, s.alarm.timer.Stop()) // as if it fired now, for a batch that was cut long ago
		s.alarm.begin()
		require.NoError(t, s.Add(ctx, 2, 2)) // in a shard that was seen
		s.sweepOn()
		time.Sleep(time.Second)
		assert.Equal(t, []time.Duration{15 * time.Millisecond, 20*time.Millisecond - 1}, at)
		require.NoError(t, s.Close(ctx))
	})
}

// The interleaving: Close has stopped the alarm while a sweep was at its end, and is
// about to say that it waits for that; the sweep ends before.
func TestP8_F10_ASweepThatEndsWhileCloseStopsTheAlarmIsNotAwaitedForEver(t *testing.T) {
	s, err := NewSharded(func(context.Context, int, []int) error { return nil })
	require.NoError(t, err)
	for i := range s.shards {
		more, _ := s.sweepShard(&s.shards[i])
		require.False(t, more)
	}
	s.alarm.begin()

	s.lock()
	require.True(t, s.closeLocked())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.endSweep()
	}()
	for range 1000 {
		runtime.Gosched()
	}
	s.engine.mu.Lock()
	s.engine.closing, s.engine.ticking = true, 1
	s.engine.mu.Unlock()
	s.unlock()
	<-ended
	<-s.engine.over
}
