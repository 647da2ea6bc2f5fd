package batcher

// The filling batch of a Batcher: how an item gets in, how a batch is opened and
// sealed.

import (
	"context"
	"sync"
	"time"
)

// addOne accepts one item by whatever it takes.
func (b *Batcher[T]) addOne(ctx context.Context, item T, p Overflow, r *Receipt) error {
	one := [1]T{item}
	_, err := b.accept(ctx, one[:], p, r)
	return err
}

// submit accepts one item and returns its receipt.
func (b *Batcher[T]) submit(ctx context.Context, item T) (r Receipt, err error) {
	if ctx.Err() == nil {
		acquire(&b.mu)
		if n := len(b.items); n < b.bound && b.fates != nil {
			b.items = append(b.items, item)
			r = Receipt{b.fates, n}
			b.mu.Unlock()
			return r, nil
		}
		b.mu.Unlock()
	}
	err = b.addOne(ctx, item, b.engine.overflow, &r)
	return r, err
}

// accept accepts a prefix of items, at least one unless it returns an error or
// items is empty. If r is not nil, it becomes the receipt of the first one.
func (b *Batcher[T]) accept(ctx context.Context, items []T, p Overflow, r *Receipt) (n int, err error) {
	if b.weigh != nil && len(items) > 0 {
		items = items[:1]
	}
	weight, unfit := examine(ctx, items, b.weigh, b.engine.maxWeight)
	var lost drop[T]
	acquire(&b.mu)
	n, err = b.tryAcceptLocked(items, weight, unfit, r, false)
	full := n == 0 && err == nil && len(items) > 0
	lanesFirst := full && p == DropOldest && b.lagging
	if full && (p == DropNewest || p == DropOldest) && !lanesFirst {
		n, lost = b.dropLocked(items, weight, p, r) // under the same lock: Close cannot come between
	}
	b.mu.Unlock()
	switch {
	case lanesFirst:
		b.dropForLanes()
		return b.accept(ctx, items, p, r)
	case lost.failure != nil:
		b.engine.mourn(lost, items)
	case full && p == Reject:
		err = ErrFull
	case full && p == Block && b.engine.life.inside(ctx):
		err = ErrReentrant
	case full && p == Block:
		return b.wait(ctx, items, weight, r)
	}
	return n, err
}

// tryAcceptLocked is accept as far as it goes without waiting or dropping: it
// returns 0 and no error if there is no room.
func (b *Batcher[T]) tryAcceptLocked(
	items []T, weight int, unfit error, r *Receipt, willWait bool,
) (n int, err error) {
	switch {
	case b.closed:
		return 0, ErrClosed // wins over all others
	case unfit != nil:
		return 0, unfit
	case len(items) == 0 || b.othersFirstLocked() || !b.makeRoomLocked(weight, willWait):
		return 0, nil
	}
	return b.appendLocked(items, weight, r), nil
}

// othersFirstLocked reports whether there are others for whom admit will be called, so
// that nobody may come before them: producers that wait for room, or items in lanes that
// ought to be in a batch already.
func (b *Batcher[T]) othersFirstLocked() bool { return b.line.len > 0 || b.lagging }

// makeRoomLocked sees to it that there is a filling batch with room for an item of
// this weight. If it returns false to somebody who will wait, admit is called
// as soon as there may be room.
func (b *Batcher[T]) makeRoomLocked(weight int, willWait bool) bool {
	if b.open != nil {
		if b.weigh == nil || weight <= b.engine.maxWeight-b.weight {
			return true
		}
		b.sealLocked(ReasonWeight)
	}
	if b.closed { // what is in the lanes cannot stay there
		b.open = b.engine.openLast()
	} else {
		b.open = b.engine.open(willWait)
	}
	if b.open == nil {
		return false
	}
	b.items = b.open.items[:0]
	if b.weigh == nil {
		b.bound = b.engine.maxSize - 1
	}
	return true
}

