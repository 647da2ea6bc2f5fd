package batcher

// Time: one timer for the first item of the filling batch, armed lazily.

import "time"

// deadline is a timer that is armed lazily. It is left alone when a batch is
// sealed before its time; when it fires, it is armed again for what the batch
// filling then has left. A busy batcher thus pays for one wake-up per MaxDelay, not
// for one per batch, and a late timer cannot cut the next batch.
//
// It has no goroutine but while it fires. The intake's lock guards it.
type deadline struct {
	timer *time.Timer
	armed bool // the timer is set, or its goroutine has not got the lock yet
}

// arm sets the timer to call fire after d, unless it is set already: then it is
// set for an earlier batch, so for an earlier time.
func (d *deadline) arm(after time.Duration, fire func()) {
	if d.armed {
		return
	}
	d.armed = true
	if d.timer == nil {
		d.timer = time.AfterFunc(after, fire)
	} else {
		d.timer.Reset(after)
	}
}

// stop ends the timer for good. It reports whether it is too late: fire will be
// called, or waits for the lock.
func (d *deadline) stop() (fired bool) { return d.armed && !d.timer.Stop() }

// tick is the timer's goroutine: it makes the filling batch due if it is old
// enough, and otherwise comes again when it will be.
func (b *Batcher[T]) tick() {
	b.lock()
	defer b.unlock()
	b.deadline.armed = false
	switch {
	case b.closed:
		b.engine.tickEnded()
	case b.lanes != nil:
		b.drainLocked() // a chunk may be the oldest
	default:
		b.armOpenLocked()
	}
}

// armOpenLocked sees to it that the filling batch becomes due on time, if there is one.
func (b *Batcher[T]) armOpenLocked() {
	if b.open != nil && !b.open.queued {
		b.armLocked()
	}
}

// armLocked sees to it that the filling batch becomes due on time.
func (b *Batcher[T]) armLocked() {
	if rest := b.engine.maxDelay - time.Since(b.open.firstAdded); rest > 0 {
		b.deadline.arm(rest, b.startTick)
	} else {
		b.engine.enqueue(b.open, ReasonDelay)
	}
}
