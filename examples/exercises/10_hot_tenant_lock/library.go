package hottenantlock

// The library's own: a Sharded.

import (
	"context"
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is the same with a batcher.Sharded. Beyond the locks it has what the others lack:
// batches of a tenant reach the sink in order, a worker calls it and not a producer, and there
// are a delay, a bound and an end. A tenant that holds nothing is forgotten.
type Library struct {
	*batcher.Sharded[string, Item]
}

// NewLibrary returns a batcher for batches of size items. Its sink must not keep the slice.
func NewLibrary(size int, sink Sink) (*Library, error) {
	flush := func(_ context.Context, tenant string, batch []Item) error {
		sink(tenant, batch)
		return nil
	}
	s, err := batcher.NewSharded(flush, batcher.WithMaxSize(size),
		batcher.WithMaxDelay(math.MaxInt64), batcher.WithMaxPending(1<<20))
	if err != nil {
		return nil, err
	}
	return &Library{s}, nil
}

// Add adds an item to the batch of its tenant.
func (l *Library) Add(item Item) {
	_ = l.Sharded.Add(context.Background(), item.Tenant, item) // it fails only after Close
}

// Flush passes on what is left, and waits until the sink has it.
func (l *Library) Flush() {
	_ = l.Sharded.Flush(context.Background()) // the sink does not fail
}

// Close ends the batcher.
func (l *Library) Close() error { return l.Sharded.Close(context.Background()) }
