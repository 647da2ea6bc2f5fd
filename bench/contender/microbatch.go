package contender

// joeycumines/go-microbatch: each item passes two channels and gets a handle on its batch.

import (
	"context"

	"github.com/joeycumines/go-microbatch"
)

type microBatchQueue[T any] struct{ b *microbatch.Batcher[T] }

func microBatch[T any]() Contender[T] {
	return Contender[T]{
		Name: "go-microbatch", Module: "github.com/joeycumines/go-microbatch", Kind: Library,
		Richer: "a result for each item",
		Unable: []string{"Queue: none"},
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			return microBatchQueue[T]{microbatch.NewBatcher(&microbatch.BatcherConfig{
				MaxSize: s.MaxSize, FlushInterval: s.MaxDelay, MaxConcurrency: s.Workers,
			}, microbatch.BatchProcessor[T](sink))}, nil
		},
	}
}

func (q microBatchQueue[T]) Add(ctx context.Context, item T) error {
	_, err := q.b.Submit(ctx, item) // nobody waits for the result
	return err
}

func (q microBatchQueue[T]) Close(ctx context.Context) error { return q.b.Shutdown(ctx) }
