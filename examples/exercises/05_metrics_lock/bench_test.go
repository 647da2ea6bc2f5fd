package metricslock

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// BenchmarkCount is the counter alone, with goroutines that do nothing else.
func BenchmarkCount(b *testing.B) {
	for _, goroutines := range []int{1, 2, 8} {
		for _, c := range counters {
			b.Run(fmt.Sprintf("goroutines=%d/%s", goroutines, c.name), func(b *testing.B) {
				counter := c.make()
				b.ReportAllocs()
				b.ResetTimer()
				inParallel(goroutines, b.N, func(int) { counter.Inc() })
				b.StopTimer()
				if counter.Value() != int64(b.N) {
					b.Fatalf("%d of %d were counted", counter.Value(), b.N)
				}
			})
		}
	}
}

// BenchmarkAdd is an item end to end, with the counter where it belongs: beside a channel.
// uncounted is what there is to gain at most.
func BenchmarkAdd(b *testing.B) {
	for _, goroutines := range []int{1, 2, 8} {
		for _, name := range adders {
			b.Run(fmt.Sprintf("goroutines=%d/%s", goroutines, name), func(b *testing.B) {
				var seen atomic.Int64
				q := open(b, name, 1000, func(batch []int) { seen.Add(int64(len(batch))) })
				b.ReportAllocs()
				b.ResetTimer()
				inParallel(goroutines, b.N, q.Add)
				if err := q.Close(); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if seen.Load() != int64(b.N) {
					b.Fatalf("%d of %d items reached the sink", seen.Load(), b.N)
				}
			})
		}
	}
}
