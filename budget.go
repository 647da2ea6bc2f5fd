package batcher

// The room of a Sharded: a budget of items for all keys, and one for each.

import "context"

// offer is what one call brings to a key.
type offer[K comparable, T any] struct {
	key      K
	home     int // the number of its shard
	items    []T // with weights, a single one
	weight   int
	unfit    error // why it is not to be accepted, or nil
	reserved bool  // the items have their places in the key's budget
	receipt  *Receipt
}

// shortage says which budget has no room.
type shortage uint8

const (
	noShortage shortage = iota
	ofKey               // WithMaxPendingPerKey
	ofAll               // WithMaxPending
)

// addToFilling adds one item to its key's filling batch, if there is nothing more to do.
func (s *Sharded[K, T]) addToFilling(key K, item T) bool {
	home, ok := s.hasher.shard(key)
	if !ok {
		return false
	}
	sh := &s.shards[home]
	if !sh.mu.TryLock() {
		acquire(&sh.mu)
	}
	defer sh.mu.Unlock()
	sl := sh.slots[key]
	if sl == nil || sh.crowded {
		return false
	}
	n := len(sl.items)
	if n == 0 || n == cap(sl.items) || n+1 >= s.engine.maxSize || s.claim(1) == 0 {
		return false
	}
	sl.items = append(sl.items, item)
	sh.filling++
	return true
}

// submit accepts one item and returns its receipt.
func (s *Sharded[K, T]) submit(ctx context.Context, key K, item T) (r Receipt, err error) {
	err = s.addOne(ctx, key, item, s.engine.overflow, &r)
	return r, err
}

// single is an item on its way into an offer, and its receipt. An offer makes what it
// points to escape to the heap, so singles are recycled.
type single[T any] struct {
	item    [1]T
	receipt Receipt
}

// addOne accepts one item by whatever it takes.
func (s *Sharded[K, T]) addOne(ctx context.Context, key K, item T, p Overflow, r *Receipt) error {
	one, ok := s.singles.Get().(*single[T])
	if !ok {
		one = new(single[T])
	}
	one.item[0] = item
	var wanted *Receipt
	if r != nil {
		wanted = &one.receipt
	}
	_, err := s.accept(ctx, key, one.item[:], p, wanted)
	if r != nil {
		*r = one.receipt
	}
	*one = single[T]{}
	s.singles.Put(one)
	return err
}

// accept accepts a prefix of items, at least one unless it returns an error or
// items is empty. If r is not nil, it becomes the receipt of the first one.
//
// A key's own budget is a matter of its shard alone, so that a tenant that presses
// against it does not disturb the others. Only if the budget of all is short,
// all locks are taken.
func (s *Sharded[K, T]) accept(
	ctx context.Context, key K, items []T, p Overflow, r *Receipt,
) (n int, err error) {
	if s.weigh != nil && len(items) > 0 {
		items = items[:1]
	}
	o := offer[K, T]{key: key, items: items, receipt: r}
	o.weight, o.unfit = examine(ctx, items, s.weigh, s.engine.maxWeight)
	var ok bool
	if o.home, ok = s.hasher.shard(key); !ok && o.unfit == nil {
		o.unfit = ErrBadKey
	}
	n, short, lost, err := s.tryUnder(&s.shards[o.home], &o, p)
	if short == ofAll { // exactly so only under all locks
		n, short, lost, err = s.tryUnder(s, &o, p)
	}
	switch {
	case lost.failure != nil:
		s.engine.mourn(lost, items)
	case short != noShortage && p == Reject:
		err = ErrFull
	case short != noShortage && s.engine.life.inside(ctx):
		err = ErrReentrant
	case short != noShortage:
		return s.wait(ctx, &o)
	}
	return n, err
}

// tryUnder tries to accept an offer while it holds these locks: its shard's, or all.
// If there is no room, it does what the policy says, as far as that needs the locks.
func (s *Sharded[K, T]) tryUnder(held locks, o *offer[K, T], p Overflow) (
	n int, short shortage, lost drop[T], err error,
) {
	sh := &s.shards[o.home]
	held.lock()
	defer held.unlock()
	n, short, err = s.tryLocked(sh, o)
	if short == noShortage || short == ofAll && held != locks(s) {
		return n, short, lost, err
	}
	s.relieveLocked(sh, o, short)
	if p == DropNewest || p == DropOldest {
		n, lost = s.dropLocked(sh, o, short, p) // under the same lock: Close cannot come between
		return n, noShortage, lost, nil
	}
	return 0, short, lost, nil
}

