package batcher

// WithFoldBack: what a sink that is down for long has not taken goes back into the
// filling batch, instead of being given up.

import "runtime/debug"

// foldBack moves what it can of b's piece into the filling batch, if that comes next.
// What is left, perhaps all, is tried again as it is.
//
// The locks of all tallies are held throughout: nobody can seal or fill the batch,
// read the books or abort in between. The engine's lock is not held in combine.
//
// It takes one entry at a time, always that at b.pos, and enters each step before the
// next: when combine panics or ends this goroutine, what was folded is settled, the
// entry in hand is given up, and a later call goes on behind it.
func (c *Combiner[K, V]) foldBack(b *batch[Entry[K, V]]) {
	c.lock()
	defer c.unlock()
	b.step = stepTry
	if !c.receivesLocked(b) {
		return
	}
	for end := b.end(); b.pos < end; {
		e := b.items[b.pos]
		shard, _ := c.hasher.shard(e.Key) // it was found good before
		t := &c.tallies[shard]
		if i, known := t.index[e.Key]; known {
			if !c.foldLocked(b, &t.entries[i].Item) {
				return
			}
		} else if c.places.Load() > 0 {
			c.moveLocked(b, t)
		} else { // to the right, behind those that may still find their key: a map has no order
			end--
			b.items[b.pos], b.items[end] = b.items[end], b.items[b.pos]
		}
	}
	c.sealIfFullLocked() // not before: its keys would no longer be known
	if b.pos == b.end() {
		b.step = stepSettle
	}
}

// receivesLocked reports whether the filling batch is the one to come next, and prepares
// it for entries of b. If sealed ones wait, those would overtake the older values of
// b. After Close there is no filling batch.
func (c *Combiner[K, V]) receivesLocked(b *batch[Entry[K, V]]) bool {
	open, e := c.open, &c.engine
	if open == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if first := e.queue.first; first != nil && first != open {
		return false
	}
	if b.firstAdded.Before(open.firstAdded) {
		open.firstAdded = b.firstAdded // c.opened remains: it says when the batch is due
	}
	open.tried = max(open.tried, b.attempts)
	open.epoch = e.epochs.regroup(open.epoch, b.epoch)
	if !open.queued && e.epochs.awaited(open.epoch) {
		e.enqueueLocked(open, ReasonFlush) // due passed by before this batch was the one to make due
	}
	return true
}

// foldLocked combines the entry at b.pos with the newer value of its key. It reports
// false if combine panicked; then, and if combine ends this goroutine, the entry is
// to be given up, and folding goes on after that.
func (c *Combiner[K, V]) foldLocked(b *batch[Entry[K, V]], newer *V) bool {
	b.losses = append(b.losses, loss{1, ErrGoexit})
	b.step, b.then = stepSettle, stepFold
	combined, err := c.tryCombine(b.items[b.pos].Item, *newer)
	if err != nil {
		b.losses[0].err = err
		return false
	}
	*newer = combined
	b.losses, b.step = b.losses[:0], stepTry
	c.engine.settleFolded(b)
	return true
}

// tryCombine calls combine and turns a panic into an error. It does not return if
// combine leaves by runtime.Goexit.
func (c *Combiner[K, V]) tryCombine(older, newer V) (combined V, err error) {
	returned := false
	defer func() {
		if !returned { // as in callOn
			err = &PanicError{Value: recover(), Stack: debug.Stack()}
		}
	}()
	combined = c.combine(older, newer)
	returned = true
	return combined, nil
}

// moveLocked moves the entry at b.pos into the filling batch, where its key is new.
// It remains the same entry, so nothing is added or settled.
func (c *Combiner[K, V]) moveLocked(b *batch[Entry[K, V]], t *tally[K, V]) {
	e := b.items[b.pos]
	t.insertLocked(e.Key, e.Item)
	c.places.Add(-1)
	c.engine.unseal(b)
}

// settleFolded settles the next item of b, which has become part of another one.
func (e *engine[T]) settleFolded(b *batch[T]) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b.pos++
	e.books.folded++
}

// unseal takes the next item out of b, to fill another batch. It will be counted when
// that is sealed; until then it counts as part of what is filling.
func (e *engine[T]) unseal(b *batch[T]) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b.pos++
	e.books.added--
}
