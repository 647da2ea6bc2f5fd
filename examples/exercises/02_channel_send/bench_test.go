package channelsend

import (
	"sync/atomic"
	"testing"
)

// BenchmarkAdd is an item end to end, from one goroutine: made for the occasion, or ready, so
// that only the handing over is measured.
func BenchmarkAdd(b *testing.B) {
	for _, name := range names {
		b.Run("item=made/"+name, func(b *testing.B) {
			bench(b, name, func(v variant) {
				for i := range b.N {
					v.add(i)
				}
			})
		})
	}
	for _, name := range names {
		b.Run("item=ready/"+name, func(b *testing.B) {
			bench(b, name, func(v variant) {
				for range b.N {
					v.again()
				}
			})
		})
	}
}

func bench(b *testing.B, name string, add func(variant)) {
	var seen, bytes atomic.Int64
	v := open(b, name, 1000, func(items, n int) {
		seen.Add(int64(items))
		bytes.Add(int64(n))
	})
	b.ReportAllocs()
	b.ResetTimer()
	add(v)
	if err := v.close(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if seen.Load() != int64(b.N) || bytes.Load() <= seen.Load() {
		b.Fatalf("%d of %d items, %d bytes reached the sink", seen.Load(), b.N, bytes.Load())
	}
}
