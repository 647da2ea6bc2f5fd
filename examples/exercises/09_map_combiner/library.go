package mapcombiner

// The library's own: a Combiner.

import (
	"context"
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is the same with a batcher.Combiner, which also has a delay, bounds, retries and an end.
// A batch costs it a few allocations, always the same number; a key costs none.
type Library struct {
	*batcher.Combiner[string, int]
}

// NewLibrary returns an empty combiner, which flushes when it is told to, as the others do.
func NewLibrary(sink Sink) (*Library, error) {
	add := func(old, new int) int { return old + new }
	flush := func(_ context.Context, counts map[string]int) error {
		sink(counts)
		return nil
	}
	c, err := batcher.NewCombiner(add, flush,
		batcher.WithMaxSize(math.MaxInt32), batcher.WithMaxDelay(math.MaxInt64))
	if err != nil {
		return nil, err
	}
	return &Library{c}, nil
}

// Add counts key once more.
func (l *Library) Add(key string) {
	_ = l.Combiner.Add(context.Background(), key, 1) // it fails only after Close
}

// Flush passes on what was counted since the last one, and waits until the sink has it.
func (l *Library) Flush() {
	_ = l.Combiner.Flush(context.Background()) // the sink does not fail
}

// Close ends the combiner.
func (l *Library) Close() error { return l.Combiner.Close(context.Background()) }
