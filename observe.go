package batcher

// Watching a batcher from outside while it runs: hooks that come and go, and what it was made
// with. Metrics, traces and the debug page are built on these and on Stats.

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Observed is what all front ends show of themselves: [*Batcher], [*Sharded] and [*Combiner] are
// Observed, whatever their types of items. Code that watches batchers takes it. It is not
// meant to be implemented elsewhere, and may grow.
type Observed interface {
	// Stats returns a consistent snapshot of the books.
	Stats() Stats

	// Config returns what the batcher was made with.
	Config() Config

	// Observe adds hooks until remove is called.
	Observe(hooks Hooks) (remove func())
}

// Config is what a batcher was made with: the options as they are in effect, the defaults
// included. A field that the front end has no use for is zero.
type Config struct {
	FrontEnd string // "Batcher", "Sharded" or "Combiner"
	Name     string // [WithName]

	MaxSize   int           // items, or keys of a Combiner, in a batch at most
	MaxDelay  time.Duration // how long the first item of a batch waits at most; without effect if Eager
	MaxWeight int           // 0: no bound
	Eager     bool

	Workers    int
	QueueDepth int // batches that may wait for busy workers; 0 for a Sharded, whose bound is MaxPending
	Overflow   Overflow

	// MaxHeld is how many items the batcher holds at most, from being accepted to having met
	// their fate: the bound of Stats.Pending. See "Waiting for room". Values that WithFoldBack puts
	// back, and what is left in lanes when Close comes, are within it. It is [math.MaxInt64] if the
	// product is larger than that.
	MaxHeld int64

	MaxPendingPerKey int // 0: no bound

	FlushTimeout time.Duration // 0: none
	MaxAttempts  int           // without effect if FoldBack
	Bisect       bool
	FoldBack     bool
	DeadLetter   bool // there is a dead letter handler

	Lanes  int // how many there are: fewer than asked for if MaxSize is small; 1 is none
	Shards int // of the keys of a Sharded or Combiner
}

// describe returns the Config of a batcher that may hold maxHeld items.
func (c *config) describe(frontEnd string, maxHeld int64) Config {
	return Config{
		FrontEnd:     frontEnd,
		Name:         c.name,
		MaxSize:      c.maxSize,
		MaxDelay:     c.maxDelay,
		MaxWeight:    c.maxWeight,
		Eager:        c.eager,
		Workers:      c.workers,
		QueueDepth:   c.queueDepth,
		Overflow:     c.overflow,
		MaxHeld:      maxHeld,
		FlushTimeout: c.flushTimeout,
		MaxAttempts:  c.maxAttempts,
		Bisect:       c.bisect,
		FoldBack:     c.foldBack,
		DeadLetter:   c.deadLetter != nil,
	}
}

// queueBound is how many items are held at most where the queue is the bound.
func (c *config) queueBound() int64 {
	batches := int64(c.queueDepth) + int64(c.workers)
	if int64(c.maxSize) > math.MaxInt64/batches {
		return math.MaxInt64
	}
	return int64(c.maxSize) * batches
}

// Config returns what the batcher was made with.
func (b *Batcher[T]) Config() Config {
	held, lanes := b.engine.queueBound(), b.lanes.each()
	for range lanes {
		held += min(int64(b.lanes.chunk), math.MaxInt64-held)
	}
	c := b.engine.describe("Batcher", held)
	c.Lanes = max(1, len(lanes))
	return c
}

// Config returns what the batcher was made with.
func (s *Sharded[K, T]) Config() Config {
	c := s.engine.describe("Sharded", int64(s.engine.maxPending))
	c.QueueDepth, c.MaxPendingPerKey, c.Shards = 0, s.engine.maxPerKey, len(s.shards)
	return c
}

// Config returns what the combiner was made with.
func (c *Combiner[K, V]) Config() Config {
	d := c.engine.describe("Combiner", c.engine.queueBound())
	d.Shards = len(c.tallies)
	return d
}

// Observe adds hooks to those of [WithHooks], and of other calls, until remove is called, which
// may be done any number of times, from any goroutine, a hook's included. Everything that is said
// of [Hooks] holds for them.
//
// An attempt that is under way when Observe or remove is called keeps the hooks that it began with:
// so each FlushStart has its FlushEnd, and a call may still come shortly after remove has returned.
// The cost for Add is none.
func (b *Batcher[T]) Observe(hooks Hooks) (remove func()) { return b.engine.watchers.add(hooks) }

// Observe adds hooks, see [Batcher.Observe].
func (s *Sharded[K, T]) Observe(hooks Hooks) (remove func()) { return s.engine.watchers.add(hooks) }

// Observe adds hooks, see [Batcher.Observe].
func (c *Combiner[K, V]) Observe(hooks Hooks) (remove func()) { return c.engine.watchers.add(hooks) }

// watchers are the hooks of a batcher. A list is never changed, only replaced, so that it can be
// read without a lock and while hooks add and remove others.
type watchers struct {
	list atomic.Pointer[[]*Hooks] // nil if there are none

	mu sync.Mutex // held while the list is replaced; a leaf
}

// all returns the hooks, in the order in which they were added. The caller must not change it.
func (w *watchers) all() []*Hooks {
	if list := w.list.Load(); list != nil {
		return *list
	}
	return nil
}

func (w *watchers) add(hooks Hooks) (remove func()) {
	added := &hooks
	w.replace(func(list []*Hooks) []*Hooks { return append(list, added) })
	return func() {
		w.replace(func(list []*Hooks) []*Hooks {
			return slices.DeleteFunc(list, func(h *Hooks) bool { return h == added })
		})
	}
}

// replace sets the list to what change makes of a copy of it.
func (w *watchers) replace(change func([]*Hooks) []*Hooks) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := change(slices.Clone(w.all()))
	if len(list) == 0 {
		w.list.Store(nil)
		return
	}
	w.list.Store(&list)
}
