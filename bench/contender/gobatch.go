package contender

// MasterOfBinary/gobatch: a source, a batch, processors.

import (
	"context"

	"github.com/MasterOfBinary/gobatch/batch"
	"github.com/MasterOfBinary/gobatch/source"
)

// goBatchProcessor hands the data of the items to the sink.
type goBatchProcessor[T any] struct{ sink Sink[T] }

func (p goBatchProcessor[T]) Process(ctx context.Context, items []*batch.Item[T]) ([]*batch.Item[T], error) {
	data := make([]T, len(items))
	for i, item := range items {
		data[i] = item.Data
	}
	return items, p.sink(ctx, data)
}

func goBatch[T any]() Contender[T] {
	return Contender[T]{
		Name: "gobatch", Module: "github.com/MasterOfBinary/gobatch/batch", Kind: Library,
		Richer: "an id, and room for an error, with each item",
		Unable: []string{"MaxDelay: from the batch before", "Workers: not bounded",
			"Queue: a channel of MaxSize items, and 200 items more inside"},
		Fed: true, Reports: "the reader of the error channel",
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			p := newPipe[T](s)
			size := uint64(s.MaxSize)
			b := batch.New[T](batch.NewConstantConfig(&batch.ConfigValues{
				MinItems: size, MaxItems: size, MaxTime: s.MaxDelay}))
			errs := b.Go(context.Background(), &source.Channel[T]{Input: p.in}, goBatchProcessor[T]{sink})
			go func() {
				defer close(p.done)
				for err := range errs { // closed when all is done
					if s.Report != nil {
						s.Report(err)
					}
				}
			}()
			return p, nil
		},
	}
}
