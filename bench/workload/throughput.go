package workload

// As fast as it can: the cost of an item end to end.

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/measure"
)

// Throughput is producers that add as fast as they can, before a sink that only counts.
type Throughput[T any] struct {
	New       Maker[T]
	Settings  contender.Settings
	Producers int
	Item      T             // added again and again
	Slice     time.Duration // about how long a run takes

	n int // items of a run, found by Calibrate
}

// mostItems bounds a run of something that costs nothing.
const mostItems = 1 << 28

// cost is what a run took, from the first Add to the last item's arrival, Close included.
type cost struct {
	time           time.Duration
	mallocs, bytes uint64
}

// Calibrate finds how many items a run takes to fill the slice. The number stays: every round
// measures the same work.
func (l *Throughput[T]) Calibrate(ctx context.Context) error {
	n := max(l.Producers, l.Settings.MaxSize)
	for {
		c, err := l.once(ctx, n)
		if err != nil {
			return err
		}
		if c.time >= l.Slice*9/10 || n >= mostItems {
			l.n = n
			return nil
		}
		n = grown(n, c.time, l.Slice)
	}
}

// grown predicts how many items fill the slice, if n took that long: a tenth more than in
// proportion, and between twice and a hundred times as many, since small runs predict badly.
func grown(n int, took, slice time.Duration) int {
	next := float64(n) * 1.1 * float64(slice) / float64(max(took, 1))
	return min(int(min(max(next, float64(2*n)), float64(100*n))), mostItems)
}

// Run measures ns, allocations and bytes per item.
func (l *Throughput[T]) Run(ctx context.Context) ([]measure.Reading, error) {
	c, err := l.once(ctx, l.n)
	if err != nil {
		return nil, err
	}
	n := float64(l.n)
	return []measure.Reading{{Iters: l.n, Values: []measure.Value{
		{Value: float64(c.time.Nanoseconds()) / n, Unit: "ns/item"},
		{Value: float64(c.bytes) / n, Unit: "B/item"},
		{Value: float64(c.mallocs) / n, Unit: "allocs/item"},
	}}}, nil
}

// once sends n items through a new queue. Rubbish of earlier runs is collected before.
func (l *Throughput[T]) once(ctx context.Context, n int) (cost, error) {
	there := newArrivals(n)
	q, err := l.New(l.Settings, func(_ context.Context, batch []T) error {
		there.take(len(batch))
		return nil
	})
	if err != nil {
		return cost{}, fmt.Errorf("new: %w", err)
	}
	producers := newCrew(ctx, l.Producers, n, func(ctx context.Context) error { return q.Add(ctx, l.Item) })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	err = producers.run()
	if closeErr := q.Close(ctx); err == nil && closeErr != nil {
		err = fmt.Errorf("close: %w", closeErr)
	}
	if err == nil {
		err = there.wait(ctx)
	}
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	return cost{took, after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc}, err
}
