package batcher

// The filling batch of a Combiner, spread over tallies by the keys: how a value gets
// in, how a batch is opened and sealed. Waiting and dropping are as for a Batcher.

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// tally is one shard's part of the filling batch.
//
// What it may do by itself is combine, and insert a key for which it has reserved a
// place. To open or seal the batch takes the locks of all tallies, which are taken in
// the order of their index.
type tally[K comparable, V any] struct {
	mu      sync.Mutex     // guards the fields below; held while combine runs, never while waiting
	index   map[K]int      // the place in entries; nil until the first key
	entries []Entry[K, V]  // zero beyond len
	merged  int64          // values combined into an entry that was there, ever
	_       [128 - 48]byte // no cache line, nor pair of lines, in common with the next one
}

// add combines value into key's entry, or makes one if it can reserve a place. It
// reports whether it did either, and whether it has taken the last place: then the
// caller must seal the batch, without this lock.
func (t *tally[K, V]) add(
	key K, value V, combine func(old, new V) V, places *atomic.Int64,
) (accepted, last bool) {
	if !t.mu.TryLock() {
		acquire(&t.mu)
	}
	defer t.mu.Unlock() // combine may panic
	if t.combineLocked(key, value, combine) {
		return true, false
	}
	for {
		left := places.Load()
		if left == 0 {
			return false, false
		}
		if places.CompareAndSwap(left, left-1) {
			t.insertLocked(key, value)
			return true, left == 1
		}
	}
}

// combineLocked combines value into key's entry and reports true, or reports false
// if there is none. The entry is written to only after combine has returned.
func (t *tally[K, V]) combineLocked(key K, value V, combine func(old, new V) V) bool {
	i, known := t.index[key]
	if known {
		e := &t.entries[i]
		e.Item = combine(e.Item, value)
		t.merged++
	}
	return known
}

// insertLocked makes an entry of key, which has none.
func (t *tally[K, V]) insertLocked(key K, value V) {
	if t.index == nil {
		t.index = make(map[K]int)
	}
	t.index[key] = len(t.entries)
	t.entries = append(t.entries, Entry[K, V]{key, value})
}

// emptyLocked forgets all entries. A map never shrinks, so it is let go together
// with the slice if they are not to be kept.
func (t *tally[K, V]) emptyLocked(keep bool) {
	if !keep {
		t.index, t.entries = nil, nil
	}
	clear(t.index)
	clear(t.entries)
	t.entries = t.entries[:0]
}

// addQuickly accepts a value if that takes no more than the lock of one tally. It
// needs no look at closed or at the line: then there is no filling batch, so that
// no key is known and no place left.
func (c *Combiner[K, V]) addQuickly(shard int, key K, value V) bool {
	accepted, last := c.tallies[shard].add(key, value, c.combine, &c.places)
	if last {
		c.lock()
		defer c.unlock()
		c.sealIfFullLocked()
	}
	return accepted
}

// accept accepts one value by whatever it takes.
func (c *Combiner[K, V]) accept(ctx context.Context, e Entry[K, V], p Overflow) error {
	shard, unfit := c.examine(ctx, e.Key)
	full, lost, err := c.acceptNow(e, shard, unfit, p)
	switch {
	case lost.failure != nil:
		c.engine.mourn(lost, []Entry[K, V]{e})
	case full && p == Reject:
		return ErrFull
	case full && p == Block && c.engine.life.inside(ctx):
		return ErrReentrant
	case full && p == Block:
		return c.wait(ctx, e, shard)
	}
	return err
}

// examine returns the shard of a key, or why it is not to be accepted. It calls
// methods of ctx, and hashes what may not be hashable: before any lock is taken.
func (c *Combiner[K, V]) examine(ctx context.Context, key K) (shard int, unfit error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	shard, ok := c.hasher.shard(key)
	if !ok {
		return 0, ErrBadKey
	}
	return shard, nil
}

