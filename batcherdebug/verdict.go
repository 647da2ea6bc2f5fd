package batcherdebug

// What somebody who is on call wants to know first.

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is how a batcher fares.
type State string

// The states, the worst first. The first that holds is the batcher's.
const (
	// Silent: the batcher does not answer, and has told nothing for 3 seconds, if it ever has. A
	// combine function, or the hashing or comparing of keys, hangs, or the program is very short of
	// processor time.
	Silent State = "silent"
	// Full: producers wait for room.
	Full State = "full"
	// Dropping: items were dropped within the last 5 seconds. That is seen by who asks so often, as
	// the page does; others see that the batcher is Flaky.
	Dropping State = "dropping"
	// Failing: the last attempt to flush has failed, within the last minute or while items are
	// held. If that was for some of its items only, the batcher is Flaky.
	Failing State = "failing"
	// Stuck: a flush has been running for more than 10 seconds, FlushTimeout, and 10 times the p99;
	// or the oldest item held is older than 10 seconds, 10 times MaxDelay, and 10 times the p99,
	// and no flush has ended well for 10 seconds.
	Stuck State = "stuck"
	// Behind: what may be held in all is full to 80 % or more, or the queue is, and half of what
	// may be held is; or the oldest item held is that old although flushes end.
	Behind State = "behind"
	// Flaky: the last attempt has succeeded, but one has failed, or items were dropped, within the
	// last minute.
	Flaky State = "flaky"
	// Idle: nothing is held, and nothing has been flushed for 5 seconds.
	Idle State = "idle"
	// Flowing: none of these.
	Flowing State = "flowing"
)

// facts are what a verdict rests on besides the entry of the batcher. A time that is zero stands
// for what has not been.
type facts struct {
	now     time.Time
	since   time.Time // when the page was made
	silent  bool
	asked   time.Time // the question that is not answered
	told    time.Time // when the last answer came
	lastOK  time.Time // the end of the last attempt that flushed something
	running time.Time // the begin of the oldest attempt that has not ended
	drops   drops
}

// judge returns the state, and a sentence about it. The cause of a bad state is told with it.
func (b *Batcher) judge(f facts) (State, string) {
	failure, hung, old := b.failure(f), b.hung(f), b.old()
	switch {
	case f.silent:
		return Silent, sentence("no answer for "+short(f.now.Sub(f.asked))+
			": a combine function or a key hangs, or there is no processor time", f.known())
	case b.Stats.Waiting > 0:
		return Full, sentence(counted(int64(b.Stats.Waiting), "producer waits", "producers wait")+" for room",
			b.room(), hung, failure)
	case f.drops.items > 0 && f.now.Sub(f.drops.from) <= 5*time.Second:
		return Dropping, sentence(f.dropped(), hung, failure)
	case failure != "" && (b.Stats.Pending > 0 || f.now.Sub(b.Errors[0].Time) <= time.Minute):
		return Failing, sentence(failure, hung)
	case hung != "":
		return Stuck, hung
	case old != "" && f.now.Sub(f.lastOK) > 10*time.Second && f.now.Sub(f.since) > 10*time.Second:
		return Stuck, sentence(old, b.flaws(f))
	}
	if near := b.near(); old != "" || near != "" {
		return Behind, sentence(near, old, b.flaws(f))
	}
	if flaws := b.flaws(f); flaws != "" {
		return Flaky, flaws
	}
	return b.atEase(f, failure)
}

// known tells what the figures of a batcher that does not answer are worth.
func (f facts) known() string {
	if f.told.IsZero() {
		return "nothing is known of it yet"
	}
	return "the figures are from before"
}

// failure tells of the last attempt, if it failed.
func (b *Batcher) failure(f facts) string {
	if len(b.Errors) == 0 || !b.Errors[0].Time.After(f.lastOK) {
		return ""
	}
	return b.lastError(f.now)
}

func (b *Batcher) lastError(now time.Time) string {
	last := b.Errors[0]
	return fmt.Sprintf("the last failure was %s ago (%s): %s", short(now.Sub(last.Time)), last.Class, last.Text)
}

// hung tells of a flush that has been running for longer than one should.
func (b *Batcher) hung(f facts) string {
	if f.running.IsZero() || b.Stats.Running == 0 && b.Stats.Returned == 0 {
		return ""
	}
	ran := f.now.Sub(f.running)
	if ran <= 10*time.Second || ran <= max(seconds(b.Config.FlushTimeout), 10*seconds(b.Recent.P99)) {
		return ""
	}
	return fmt.Sprintf("a flush has been running for %s; %s", short(ran), b.atWork())
}

