package batcher

// Time, with keys: one timer for all of them. All have the same MaxDelay, so the
// order of first items is the order of deadlines, and no heap is needed.

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// alarm is a timer for many batches under many locks. Like deadline it is armed
// lazily: for the first batch, and by the sweep for the oldest one that is left.
type alarm struct {
	armed atomic.Bool // the timer is set, or its goroutine has not begun; written under mu

	mu       sync.Mutex // guards the fields below; a leaf
	timer    *time.Timer
	at       time.Time // not after the time that the timer is set for, while armed
	sweeping int       // goroutines of the timer between begin and end; two if MaxDelay is short
	stopped  bool
}

func (a *alarm) init(sweep func()) {
	a.timer = time.AfterFunc(math.MaxInt64, sweep)
	a.timer.Stop()
}

// arm sets the timer for a batch that was opened just now, unless it is set, which is
// then for an earlier time.
func (a *alarm) arm(after time.Duration) {
	if !a.armed.Load() {
		a.armFor(time.Now().Add(after))
	}
}

// armFor sets the timer unless it is set for an earlier time. It may be set for a
// later one: a batch that is opened behind a sweep's back arms it, and then the sweep
// does so for an older batch that it has left.
//
// A timer that has fired is never set anew before begin was called: its time has come,
// and no time is earlier.
func (a *alarm) armFor(at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped || a.armed.Load() && !at.Before(a.at) {
		return
	}
	a.armed.Store(true)
	a.at = at
	a.timer.Reset(time.Until(at))
}

// begin is the first thing that the timer's goroutine does. From here on the timer can be
// armed again: a batch that is opened behind the sweep's back, in a shard that it
// has seen already, is not forgotten.
func (a *alarm) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.armed.Store(false)
	a.sweeping++
}

// end is the last one. It reports whether Close waits for it.
func (a *alarm) end() (awaited bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweeping--
	return a.stopped && a.sweeping == 0 && !a.armed.Load()
}

// stop ends the timer for good. It reports whether it is too late: end will say so.
func (a *alarm) stop() (ticking bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	if a.armed.Load() && a.timer.Stop() {
		a.armed.Store(false)
	}
	return a.sweeping > 0 || a.armed.Load()
}

// sweepHold is how many batches a sweep makes due before it lets others have the
// shard's lock.
const sweepHold = 256

// sweep is the timer's goroutine: it makes due what is old enough, and comes again
// for the rest.
func (s *Sharded[K, T]) sweep() {
	s.alarm.begin()
	s.sweepOn()
}

// sweepOn is the sweep from begin to end.
func (s *Sharded[K, T]) sweepOn() {
	var oldest time.Time // first item of what is left; zero if nothing is
	for i := range s.shards {
		for more := true; more; {
			var left time.Time
			more, left = s.sweepShard(&s.shards[i])
			oldest = earlier(oldest, left)
		}
	}
	if !oldest.IsZero() {
		s.alarm.armFor(oldest.Add(s.engine.maxDelay))
	}
	s.endSweep()
}

// endSweep is the last thing that the timer's goroutine does. Close stops the alarm, and
// then tells the engine that it waits for this, all under the shards' locks: without
// them the news could come before anybody waits for it.
func (s *Sharded[K, T]) endSweep() {
	if s.alarm.end() {
		s.lock()
		defer s.unlock()
		s.engine.tickEnded()
	}
}

// sweepShard makes due what is old enough in one shard, up to a number: then there may
// be more. It returns when the oldest batch left was opened, zero if there is none.
func (s *Sharded[K, T]) sweepShard(sh *shard[K, T]) (more bool, left time.Time) {
	acquire(&sh.mu)
	defer sh.mu.Unlock()
	for range sweepHold {
		sl := sh.young.first
		if sl == nil {
			return false, left
		}
		if time.Since(sl.firstAdded) < s.engine.maxDelay {
			return false, sl.firstAdded
		}
		s.dueLocked(sh, sl, ReasonDelay)
	}
	return true, left
}