// acceptNow is accept without waiting: it reports full if there is no room and p says
// to drop nothing. What it has dropped is accounted for.
func (c *Combiner[K, V]) acceptNow(
	e Entry[K, V], shard int, unfit error, p Overflow,
) (full bool, lost drop[Entry[K, V]], err error) {
	c.lock()
	defer c.unlock() // combine may panic
	in, err := c.tryAcceptLocked(e, shard, unfit, false)
	if in || err != nil {
		return false, lost, err
	}
	switch p { // under the same locks: Close cannot come between
	case DropNewest:
		lost.failure = c.engine.dropNewest(1)
	case DropOldest:
		lost = c.engine.dropOldest()
		c.makeRoomLocked(false) // it does: nobody else can open a batch under these locks
		c.insertLocked(e, shard)
	default:
		full = true
	}
	return full, lost, nil
}

// tryAcceptLocked accepts a value as far as that goes without waiting or dropping.
// It reports false and no error if there is no room.
func (c *Combiner[K, V]) tryAcceptLocked(
	e Entry[K, V], shard int, unfit error, willWait bool,
) (in bool, err error) {
	switch {
	case c.closed:
		return false, ErrClosed // wins over all others
	case unfit != nil:
		return false, unfit
	case c.tallies[shard].combineLocked(e.Key, e.Item, c.combine):
		return true, nil
	case c.line.len > 0 || !c.makeRoomLocked(willWait):
		return false, nil
	}
	c.insertLocked(e, shard)
	return true, nil
}

// makeRoomLocked sees to it that there is a filling batch with a place. If it returns
// false to somebody who will wait, admit is called as soon as there may be room.
func (c *Combiner[K, V]) makeRoomLocked(willWait bool) bool {
	c.sealIfFullLocked()
	if c.open != nil {
		return true
	}
	if c.open = c.engine.open(willWait); c.open == nil {
		return false
	}
	c.places.Store(int64(c.engine.maxSize))
	return true
}

// insertLocked makes an entry of a new key, for which there is a place, and sees to
// it that the batch is sealed if it is full, and becomes due if it is new.
func (c *Combiner[K, V]) insertLocked(e Entry[K, V], shard int) {
	first := c.open.firstAdded.IsZero()
	if first {
		c.opened = time.Now()
		c.open.firstAdded = c.opened
	}
	c.tallies[shard].insertLocked(e.Key, e.Item)
	c.places.Add(-1)
	c.sealIfFullLocked()
	switch {
	case c.open == nil || !first:
	case c.engine.eager:
		c.engine.enqueue(c.open, ReasonEager)
	default:
		c.armLocked()
	}
}

// sealIfFullLocked seals the filling batch if it has no place left. The Add that took the
// last one comes here last: meanwhile others may have done it, and opened the next.
func (c *Combiner[K, V]) sealIfFullLocked() {
	if c.open != nil && c.places.Load() == 0 {
		c.sealLocked(ReasonSize)
	}
}

// sealLocked ends the filling of the open batch and passes it to the engine.
func (c *Combiner[K, V]) sealLocked(reason Reason) {
	open := c.open
	c.open = nil
	c.places.Store(0)
	for i := range c.tallies {
		t := &c.tallies[i]
		open.items = append(open.items, t.entries...)
		// All of them together may keep about twice what a batch may.
		t.emptyLocked(c.engine.pool.worthKeeping(cap(t.entries) * len(c.tallies) / 2))
	}
	c.engine.seal(open, reason)
}

// wait waits in line for room.
func (c *Combiner[K, V]) wait(ctx context.Context, e Entry[K, V], shard int) error {
	w, err := c.acceptOrJoin(e, shard, nil)
	for w != nil {
		c.line.await(ctx, w, c)
		if err = w.err; err != errKnown {
			c.line.put(w, true)
			return err
		}
		w, err = c.acceptOrJoin(e, shard, w)
	}
	return err
}

// errKnown takes a producer out of the line whose key was put into the batch by another one
// before it. It needs no place now, and combines its value by itself: a panic in
// combine is its own. If the batch is sealed before it comes, it resumes
// its turn in the line, before all who came later.
var errKnown = errors.New("batcher: the key is in the batch now")

