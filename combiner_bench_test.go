package batcher_test

// The benchmark of the Combiner, and what it is measured against.

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

const (
	benchKeys  = 100
	benchEvery = 20 * time.Millisecond // from flush to flush
)

// incrementer is a contender in BenchmarkCombiner.
type incrementer interface {
	add(key int)
	close() (flushes, total int) // what reached the sink
}

// BenchmarkCombiner increments counters under 100 keys, which go to a sink that takes no
// time every 20 ms; the figures are per increment.
func BenchmarkCombiner(b *testing.B) {
	for _, producers := range []int{1, 2, 8, 64} {
		for _, c := range []struct {
			impl string
			make func() incrementer
		}{
			{"combiner", newCombinerBench},
			{"lock", func() incrementer { return &lockedMap{counts: make(map[int]int)} }},
			{"fresh", newFreshMaps},
			{"channel", newChannelMap},
		} {
			b.Run(fmt.Sprintf("producers=%d/impl=%s", producers, c.impl), func(b *testing.B) {
				increment(b, c.make(), producers)
			})
		}
	}
}

func increment(b *testing.B, to incrementer, producers int) {
	b.ReportAllocs()
	share(b.N, producers, func(p, n int) {
		key := p * 7 % benchKeys
		for range n {
			to.add(key)
			if key++; key == benchKeys {
				key = 0
			}
		}
	})
	flushes, total := to.close()
	b.StopTimer()
	b.ReportMetric(float64(flushes), "flushes")
	if total != b.N {
		b.Fatalf("%d of %d increments reached the sink", total, b.N)
	}
}

// flushed is what a sink has seen.
type flushed struct{ flushes, total int }

func (f *flushed) take(counts map[int]int) {
	f.flushes++
	for _, n := range counts {
		f.total += n
	}
}

// BenchmarkCombinedBatch is all that a batch of 100 keys costs, from its first
// increment to the last settling.
func BenchmarkCombinedBatch(b *testing.B) {
	ctx := context.Background()
	for _, impl := range []string{"combiner", "fresh"} {
		b.Run("impl="+impl, func(b *testing.B) {
			b.ReportAllocs()
			if impl == "fresh" {
				for range b.N {
					counts := make(map[int]int)
					for key := range benchKeys {
						counts[key]++
					}
				}
				return
			}
			c, err := batcher.NewCombiner(sum, func(context.Context, map[int]int) error { return nil },
				batcher.WithMaxSize(benchKeys))
			if err != nil {
				b.Fatal(err)
			}
			for range b.N {
				for key := range benchKeys {
					_ = c.Add(ctx, key, 1)
				}
			}
			_ = c.Close(ctx)
		})
	}
}

type combinerBench struct {
	*batcher.Combiner[int, int]
	flushed
}

func newCombinerBench() incrementer {
	l := &combinerBench{}
	c, err := batcher.NewCombiner(sum, func(_ context.Context, counts map[int]int) error {
		l.take(counts)
		return nil
	}, batcher.WithMaxDelay(benchEvery))
	if err != nil {
		panic(err)
	}
	l.Combiner = c
	return l
}

func (l *combinerBench) add(key int) { _ = l.Add(context.Background(), key, 1) }
func (l *combinerBench) close() (flushes, total int) {
	_ = l.Close(context.Background())
	return l.flushes, l.total
}

// lockedMap is a mutex and a map, and no batching at all: what any combiner with one
// lock must cost at least.
type lockedMap struct {
	mu     sync.Mutex
	counts map[int]int
	flushed
}

func (l *lockedMap) add(key int) {
	l.mu.Lock()
	l.counts[key]++
	l.mu.Unlock()
}

func (l *lockedMap) close() (flushes, total int) {
	l.take(l.counts)
	return l.flushes, l.total
}

// freshMaps is the combiner that people write by hand: each flush sends the map away and
// makes another one.
type freshMaps struct {
	lockedMap
	stop chan struct{}
	over chan struct{}
}

func newFreshMaps() incrementer {
	f := &freshMaps{
		lockedMap: lockedMap{counts: make(map[int]int)},
		stop:      make(chan struct{}), over: make(chan struct{}),
	}
	go func() {
		defer close(f.over)
		tick := time.NewTicker(benchEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f.mu.Lock()
				counts := f.counts
				f.counts = make(map[int]int)
				f.mu.Unlock()
				f.take(counts)
			case <-f.stop:
				return
			}
		}
	}()
	return f
}

func (f *freshMaps) close() (flushes, total int) {
	close(f.stop)
	<-f.over
	return f.lockedMap.close()
}

// channelMap is the textbook's: a channel, and one goroutine with a map.
type channelMap struct {
	in   chan int
	over chan struct{}
	flushed
}

func newChannelMap() incrementer {
	c := &channelMap{in: make(chan int, 1000), over: make(chan struct{})}
	go c.loop()
	return c
}

func (c *channelMap) loop() {
	defer close(c.over)
	counts := make(map[int]int)
	tick := time.NewTicker(benchEvery)
	defer tick.Stop()
	for {
		select {
		case key, ok := <-c.in:
			if !ok {
				c.take(counts)
				return
			}
			counts[key]++
		case <-tick.C:
			c.take(counts)
			counts = make(map[int]int)
		}
	}
}

func (c *channelMap) add(key int) { c.in <- key }
func (c *channelMap) close() (flushes, total int) {
	close(c.in)
	<-c.over
	return c.flushes, c.total
}
