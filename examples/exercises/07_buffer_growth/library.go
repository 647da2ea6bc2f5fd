package buffergrowth

// The library's own: pools that let go of what is too large.

import (
	"context"
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is a batcher.Batcher. Its batches, and the copies lent to the flush function, come from
// pools that take back only what is not far larger than usual (pool.go); of small buffers, up to
// 4 KiB, they take all. What is in a pool, the garbage collector takes if nobody does for a
// while.
type Library struct{ b *batcher.Batcher[int] }

// NewLibrary returns a batcher for batches of up to largest items.
func NewLibrary(largest int, sink Sink) (Library, error) {
	flush := func(_ context.Context, batch []int) error { sink(batch); return nil }
	b, err := batcher.New(flush, batcher.WithMaxSize(largest), batcher.WithMaxDelay(math.MaxInt64))
	return Library{b}, err
}

// Add adds items.
func (l Library) Add(items []int) {
	_, _ = l.b.AddAll(context.Background(), items) // it fails only after Close
}

// Flush passes on what there is, if anything, and waits until the sink has it.
func (l Library) Flush() { _ = l.b.Flush(context.Background()) } // the sink does not fail

// Close ends the batcher.
func (l Library) Close() error { return l.b.Close(context.Background()) }
