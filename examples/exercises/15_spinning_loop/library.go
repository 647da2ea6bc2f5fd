package spinningloop

// The library's own: no loop at all.

import (
	"context"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is the same with a batcher.Batcher. While nothing is held it has neither a goroutine
// nor a timer that is set: workers end when they find no batch (engine.go), and the timer starts
// with the first item (timer.go). So one that is forgotten costs its memory, until the garbage
// collector has it.
type Library struct{ *batcher.Batcher[int] }

// NewLibrary returns a batcher for batches of size items, which are complete after delay.
func NewLibrary(size int, delay time.Duration, sink Sink) (Library, error) {
	flush := func(_ context.Context, batch []int) error { sink(batch); return nil }
	b, err := batcher.New(flush, batcher.WithMaxSize(size), batcher.WithMaxDelay(delay))
	return Library{b}, err
}

// Add adds an item.
func (l Library) Add(item int) {
	_ = l.Batcher.Add(context.Background(), item) // it fails only after Close
}

// Close passes on what is left and ends the batcher.
func (l Library) Close() error { return l.Batcher.Close(context.Background()) }
