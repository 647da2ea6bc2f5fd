package batcher

// The keys of a Sharded: each has a slot, as long as it holds something.

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// shard is a part of the keys, under a lock of its own.
type shard[K comparable, T any] struct {
	mu      sync.Mutex                    // guards the fields below, and their slots; never held while waiting
	slots   map[K]*slot[K, T]             // nil once closed
	most    int                           // how many slots there were at most since the map was made
	young   list[slot[K, T], *slot[K, T]] // slots whose filling batch is not due yet, oldest first
	filling int                           // items in filling batches
	waiting int                           // producers that wait for room of one key
	closed  bool
	crowded bool // producers wait for room under maxPending: nobody may pass them

	_ [64]byte // the next shard's lock is on another cache line
}

func (sh *shard[K, T]) lock()   { acquire(&sh.mu) }
func (sh *shard[K, T]) unlock() { sh.mu.Unlock() }

// slot is the state of one key: the items of its filling batch, and what keeps its batches
// in order. At most one of them is flying: queued, or with a worker. Those that are
// sealed meanwhile are parked and fly one after another, and then, if it is due, the
// filling one.
//
// There may be a million slots, so a slot is slim, and what Add touches is together: the
// filling batch has no batch object before it flies or is parked.
type slot[K comparable, T any] struct {
	links[slot[K, T]]     // in young
	items             []T // of the filling batch; empty if there is none
	key               K
	firstAdded        time.Time // the filling batch's
	weight            int       // likewise
	epoch             *epoch    // likewise
	fates             *fates    // likewise; nil if nobody has a receipt

	flying      *batch[T]    // nil if none; while its filling is true, it is the filling batch
	first, last *batch[T]    // parked, chained by batch.next
	callers     *callers     // nil until somebody waits for room of this key
	pending     atomic.Int64 // items held and places reserved, if there is a bound; lowered without the lock
	due         Reason       // why the filling batch is to fly after those before it; 0 if it is not
	home        uint32       // the number of its shard
}

// callers are producers that wait for room of one key. They bring no items: a place
// is reserved for them, and they come again with it.
type callers = line[struct{}]

func (sl *slot[K, T]) linked() *links[slot[K, T]] { return &sl.links }

func (sl *slot[K, T]) boxedKey() any { return sl.key }

// empty reports whether the key holds nothing.
func (sl *slot[K, T]) empty() bool {
	return len(sl.items) == 0 && sl.flying == nil && sl.first == nil &&
		sl.pending.Load() == 0 && (sl.callers == nil || sl.callers.len == 0)
}

// slotLocked returns the slot of a key, a new one if it has none.
func (s *Sharded[K, T]) slotLocked(sh *shard[K, T], home int, key K) *slot[K, T] {
	if sl := sh.slots[key]; sl != nil {
		return sl
	}
	sl, ok := s.blanks.Get().(*slot[K, T])
	if !ok {
		sl = new(slot[K, T])
	}
	sl.key, sl.home = key, uint32(home)
	sh.slots[key] = sl
	sh.most = max(sh.most, len(sh.slots))
	return sl
}

// forgetLocked lets go of a slot that is empty. A map does not shrink by itself, so it
// is made anew when it has become far too large.
func (s *Sharded[K, T]) forgetLocked(sh *shard[K, T], sl *slot[K, T]) {
	if !sl.empty() || sh.closed {
		return
	}
	delete(sh.slots, sl.key)
	*sl = slot[K, T]{}
	s.blanks.Put(sl)
	if n := len(sh.slots); sh.most >= 256 && n < sh.most/8 {
		slots := make(map[K]*slot[K, T], n)
		for key, sl := range sh.slots {
			slots[key] = sl
		}
		sh.slots, sh.most = slots, n
	}
}

