package timerdrift

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

// leastBatches is how many batches are measured at least: a percentile of a few says nothing.
const leastBatches = 100

// BenchmarkDelay is how long the first item of a batch waits, for items that come now and then.
// An op is a batch, and its time is the mean delay; spread-ns is p99 less p1, and flushes/item
// how many times the sink is called for an item.
func BenchmarkDelay(b *testing.B) {
	for _, name := range names {
		b.Run("delay="+MaxDelay.String()+"/"+name, func(b *testing.B) {
			b.ReportAllocs()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			delays, items, err := measure(b.Context(), name, max(b.N, leastBatches))
			if err != nil {
				b.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			batches := float64(len(delays)) // which may be more than b.N
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/batches, "allocs/op")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/batches, "B/op")
			report(b, delays)
			b.ReportMetric(batches/float64(items), "flushes/item")
		})
	}
}

func report(b *testing.B, delays []time.Duration) {
	var sum time.Duration
	for _, d := range delays {
		sum += d
	}
	slices.Sort(delays)
	at := func(percent int) float64 { return float64(delays[(len(delays)-1)*percent/100]) }
	b.ReportMetric(float64(sum)/float64(len(delays)), "ns/op")
	b.ReportMetric(at(50), "p50-ns")
	b.ReportMetric(at(99), "p99-ns")
	b.ReportMetric(at(100), "max-ns")
	b.ReportMetric(at(99)-at(1), "spread-ns")
}
