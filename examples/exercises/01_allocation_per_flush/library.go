package allocationperflush

// The library's own: batches, and the copies lent to the flush function, come from pools.

import (
	"context"
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is the same with a batcher.Batcher. A worker calls the sink, so Flush returns before
// the sink has the batch.
//
// The flush function gets a copy even here, since a retry must see the items as they were accepted
// (pool.go, lend and takeBack). The pool belongs to the batcher and ends with it.
type Library[T any] struct{ b *batcher.Batcher[T] }

// NewLibrary returns a batcher for batches of size items. With batcher.WithoutReuse its
// sink may keep the slice.
func NewLibrary[T any](size int, sink Sink[T], opts ...batcher.Option) (*Library[T], error) {
	flush := func(_ context.Context, batch []T) error { sink(batch); return nil }
	b, err := batcher.New(flush, append([]batcher.Option{
		batcher.WithMaxSize(size), batcher.WithMaxDelay(math.MaxInt64)}, opts...)...)
	if err != nil {
		return nil, err
	}
	return &Library[T]{b}, nil
}

// Flush adds the items of buf, which make a batch if there are size of them.
func (l *Library[T]) Flush(buf []T) {
	_, _ = l.b.AddAll(context.Background(), buf) // it fails only after Close
}

// Close passes on what is left and ends the batcher.
func (l *Library[T]) Close() error { return l.b.Close(context.Background()) }
