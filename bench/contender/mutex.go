package contender

// By hand: a mutex and a slice, with a timer and workers, or with nothing at all.

import (
	"context"
	"sync"
	"time"
)

// mutexQueue gathers a batch under a mutex and sends it to workers when it is full or its timer fires.
type mutexQueue[T any] struct {
	s       Settings
	batches chan []T // from flushLocked to the workers; closed by Close
	workers sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	batch []T
	timer *time.Timer // of the batch
	ended bool
}

func mutexSlice[T any]() Contender[T] {
	return Contender[T]{
		Name: "mutex-slice", Kind: ByHand,
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			q := &mutexQueue[T]{s: s, batches: make(chan []T, s.Queue)}
			for range s.Workers {
				q.workers.Go(func() {
					for batch := range q.batches {
						_ = sink(context.Background(), batch)
					}
				})
			}
			return q, nil
		},
	}
}

func (q *mutexQueue[T]) Add(_ context.Context, item T) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return context.Canceled
	}
	if q.batch == nil {
		q.batch = make([]T, 0, q.s.MaxSize)
		q.timer = time.AfterFunc(q.s.MaxDelay, q.tick)
	}
	if q.batch = append(q.batch, item); len(q.batch) == q.s.MaxSize {
		q.flushLocked()
	}
	return nil
}

func (q *mutexQueue[T]) tick() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.flushLocked()
	}
}

// flushLocked waits for room with the lock held, as such code does.
func (q *mutexQueue[T]) flushLocked() {
	if q.batch != nil {
		q.timer.Stop()
		q.batches <- q.batch
		q.batch = nil
	}
}

func (q *mutexQueue[T]) Close(context.Context) error {
	q.mu.Lock()
	if !q.ended {
		q.flushLocked()
		q.ended = true
		close(q.batches)
	}
	q.mu.Unlock()
	q.workers.Wait()
	return nil
}

// lockQueue is lock, append and unlock; a full slice goes to the sink on the spot, and is used again.
type lockQueue[T any] struct {
	size int
	sink Sink[T]

	mu    sync.Mutex // guards the field below
	batch []T
}

func lockLimit[T any]() Contender[T] {
	return Contender[T]{
		Name: "lock-append", Kind: Limit,
		Unable: []string{"MaxDelay: none", "Workers: none, the sink runs on a producer's goroutine", "Queue: none"},
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			return &lockQueue[T]{size: s.MaxSize, sink: sink, batch: make([]T, 0, s.MaxSize)}, nil
		},
	}
}

func (q *lockQueue[T]) Add(ctx context.Context, item T) error {
	q.mu.Lock()
	q.batch = append(q.batch, item)
	if len(q.batch) == q.size {
		q.flushLocked(ctx)
	}
	q.mu.Unlock()
	return nil
}

func (q *lockQueue[T]) flushLocked(ctx context.Context) {
	if len(q.batch) > 0 {
		_ = q.sink(ctx, q.batch)
		q.batch = q.batch[:0]
	}
}

func (q *lockQueue[T]) Close(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.flushLocked(ctx)
	return nil
}