// appendLocked appends what fits of items to the filling batch, at least one, and
// sees to it that the batch is sealed if it is full, and becomes due if it is new.
// With weights, items is a single one.
func (b *Batcher[T]) appendLocked(items []T, weight int, r *Receipt) int {
	first := len(b.items) == 0
	n := min(len(items), b.engine.maxSize-len(b.items))
	if r != nil {
		if b.fates == nil {
			b.fates = &fates{life: b.engine.life}
		}
		*r = Receipt{b.fates, len(b.items)}
	}
	if first {
		b.open.firstAdded = time.Now()
	}
	b.items = append(b.items, items[:n]...)
	b.weight += weight
	switch {
	case len(b.items) == b.engine.maxSize:
		b.sealLocked(ReasonSize)
	case b.weigh != nil && b.weight >= b.engine.maxWeight:
		b.sealLocked(ReasonWeight)
	case first && b.engine.eager:
		b.engine.enqueue(b.open, ReasonEager)
	case first:
		b.armLocked()
	}
	return n
}

// sealLocked ends the filling of the open batch and passes it to the engine.
func (b *Batcher[T]) sealLocked(reason Reason) {
	open := b.open
	open.items, open.weight, open.fates = b.items, b.weight, b.fates
	b.open, b.items, b.bound, b.weight, b.fates = nil, nil, 0, 0, nil
	b.engine.seal(open, reason)
}

// examine returns the weight of a single item, or why it is not to be accepted. It
// calls methods of ctx and weigh, which are the user's: before any lock is taken.
func examine[T any](ctx context.Context, items []T, weigh func(T) int, most int) (weight int, unfit error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if weigh == nil || len(items) == 0 {
		return 0, nil
	}
	weight = weigh(items[0])
	switch {
	case weight < 0:
		return 0, ErrNegativeWeight
	case weight > most:
		return 0, ErrTooHeavy
	}
	return weight, nil
}

// The methods below are what the engine asks of its intake.

func (b *Batcher[T]) lock() {
	b.lanes.lock()
	acquire(&b.mu)
}

func (b *Batcher[T]) unlock() {
	b.mu.Unlock()
	b.lanes.unlock()
}

func (b *Batcher[T]) seal(due *batch[T]) {
	acquire(&b.mu)
	defer b.mu.Unlock()
	if b.open == due {
		b.sealLocked(due.reason)
	}
}

func (b *Batcher[T]) due(r Reason) {
	b.lock()
	defer b.unlock()
	b.drainLocked()
	if b.open != nil && !b.open.queued {
		b.engine.enqueue(b.open, r)
	}
}

func (b *Batcher[T]) closeLocked() (ticking bool) {
	b.closed = true
	for w := range b.line.all() {
		b.line.end(w, ErrClosed)
	}
	b.drainLocked()
	if b.open != nil {
		b.sealLocked(ReasonClose)
	}
	return b.deadline.stop()
}

func (b *Batcher[T]) heldLocked() (items, waiting int, oldest time.Time) {
	items, oldest = b.lanes.heldLocked()
	if b.open != nil {
		oldest = earlier(oldest, b.open.firstAdded)
	}
	return items + len(b.items), b.line.len, oldest
}

// Neither room nor order depends on single items or on keys here.
func (b *Batcher[T]) freedLocked(*batch[T], int) bool { return false }
func (b *Batcher[T]) left(*batch[T])                  {}

func (b *Batcher[T]) call(ctx context.Context, _ *batch[T], items []T) error {
	return b.flushFunc(ctx, items)
}

func (b *Batcher[T]) handBack(left leftovers[T], cause error) error {
	return handedBack(left, cause, func(r remains[T]) []T { return r.items })
}

// acquire takes mu. It tries for a moment before it waits in line: with many
// producers, a sync.Mutex seldom spins (only while nothing else is runnable), and
// an append is over long before a goroutine has been parked and woken. The mutex's
// own starvation mode still sees to it that nobody waits for long.
func acquire(mu *sync.Mutex) {
	for range 4 {
		if mu.TryLock() {
			return
		}
	}
	mu.Lock()
}
