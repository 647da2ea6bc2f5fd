package prombatcher_test

// The options of New.

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/prombatcher"
)

func TestOptionsThatAreRefused(t *testing.T) {
	for name, opts := range map[string][]prombatcher.Option{
		"no buckets":   {prombatcher.WithDurationBuckets()},
		"descending":   {prombatcher.WithDurationBuckets(1, .5)},
		"twice":        {prombatcher.WithSizeBuckets(1, 1)},
		"zero":         {prombatcher.WithSizeBuckets(0, 1)},
		"NaN":          {prombatcher.WithSizeBuckets(math.NaN())},
		"infinite":     {prombatcher.WithSizeBuckets(1, math.Inf(1))},
		"factor of 1":  {prombatcher.WithNativeHistograms(1)},
		"factor NaN":   {prombatcher.WithNativeHistograms(math.NaN())},
		"factor of 3":  {prombatcher.WithNativeHistograms(3)},
		"a nil option": {nil},
	} {
		c, err := prombatcher.New(opts...)
		assert.Nil(t, c, name)
		assert.ErrorContains(t, err, "prombatcher: ", name)
	}
	_, err := prombatcher.New(prombatcher.WithSizeBuckets(), prombatcher.WithNativeHistograms(0))
	assert.ErrorContains(t, err, "WithSizeBuckets")
	assert.ErrorContains(t, err, "WithNativeHistograms")
}

func TestNativeHistogramsStandBesideTheClassicOnes(t *testing.T) {
	c, registry := registered(t, prombatcher.WithNativeHistograms(1.1))
	b := start(t, good, batcher.WithName("a"))
	watch(t, c, b)
	require.NoError(t, b.AddWait(t.Context(), 1))
	families, err := registry.Gather()
	require.NoError(t, err)
	classic, native := 0, 0 // buckets of batch sizes
	for _, f := range families {
		if f.GetName() == "batcher_batch_size_items" {
			classic, native = len(f.Metric[0].Histogram.Bucket), len(f.Metric[0].Histogram.PositiveSpan)
		}
	}
	assert.Equal(t, 13, classic)
	assert.NotZero(t, native)
}