// tryLocked accepts an offer as far as there is room, without waiting or dropping.
func (s *Sharded[K, T]) tryLocked(
	sh *shard[K, T], o *offer[K, T],
) (n int, short shortage, err error) {
	switch {
	case sh.closed:
		return 0, noShortage, ErrClosed // wins over all others
	case o.unfit != nil:
		return 0, noShortage, o.unfit
	case len(o.items) == 0:
		return 0, noShortage, nil
	}
	sl := sh.slots[o.key]
	n = s.engine.maxSize
	if sl != nil {
		n -= len(sl.items)
	}
	n = min(n, len(o.items))
	if !o.reserved {
		n = min(n, s.placesLocked(sl))
	}
	if n == 0 {
		return 0, ofKey, nil
	}
	if sh.crowded {
		return 0, ofAll, nil
	}
	if n = s.claim(n); n == 0 {
		return 0, ofAll, nil
	}
	sl = s.slotLocked(sh, o.home, o.key)
	if !o.reserved {
		s.reserveLocked(sl, n)
	}
	s.appendLocked(sh, sl, o.items[:n], o.weight, o.receipt)
	return n, noShortage, nil
}

// claim takes up to n items' room from the budget of all and returns how much it
// got. A shard's lock is held. Two claims at a time may each see the other's excess,
// and both get less than there is; under all locks the answer is exact.
func (s *Sharded[K, T]) claim(n int) int {
	over := s.held.Add(int64(n)) - int64(s.engine.maxPending)
	if over <= 0 {
		return n
	}
	over = min(over, int64(n))
	s.held.Add(-over)
	return n - int(over)
}

// placesLocked returns how many items a key's own budget has room for, none if
// others wait for that. The slot may be nil.
func (s *Sharded[K, T]) placesLocked(sl *slot[K, T]) int {
	switch most := s.engine.maxPerKey; {
	case most == 0:
		return s.engine.maxSize
	case sl == nil:
		return most
	case sl.callers != nil && sl.callers.len > 0:
		return 0
	default:
		return most - int(sl.pending.Load())
	}
}

// reserveLocked takes n places, or gives them back, from a key's own budget.
func (s *Sharded[K, T]) reserveLocked(sl *slot[K, T], n int) {
	if s.engine.maxPerKey > 0 {
		sl.pending.Add(int64(n))
	}
}

// relieveLocked sees to it that what fills a budget is on its way: batches that are
// still filling are sealed before their time.
func (s *Sharded[K, T]) relieveLocked(sh *shard[K, T], o *offer[K, T], short shortage) {
	if short == ofAll {
		s.relieveAllLocked()
	} else if sl := sh.slots[o.key]; sl != nil && sl.listed() {
		s.dueLocked(sh, sl, ReasonBudget)
	}
}

// relieveAllLocked gives the oldest filling batches to the workers that have nothing
// to do. The others go on filling.
func (s *Sharded[K, T]) relieveAllLocked() {
	for !s.engine.occupied() {
		sh, sl := s.oldestLocked()
		if sl == nil {
			return
		}
		s.dueLocked(sh, sl, ReasonBudget)
	}
}

// oldestLocked returns the slot with the oldest batch that is not due yet, nil if
// there is none.
func (s *Sharded[K, T]) oldestLocked() (in *shard[K, T], oldest *slot[K, T]) {
	for i := range s.shards {
		sh := &s.shards[i]
		if sl := sh.young.first; sl != nil &&
			(oldest == nil || sl.firstAdded.Before(oldest.firstAdded)) {
			in, oldest = sh, sl
		}
	}
	return in, oldest
}

func (s *Sharded[K, T]) freedLocked(b *batch[T], n int) (hungry bool) {
	s.held.Add(-int64(n))
	_, sl := s.slotOf(b)
	s.reserveLocked(sl, -n)
	return true
}

// admit lets in those who wait for room of b's key, and then those who wait for room
// at all. They came under the shard's lock, after they had seen that there was none;
// so they are not overlooked here.
func (s *Sharded[K, T]) admit(b *batch[T]) {
	sh, sl := s.slotOf(b)
	sh.lock()
	s.admitCallersLocked(sl)
	crowded := sh.crowded
	sh.unlock()
	if crowded {
		s.admitAll()
	}
}
