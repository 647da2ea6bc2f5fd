package contender

// eapache/go-resiliency: Run waits for the result of its batch, so each item has a goroutine here.

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"github.com/eapache/go-resiliency/batcher"
)

// eapacheBound is how many calls of Run may wait at once. The library has no bound.
const eapacheBound = 100_000

type eapacheQueue[T any] struct {
	b      *batcher.Batcher
	places chan struct{} // one for each call of Run that waits
	report func(error)

	mu      sync.Mutex // guards the fields below
	calls   int        // of Run that have not returned
	begun   int        // of Run that are still on their way into a batch
	changed sync.Cond  // one of them has become 0
}

func eapache[T any]() Contender[T] {
	return Contender[T]{
		Name: "eapache", Module: "github.com/eapache/go-resiliency/batcher", Kind: Library,
		Richer: "a result for each item; the adapter has a goroutine for each, since Run waits",
		Unable: []string{"MaxSize: batches have no bound; the adapter cuts them up for the sink",
			"Workers: not bounded", "Queue: none; the adapter holds 100 000 items at most"},
		Reports: "the caller of Run",
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			q := &eapacheQueue[T]{places: make(chan struct{}, eapacheBound), report: s.Report}
			q.changed.L = &q.mu
			q.b = batcher.New(s.MaxDelay, func(params []any) error { return inPieces(params, s.MaxSize, sink) })
			q.b.Prefilter(func(any) error { q.less(&q.begun); return nil })
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

// less takes one off a count.
func (q *eapacheQueue[T]) less(n *int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if *n--; *n == 0 {
		q.changed.Broadcast()
	}
}

// await waits until a count is 0.
func (q *eapacheQueue[T]) await(n *int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for *n > 0 {
		q.changed.Wait()
	}
}

func (q *eapacheQueue[T]) Add(ctx context.Context, item T) error {
	select {
	case q.places <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	q.mu.Lock()
	q.begun++
	q.calls++
	q.mu.Unlock()
	go q.run(item)
	return nil
}

func (q *eapacheQueue[T]) run(item T) {
	if err := q.b.Run(item); err != nil && q.report != nil {
		q.report(err)
	}
	<-q.places
	q.less(&q.calls)
}

// Close hurries the last batches on once all calls are nearly in one; an item that comes just too
// late for that waits for MaxDelay.
func (q *eapacheQueue[T]) Close(context.Context) error {
	q.await(&q.begun)
	runtime.Gosched()
	q.b.Shutdown(false) // with true, it panics if an item comes just then
	q.await(&q.calls)
	return nil
}
