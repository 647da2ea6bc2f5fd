package contender

// This library.

import "github.com/seed-4c1eaf8a/batcher"

func ours[T any]() Contender[T] {
	return Contender[T]{Name: "batcher", Kind: Ours, New: func(s Settings, sink Sink[T]) (Queue[T], error) {
		return newOurs(s, sink)
	}}
}

func oursWithLanes[T any]() Contender[T] {
	return Contender[T]{
		Name: "batcher-lanes", Kind: Ours,
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			return newOurs(s, sink, batcher.WithLanes(8))
		},
	}
}

func newOurs[T any](s Settings, sink Sink[T], more ...batcher.Option) (Queue[T], error) {
	b, err := batcher.New(batcher.FlushFunc[T](sink), append(more, batcher.WithMaxSize(s.MaxSize),
		batcher.WithMaxDelay(s.MaxDelay), batcher.WithWorkers(s.Workers), batcher.WithQueueDepth(s.Queue))...)
	if err != nil {
		return nil, err
	}
	return b, nil
}
