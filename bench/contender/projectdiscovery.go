package contender

// The batcher of projectdiscovery/utils: the batch is a channel, emptied when it is full or by a timer.

import (
	"context"

	"github.com/projectdiscovery/utils/batcher"
)

type projectDiscoveryQueue[T any] struct{ b *batcher.Batcher[T] }

func projectDiscovery[T any]() Contender[T] {
	return Contender[T]{
		Name: "projectdiscovery", Module: "github.com/projectdiscovery/utils/batcher", Kind: Library,
		Unable: []string{"MaxDelay: a timer that runs from the last flush, not from the first item", oneWorker,
			"Queue: none beyond the batch"},
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			b := batcher.New(
				batcher.WithMaxCapacity[T](s.MaxSize),
				batcher.WithFlushInterval[T](s.MaxDelay),
				batcher.WithFlushCallback(func(batch []T) { _ = sink(context.Background(), batch) }))
			b.Run()
			return projectDiscoveryQueue[T]{b}, nil
		},
	}
}

func (q projectDiscoveryQueue[T]) Add(_ context.Context, item T) error {
	q.b.Append(item)
	return nil
}

func (q projectDiscoveryQueue[T]) Close(context.Context) error {
	q.b.Stop()
	q.b.WaitDone()
	return nil
}
