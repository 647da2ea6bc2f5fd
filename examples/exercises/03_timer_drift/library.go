package timerdrift

// The library's own: a timer for the first item, set lazily, and no loop.

import (
	"context"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is the same with a batcher.Batcher. It counts from the moment at which the item was
// accepted, even while the sink works, and has no goroutine while it waits. A batch that
// becomes full leaves the timer alone; when that fires, it is set again for the batch that it
// finds (timer.go). A busy batcher sets a timer once per delay, not once per batch.
type Library struct{ *batcher.Batcher[Item] }

// NewLibrary returns a batcher for batches of size items that are complete after delay.
func NewLibrary(size int, delay time.Duration, sink Sink) (*Library, error) {
	flush := func(_ context.Context, batch []Item) error { sink(batch); return nil }
	b, err := batcher.New(flush, batcher.WithMaxSize(size), batcher.WithMaxDelay(delay))
	if err != nil {
		return nil, err
	}
	return &Library{b}, nil
}

// Add adds an item.
func (l *Library) Add(item Item) {
	_ = l.Batcher.Add(context.Background(), item) // it fails only after Close
}

// Close passes on what is left and ends the batcher.
func (l *Library) Close() error { return l.Batcher.Close(context.Background()) }
