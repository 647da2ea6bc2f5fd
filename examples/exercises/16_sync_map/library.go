package syncmap

// The library's own: a Sharded.

import (
	"context"
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is the same with a batcher.Sharded, which has several maps with a lock each (shard.go). A
// worker calls the sink, with no lock held, and a tenant who holds nothing is forgotten at
// once: under the lock of the shard that is a plain delete.
type Library struct {
	*batcher.Sharded[string, int64]
}

// NewLibrary returns a batcher for batches of size items.
func NewLibrary(size int, sink Sink) (*Library, error) {
	flush := func(_ context.Context, tenant string, batch []int64) error {
		sink(tenant, batch)
		return nil
	}
	s, err := batcher.NewSharded(flush, batcher.WithMaxSize(size),
		batcher.WithMaxDelay(math.MaxInt64), batcher.WithMaxPending(1<<24))
	if err != nil {
		return nil, err
	}
	return &Library{s}, nil
}

// Add adds an item to the batch of its tenant.
func (l *Library) Add(tenant string, item int64) {
	_ = l.Sharded.Add(context.Background(), tenant, item) // it fails only after Close
}

// Flush passes on what is left, and waits until the sink has it.
func (l *Library) Flush() {
	_ = l.Sharded.Flush(context.Background()) // the sink does not fail
}

// Close ends the batcher.
func (l *Library) Close() error { return l.Sharded.Close(context.Background()) }
