package buffergrowth

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// loads are the sizes of the batches, in turn. In rare there was a single large one before.
var loads = []struct {
	name  string
	first int
	sizes []int
}{
	{"rare", large, []int{usual}},
	{"alternating", 0, []int{5 * usual, usual}},
}

// BenchmarkFlush is a batch. heap-B is what is alive after some more usual
// ones: all that the variant holds.
func BenchmarkFlush(b *testing.B) {
	for _, load := range loads {
		for _, name := range names {
			b.Run("load="+load.name+"/"+name, func(b *testing.B) {
				bench(b, name, load.first, load.sizes)
			})
		}
	}
}

func bench(b *testing.B, name string, first int, sizes []int) {
	items := make([]int, large)
	before := heap()
	var seen atomic.Int64
	v := open(b, name, func(batch []int) { seen.Add(int64(len(batch))) })
	added := 0
	add := func(n int) {
		v.Add(items[:n])
		v.Flush()
		added += n
	}
	add(first)
	for i := range 100 { // the first ones differ
		add(sizes[i%len(sizes)])
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		add(sizes[i%len(sizes)])
	}
	b.StopTimer()
	settle(func() { add(usual) })
	if seen.Load() != int64(added) {
		b.Fatalf("%d of %d items reached the sink", seen.Load(), added)
	}
	b.ReportMetric(float64(max(0, heap()-before)), "heap-B")
	runtime.KeepAlive(v)
	runtime.KeepAlive(items)
}
