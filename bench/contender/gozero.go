package contender

// The BulkExecutor of go-zero: a slice of any under a mutex, flushed by a background goroutine.

import (
	"context"

	"github.com/zeromicro/go-zero/core/executors"
)

type goZeroQueue[T any] struct{ e *executors.BulkExecutor }

func goZero[T any]() Contender[T] {
	return Contender[T]{
		Name: "go-zero", Module: "github.com/zeromicro/go-zero/core/executors", Kind: Library,
		Unable: []string{callTicker, oneWorker, "Queue: one batch"},
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			return goZeroQueue[T]{executors.NewBulkExecutor(func(tasks []any) {
				batch := make([]T, len(tasks))
				for i, task := range tasks {
					batch[i], _ = task.(T)
				}
				_ = sink(context.Background(), batch)
			}, executors.WithBulkTasks(s.MaxSize), executors.WithBulkInterval(s.MaxDelay))}, nil
		},
	}
}

func (q goZeroQueue[T]) Add(_ context.Context, item T) error { return q.e.Add(item) }

func (q goZeroQueue[T]) Close(context.Context) error {
	q.e.Wait()
	return nil
}
