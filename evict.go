package batcher

// Items of a Sharded for which there is no room, under DropNewest and DropOldest.

// dropLocked drops the offer, or, under DropOldest, drops the oldest batch that waits, of
// the key or of all, and accepts the offer's first item in its place. If there is none, for
// the workers have all that is held, or will have it at once, it drops the offer.
func (s *Sharded[K, T]) dropLocked(sh *shard[K, T], o *offer[K, T], short shortage, p Overflow) (n int, d drop[T]) {
	if p == DropOldest {
		if b := s.evictLocked(sh, o, short); b != nil {
			return 1, s.replaceLocked(sh, o, b)
		}
	}
	d.failure = s.engine.dropNewest(len(o.items))
	d.key = o.key
	if o.receipt != nil {
		*o.receipt = s.engine.receiptOf(d.failure)
	}
	return len(o.items), d
}

// replaceLocked drops a batch that was evicted, and accepts the offer's first item.
// Its room is claimed before the batch's is freed, so that no other shard can take it.
func (s *Sharded[K, T]) replaceLocked(sh *shard[K, T], o *offer[K, T], b *batch[T]) drop[T] {
	s.held.Add(1)
	of, sl := s.slotOf(b)
	d := s.engine.drop(b)
	d.key, b.of = sl.key, nil // the slot may be another key's before the user is told
	s.forgetLocked(of, sl)

	mine := s.slotLocked(sh, o.home, o.key)
	s.reserveLocked(mine, 1)
	s.appendLocked(sh, mine, o.items[:1], o.weight, o.receipt)
	return d
}

// evictLocked takes the oldest batch that waits for a worker, or for its turn, or is
// filling, out of its slot and the engine, and returns it sealed. It returns nil if
// there is none.
func (s *Sharded[K, T]) evictLocked(sh *shard[K, T], o *offer[K, T], short shortage) *batch[T] {
	var b *batch[T]
	if short == ofKey {
		b = s.evictFromLocked(sh, sh.slots[o.key])
	} else if b = s.engine.evictOldest(); b == nil {
		in, sl := s.oldestLocked()
		if due := s.oldestBehindLocked(); due != nil && (sl == nil || due.firstAdded.Before(sl.firstAdded)) {
			in, sl = &s.shards[due.home], due
		}
		if sl != nil {
			b = s.evictFromLocked(in, sl)
		}
	}
	if b == nil {
		return nil
	}
	in, sl := s.slotOf(b)
	if b.filling {
		s.sealLocked(in, sl, b.reason)
	}
	if sl.flying == b {
		s.nextLocked(sl)
	} else {
		sl.unpark()
	}
	return b
}

// oldestBehindLocked returns the slot with the oldest batch that is due, and goes on
// filling behind the one that is flying; nil if there is none.
func (s *Sharded[K, T]) oldestBehindLocked() (oldest *slot[K, T]) {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	for _, flying := range []*list[batch[T], *batch[T]]{&s.engine.running, &s.engine.queue} {
		for b := range flying.all() {
			_, sl := s.slotOf(b)
			if sl.due != 0 && (oldest == nil || sl.firstAdded.Before(oldest.firstAdded)) {
				oldest = sl
			}
		}
	}
	return oldest
}

// evictFromLocked takes the oldest batch of a slot out of the engine.
func (s *Sharded[K, T]) evictFromLocked(sh *shard[K, T], sl *slot[K, T]) *batch[T] {
	if b := sl.flying; b != nil {
		if s.engine.evict(b, false) {
			return b
		}
		if b.filling { // a worker has it, and is about to seal it
			return nil
		}
	}
	if sl.first == nil {
		if len(sl.items) == 0 {
			return nil
		}
		s.sealLocked(sh, sl, ReasonBudget)
	}
	if b := sl.first; b != nil && s.engine.evict(b, true) {
		return b
	}
	if b := sl.flying; b != nil && s.engine.evict(b, false) { // a worker may be quicker
		return b
	}
	return nil
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
