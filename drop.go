package batcher

// Items for which there is no room.

import "slices"

// dropOldest drops the oldest batch that waits for a worker, to make room. It
// reports false if there is none to drop, and true also if the lack of room has
// passed meanwhile.
func (e *engine[T]) dropOldest() bool {
	e.mu.Lock()
	b := e.queue.first
	if e.roomLocked() || b != nil && b.filling { // the intake has room again
		e.mu.Unlock()
		return true
	}
	if b == nil {
		e.mu.Unlock()
		return false
	}
	e.queue.remove(b)
	failure := &FlushError{Items: len(b.items), Err: ErrDropped}
	e.settleLocked(b, len(b.items), failure)
	e.leaveLocked(b)
	e.mu.Unlock()

	if b.fates != nil {
		b.fates.announce()
	}
	letter := e.letter(b, b.items, failure)
	e.pool.put(b)
	e.deadLetter(letter, failure)
	return true
}

// dropNewest drops items that were never in a batch. It accounts for them in one
// step, so they are never pending.
func (e *engine[T]) dropNewest(items []T) *FlushError {
	failure := &FlushError{Items: len(items), Err: ErrDropped}
	e.mu.Lock()
	e.books.added += int64(len(items))
	e.books.giveUp(len(items), failure)
	e.mu.Unlock()

	info := Info{Name: e.name, Size: len(items)}
	e.deadLetter(DeadLetter[T]{Items: slices.Clone(items), Err: failure.Err, Info: info}, failure)
	return failure
}
