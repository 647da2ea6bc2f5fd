package timerdrift

// The measurement: how long the first item of each batch has waited.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// MaxDelay is the delay, and the interval of the ticker, in Delays.
	MaxDelay = 5 * time.Millisecond

	// batchSize is out of reach for items that come as they do in Delays.
	batchSize = 100

	// seed makes the gaps between the items the same for all variants.
	seed = 20261125
)

// batcherOf is what all variants are.
type batcherOf interface {
	Add(item Item)
	Close() error
}

// open starts the variant of this name: "slow", "fast" or "library".
func open(variant string, size int, delay time.Duration, sink Sink) (batcherOf, error) {
	switch variant {
	case "slow":
		return NewSlow(size, delay, sink), nil
	case "fast":
		return NewFast(size, delay, sink), nil
	case "library":
		return NewLibrary(size, delay, sink)
	}
	return nil, fmt.Errorf("no variant %q: there are slow, fast and library", variant)
}

// Delays sends items to a variant ("slow", "fast" or "library") until it has passed on that many
// batches, and returns for each batch, in order, how long its first item had waited: from before
// its Add to the call of the sink, which does nothing. The gaps between the items are random, up
// to twice MaxDelay, so batches are small and cut by time. It takes about 5 to 10 ms for each
// batch.
//
// It fails for an unknown variant, for fewer than one batch, and with the cause of ctx when that
// ends first.
func Delays(ctx context.Context, variant string, batches int) ([]time.Duration, error) {
	delays, _, err := measure(ctx, variant, batches)
	return delays, err
}

// measure is Delays. It also returns how many items those batches had.
func measure(
	ctx context.Context, variant string, batches int,
) (delays []time.Duration, items int, err error) {
	if batches < 1 {
		return nil, 0, fmt.Errorf("%d batches: must be at least 1", batches)
	}
	r := recorder{want: batches, full: make(chan struct{})}
	b, err := open(variant, batchSize, MaxDelay, r.sink)
	if err != nil {
		return nil, 0, err
	}
	err = addUntil(ctx, b, r.full)
	if closeErr := b.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.delays, r.items, nil
}

// addUntil adds items after random gaps until full is closed or ctx ends.
func addUntil(ctx context.Context, b batcherOf, full <-chan struct{}) error {
	gaps := rand.New(rand.NewPCG(seed, 0))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for seq := 0; ; seq++ {
		timer.Reset(time.Duration(gaps.Int64N(int64(2 * MaxDelay))))
		select {
		case <-timer.C:
			b.Add(Item{seq, time.Now()})
		case <-full:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// recorder is a sink that takes down the delays of the first batches.
type recorder struct {
	want int
	full chan struct{} // closed when that many batches have come

	mu     sync.Mutex // guards the fields below
	delays []time.Duration
	items  int
}

func (r *recorder) sink(batch []Item) {
	delay := time.Since(batch[0].Added)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.delays) == r.want {
		return
	}
	r.items += len(batch)
	if r.delays = append(r.delays, delay); len(r.delays) == r.want {
		close(r.full)
	}
}
