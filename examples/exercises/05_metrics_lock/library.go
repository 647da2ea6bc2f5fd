package metricslock

// The library's own: no counter per item at all.

import (
	"context"
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is a batcher.Batcher. It counts a batch when that is sealed; until then the length of the
// open batch says how many there are (stats.go). An Add holds the lock of the batch anyway, so
// there is nothing to add, and Stats takes the same locks: all its numbers are of one moment.
type Library struct{ *batcher.Batcher[int] }

// NewLibrary returns a batcher for batches of size items. The sink must not keep the slice.
func NewLibrary(size int, sink func(batch []int)) (Library, error) {
	flush := func(_ context.Context, batch []int) error { sink(batch); return nil }
	b, err := batcher.New(flush, batcher.WithMaxSize(size), batcher.WithMaxDelay(math.MaxInt64))
	return Library{b}, err
}

// Add adds an item.
func (l Library) Add(item int) {
	_ = l.Batcher.Add(context.Background(), item) // it fails only after Close
}

// Added returns how many items were added.
func (l Library) Added() int64 { return l.Stats().Added }

// Close passes on what is left and ends the batcher.
func (l Library) Close() error { return l.Batcher.Close(context.Background()) }
