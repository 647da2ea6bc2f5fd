package contender

// destel/rill: batches as a stage in a pipeline of channels.

import (
	"context"

	"github.com/destel/rill"
)

type rillQueue[T any] struct{ pipe[rill.Try[T]] }

func destelRill[T any]() Contender[T] {
	return Contender[T]{
		Name: "destel-rill", Module: "github.com/destel/rill", Kind: Library,
		Unable: []string{noQueue},
		Fed:    true, Reports: "the caller of ForEach, which ends with the first error and throws away the rest",
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			p := newPipe[rill.Try[T]](s)
			batches := rill.Batch(p.in, s.MaxSize, s.MaxDelay)
			go func() {
				defer close(p.done)
				err := rill.ForEach(batches, s.Workers, func(batch []T) error {
					return sink(context.Background(), batch)
				})
				if err != nil && s.Report != nil {
					s.Report(err)
				}
			}()
			return rillQueue[T]{p}, nil
		},
	}
}

func (q rillQueue[T]) Add(ctx context.Context, item T) error {
	return q.pipe.Add(ctx, rill.Try[T]{Value: item})
}
