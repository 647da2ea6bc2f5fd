package allocationperflush

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// BenchmarkFlush is a batch, from one goroutine, to a sink that reads one item of it.
func BenchmarkFlush(b *testing.B) {
	for _, size := range []int{10, 500, 10_000} {
		for _, name := range names {
			b.Run(fmt.Sprintf("size=%d/%s", size, name), func(b *testing.B) { bench(b, name, size) })
		}
	}
}

func bench(b *testing.B, name string, size int) {
	var seen, sum atomic.Int64
	flush, end := open(b, name, size, func(batch []int) {
		seen.Add(int64(len(batch)))
		sum.Add(int64(batch[len(batch)-1]))
	})
	buf := make([]int, size)
	buf[size-1] = 1
	flush(buf)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		flush(buf)
	}
	end()
	b.StopTimer()
	batches := int64(b.N) + 1
	if seen.Load() != batches*int64(size) || sum.Load() != batches {
		b.Fatalf("%d of %d items reached the sink", seen.Load(), batches*int64(size))
	}
}
