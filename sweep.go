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
	sweeping int // goroutines of the timer between begin and end; two if MaxDelay is short
	stopped  bool
}

func (a *alarm) init(sweep func()) {
	a.timer = time.AfterFunc(math.MaxInt64, sweep)
	a.timer.Stop()
}

// arm sets the timer unless it is set, which is then for an earlier time.
func (a *alarm) arm(after time.Duration) {
	if a.armed.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.armed.Load() && !a.stopped {
		a.armed.Store(true)
		a.timer.Reset(after)
	}
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
	rest := time.Duration(math.MaxInt64)
	for i := range s.shards {
		for more := true; more; {
			var wait time.Duration
			more, wait = s.sweepShard(&s.shards[i])
			rest = min(rest, wait)
		}
	}
	if rest < math.MaxInt64 {
		s.alarm.arm(rest)
	}
	if s.alarm.end() {
		s.engine.tickEnded()
	}
}

// sweepShard makes due what is old enough in one shard, up to a number: then there may
// be more. It returns how long the oldest batch left can wait.
func (s *Sharded[K, T]) sweepShard(sh *shard[K, T]) (more bool, wait time.Duration) {
	acquire(&sh.mu)
	defer sh.mu.Unlock()
	for range sweepHold {
		sl := sh.young.first
		if sl == nil {
			return false, math.MaxInt64
		}
		if wait = s.engine.maxDelay - time.Since(sl.firstAdded); wait > 0 {
			return false, wait
		}
		s.dueLocked(sh, sl, ReasonDelay)
	}
	return true, math.MaxInt64
}
