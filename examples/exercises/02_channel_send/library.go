package channelsend

// The library's own: no channel.

import (
	"context"
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is a batcher.Batcher. Add copies an item once, from the producer's stack into the batch
// that is open, under a lock (batcher.go). The worker copies the whole batch once more for
// the sink, in one go, so that a retry has the items as they were accepted (pool.go).
type Library[T any] struct{ *batcher.Batcher[T] }

// NewLibrary returns a batcher for batches of size items. The sink must not keep the slice.
func NewLibrary[T any](size int, sink func([]T)) (Library[T], error) {
	flush := func(_ context.Context, batch []T) error { sink(batch); return nil }
	b, err := batcher.New(flush, batcher.WithMaxSize(size), batcher.WithMaxDelay(math.MaxInt64))
	return Library[T]{b}, err
}

// Add adds an item.
func (l Library[T]) Add(item T) {
	_ = l.Batcher.Add(context.Background(), item) // it fails only after Close
}

// Close passes on what is left and ends the batcher.
func (l Library[T]) Close() error { return l.Batcher.Close(context.Background()) }
