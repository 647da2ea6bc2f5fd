package workload

// With few items: how exactly the delay is kept.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/measure"
)

// Arrivals says when items come. The gap between two of them is random between the bounds, so that
// nobody's clock is in step with them by luck.
type Arrivals struct {
	Name      string
	Instances int // queues beside each other, each with one producer: more batches in the same time
	Low, High time.Duration
}

// Dense and Sparse are the two kinds that are measured: one item a millisecond, which is ten
// for a batch, and items so rare that each is a batch by itself, with a MaxDelay of 10 ms.
var (
	Dense  = Arrivals{"dense", 4, 500 * time.Microsecond, 1500 * time.Microsecond}
	Sparse = Arrivals{"sparse", 16, 12 * time.Millisecond, 28 * time.Millisecond}
)

// Delay is producers that add an item from time to time. What counts is how long the first item of
// a batch has waited when the sink gets it.
type Delay struct {
	New      Maker[int64] // nil: a bare timer
	Settings contender.Settings
	Arrivals Arrivals
	Slice    time.Duration // how long a run takes
	Seed     uint64
}

// waits are those of the first items of all batches, in nanoseconds.
type waits struct {
	began time.Time // the items are times since then

	closing atomic.Bool // a batch that Close cuts short is not the timer's

	mu  sync.Mutex // guards the fields below
	all []float64
}

// flush is the sink. The first item is the oldest: not every library keeps the order.
func (w *waits) flush(_ context.Context, batch []int64) error {
	if !w.closing.Load() && len(batch) > 0 {
		w.note(time.Since(w.began) - time.Duration(slices.Min(batch)))
	}
	return nil
}

func (w *waits) note(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, float64(d.Nanoseconds()))
}

// Run measures percentiles of the first items' wait.
func (l *Delay) Run(ctx context.Context) ([]measure.Reading, error) {
	w := &waits{began: time.Now()}
	var over sync.WaitGroup
	errs := make([]error, l.Arrivals.Instances)
	for i := range errs {
		rng := rand.New(rand.NewPCG(l.Seed, uint64(i)))
		over.Go(func() { errs[i] = l.instance(ctx, w, rng) })
	}
	over.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.all) == 0 {
		return nil, errors.New("no batch was due within the time")
	}
	return []measure.Reading{{Iters: len(w.all), Values: percentiles(w.all)}}, nil
}

// instance is one queue and its producer, until the slice is over. The first producer that is
// through ends the measurement for all: their last gaps are all that is lost.
func (l *Delay) instance(ctx context.Context, w *waits, rng *rand.Rand) error {
	q, err := l.queue(w)
	if err != nil {
		return fmt.Errorf("new: %w", err)
	}
	gap := func() time.Duration {
		return l.Arrivals.Low + time.Duration(rng.Int64N(int64(l.Arrivals.High-l.Arrivals.Low)))
	}
	for next := gap(); next < l.Slice && err == nil; next += gap() {
		time.Sleep(next - time.Since(w.began))
		err = q.Add(ctx, int64(time.Since(w.began)))
	}
	w.closing.Store(true)
	return errors.Join(err, q.Close(ctx))
}

func (l *Delay) queue(w *waits) (contender.Queue[int64], error) {
	if l.New == nil {
		return &bareTimer{delay: l.Settings.MaxDelay, waits: w}, nil
	}
	return l.New(l.Settings, w.flush)
}

// bareTimer is what no batcher can be better than: a time.Timer started by the first item.
type bareTimer struct {
	delay time.Duration
	waits *waits
	armed atomic.Bool
}

// Add starts the timer, unless it runs.
func (t *bareTimer) Add(_ context.Context, item int64) error {
	if t.armed.CompareAndSwap(false, true) {
		time.AfterFunc(t.delay, func() {
			t.armed.Store(false)
			_ = t.waits.flush(context.Background(), []int64{item})
		})
	}
	return nil
}

// Close leaves a running timer alone: it does nothing any more.
func (t *bareTimer) Close(context.Context) error { return nil }

// percentiles are the 1st, 50th, 99th and the largest of ds, which it sorts.
func percentiles(ds []float64) []measure.Value {
	slices.Sort(ds)
	at := func(p int) float64 { return ds[(len(ds)-1)*p/100] }
	return []measure.Value{
		{Value: at(1), Unit: "p1-ns"},
		{Value: at(50), Unit: "p50-ns"},
		{Value: at(99), Unit: "p99-ns"},
		{Value: at(100), Unit: "max-ns"},
	}
}
