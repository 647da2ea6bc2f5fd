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

// evict takes a batch out of the queue, or out of the parked, for drop. It reports
// false if a worker has been quicker, or will be.
func (e *engine[T]) evict(b *batch[T], parked bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if parked {
		e.parked.remove(b)
		return true
	}
	q := e.queue.first
	for range e.idleLocked() {
		if q == b || q == nil {
			return false
		}
		q = q.links.next
	}
	if b.taken {
		return false
	}
	e.queue.remove(b)
	return true
}

// evictOldest is evict for the oldest batch next in line; nil if there is none.
func (e *engine[T]) evictOldest() *batch[T] {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, p := e.queue.first, e.parked.first
	for range min(e.idleLocked(), e.queue.len) {
		q = q.links.next
	}
	if p != nil && (q == nil || p.firstAdded.Before(q.firstAdded)) {
		return e.parked.popFront()
	}
	if q != nil {
		e.queue.remove(q)
	}
	return q
}

// idleLocked returns how many batches at the head of the queue do not wait for a worker: idle
// ones are about to take them. So what is dropped does not depend on how fast goroutines
// start, and nothing is dropped that could be flushed at once.
func (e *engine[T]) idleLocked() int { return e.workers - e.running.len }

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
