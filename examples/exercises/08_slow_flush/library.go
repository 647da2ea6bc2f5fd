package slowflush

// The library's own: the batch fills under a lock, and workers take what is full.

import (
	"context"
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is the same with a batcher.Batcher: producers append to the open batch themselves, so
// there is no loop that could stand still, and a full batch goes into the queue behind the workers
// (engine.go). A worker is a goroutine only while it has a batch.
type Library struct{ *batcher.Batcher[int] }

// NewLibrary returns a batcher for batches of size items, depth of which may wait for the worker.
func NewLibrary(size, depth int, sink Sink) (*Library, error) {
	flush := func(_ context.Context, batch []int) error { sink(batch); return nil }
	b, err := batcher.New(flush, batcher.WithMaxSize(size), batcher.WithMaxDelay(math.MaxInt64),
		batcher.WithQueueDepth(depth))
	if err != nil {
		return nil, err
	}
	return &Library{b}, nil
}

// Add adds an item, and waits if there is no room.
func (l *Library) Add(item int) {
	_ = l.Batcher.Add(context.Background(), item) // it fails only after Close
}

// Close passes on what is left and ends the batcher.
func (l *Library) Close() error { return l.Batcher.Close(context.Background()) }
