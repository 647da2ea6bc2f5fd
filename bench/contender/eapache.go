package contender

// eapache/go-resiliency: Run waits for the result of its batch, so each item has a goroutine here.

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/eapache/go-resiliency/batcher"
)

// eapacheBound is how many calls of Run may wait at once. The library has no bound.
const eapacheBound = 100_000

type eapacheQueue[T any] struct {
	b      *batcher.Batcher
	places chan struct{} // one for each call of Run that waits
	report func(error)

	calls atomic.Int64 // of Run that have not returned
}

func eapache[T any]() Contender[T] {
	return Contender[T]{
		Name: "eapache", Module: "github.com/eapache/go-resiliency/batcher", Kind: Library,
		Richer: "a result for each item; the adapter has a goroutine for each, since Run waits",
		Unable: []string{"MaxSize: batches have no bound; the adapter cuts them up for the sink",
			"Workers: not bounded", "Queue: none; the adapter holds 100 000 items at most"},
		Callers: true, Reports: "the caller of Run",
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			q := &eapacheQueue[T]{places: make(chan struct{}, eapacheBound), report: s.Report}
			q.b = batcher.New(s.MaxDelay, func(params []any) error { return inPieces(params, s.MaxSize, sink) })
			return q, nil
		},
	}
}

// inPieces hands the items to the sink, so many at a time, and returns what it failed of.
func inPieces[T any](params []any, size int, sink Sink[T]) error {
	var errs []error
	for piece := range slices.Chunk(params, size) {
		batch := make([]T, len(piece))
		for i, p := range piece {
			batch[i], _ = p.(T)
		}
		errs = append(errs, sink(context.Background(), batch))
	}
	return errors.Join(errs...)
}

func (q *eapacheQueue[T]) Add(ctx context.Context, item T) error {
	select {
	case q.places <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	q.calls.Add(1)
	go q.run(item)
	return nil
}

func (q *eapacheQueue[T]) run(item T) {
	if err := q.b.Run(item); err != nil && q.report != nil {
		q.report(err)
	}
	<-q.places
	q.calls.Add(-1)
}

// Close hurries the last batches on until all calls have returned: a call on its way into a batch may
// begin one after any Shutdown, which would otherwise wait for MaxDelay.
func (q *eapacheQueue[T]) Close(context.Context) error {
	hurry := time.NewTicker(100 * time.Microsecond)
	defer hurry.Stop()
	for q.calls.Load() > 0 {
		q.b.Shutdown(false) // with true, it panics if an item comes just then
		<-hurry.C
	}
	return nil
}
