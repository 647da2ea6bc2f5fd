package contender

// go-batcher of bsv-blockchain: pointers through a channel of 64 batches, and a pool of workers.

import (
	"context"

	"github.com/bsv-blockchain/go-batcher/v2"
)

type bsvQueue[T any] struct{ b *batcher.Batcher[T] }

func bsv[T any]() Contender[T] {
	return Contender[T]{
		Name: "bsv-go-batcher", Module: "github.com/bsv-blockchain/go-batcher/v2", Kind: Library,
		Unable: []string{"Queue: a channel of 64 times MaxSize items, always",
			"items: pointers, so each has an allocation, and the adapter copies the batch"},
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			b := batcher.New(s.MaxSize, s.MaxDelay, func(pointers []*T) {
				batch := make([]T, len(pointers))
				for i, p := range pointers {
					batch[i] = *p
				}
				_ = sink(context.Background(), batch)
			}, true, batcher.WithGreedyAccumulate(true))
			b.SetMaxConcurrent(s.Workers)
			return bsvQueue[T]{b}, nil
		},
	}
}

func (q bsvQueue[T]) Add(_ context.Context, item T) error {
	q.b.Put(&item)
	return nil
}

func (q bsvQueue[T]) Close(context.Context) error {
	q.b.Close()
	return nil
}
