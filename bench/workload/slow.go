package workload

// Before a slow sink: what share of its own speed remains, and how much is held meanwhile.

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/measure"
)

// Slow is producers that could add faster than the sink takes.
type Slow struct {
	New       Maker[int64] // nil: no queue; the workers call the sink with full batches
	Settings  contender.Settings
	Producers int
	Pause     time.Duration // of the sink, for each batch
	Items     int
}

// SlowItems is how many items keep such a sink busy for that long.
func SlowItems(s contender.Settings, pause, slice time.Duration) int {
	return int(slice/pause) * s.Workers * s.MaxSize
}

// tally is the sink, and the account of what was handed over and not yet taken.
type tally struct {
	*arrivals
	pause time.Duration

	added, most atomic.Int64
}

// flush sleeps as long as a batch takes. The most held is looked up when a batch begins: it
// is highest then, but for what comes while all workers sleep.
func (t *tally) flush(_ context.Context, batch []int64) error {
	t.note()
	time.Sleep(t.pause)
	t.note()
	t.take(len(batch))
	return nil
}

func (t *tally) note() {
	held := t.added.Load() - t.taken.Load()
	for {
		most := t.most.Load()
		if held <= most || t.most.CompareAndSwap(most, held) {
			return
		}
	}
}

// Run measures items per second, and the most items that were accepted and not yet taken.
func (l *Slow) Run(ctx context.Context) ([]measure.Reading, error) {
	t := &tally{arrivals: newArrivals(l.Items), pause: l.Pause}
	began := time.Now()
	run := l.through
	if l.New == nil {
		run = l.bare
	}
	if err := run(ctx, t); err != nil {
		return nil, err
	}
	if err := t.wait(ctx); err != nil {
		return nil, err
	}
	rate := float64(l.Items) / time.Since(began).Seconds()
	return []measure.Reading{{Iters: l.Items, Values: []measure.Value{
		{Value: rate, Unit: "items/s"},
		{Value: float64(t.most.Load()), Unit: "held-items"},
	}}}, nil
}

// through sends the items through a queue.
func (l *Slow) through(ctx context.Context, t *tally) error {
	q, err := l.New(l.Settings, t.flush)
	if err != nil {
		return fmt.Errorf("new: %w", err)
	}
	err = newCrew(ctx, l.Producers, l.Items, func(ctx context.Context) error {
		err := q.Add(ctx, 1<<20)
		t.added.Add(1)
		return err
	}).run()
	if closeErr := q.Close(ctx); err == nil && closeErr != nil {
		err = fmt.Errorf("close: %w", closeErr)
	}
	return err
}

// bare is the sink's own limit: all workers, always with a full batch. What they have in hand
// counts as held.
func (l *Slow) bare(ctx context.Context, t *tally) error {
	batches := make(chan []int64, l.Items/l.Settings.MaxSize+1) // all of them, so that sending never waits
	for n := l.Items; n > 0; n -= l.Settings.MaxSize {
		batches <- make([]int64, min(n, l.Settings.MaxSize))
	}
	close(batches)
	var workers sync.WaitGroup
	for range l.Settings.Workers {
		workers.Go(func() {
			for batch := range batches {
				t.added.Add(int64(len(batch)))
				_ = t.flush(ctx, batch)
			}
		})
	}
	workers.Wait()
	return nil
}
