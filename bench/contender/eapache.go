package contender

// eapache/go-resiliency: Run waits for the result of its batch, so each item has a goroutine here.

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/eapache/go-resiliency/batcher"
)

// eapacheBound is how many calls of Run may wait at once. The library has no bound.
const eapacheBound = 100_000

type eapacheQueue[T any] struct {
	b       *batcher.Batcher
	places  chan struct{} // one for each call of Run that waits
	waiting sync.WaitGroup
	begun   atomic.Int64 // calls that are still on their way into a batch
}

func eapache[T any]() Contender[T] {
	return Contender[T]{
		Name: "eapache", Module: "github.com/eapache/go-resiliency/batcher", Kind: Library,
		Richer: "a result for each item; the adapter has a goroutine for each, since Run waits",
		Unable: []string{"MaxSize: batches have no bound", "Workers: not bounded", "Queue: none; the adapter holds 100 000 items at most"},
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			q := &eapacheQueue[T]{places: make(chan struct{}, eapacheBound)}
			q.b = batcher.New(s.MaxDelay, func(params []any) error {
				batch := make([]T, len(params))
				for i, p := range params {
					batch[i], _ = p.(T)
				}
				return sink(context.Background(), batch)
			})
			q.b.Prefilter(func(any) error { q.begun.Add(-1); return nil })
			return q, nil
		},
	}
}

func (q *eapacheQueue[T]) Add(ctx context.Context, item T) error {
	select {
	case q.places <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	q.begun.Add(1)
	q.waiting.Go(func() {
		_ = q.b.Run(item)
		<-q.places
	})
	return nil
}

// Close hurries the last batches on once all calls are nearly in one; an item that comes just too
// late for that waits for MaxDelay.
func (q *eapacheQueue[T]) Close(context.Context) error {
	for q.begun.Load() > 0 {
		runtime.Gosched()
	}
	q.b.Shutdown(false) // with true, it panics if an item comes just then
	q.waiting.Wait()
	return nil
}
