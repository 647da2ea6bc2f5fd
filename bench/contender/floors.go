package contender

// What is less than a queue: the cost of a single operation of the machine.

import (
	"context"
	"sync/atomic"
)

// Floors returns limits that cannot stand in All: one bears a single producer only (see
// Producers), the other carries no items (see Hollow).
func Floors[T any]() []Contender[T] {
	return []Contender[T]{appendFloor[T](), atomicFloor[T]()}
}

// appendQueue is an append to a slice, which is used again, without any lock.
type appendQueue[T any] struct {
	batch []T
	sink  Sink[T]
}

func appendFloor[T any]() Contender[T] {
	return Contender[T]{
		Name: "append", Kind: Limit, Producers: 1,
		Unable: []string{"MaxDelay: none", "Workers: none, the sink runs on the producer's goroutine", "Queue: none"},
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			return &appendQueue[T]{make([]T, 0, s.MaxSize), sink}, nil
		},
	}
}

func (q *appendQueue[T]) Add(ctx context.Context, item T) error {
	if q.batch = append(q.batch, item); len(q.batch) == cap(q.batch) {
		return q.Close(ctx)
	}
	return nil
}

func (q *appendQueue[T]) Close(ctx context.Context) error {
	if len(q.batch) == 0 {
		return nil
	}
	err := q.sink(ctx, q.batch)
	q.batch = q.batch[:0]
	return err
}

// atomicQueue is one atomic addition. The sink gets as many items as were added, all of them zero.
type atomicQueue[T any] struct {
	zeros []T
	sink  Sink[T]

	added atomic.Int64
}

func atomicFloor[T any]() Contender[T] {
	return Contender[T]{
		Name: "atomic-add", Kind: Limit, Hollow: true,
		Unable: []string{"items: it only counts them", "MaxDelay: none",
			"Workers: none, the sink runs on a producer's goroutine", "Queue: none"},
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			return &atomicQueue[T]{zeros: make([]T, s.MaxSize), sink: sink}, nil
		},
	}
}

func (q *atomicQueue[T]) Add(ctx context.Context, _ T) error {
	if q.added.Add(1)%int64(len(q.zeros)) == 0 {
		return q.sink(ctx, q.zeros)
	}
	return nil
}

func (q *atomicQueue[T]) Close(ctx context.Context) error {
	if rest := q.added.Load() % int64(len(q.zeros)); rest > 0 {
		return q.sink(ctx, q.zeros[:rest])
	}
	return nil
}
