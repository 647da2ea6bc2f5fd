package syncmap

import (
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const batchSize = 100

// BenchmarkShared is an item end to end, with a thousand tenants that all goroutines touch: a map
// and a mutex should win, says the exercise.
func BenchmarkShared(b *testing.B) {
	names := tenantNames(1000)
	for _, goroutines := range []int{1, 2, 8, 64} {
		for _, v := range variants {
			b.Run(fmt.Sprintf("tenants=1000/goroutines=%d/%s", goroutines, v.name), func(b *testing.B) {
				t := newTenants(b, v.make, names)
				t.bench(b, goroutines, false)
				t.check(b)
			})
		}
	}
}

// BenchmarkOwn is the same with a million tenants, each of which only one goroutine touches: a
// sync.Map can win, says the exercise. setup-ns/tenant is what the first item of a tenant
// takes, heap-B/tenant the memory.
func BenchmarkOwn(all *testing.B) {
	if tooShort() {
		all.Skip("a million tenants are not worth it for such a short run")
	}
	names := tenantNames(1_000_000)
	for _, v := range variants {
		var t *tenants // made once for all values of b.N
		all.Run("tenants=1000000/goroutines=8/"+v.name, func(b *testing.B) {
			if t == nil {
				t = newTenants(all, v.make, names)
			}
			t.bench(b, 8, true)
			b.ReportMetric(t.setUp, "setup-ns/tenant")
			b.ReportMetric(t.heap, "heap-B/tenant")
		})
		if t != nil {
			t.check(all)
		}
	}
}

// tooShort reports whether so few iterations are asked for that preparing for them would be all
// there is: fewer than ten thousand, or a time below 50 ms. -short says so as well.
func tooShort() bool {
	asked := flag.Lookup("test.benchtime").Value.String()
	if times, ok := strings.CutSuffix(asked, "x"); ok {
		n, err := strconv.Atoi(times)
		return err == nil && n < 10_000 || testing.Short()
	}
	d, err := time.ParseDuration(asked)
	return err == nil && d < 50*time.Millisecond || testing.Short()
}

// tenants is a variant in which each tenant has an item.
type tenants struct {
	adder
	names []string
	added int64
	seen  atomic.Int64
	setUp float64 // ns per tenant
	heap  float64 // B per tenant
}

func newTenants(tb testing.TB, make func(testing.TB, int, Sink) adder, names []string) *tenants {
	t := &tenants{names: names}
	before := heapInUse()
	t.adder = make(tb, batchSize, func(_ string, batch []int64) { t.seen.Add(int64(len(batch))) })
	start := time.Now()
	for _, name := range names {
		t.Add(name, 0)
	}
	t.setUp = float64(time.Since(start)) / float64(len(names))
	t.heap = float64(heapInUse()-before) / float64(len(names))
	t.added = int64(len(names))
	return t
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// bench adds b.N items, shared out among the goroutines, to tenants in no order that a cache could
// like. With own, each goroutine has its own part of the tenants.
func (t *tenants) bench(b *testing.B, goroutines int, own bool) {
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			names := t.names
			if own {
				part := len(names) / goroutines
				names = names[g*part : (g+1)*part]
			}
			key := uint32(g)*2654435761 + 1
			for i := g; i < b.N; i += goroutines {
				key = key*1664525 + 1013904223
				t.Add(names[uint64(key)*uint64(len(names))>>32], int64(i))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	t.added += int64(b.N)
}

// check flushes and counts what has reached the sink.
func (t *tenants) check(b *testing.B) {
	b.StopTimer()
	t.Flush()
	if t.seen.Load() != t.added {
		b.Fatalf("%d of %d items reached the sink", t.seen.Load(), t.added)
	}
}
