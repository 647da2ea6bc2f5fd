//go:build !race

package mapcombiner

// Allocations per batch. The race detector makes pools drop what they hold at random.

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// allocsPerBatch returns what a batch of so many keys allocates after some others.
func allocsPerBatch(t *testing.T, variant string, keys int) float64 {
	names := keyNames(keys)
	for _, v := range variants {
		if v.name != variant {
			continue
		}
		c := v.make(t, func(map[string]int) {})
		fill := func() {
			for _, key := range names {
				c.Add(key)
			}
			c.Flush()
		}
		for range 10 { // warm up
			fill()
		}
		return testing.AllocsPerRun(100, fill)
	}
	t.Fatalf("there is no variant %s", variant)
	return 0
}

func TestReusedMapsAllocateNothing(t *testing.T) {
	for _, keys := range []int{1, 100, 10_000} {
		assert.Zero(t, allocsPerBatch(t, "fast", keys), "fast, %d keys", keys)
		assert.Zero(t, allocsPerBatch(t, "onemap", keys), "onemap, %d keys", keys)
	}
}

func TestANewMapAllocatesMoreTheMoreKeysItGets(t *testing.T) {
	assert.Greater(t, allocsPerBatch(t, "slow", 100), allocsPerBatch(t, "slow", 10))
	assert.Greater(t, allocsPerBatch(t, "slow", 10_000), allocsPerBatch(t, "slow", 100))
}

func TestTheLibraryAllocatesPerBatchWhateverItsSize(t *testing.T) {
	assert.Equal(t, allocsPerBatch(t, "library", 1), allocsPerBatch(t, "library", 10_000))
}
