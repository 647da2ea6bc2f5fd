package hottenantlock

import (
	"fmt"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
)

const batchSize = 100

// BenchmarkAdd is an item end to end, with a thousand tenants that all goroutines touch.
func BenchmarkAdd(b *testing.B) {
	for _, goroutines := range []int{1, 2, 8, 64} {
		bench(b, goroutines, tenantNames(1000))
	}
}

// BenchmarkOneTenant is the case that shards are no help in: all items are of one tenant.
func BenchmarkOneTenant(b *testing.B) {
	bench(b, 8, tenantNames(1))
}

func bench(b *testing.B, goroutines int, names []string) {
	for _, v := range variants {
		b.Run(fmt.Sprintf("tenants=%d/goroutines=%d/%s", len(names), goroutines, v.name), func(b *testing.B) {
			var seen atomic.Int64
			q := v.make(b, batchSize, func(_ string, batch []Item) { seen.Add(int64(len(batch))) })
			for _, name := range names {
				q.Add(Item{name, 0})
			}
			b.ReportAllocs()
			b.ResetTimer()
			waited := lockWait()
			addAll(q, names, goroutines, b.N)
			b.StopTimer()
			b.ReportMetric((lockWait()-waited)*1e9/float64(b.N), "wait-ns/item")
			q.Flush()
			if want := int64(b.N + len(names)); seen.Load() != want {
				b.Fatalf("%d of %d items reached the sink", seen.Load(), want)
			}
		})
	}
}

// addAll adds n items, shared out among the goroutines, to tenants in no order that a
// cache could like.
func addAll(q adder, names []string, goroutines, n int) {
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			key := uint32(g)*2654435761 + 1
			for i := g; i < n; i += goroutines {
				key = key*1664525 + 1013904223
				q.Add(Item{names[uint64(key)*uint64(len(names))>>32], int64(i)})
			}
		})
	}
	wg.Wait()
}

// lockWait returns how many seconds goroutines have waited for locks so far, all of them
// together. The runtime always keeps this sum, without a mutex profile. It is an estimate: only
// some of the changes from waiting to running are timed.
func lockWait() float64 {
	sample := []metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
	metrics.Read(sample)
	return sample[0].Value.Float64()
}
