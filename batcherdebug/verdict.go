package batcherdebug

// What somebody who is on call wants to know first.

import (
	"fmt"
	"time"
)

// State is how a batcher fares.
type State string

// The states, the worst first. The first that holds is the batcher's.
const (
	// Silent: the batcher does not answer. A combine function, or the hashing or comparing of keys,
	// hangs, or the program is very short of processor time.
	Silent State = "silent"
	// Full: producers wait for room.
	Full State = "full"
	// Dropping: items were dropped since the snapshot before, made at most 5 seconds ago.
	Dropping State = "dropping"
	// Failing: the last attempt to flush has failed. If that was for some of its items only, or for
	// some keys of a Combiner, the batcher is Flaky.
	Failing State = "failing"
	// Stuck: the oldest item held is older than 10 seconds and 10 times MaxDelay.
	Stuck State = "stuck"
	// Behind: the queue, or what may be held in all, is full to 80 % or more.
	Behind State = "behind"
	// Flaky: the last attempt has succeeded, but one has failed within the last minute.
	Flaky State = "flaky"
	// Idle: nothing is held, and nothing has been flushed for 5 seconds.
	Idle State = "idle"
	// Flowing: none of these.
	Flowing State = "flowing"
)

// facts are what a verdict rests on besides the entry of the batcher.
type facts struct {
	now     time.Time
	asked   time.Time // what was not answered; zero: all was
	lastOK  time.Time // the end of the last attempt that succeeded; zero: none
	dropped drops
}

// judge returns the state, and a sentence about it.
func (b *Batcher) judge(f facts) (State, string) {
	switch failing := len(b.Errors) > 0 && b.Errors[0].Time.After(f.lastOK); {
	case !f.asked.IsZero():
		return Silent, fmt.Sprintf("no answer for %s: a combine function or a key hangs, or there is no processor time; "+
			"the figures are from before",
			short(f.now.Sub(f.asked)))
	case b.Stats.Waiting > 0 && failing:
		return Full, b.waiting() + "; " + b.lastFailure(f.now)
	case b.Stats.Waiting > 0:
		return Full, b.waiting()
	case f.dropped.items > 0:
		return Dropping, fmt.Sprintf("%s dropped for lack of room in the last %s",
			counted(f.dropped.items, "item was", "items were"), short(f.dropped.span))
	case failing:
		return Failing, b.lastFailure(f.now)
	}
	if text := b.stuck(); text != "" {
		return Stuck, text
	}
	if text := b.behind(); text != "" {
		return Behind, text
	}
	if len(b.Errors) > 0 && f.now.Sub(b.Errors[0].Time) < time.Minute {
		return Flaky, fmt.Sprintf("of the last %s, %d failed; %s",
			counted(int64(b.Recent.Attempts), "attempt", "attempts"), b.Recent.Failed, b.lastFailure(f.now))
	}
	return b.atEase(f.now, f.lastOK)
}

func (b *Batcher) waiting() string {
	return fmt.Sprintf("%s for room; %d of at most %d items are held",
		counted(int64(b.Stats.Waiting), "producer waits", "producers wait"), b.Stats.Pending, b.Config.MaxHeld)
}

func (b *Batcher) lastFailure(now time.Time) string {
	last := b.Errors[0]
	return fmt.Sprintf("the last failure was %s ago (%s): %s", short(now.Sub(last.Time)), last.Class, last.Text)
}

// stuck returns "" unless an item is held for much longer than it takes to fill a batch.
func (b *Batcher) stuck() string {
	age, delay := seconds(b.Stats.OldestAge), b.Config.MaxDelay
	if b.Config.Eager {
		delay = 0 // it is without effect
	}
	if age <= 10*time.Second || b.Stats.OldestAge <= 10*delay {
		return ""
	}
	return fmt.Sprintf("the oldest item has been held for %s; %d of %s at work",
		short(age), b.Stats.Running, counted(int64(b.Config.Workers), "worker is", "workers are"))
}

// behind returns "" unless there is little room left. With keys, the queue has no bound of its own.
func (b *Batcher) behind() string {
	s, c := &b.Stats, &b.Config
	switch {
	case c.QueueDepth > 0 && float64(s.QueueDepth) >= 0.8*float64(c.QueueDepth):
		return fmt.Sprintf("%s for a worker; the queue has room for %d",
			counted(int64(s.QueueDepth), "batch waits", "batches wait"), c.QueueDepth)
	case c.MaxHeld > 0 && float64(s.Pending) >= 0.8*float64(c.MaxHeld):
		return fmt.Sprintf("%d of at most %d items are held", s.Pending, c.MaxHeld)
	}
	return ""
}

// atEase tells what goes on if nothing is wrong.
func (b *Batcher) atEase(now, lastOK time.Time) (State, string) {
	state, text := Flowing, "nothing is held"
	switch {
	case b.Stats.Pending > 0:
		text = counted(b.Stats.Pending, "item is held", "items are held")
	case now.Sub(lastOK) > 5*time.Second:
		state = Idle
	}
	switch {
	case state == Flowing && b.Recent.Batches > 0:
		return state, fmt.Sprintf("of the last %s, %d %% were full; on average %s of %d items",
			counted(int64(b.Recent.Batches), "batch", "batches"), 100*b.Recent.Full/b.Recent.Batches,
			figures(b.Recent.MeanSize), b.Config.MaxSize)
	case !lastOK.IsZero():
		return state, fmt.Sprintf("%s; the last flush ended %s ago", text, short(now.Sub(lastOK)))
	case b.Stats.Flushed > 0:
		return state, text + "; nothing has been flushed since this page was made"
	default:
		return state, text + "; nothing has been flushed yet"
	}
}

// seconds returns s as a duration.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// short is d as people say it.
func short(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(time.Second / 10).String()
	default:
		return d.Round(time.Second).String()
	}
}

// figures is n with three figures if they are needed, and never with an exponent.
func figures(n float64) string {
	if n < 99.95 {
		return fmt.Sprintf("%.3g", n)
	}
	return fmt.Sprintf("%.0f", n)
}

// counted returns "1 worker is", "2 workers are".
func counted(n int64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