// appendLocked appends items, at most what fits, to the filling batch of a slot. The
// room was reserved. It sees to it that the batch is sealed if it is full, and becomes
// due if it is new. With weights, items is a single one.
func (s *Sharded[K, T]) appendLocked(sh *shard[K, T], sl *slot[K, T], items []T, weight int, r *Receipt) {
	if s.weigh != nil && len(sl.items) > 0 && weight > s.engine.maxWeight-sl.weight {
		s.sealLocked(sh, sl, ReasonWeight)
	}
	first := len(sl.items) == 0
	if first {
		sl.firstAdded = time.Now()
		sl.epoch = s.engine.joinEpoch()
		sh.young.pushBack(sl)
	}
	if r != nil {
		if sl.fates == nil {
			sl.fates = &fates{life: s.engine.life}
		}
		*r = Receipt{sl.fates, len(sl.items)}
	}
	if n := len(sl.items) + len(items); n > cap(sl.items) {
		sl.items = s.buffers.grow(sl.items, n)
	}
	sl.items = append(sl.items, items...)
	sl.weight += weight
	sh.filling += len(items)
	s.afterAppendLocked(sh, sl, first)
}

func (s *Sharded[K, T]) afterAppendLocked(sh *shard[K, T], sl *slot[K, T], first bool) {
	switch {
	case len(sl.items) == s.engine.maxSize:
		s.sealLocked(sh, sl, ReasonSize)
	case s.weigh != nil && sl.weight >= s.engine.maxWeight:
		s.sealLocked(sh, sl, ReasonWeight)
	case sl.listed() && sl.callers != nil && sl.callers.len > 0: // they wait for what it holds
		s.dueLocked(sh, sl, ReasonBudget)
	case first && s.engine.eager:
		s.dueLocked(sh, sl, ReasonEager)
	case first:
		s.alarm.arm(s.engine.maxDelay)
	}
}

// sealLocked ends the filling of a slot's batch and passes it to the engine: to the
// queue, or behind the one that is flying.
func (s *Sharded[K, T]) sealLocked(sh *shard[K, T], sl *slot[K, T], reason Reason) {
	b := sl.flying
	if b == nil || !b.filling {
		b = s.batchLocked(sl)
	}
	b.items, b.weight, b.fates = sl.items, sl.weight, sl.fates
	sl.items, sl.weight, sl.fates, sl.epoch, sl.due = nil, 0, nil, nil, 0
	sh.filling -= len(b.items)
	if sl.listed() {
		sh.young.remove(sl)
	}
	switch {
	case sl.flying == b: // queued already
		s.engine.seal(b, reason)
	case sl.flying == nil:
		sl.flying = b
		s.engine.seal(b, reason)
	default:
		sl.park(b)
		s.engine.park(b, reason)
	}
}

// batchLocked returns the batch object for what a slot is filling. The items stay with
// the slot until it is sealed.
func (s *Sharded[K, T]) batchLocked(sl *slot[K, T]) *batch[T] {
	b := s.engine.pool.get()
	b.of, b.epoch, b.firstAdded, b.filling = sl, sl.epoch, sl.firstAdded, true
	return b
}

// dueLocked makes a slot's filling batch, which is not due yet, fly as soon as may be.
// Until a worker takes it, it goes on filling.
func (s *Sharded[K, T]) dueLocked(sh *shard[K, T], sl *slot[K, T], reason Reason) {
	sh.young.remove(sl)
	if sl.flying != nil {
		sl.due = reason
		return
	}
	sl.flying = s.batchLocked(sl)
	s.engine.enqueue(sl.flying, reason)
}

// nextLocked lets the slot's next batch fly, after the last one has landed.
func (s *Sharded[K, T]) nextLocked(sl *slot[K, T]) {
	sl.flying = nil
	switch {
	case sl.first != nil:
		sl.flying = sl.unpark()
		s.engine.unpark(sl.flying)
	case sl.due != 0:
		sl.flying = s.batchLocked(sl)
		s.engine.enqueue(sl.flying, sl.due)
		sl.due = 0
	}
}

// park puts a batch at the end of those that wait for their turn.
func (sl *slot[K, T]) park(b *batch[T]) {
	if sl.first == nil {
		sl.first = b
	} else {
		sl.last.next = b
	}
	sl.last = b
}