// old tells of an item that has been held for much longer than it takes to fill a batch.
func (b *Batcher) old() string {
	age, delay := seconds(b.Stats.OldestAge), seconds(b.Config.MaxDelay)
	if b.Config.Eager {
		delay = 0 // it is without effect
	}
	if age <= 10*time.Second || age <= 10*delay || age <= 10*seconds(b.Recent.P99) {
		return ""
	}
	return fmt.Sprintf("the oldest item has been held for %s; %s", short(age), b.atWork())
}

func (b *Batcher) atWork() string {
	return fmt.Sprintf("%d of %s at work", b.Stats.Running, counted(int64(b.Config.Workers), "worker is", "workers are"))
}

// room tells which bound it is that producers wait at.
func (b *Batcher) room() string {
	s, c := &b.Stats, &b.Config
	held := fmt.Sprintf("%d of at most %d items are held", s.Pending, c.MaxHeld)
	switch {
	case float64(s.Pending) >= 0.8*float64(c.MaxHeld):
		return held
	case c.QueueDepth > 0:
		return b.queue()
	case c.MaxPendingPerKey > 0:
		return fmt.Sprintf("%s, and at most %d of a key", held, c.MaxPendingPerKey)
	}
	return held
}

func (b *Batcher) queue() string {
	return fmt.Sprintf("%s for a worker; the queue has room for %d",
		counted(int64(b.Stats.QueueDepth), "batch waits", "batches wait"), b.Config.QueueDepth)
}

// near tells of a bound that is near. With keys, the queue has none of its own. A batch that is due
// counts as waiting while it still fills, so a short queue alone does not say much, unless batches
// are full by their weight.
func (b *Batcher) near() string {
	s, c := &b.Stats, &b.Config
	switch {
	case c.QueueDepth > 0 && float64(s.QueueDepth) >= 0.8*float64(c.QueueDepth) &&
		(s.Pending >= c.MaxHeld/2 || c.MaxWeight > 0):
		return b.queue()
	case c.MaxHeld > 0 && float64(s.Pending) >= 0.8*float64(c.MaxHeld):
		return b.room()
	}
	return ""
}

func (f facts) dropped() string {
	return fmt.Sprintf("%s dropped for lack of room in the last %s",
		counted(f.drops.items, "item was", "items were"), short(f.now.Sub(f.drops.since)))
}

// flaws tells of what went wrong in the last minute, or since the oldest item came, though not
// lately.
func (b *Batcher) flaws(f facts) string {
	var flaws []string
	lately := max(time.Minute, seconds(b.Stats.OldestAge))
	if f.drops.items > 0 && f.now.Sub(f.drops.until) < time.Minute {
		flaws = append(flaws, f.dropped())
	}
	if len(b.Errors) > 0 && f.now.Sub(b.Errors[0].Time) < lately {
		if b.Recent.Failed > 0 {
			flaws = append(flaws, fmt.Sprintf("of the last %s, %d failed",
				counted(int64(b.Recent.Attempts), "attempt", "attempts"), b.Recent.Failed))
		}
		flaws = append(flaws, b.lastError(f.now))
	}
	return sentence(flaws...)
}

// atEase tells what goes on if nothing is wrong, or has not been for long.
func (b *Batcher) atEase(f facts, failure string) (State, string) {
	held := "nothing is held"
	switch {
	case b.Stats.Pending > 0:
		held = counted(b.Stats.Pending, "item is held", "items are held")
	case b.Stats.Returned > 0:
		held = counted(b.Stats.Returned, "item was", "items were") + " handed back by Close"
	}
	switch {
	case failure != "":
		return Idle, sentence(held, failure) // else it would be Failing
	case b.Stats.Pending == 0 && f.now.Sub(f.lastOK) > 5*time.Second:
		return Idle, sentence(held, b.lastFlush(f))
	case b.Recent.Batches == 0:
		return Flowing, sentence(held, b.lastFlush(f))
	}
	return Flowing, fmt.Sprintf("of the last %s, %d %% were full; on average %s of %d items",
		counted(int64(b.Recent.Batches), "batch", "batches"), 100*b.Recent.Full/b.Recent.Batches,
		figures(b.Recent.MeanSize), b.Config.MaxSize)
}

func (b *Batcher) lastFlush(f facts) string {
	switch {
	case !f.lastOK.IsZero():
		return fmt.Sprintf("the last flush ended %s ago", short(f.now.Sub(f.lastOK)))
	case b.Stats.Flushed > 0:
		return "no flush has been seen since this page was made"
	default:
		return "nothing has been flushed yet"
	}
}

// sentence joins the parts that say something.
func sentence(parts ...string) string {
	said := slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return strings.Join(said, "; ")
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
