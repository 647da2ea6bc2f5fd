package spinningloop

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var names = []string{"slow", "sleep", "fast", "library"}

// batches is what all variants are.
type batches interface {
	Add(item int)
	Close() error
}

func open(tb testing.TB, name string, size int, delay time.Duration, sink Sink) batches {
	switch name {
	case "slow":
		return NewSlow(size, delay, sink)
	case "sleep":
		return NewSleep(size, delay, sink)
	case "fast":
		return NewFast(size, delay, sink)
	}
	l, err := NewLibrary(size, delay, sink)
	require.NoError(tb, err)
	return l
}

func TestEveryVariantPassesOnTheSameBatches(t *testing.T) {
	for _, name := range names {
		var got [][]int
		b := open(t, name, 3, time.Hour, func(batch []int) { got = append(got, slices.Clone(batch)) })
		for i := range 7 {
			b.Add(i)
		}
		require.NoError(t, b.Close())
		assert.Equal(t, [][]int{{0, 1, 2}, {3, 4, 5}, {6}}, got, name)
	}
}

func TestABatchThatDoesNotFillIsPassedOnAfterTheDelay(t *testing.T) {
	for _, name := range names {
		arrived := make(chan []int, 1)
		b := open(t, name, 3, time.Millisecond, func(batch []int) { arrived <- slices.Clone(batch) })
		b.Add(7)
		assert.Equal(t, []int{7}, <-arrived, name)
		require.NoError(t, b.Close())
	}
}

// In virtual time, in which Slow has no place: its loop is never idle, so the clock would stand
// still.
func TestOnlyASleepingLoopIsLate(t *testing.T) {
	for name, want := range map[string]time.Duration{
		"sleep": 11 * time.Millisecond, "fast": 10300 * time.Microsecond, "library": 10300 * time.Microsecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var at time.Duration
			b := open(t, name, 3, 9800*time.Microsecond, func([]int) { at = time.Since(start) })
			time.Sleep(500 * time.Microsecond)
			b.Add(7)
			time.Sleep(time.Second)
			require.NoError(t, b.Close())
			// Sleep reads the item at 1 ms, and looks at 11 ms whether 9.8 ms have passed.
			assert.Equal(t, want, at, name)
		})
	}
}

func TestAnIdleLibraryHasNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	var idle []batches
	for range 100 {
		idle = append(idle, open(t, "library", 3, time.Hour, func([]int) {}))
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before, "those of other tests may end meanwhile")
	for _, b := range idle {
		require.NoError(t, b.Close())
	}
}
