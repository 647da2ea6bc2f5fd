package slowflush

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// leastItems is how many items are added at least: five batches.
const leastItems = 500

// BenchmarkWait is what a producer with an item each millisecond is held up by a sink that takes
// 50 ms for a batch of 100: it is busy half of the time. An op is an item, its time the mean.
func BenchmarkWait(b *testing.B) {
	for _, name := range names {
		b.Run("sink=50ms/"+name, func(b *testing.B) {
			var seen atomic.Int64
			q := open(b, name, 100, func(batch []int) {
				time.Sleep(50 * time.Millisecond)
				seen.Add(int64(len(batch)))
			})
			n := max(b.N, leastItems)
			b.ReportAllocs()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			waits := Waits(q, n, time.Millisecond)
			runtime.ReadMemStats(&after)
			b.StopTimer()
			if err := q.Close(); err != nil {
				b.Fatal(err)
			}
			if seen.Load() != int64(n) {
				b.Fatalf("%d of %d items reached the sink", seen.Load(), n)
			}
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(n), "allocs/op")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(n), "B/op")
			report(b, waits)
		})
	}
}

func report(b *testing.B, waits []time.Duration) {
	var sum time.Duration
	for _, w := range waits {
		sum += w
	}
	slices.Sort(waits)
	at := func(percent int) float64 { return float64(waits[(len(waits)-1)*percent/100]) }
	b.ReportMetric(float64(sum)/float64(len(waits)), "ns/op")
	b.ReportMetric(at(50), "p50-ns")
	b.ReportMetric(at(99), "p99-ns")
	b.ReportMetric(at(100), "max-ns")
}
