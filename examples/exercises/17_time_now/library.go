package timenow

// The library's own: the time of the first item, which the flush function can ask for.

import (
	"context"
	"math"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is a batcher.Batcher. It reads the clock when a batch is opened and when it is sealed,
// never for an item (timer.go, pool.go). batcher.InfoFrom tells both times to the flush function.
type Library struct{ b *batcher.Batcher[int] }

// NewLibrary returns a batcher for batches of size items. The sink must not keep the slice.
func NewLibrary(size int, sink func(first time.Time, batch []int)) (Library, error) {
	flush := func(ctx context.Context, batch []int) error {
		info, _ := batcher.InfoFrom(ctx)
		sink(info.FirstAdded, batch)
		return nil
	}
	b, err := batcher.New(flush, batcher.WithMaxSize(size), batcher.WithMaxDelay(math.MaxInt64))
	return Library{b}, err
}

// Add adds an item.
func (l Library) Add(value int) {
	_ = l.b.Add(context.Background(), value) // it fails only after Close
}

// Flush passes on what there is, if anything, and waits until the sink has it.
func (l Library) Flush() { _ = l.b.Flush(context.Background()) } // the sink does not fail

// Close ends the batcher.
func (l Library) Close() error { return l.b.Close(context.Background()) }
