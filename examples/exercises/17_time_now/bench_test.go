package timenow

import (
	"testing"
	"time"
)

// BenchmarkClock is what it costs to read the clocks.
func BenchmarkClock(b *testing.B) {
	b.Run("slow", func(b *testing.B) { // both of them
		b.ReportAllocs()
		for b.Loop() {
			escaped = time.Now()
		}
	})
	b.Run("since", func(b *testing.B) { // the monotonic one
		b.ReportAllocs()
		start, sum := time.Now(), time.Duration(0)
		for b.Loop() {
			sum += time.Since(start)
		}
		escaped = start.Add(sum)
	})
}

// BenchmarkAdd is an item end to end, from one goroutine, to a sink that looks at the time of
// each batch and at all the values.
func BenchmarkAdd(b *testing.B) {
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			start, seen := time.Now(), 0
			v := open(b, name, 1000, func(first time.Time, values []int) {
				if first.Before(start) {
					b.Error("a batch from before the start")
				}
				seen += len(values)
			})
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				v.Add(i)
			}
			v.Flush()
			b.StopTimer()
			if seen != b.N {
				b.Fatalf("%d of %d items reached the sink", seen, b.N)
			}
		})
	}
}
