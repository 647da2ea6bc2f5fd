package contender

// joeycumines/go-microbatch: each item passes two channels and gets a handle on its batch.

import (
	"context"

	"github.com/joeycumines/go-microbatch"
)

type microBatchQueue[T any] struct {
	b      *microbatch.Batcher[T]
	report func(error)
}

func microBatch[T any]() Contender[T] {
	return Contender[T]{
		Name: "go-microbatch", Module: "github.com/joeycumines/go-microbatch", Kind: Library,
		Richer:     "a result for each item",
		Unable:     []string{"Queue: none"},
		AddContext: true, CloseContext: true,
		Reports: "those who wait for the item's result",
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			b := microbatch.NewBatcher(&microbatch.BatcherConfig{
				MaxSize: s.MaxSize, FlushInterval: s.MaxDelay, MaxConcurrency: s.Workers,
			}, microbatch.BatchProcessor[T](sink))
			return microBatchQueue[T]{b, s.Report}, nil
		},
	}
}

func (q microBatchQueue[T]) Add(ctx context.Context, item T) error {
	result, err := q.b.Submit(ctx, item)
	if err == nil && q.report != nil { // else nobody waits for the result
		go q.await(result)
	}
	return err
}

func (q microBatchQueue[T]) await(result *microbatch.JobResult[T]) {
	if err := result.Wait(context.Background()); err != nil {
		q.report(err)
	}
}

func (q microBatchQueue[T]) Close(ctx context.Context) error { return q.b.Shutdown(ctx) }
