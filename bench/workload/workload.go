// Package workload puts contenders under load: as fast as they can, before a slow sink, with few
// items, and with one at a time.
//
// Every contender gets the same settings, the same producers, the same sink and the same check that
// every item has arrived. A run that has lost items, or has made some up, is an error and not a
// figure.
package workload

// The first step: what the loads share. Producers, and a sink that counts.

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
)

// Patience is how long items may still be on their way after Close has returned, since some
// libraries' Close does not wait for them. The time until the last one counts as theirs.
var Patience = 2 * time.Second

// Maker makes a running queue: the field New of a contender.
type Maker[T any] func(contender.Settings, contender.Sink[T]) (contender.Queue[T], error)

// arrivals counts the items that a sink receives, and knows when all are there.
type arrivals struct {
	want int64
	all  chan struct{} // closed when want have arrived; nobody sends

	taken atomic.Int64
}

func newArrivals(want int) *arrivals {
	return &arrivals{want: int64(want), all: make(chan struct{})}
}

// take counts n items.
func (a *arrivals) take(n int) {
	before := a.taken.Add(int64(n)) - int64(n)
	if before < a.want && before+int64(n) >= a.want {
		close(a.all)
	}
}

// wait returns when all have arrived, or an error that says how many have not, or are too many.
func (a *arrivals) wait(ctx context.Context) error {
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case <-a.all:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
	}
	switch n := a.taken.Load(); {
	case n < a.want:
		return fmt.Errorf("lost %d of %d items", a.want-n, a.want)
	case n > a.want:
		return fmt.Errorf("delivered %d items, %d were added", n, a.want)
	}
	return nil
}

// crew is a number of producers that wait for the start. They exist before it, so that their own
// making is not in the figures.
type crew struct {
	start chan struct{} // closed by run; nobody sends
	over  sync.WaitGroup

	once sync.Once // keeps the first error
	err  error
}

// newCrew starts producers that share n calls of add among them.
func newCrew(ctx context.Context, producers, n int, add func(context.Context) error) *crew {
	c := &crew{start: make(chan struct{})}
	for i := range producers {
		share := n*(i+1)/producers - n*i/producers
		c.over.Go(func() {
			<-c.start
			for range share {
				if err := add(ctx); err != nil {
					c.once.Do(func() { c.err = fmt.Errorf("add: %w", err) })
					return
				}
			}
		})
	}
	return c
}

// run lets the producers go, waits for them, and returns the first error that one of them met.
func (c *crew) run() error {
	close(c.start)
	c.over.Wait()
	return c.err
}
