package contender

// The bundler of the Google API client: reflection, a semaphore for what is held.

import (
	"context"

	"google.golang.org/api/support/bundler"
)

type bundlerQueue[T any] struct{ b *bundler.Bundler }

func bundlerOf[T any]() Contender[T] {
	return Contender[T]{
		Name: "google-bundler", Module: "google.golang.org/api/support/bundler", Kind: Library,
		AddContext: true,
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			var example T
			b := bundler.NewBundler(example, func(items any) {
				_ = sink(context.Background(), items.([]T))
			})
			b.DelayThreshold, b.BundleCountThreshold, b.HandlerLimit = s.MaxDelay, s.MaxSize, s.Workers
			b.BufferedByteLimit = s.MaxSize * (s.Queue + s.Workers) // each item counts as one byte
			return bundlerQueue[T]{b}, nil
		},
	}
}

func (q bundlerQueue[T]) Add(ctx context.Context, item T) error { return q.b.AddWait(ctx, item, 1) }

func (q bundlerQueue[T]) Close(context.Context) error {
	q.b.Flush()
	return nil
}
