package batcher

// Producers of a Sharded that wait for room.
//
// Who waits for room of its key waits in the key's line, for places there; then, with
// those, in the line of all, if that budget is short as well. So nobody who waits for
// its own key is in the way of others.

import "context"

// wait waits for room. It returns how many of the first items were accepted, at
// least one unless it returns an error.
func (s *Sharded[K, T]) wait(ctx context.Context, o *offer[K, T]) (n int, err error) {
	if s.engine.maxPerKey == 0 {
		return s.waitForAll(ctx, o)
	}
	places, err := s.waitForKey(ctx, o)
	if err != nil {
		return 0, err
	}
	o.items, o.reserved = o.items[:places], true
	n, err = s.waitForAll(ctx, o)
	if n < places {
		s.giveBack(o, places-n)
	}
	return n, err
}

// waitForKey returns how many places were reserved in the key's own budget, at least
// one unless it returns an error.
func (s *Sharded[K, T]) waitForKey(ctx context.Context, o *offer[K, T]) (places int, err error) {
	sh := &s.shards[o.home]
	sh.lock()
	if sh.closed {
		sh.unlock()
		return 0, ErrClosed
	}
	sl := s.slotLocked(sh, o.home, o.key)
	if places = min(len(o.items), s.placesLocked(sl)); places > 0 {
		s.reserveLocked(sl, places)
		sh.unlock()
		return places, nil
	}
	s.relieveLocked(sh, o, ofKey)
	if sl.callers == nil {
		sl.callers = &callers{total: &sh.waiting}
	}
	line := sl.callers
	w := line.join(make([]struct{}, len(o.items)), 0, false)
	sh.unlock()

	line.await(ctx, w, sh)
	places, err = w.accepted, w.err
	line.put(w, true)
	return places, err
}

// admitCallersLocked reserves places for those who wait for them, as far as there are.
func (s *Sharded[K, T]) admitCallersLocked(sl *slot[K, T]) {
	if sl.callers == nil {
		return
	}
	for w := sl.callers.first; w != nil; w = sl.callers.first {
		free := s.engine.maxPerKey - int(sl.pending.Load())
		if free <= 0 {
			return
		}
		w.accepted = min(len(w.items), free)
		s.reserveLocked(sl, w.accepted)
		sl.callers.end(w, nil)
	}
}

// giveBack returns places in the key's own budget that are not needed, and forgets
// the key if that was all.
func (s *Sharded[K, T]) giveBack(o *offer[K, T], places int) {
	sh := &s.shards[o.home]
	sh.lock()
	defer sh.unlock()
	sl := sh.slots[o.key]
	if sl == nil {
		return
	}
	s.reserveLocked(sl, -places)
	s.admitCallersLocked(sl)
	s.forgetLocked(sh, sl)
}

// waitForAll is wait for the budget of all. The places in the key's own, if it has
// one, are reserved.
func (s *Sharded[K, T]) waitForAll(ctx context.Context, o *offer[K, T]) (n int, err error) {
	s.lock()
	n, short, err := s.tryLocked(&s.shards[o.home], o)
	if short == noShortage {
		s.unlock()
		return n, err
	}
	items := o.items[:min(len(o.items), s.engine.maxSize)]
	w := s.line.join(entries(o.key, items), o.weight, o.receipt != nil)
	s.crowdLocked(true)
	s.relieveAllLocked()
	s.unlock()

	s.line.await(ctx, w, s)
	n, err = w.accepted, w.err
	if o.receipt != nil {
		*o.receipt = w.own
	}
	s.line.put(w, s.engine.pool.worthKeeping(cap(w.items)))
	return n, err
}

// crowdLocked tells all shards whether somebody waits. If the last one in the line has
// given up, they learn of it when room comes: until then there is none anyway.
func (s *Sharded[K, T]) crowdLocked(crowded bool) {
	for i := range s.shards {
		s.shards[i].crowded = crowded
	}
}

// admitAll lets in those who wait for the budget of all, as far as there is room. If
// some are left, it sees to it that room will come.
func (s *Sharded[K, T]) admitAll() {
	s.lock()
	defer s.unlock()
	for w := s.line.first; w != nil; w = s.line.first {
		if !s.admitLocked(w) {
			s.relieveAllLocked()
			return
		}
		s.line.end(w, nil)
	}
	s.crowdLocked(false)
}

// admitLocked accepts what one producer brings, and reports whether that was all.
func (s *Sharded[K, T]) admitLocked(w *waiter[Entry[K, T]]) bool {
	key := w.items[0].Key
	home, _ := s.hasher.shard(key)
	sh := &s.shards[home]
	for ; w.accepted < len(w.items); w.accepted++ {
		if s.claim(1) == 0 {
			return false
		}
		one := [1]T{w.items[w.accepted].Item}
		s.appendLocked(sh, s.slotLocked(sh, home, key), one[:], w.weight, w.receipt)
	}
	return true
}
