package ctxchecks

// The library's own: one ctx.Err(), a lock and an append.

import (
	"context"
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is the same with a batcher.Batcher. Its Add begins with ctx.Err() and ends with the
// append if there is room (batcher.go). Only a producer that has to wait gets a place in a line
// and a channel, and a select with its context (waiters.go).
type Library struct{ *batcher.Batcher[int] }

// NewLibrary returns a batcher for batches of size items.
func NewLibrary(size int, sink func(batch []int)) (Library, error) {
	flush := func(_ context.Context, batch []int) error { sink(batch); return nil }
	b, err := batcher.New(flush, batcher.WithMaxSize(size), batcher.WithMaxDelay(math.MaxInt64),
		batcher.WithQueueDepth(1))
	return Library{b}, err
}
