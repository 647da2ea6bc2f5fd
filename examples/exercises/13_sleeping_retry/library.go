package sleepingretry

// The library's own: a batcher with WithRetry.

import (
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// NewLibrary returns a batcher that writes batches of size items in at most so many attempts.
//
// The pauses are a worker's. Producers go on meanwhile, as long as there is room. No producer's
// context ends a retry, since a batch is not one producer's: what ends it is Close, whose
// own context says how long the batcher may still try. It then returns at once and hands back
// what was not written.
func NewLibrary(size, attempts int, backoff batcher.Backoff, write Write) (*batcher.Batcher[int], error) {
	return batcher.New(batcher.FlushFunc[int](write),
		batcher.WithMaxSize(size), batcher.WithMaxDelay(math.MaxInt64),
		batcher.WithRetry(attempts, backoff))
}
