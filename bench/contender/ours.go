package contender

// This library.

import (
	"context"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

func ours[T any]() Contender[T] { return oursWith[T]("batcher") }

func oursWithLanes[T any]() Contender[T] { return oursWith[T]("batcher-lanes", batcher.WithLanes(8)) }

func oursWith[T any](name string, more ...batcher.Option) Contender[T] {
	return Contender[T]{
		Name: name, Kind: Ours,
		AddContext: true, CloseContext: true,
		Reports: "the dead letter handler; without one, the log",
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			b, err := batcher.New(batcher.FlushFunc[T](sink), append(oursOptions[T](s), more...)...)
			if err != nil {
				return nil, err
			}
			return b, nil
		},
	}
}

// oursOptions are the settings as options.
func oursOptions[T any](s Settings) []batcher.Option {
	opts := []batcher.Option{
		batcher.WithMaxSize(s.MaxSize), batcher.WithMaxDelay(s.MaxDelay),
		batcher.WithWorkers(s.Workers), batcher.WithQueueDepth(s.Queue),
	}
	if s.Attempts > 1 {
		opts = append(opts, batcher.WithRetry(s.Attempts,
			batcher.ExponentialBackoff(time.Millisecond, 10*time.Millisecond)))
	}
	if s.Report != nil {
		opts = append(opts, batcher.WithDeadLetter(func(_ context.Context, d batcher.DeadLetter[T]) {
			s.Report(d.Err)
		}))
	}
	return opts
}
