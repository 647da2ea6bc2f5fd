package batcher

// Producers that wait for room: first come, first served.

import (
	"context"
	"sync"
)

// waiter is one producer that waits for room, with what it brings. Whoever makes
// room puts the items into the batch on the producer's behalf, so that nobody
// can be quicker; the producer learns of it afterwards.
type waiter[T any] struct {
	links[waiter[T]]
	items    []T      // a copy, so that the producer's slice need not live on the heap
	weight   int      // of the item, with weights: then it is a single one
	accepted int      // how many of items are in
	receipt  *Receipt // of the item, if wanted: &own; then it is a single one
	own      Receipt
	err      error         // why it was turned away, else nil
	turn     uint64        // its place in the order of arrival
	over     chan struct{} // capacity 1: who takes the waiter out of the line sends, and never blocks
}

func (w *waiter[T]) linked() *links[waiter[T]] { return &w.links }

// line is the waiting producers in the order of their arrival. The intake's lock
// guards it, but for the pool.
//
// In a Batcher, as long as somebody waits there is no filling batch, since nobody waits
// while there is one with room. So those who come later cannot pass by appending to it;
// and they do not open one: they join the line.
type line[T any] struct {
	list[waiter[T], *waiter[T]]
	turns uint64    // how many have joined
	pool  sync.Pool // of *waiter[T], blank but for over and the capacity of items
	total *int      // if not nil: of the waiters in several lines
}

// join puts a producer at the end of the line.
func (l *line[T]) join(items []T, weight int, wantsReceipt bool) *waiter[T] {
	w, ok := l.pool.Get().(*waiter[T])
	if !ok {
		w = &waiter[T]{over: make(chan struct{}, 1)}
	}
	w.items = append(w.items, items...)
	w.weight = weight
	if wantsReceipt {
		w.receipt = &w.own
	}
	l.turns++
	w.turn = l.turns
	l.pushBack(w)
	if l.total != nil {
		*l.total++
	}
	return w
}

// rejoin puts w, which was taken out in vain, back before all who joined after it.
func (l *line[T]) rejoin(w *waiter[T]) {
	w.err = nil
	later := l.first
	for later != nil && later.turn < w.turn {
		later = later.linked().next
	}
	l.insertBefore(w, later)
	if l.total != nil {
		*l.total++
	}
}

// end takes w out of the line, let in, or turned away with err.
func (l *line[T]) end(w *waiter[T], err error) {
	l.remove(w)
	if l.total != nil {
		*l.total--
	}
	w.err = err
	w.over <- struct{}{}
}

// await waits until w is out of the line, and takes it out itself if ctx ends first.
// The locks are those that guard the line; none is held.
func (l *line[T]) await(ctx context.Context, w *waiter[T], guard locks) {
	select {
	case <-w.over:
		return
	case <-ctx.Done():
	}
	cause := context.Cause(ctx)
	guard.lock()
	if w.listed() {
		l.end(w, cause)
	}
	guard.unlock()
	<-w.over
}

// put takes ownership of w, which is out of the line and has been told so.
func (l *line[T]) put(w *waiter[T], keepItems bool) {
	items := w.items[:0]
	clear(w.items)
	if !keepItems {
		items = nil
	}
	*w = waiter[T]{items: items, over: w.over}
	l.pool.Put(w)
}

// wait waits in line for room. It returns how many of the first items were
// accepted, at least one unless it returns an error.
func (b *Batcher[T]) wait(ctx context.Context, items []T, weight int, r *Receipt) (n int, err error) {
	acquire(&b.mu)
	n, err = b.tryAcceptLocked(items, weight, nil, r, true)
	if n > 0 || err != nil {
		b.mu.Unlock()
		return n, err
	}
	w := b.line.join(items[:min(len(items), b.engine.maxSize)], weight, r != nil)
	b.mu.Unlock()

	b.line.await(ctx, w, b)
	n, err = w.accepted, w.err
	if r != nil {
		*r = w.own
	}
	b.line.put(w, b.engine.pool.worthKeeping(cap(w.items)))
	return n, err
}

// admit lets in those who wait, as far as there is room: first what is in the lanes, which
// was accepted before, then producers. The engine calls it when there may be room.
func (b *Batcher[T]) admit(*batch[T]) {
	for b.admitBatch() { // the lock is released in between
	}
}

// admitBatch fills one batch with what waits. It reports whether it was filled up, so
// that another one is worth a try.
func (b *Batcher[T]) admitBatch() (full bool) {
	b.lock()
	defer b.unlock()
	b.drainLocked()
	return b.letInLocked()
}

// letInLocked fills the filling batch, or a new one, with the items of producers in
// line. It reports whether it was filled up.
func (b *Batcher[T]) letInLocked() (full bool) {
	for w := b.line.first; w != nil && b.makeRoomLocked(w.weight, true); w = b.line.first {
		w.accepted += b.appendLocked(w.items[w.accepted:], w.weight, w.receipt)
		if w.accepted == len(w.items) {
			b.line.end(w, nil)
		}
		if b.open == nil {
			return true
		}
	}
	return false
}
