package workload

// Before any figure counts: does it deliver what it was given?

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
)

// Payload is a kind of item. Make returns one with a number, and Number reads it.
type Payload[T any] struct {
	Name   string
	Make   func(n int) T
	Number func(T) int
}

// verifyBatches is how many full batches Verify sends, and a few items more.
const verifyBatches = 20

// Verify sends numbered items under the settings of a cell, and returns an error unless each of them
// arrives exactly once, in batches of one item to MaxSize items.
func Verify[T any](ctx context.Context, create Maker[T], s contender.Settings, producers int, p Payload[T]) error {
	n := verifyBatches*s.MaxSize + producers + 7
	there := newArrivals(n)
	seen := newTickSheet(n)
	var wrong atomic.Int64 // the size of a batch that has not the size it should have, plus one
	q, err := create(s, func(_ context.Context, batch []T) error {
		if len(batch) < 1 || len(batch) > s.MaxSize {
			wrong.Store(int64(len(batch)) + 1)
		}
		for _, item := range batch {
			seen.tick(p.Number(item))
		}
		there.take(len(batch))
		return nil
	})
	if err != nil {
		return fmt.Errorf("new: %w", err)
	}
	var next atomic.Int64
	err = newCrew(ctx, producers, n, func(ctx context.Context) error {
		return q.Add(ctx, p.Make(int(next.Add(1)-1)))
	}).run()
	if closeErr := q.Close(ctx); err == nil && closeErr != nil {
		err = fmt.Errorf("close: %w", closeErr)
	}
	if err != nil {
		return err
	}
	if err := there.wait(ctx); err != nil {
		return err
	}
	if size := wrong.Load(); size > 0 {
		return fmt.Errorf("a batch of %d items; from 1 to %d were asked for", size-1, s.MaxSize)
	}
	return seen.check()
}

// tickSheet counts how often each number was seen.
type tickSheet struct {
	mu     sync.Mutex // guards the fields below
	counts []int
	alien  int // numbers that nobody sent
}

func newTickSheet(n int) *tickSheet { return &tickSheet{counts: make([]int, n)} }

func (t *tickSheet) tick(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n < 0 || n >= len(t.counts) {
		t.alien++
		return
	}
	t.counts[n]++
}

// check returns an error unless each number was seen once.
func (t *tickSheet) check() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lost, doubled int
	for _, c := range t.counts {
		if c == 0 {
			lost++
		} else if c > 1 {
			doubled++
		}
	}
	if lost+doubled+t.alien > 0 {
		return fmt.Errorf("of %d items %d were lost, %d came more than once, and %d came that nobody sent", len(t.counts), lost, doubled, t.alien)
	}
	return nil
}
