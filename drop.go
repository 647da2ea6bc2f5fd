package batcher

// Items for which there is no room, under DropNewest and DropOldest.

import "slices"

// drop is what was dropped, until the user has been told.
type drop[T any] struct {
	failure *FlushError // nil if nothing was dropped
	batch   *batch[T]   // nil if it was the new items
}

// dropLocked drops all of items, or, under DropOldest, drops the oldest waiting batch
// and accepts what fits of them. What was dropped is accounted for when it returns;
// mourn tells the user, without the lock.
func (b *Batcher[T]) dropLocked(items []T, weight int, p Overflow, r *Receipt) (n int, d drop[T]) {
	if p == DropOldest {
		d = b.engine.dropOldest()
		b.makeRoomLocked(weight, false) // it does: nobody else can open a batch under this lock
		return b.appendLocked(items, weight, r), d
	}
	d.failure = b.engine.dropNewest(len(items))
	if r != nil {
		*r = Receipt{fates: &fates{life: b.engine.life}}
		r.fates.settle(1, d.failure)
	}
	return len(items), d
}

// dropForLanes drops the oldest waiting batch to make room for what lags in the lanes:
// that was accepted before anything that comes now.
func (b *Batcher[T]) dropForLanes() {
	var lost drop[T]
	b.lock()
	if b.lagging {
		lost = b.engine.dropOldest()
		b.drainLocked()
	}
	b.unlock()
	if lost.failure != nil {
		b.engine.mourn(lost, nil)
	}
}

// dropOldest drops the oldest batch that waits for a worker, unless there is room
// again. There is one if there is no room, since the workers cannot hold all that is
// allowed; and none is filling, since the intake has no room.
func (e *engine[T]) dropOldest() (d drop[T]) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.roomLocked() {
		return d
	}
	b := e.queue.popFront()
	d = drop[T]{&FlushError{Items: len(b.items), Err: ErrDropped}, b}
	e.settleLocked(b, len(b.items), d.failure)
	e.leaveLocked(b)
	return d
}

// dropNewest accounts for n new items, which are accepted and dropped in one step,
// so that they are never pending.
func (e *engine[T]) dropNewest(n int) *FlushError {
	failure := &FlushError{Items: n, Err: ErrDropped}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.books.added += int64(n)
	e.books.giveUp(n, failure)
	return failure
}

// mourn hands what was dropped, a batch or else items, to the dead letter handler.
func (e *engine[T]) mourn(d drop[T], items []T) {
	b := d.batch
	if b == nil {
		letter := DeadLetter[T]{Err: d.failure.Err, Info: Info{Name: e.name, Size: len(items)}}
		if e.letters != nil {
			letter.Items = slices.Clone(items)
		}
		e.deadLetter(letter, d.failure)
		return
	}
	if b.fates != nil {
		b.fates.announce()
	}
	letter := e.letter(b, b.items, d.failure)
	e.pool.put(b)
	e.deadLetter(letter, d.failure)
}
