package contender

// samber/lo and samber/ro: a buffer as a function on a channel, and as an operator on a stream.

import (
	"context"

	"github.com/samber/lo"
	"github.com/samber/ro"
)

func samberLo[T any]() Contender[T] {
	return Contender[T]{
		Name: "samber-lo", Module: "github.com/samber/lo", Kind: Library,
		Unable: []string{"MaxDelay: from the end of the batch before", oneWorker, noQueue},
		Fed:    true,
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			p := newPipe[T](s)
			go func() {
				defer close(p.done)
				for open := true; open; {
					var batch []T
					batch, _, _, open = lo.BufferWithTimeout(p.in, s.MaxSize, s.MaxDelay)
					if len(batch) > 0 {
						_ = sink(context.Background(), batch)
					}
				}
			}()
			return p, nil
		},
	}
}

func samberRo[T any]() Contender[T] {
	return Contender[T]{
		Name: "samber-ro", Module: "github.com/samber/ro", Kind: Library,
		Unable: []string{callTicker, oneWorker, noQueue},
		Fed:    true,
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			p := newPipe[T](s)
			batches := ro.Pipe1(ro.FromChannel(p.in), ro.BufferWithTimeOrCount[T](s.MaxSize, s.MaxDelay))
			batches.Subscribe(ro.NewObserver(
				func(batch []T) {
					if len(batch) > 0 { // the ticker sends empty ones too
						_ = sink(context.Background(), batch)
					}
				},
				func(error) {},
				func() { close(p.done) }))
			return p, nil
		},
	}
}