// unpark takes the first of them.
func (sl *slot[K, T]) unpark() *batch[T] {
	b := sl.first
	sl.first, b.next = b.next, nil
	if sl.first == nil {
		sl.last = nil
	}
	return b
}

// The methods below are what the engine asks of its intake.

func (s *Sharded[K, T]) lock() {
	for i := range s.shards {
		s.shards[i].lock()
	}
}

func (s *Sharded[K, T]) unlock() {
	for i := range s.shards {
		s.shards[i].unlock()
	}
}

// slotOf returns the slot that a batch belongs to, and its shard.
func (s *Sharded[K, T]) slotOf(b *batch[T]) (*shard[K, T], *slot[K, T]) {
	sl := b.of.(*slot[K, T])
	return &s.shards[sl.home], sl
}

func (s *Sharded[K, T]) seal(due *batch[T]) {
	sh, sl := s.slotOf(due)
	sh.lock()
	defer sh.unlock()
	if due.filling {
		s.sealLocked(sh, sl, due.reason)
	}
}

// due need not stop all shards at once: a batch that is opened behind its back is not
// one that Flush waits for.
func (s *Sharded[K, T]) due(r Reason) {
	for i := range s.shards {
		s.dueShard(&s.shards[i], r)
	}
}

func (s *Sharded[K, T]) dueShard(sh *shard[K, T], r Reason) {
	sh.lock()
	defer sh.unlock()
	for sl := range sh.young.all() {
		s.dueLocked(sh, sl, r)
	}
}

func (s *Sharded[K, T]) left(b *batch[T]) {
	if b.of != nil { // else it was dropped, and its slot has been told
		s.land(b)
	}
	s.buffers.put(b.items)
	b.items = nil
}

// land lets a slot go on after its flying batch.
func (s *Sharded[K, T]) land(b *batch[T]) {
	sh, sl := s.slotOf(b)
	sh.lock()
	s.nextLocked(sl)
	s.forgetLocked(sh, sl)
	crowded := sh.crowded // and what the key still holds may be what they wait for
	sh.unlock()
	if crowded {
		s.admitAll()
	}
}

func (s *Sharded[K, T]) closeLocked() (ticking bool) {
	for w := range s.line.all() {
		s.line.end(w, ErrClosed)
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.closed, sh.crowded = true, false
		for sl := range sh.young.all() {
			s.sealLocked(sh, sl, ReasonClose)
		}
		for _, sl := range sh.slots {
			s.endSlotLocked(sh, sl)
		}
		sh.slots = nil
	}
	return s.alarm.stop()
}

// endSlotLocked seals what is due already, and turns away those who wait.
func (s *Sharded[K, T]) endSlotLocked(sh *shard[K, T], sl *slot[K, T]) {
	if len(sl.items) > 0 {
		s.sealLocked(sh, sl, ReasonClose)
	}
	if sl.callers == nil {
		return
	}
	for w := range sl.callers.all() {
		sl.callers.end(w, ErrClosed)
	}
}

func (s *Sharded[K, T]) heldLocked() (items, waiting int, oldest time.Time) {
	waiting = s.line.len
	for i := range s.shards {
		sh := &s.shards[i]
		items += sh.filling
		waiting += sh.waiting
		if sl := sh.young.first; sl != nil {
			oldest = earlier(oldest, sl.firstAdded)
		}
	}
	return items, waiting, oldest
}

func (s *Sharded[K, T]) call(ctx context.Context, b *batch[T], items []T) error {
	_, sl := s.slotOf(b)
	return s.flushFunc(ctx, sl.key, items)
}

func (s *Sharded[K, T]) handBack(left leftovers[T], cause error) error {
	return handedBack(left, cause, func(r remains[T]) []Entry[K, T] {
		return entries(r.of.(*slot[K, T]).key, r.items)
	})
}

// entries pairs each item with its key.
func entries[K comparable, T any](key K, items []T) []Entry[K, T] {
	all := make([]Entry[K, T], len(items))
	for i, item := range items {
		all[i] = Entry[K, T]{key, item}
	}
	return all
}