// acceptOrJoin accepts a value, or puts its producer into the line and returns the
// waiter: w, if that has been in the line before.
func (c *Combiner[K, V]) acceptOrJoin(
	e Entry[K, V], shard int, w *waiter[Entry[K, V]],
) (*waiter[Entry[K, V]], error) {
	c.lock()
	defer c.unlock() // combine may panic
	in, err := c.tryAcceptLocked(e, shard, nil, true)
	switch {
	case in || err != nil:
		return nil, err
	case w == nil:
		return c.line.join([]Entry[K, V]{e}, 0, false), nil
	}
	c.line.rejoin(w)
	return w, nil
}

// admit lets in those who wait, as far as there is room. The engine calls it
// when there may be.
func (c *Combiner[K, V]) admit(*batch[Entry[K, V]]) {
	for c.admitBatch() { // the locks are released in between
	}
}

// admitBatch fills one batch with the values of those who wait. It reports whether
// it was filled up, so that another one is worth a try. It calls no user code: it runs
// on a worker, and what combine does is the producer's affair.
func (c *Combiner[K, V]) admitBatch() (full bool) {
	c.lock()
	defer c.unlock()
	for w := c.line.first; w != nil; w = c.line.first {
		e := w.items[0]
		shard, _ := c.hasher.shard(e.Key) // it was found good before
		if _, known := c.tallies[shard].index[e.Key]; known {
			c.line.end(w, errKnown)
			continue
		}
		if !c.makeRoomLocked(true) {
			return false
		}
		c.insertLocked(e, shard)
		c.line.end(w, nil)
		if c.open == nil {
			return true
		}
	}
	return false
}

// tick is the timer's goroutine: it makes the filling batch due if it is old
// enough, and otherwise comes again when it will be.
func (c *Combiner[K, V]) tick() {
	c.lock()
	defer c.unlock()
	c.deadline.armed = false
	switch {
	case c.closed:
		c.engine.tickEnded()
	case c.open == nil || c.open.queued:
	default:
		c.armLocked()
	}
}

// armLocked sees to it that the filling batch becomes due on time.
func (c *Combiner[K, V]) armLocked() {
	if rest := c.engine.maxDelay - time.Since(c.opened); rest > 0 {
		c.deadline.arm(rest, c.startTick)
	} else {
		c.engine.enqueue(c.open, ReasonDelay)
	}
}

// The methods below are what the engine asks of its intake.

func (c *Combiner[K, V]) lock() {
	for i := range c.tallies {
		acquire(&c.tallies[i].mu)
	}
}

func (c *Combiner[K, V]) unlock() {
	for i := range c.tallies {
		c.tallies[i].mu.Unlock()
	}
}

func (c *Combiner[K, V]) seal(due *batch[Entry[K, V]]) {
	c.lock()
	defer c.unlock()
	if c.open == due {
		c.sealLocked(due.reason)
	}
}

func (c *Combiner[K, V]) due(r Reason) {
	c.lock()
	defer c.unlock()
	if c.open != nil && !c.open.queued {
		c.engine.enqueue(c.open, r)
	}
}

func (c *Combiner[K, V]) closeLocked() (ticking bool) {
	c.closed = true
	for w := range c.line.all() {
		c.line.end(w, ErrClosed)
	}
	if c.open != nil {
		c.sealLocked(ReasonClose)
	}
	return c.deadline.stop()
}

func (c *Combiner[K, V]) heldLocked() (items, waiting int, oldest time.Time) {
	merged := int64(0)
	for i := range c.tallies {
		items += len(c.tallies[i].entries)
		merged += c.tallies[i].merged
	}
	c.engine.noteMerged(merged)
	if c.open != nil {
		oldest = c.open.firstAdded
	}
	return items, c.line.len, oldest
}

// Neither room nor order depends on single entries or on their keys.
func (c *Combiner[K, V]) freedLocked(*batch[Entry[K, V]], int) bool { return false }
func (c *Combiner[K, V]) left(*batch[Entry[K, V]])                  {}

func (c *Combiner[K, V]) handBack(left leftovers[Entry[K, V]], cause error) error {
	return handedBack(left, cause,
		func(r remains[Entry[K, V]]) []Entry[K, V] { return r.items })
}
