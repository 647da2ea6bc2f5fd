package batcher_test

// The benchmarks behind docs/performance.md. Each has its baseline in the same
// run, as another value of impl.

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

type item64 [8]int64

// BenchmarkAdd is the cost of an item end to end, per number of producers and
// kind of item.
func BenchmarkAdd(b *testing.B) {
	for _, producers := range []int{1, 2, 8, 64, 1000} {
		benchAdd(b, "int64", producers, int64(42))
	}
	for _, producers := range []int{1, 8} {
		benchAdd(b, "struct64", producers, item64{})
		benchAdd(b, "pointer", producers, &item64{})
	}
}

func benchAdd[T any](b *testing.B, kind string, producers int, item T) {
	for _, c := range contenders[T]() {
		b.Run(fmt.Sprintf("item=%s/producers=%d/impl=%s", kind, producers, c.impl), func(b *testing.B) {
			produce(b, c.make(), producers, item)
		})
	}
}

// BenchmarkLanes is BenchmarkAdd for many producers at once, with lanes and without.
// With -cpu above the number of cores it shows what preempted lock holders cost.
func BenchmarkLanes(b *testing.B) {
	for _, producers := range []int{1, 2, 8, 64, 1000} {
		for _, c := range laneContenders[int64]() {
			b.Run(fmt.Sprintf("producers=%d/impl=%s", producers, c.impl), func(b *testing.B) {
				produce(b, c.make(), producers, int64(42))
			})
		}
	}
}

// BenchmarkAddAll adds slices of 100 items; the figure is per item.
func BenchmarkAddAll(b *testing.B) {
	items := make([]int64, 100)
	ctx := context.Background()
	q := newLibrary[int64]().(*library[int64])
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(items) {
		if _, err := q.AddAll(ctx, items); err != nil {
			b.Fatal(err)
		}
	}
	q.close()
}

// BenchmarkSubmit compares Submit, whose receipts nobody waits for, with Add.
func BenchmarkSubmit(b *testing.B) {
	ctx := context.Background()
	for _, impl := range []string{"submit", "add"} {
		b.Run("impl="+impl, func(b *testing.B) {
			q := newLibrary[int64]().(*library[int64])
			b.ReportAllocs()
			for i := range b.N {
				if impl == "add" {
					_ = q.Add(ctx, int64(i))
				} else {
					_, _ = q.Submit(ctx, int64(i))
				}
			}
			q.close()
		})
	}
}

// BenchmarkWeighed adds items with a weight.
func BenchmarkWeighed(b *testing.B) {
	ctx := context.Background()
	q, err := batcher.New(func(context.Context, []int64) error { return nil },
		batcher.WithMaxSize(benchSize),
		batcher.WithMaxWeight(1<<20, func(int64) int { return 100 }))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := range b.N {
		_ = q.Add(ctx, int64(i))
	}
	_ = q.Close(ctx)
}

// BenchmarkBatchOfOne is all that a batch costs, with one item in it.
func BenchmarkBatchOfOne(b *testing.B) {
	ctx := context.Background()
	q, err := batcher.New(func(context.Context, []int64) error { return nil }, batcher.WithMaxSize(1))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := range b.N {
		_ = q.Add(ctx, int64(i))
	}
	_ = q.Close(ctx)
}

// BenchmarkEager is the latency of one caller in AddWait, against a bare
// goroutine per item.
func BenchmarkEager(b *testing.B) {
	b.Run("impl=batcher", func(b *testing.B) {
		q, err := batcher.New(func(context.Context, []int64) error { return nil }, batcher.WithEager())
		if err != nil {
			b.Fatal(err)
		}
		ctx := context.Background()
		measureLatency(b, func() { _ = q.AddWait(ctx, 1) })
		_ = q.Close(ctx)
	})
	b.Run("impl=goroutine", func(b *testing.B) {
		measureLatency(b, func() {
			done := make(chan struct{})
			go close(done)
			<-done
		})
	})
}

