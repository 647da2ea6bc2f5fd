package batcher

// Items for which there is no room, under DropNewest and DropOldest.

import "slices"

// drop is what was dropped, until the user has been told.
type drop[T any] struct {
	failure *FlushError // nil if nothing was dropped
	batch   *batch[T]   // nil if it was the new items
	key     any         // of the new items
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
		*r = b.engine.receiptOf(d.failure)
	}
	return len(items), d
}

// receiptOf returns the receipt of an item that has met its fate at once.
func (e *engine[T]) receiptOf(fate error) Receipt {
	f := &fates{life: e.life}
	f.settle(1, fate)
	return Receipt{fates: f}
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
	return e.dropLocked(b)
}

// drop drops a batch that was evicted. The intake's locks are held.
func (e *engine[T]) drop(b *batch[T]) drop[T] {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dropLocked(b)
}

// dropLocked drops a batch that is in no list.
func (e *engine[T]) dropLocked(b *batch[T]) drop[T] {
	failure := &FlushError{Items: len(b.items), Err: ErrDropped}
	e.settleLocked(b, len(b.items), failure)
	e.leaveLocked(b)
	return drop[T]{failure: failure, batch: b}
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
		letter := DeadLetter[T]{Err: d.failure.Err, Info: Info{Name: e.name, Size: len(items), Key: d.key}}
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
	if d.key != nil {
		letter.Info.Key = d.key
	}
	e.recycle(b)
	e.deadLetter(letter, d.failure)
}
