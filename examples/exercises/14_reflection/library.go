package reflection

// The library's own: generic, and without the channel.

import (
	"context"
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is the same with a batcher.Batcher.
type Library[T any] struct {
	*batcher.Batcher[T]
}

// NewLibrary returns a batcher for batches of size items. The sink must not keep the slice.
func NewLibrary[T any](size int, sink func(batch []T) error) (*Library[T], error) {
	b, err := batcher.New(func(_ context.Context, batch []T) error { return sink(batch) },
		batcher.WithMaxSize(size), batcher.WithMaxDelay(math.MaxInt64))
	if err != nil {
		return nil, err
	}
	return &Library[T]{b}, nil
}

// Add adds an item.
func (l *Library[T]) Add(item T) {
	_ = l.Batcher.Add(context.Background(), item) // it fails only after Close
}

// Close passes on what is left and ends the batcher.
func (l *Library[T]) Close() error { return l.Batcher.Close(context.Background()) }