// BenchmarkDelay sends one item per millisecond with a MaxDelay of 10 ms and
// reports how long the first item of each batch waited, against a bare timer.
func BenchmarkDelay(b *testing.B) {
	const delay = 10 * time.Millisecond
	b.Run("impl=batcher", func(b *testing.B) {
		var mu sync.Mutex
		var waits []time.Duration
		q, err := batcher.New(func(ctx context.Context, _ []int) error {
			info, _ := batcher.InfoFrom(ctx)
			mu.Lock()
			waits = append(waits, time.Since(info.FirstAdded))
			mu.Unlock()
			return nil
		}, batcher.WithMaxDelay(delay))
		if err != nil {
			b.Fatal(err)
		}
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := range b.N {
			<-tick.C
			_ = q.Add(context.Background(), i)
		}
		_ = q.Flush(context.Background())
		reportPercentiles(b, waits[:len(waits)-1]) // the last one was flushed early
		_ = q.Close(context.Background())
	})
	b.Run("impl=timer", func(b *testing.B) {
		var waits []time.Duration
		for range b.N / 10 {
			start := time.Now()
			<-time.NewTimer(delay).C
			waits = append(waits, time.Since(start))
		}
		reportPercentiles(b, waits)
	})
}

// BenchmarkSlowSink has a sink of 2 ms per batch and 4 workers, and producers
// that never rest. It reports the share of the sink's own limit, and of held
// items the highest share of the bound.
func BenchmarkSlowSink(b *testing.B) {
	const size, workers, perBatch = 100, 4, 2 * time.Millisecond
	sink := func(context.Context, []int64) error { time.Sleep(perBatch); return nil }
	run := func(b *testing.B, name string, work func(batches int)) {
		b.Run("impl="+name, func(b *testing.B) {
			start := time.Now()
			work(b.N)
			b.ReportMetric(float64(b.N)*size/time.Since(start).Seconds(), "items/s")
		})
	}
	run(b, "batcher", func(batches int) {
		q, err := batcher.New(sink, batcher.WithMaxSize(size), batcher.WithWorkers(workers))
		if err != nil {
			b.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range batches * size / 8 {
					_ = q.Add(context.Background(), 1)
				}
			})
		}
		wg.Wait()
		_ = q.Close(context.Background())
	})
	run(b, "sink", func(batches int) {
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range batches / workers {
					_ = sink(context.Background(), nil)
				}
			})
		}
		wg.Wait()
	})
}

// BenchmarkIdle reports the memory and the goroutines of 10 000 batchers that
// were used once and are idle.
func BenchmarkIdle(b *testing.B) {
	const n = 10_000
	for range b.N {
		idle := make([]*batcher.Batcher[int64], n)
		before, goroutines := heapInUse(), runtime.NumGoroutine()
		for i := range idle {
			idle[i], _ = batcher.New(func(context.Context, []int64) error { return nil })
			_ = idle[i].Add(context.Background(), 1)
			_ = idle[i].Flush(context.Background())
		}
		b.ReportMetric(float64(heapInUse()-before)/n, "B/batcher")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		runtime.KeepAlive(idle)
	}
}

func heapInUse() int64 {
	for range 3 { // the pools empty within two collections
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkWaiting is the longest wait of 64 producers that press against a sink
// that takes 1 ms per batch of 10.
func BenchmarkWaiting(b *testing.B) {
	q, err := batcher.New(func(context.Context, []int64) error { time.Sleep(time.Millisecond); return nil },
		batcher.WithMaxSize(10), batcher.WithQueueDepth(1))
	if err != nil {
		b.Fatal(err)
	}
	const producers = 64
	waits := make([][]time.Duration, producers)
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for range b.N/producers + 1 {
				start := time.Now()
				_ = q.Add(context.Background(), 1)
				waits[p] = append(waits[p], time.Since(start))
			}
		})
	}
	wg.Wait()
	_ = q.Close(context.Background())
	reportPercentiles(b, slices.Concat(waits...))
}

func measureLatency(b *testing.B, call func()) {
	waits := make([]time.Duration, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range waits {
		start := time.Now()
		call()
		waits[i] = time.Since(start)
	}
	b.StopTimer()
	reportPercentiles(b, waits)
}

// reportPercentiles reports the median, the 99th percentile and the maximum in
// microseconds.
func reportPercentiles(b *testing.B, waits []time.Duration) {
	if len(waits) == 0 {
		return
	}
	slices.Sort(waits)
	for _, p := range []int{50, 99, 100} {
		at := waits[(len(waits)-1)*p/100]
		b.ReportMetric(float64(at)/1e3, "p"+strconv.Itoa(p)+"-us")
	}
}
