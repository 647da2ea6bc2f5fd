package mapcombiner

import (
	"fmt"
	"testing"
)

// BenchmarkBatch is a whole batch: every key counted ten times, and a flush to a sink that takes no
// time. In steady state: the maps have met all keys before.
func BenchmarkBatch(b *testing.B) {
	for _, keys := range []int{10, 100, 10_000} {
		names := keyNames(keys)
		for _, v := range variants {
			b.Run(fmt.Sprintf("keys=%d/%s", keys, v.name), func(b *testing.B) {
				var seen int
				c := v.make(b, func(counts map[string]int) { seen += len(counts) })
				batches(b, c, names, 10, &seen)
			})
		}
	}
}

// BenchmarkAfterPeak is a batch of a hundred keys, long after one of 250 000. A map that is
// kept is cleared as a whole each time.
func BenchmarkAfterPeak(all *testing.B) {
	const peak = 250_000
	many, few := keyNames(peak), keyNames(100)
	for _, v := range variants {
		var c combiner // made once for all values of b.N: the peak takes long
		var seen int
		all.Run(fmt.Sprintf("peak=%d/keys=100/%s", peak, v.name), func(b *testing.B) {
			if c == nil {
				c = v.make(all, func(counts map[string]int) { seen += len(counts) })
				for range 2 { // both maps, if there are two
					for _, key := range many {
						c.Add(key)
					}
					c.Flush()
				}
			}
			batches(b, c, few, 1, &seen)
		})
	}
}

// batches makes b.N batches, in which every key is counted so many times, and some before them. It
// checks that the sink, which counts in seen, has got all keys of all batches.
func batches(b *testing.B, c combiner, keys []string, times int, seen *int) {
	const before = 3
	*seen = 0
	batch := func() {
		for range times {
			for _, key := range keys {
				c.Add(key)
			}
		}
		c.Flush()
	}
	for range before {
		batch()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		batch()
	}
	b.StopTimer()
	items := float64(b.N) * float64(times*len(keys))
	b.ReportMetric(float64(b.Elapsed())/items, "ns/item")
	if want := (b.N + before) * len(keys); *seen != want {
		b.Fatalf("%d of %d keys reached the sink", *seen, want)
	}
}
