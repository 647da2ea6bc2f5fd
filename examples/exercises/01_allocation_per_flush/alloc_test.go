//go:build !race

package allocationperflush

// Under the race detector a sync.Pool throws away some of what it gets, on purpose.

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestOnlyAPoolOfPointersAllocatesNothing(t *testing.T) {
	buf := make([]int, 500)
	for name, want := range map[string]float64{"slow": 1, "value": 1, "fast": 0} {
		flush, _ := open(t, name, len(buf), func([]int) {})
		flush(buf)
		assert.Equal(t, want, testing.AllocsPerRun(1000, func() { flush(buf) }), name)
	}
}

// It has a context for the flush function, a worker's goroutine, the books. What it does not have
// is an allocation that grows with the batch.
func TestTheLibraryAllocatesAsMuchForALargeBatchAsForASmallOne(t *testing.T) {
	allocs := func(size int) float64 {
		buf, done := make([]int, size), make(chan struct{})
		flush, end := open(t, "library", size, func([]int) { done <- struct{}{} })
		defer end()
		one := func() { flush(buf); <-done }
		for range 100 { // the pools fill
			one()
		}
		return testing.AllocsPerRun(1000, one)
	}
	small, large := allocs(10), allocs(10_000)
	assert.InDelta(t, small, large, 1, "a pool that the garbage collector has emptied is filled again")
	assert.LessOrEqual(t, large, 5.0)
}
