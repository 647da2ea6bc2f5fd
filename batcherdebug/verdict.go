package batcherdebug

// What somebody who is on call wants to know first.

import (
	"fmt"
	"time"
)

// State is how a batcher fares.
type State string

// The states. The first that holds is the batcher's.
const (
	// Full: producers wait for room.
	Full State = "full"
	// Failing: the last attempt to flush has failed.
	Failing State = "failing"
	// Stuck: the oldest item held is older than 10 seconds and 10 times MaxDelay.
	Stuck State = "stuck"
	// Behind: the queue, or what may be held in all, is full to 80 % or more.
	Behind State = "behind"
	// Idle: nothing is held, and nothing has been flushed for 5 seconds.
	Idle State = "idle"
	// Flowing: none of these.
	Flowing State = "flowing"
)

// judge returns the state, and a sentence about it.
func judge(b *Batcher, lastOK, now time.Time) (State, string) {
	held := float64(b.Stats.Pending) / float64(max(1, b.Config.MaxHeld))
	queue := float64(b.Stats.QueueDepth) / float64(max(1, b.Config.QueueDepth))
	if b.Config.QueueDepth == 0 {
		queue = 0 // only items are bounded
	}
	age := seconds(b.Stats.OldestAge)
	switch {
	case b.Stats.Waiting > 0:
		return Full, fmt.Sprintf("%s for room; %d of at most %d items are held",
			counted(b.Stats.Waiting, "producer waits", "producers wait"), b.Stats.Pending, b.Config.MaxHeld)
	case len(b.Errors) > 0 && b.Errors[0].Time.After(lastOK):
		last := b.Errors[0]
		return Failing, fmt.Sprintf("the last flush failed %s ago (%s): %s",
			short(now.Sub(last.Time)), last.Class, last.Text)
	case age > 10*time.Second && age > 10*seconds(b.Config.MaxDelay):
		return Stuck, fmt.Sprintf("the oldest item has been held for %s; %d of %s at work",
			short(age), b.Stats.Running, counted(b.Config.Workers, "worker is", "workers are"))
	case queue >= 0.8:
		return Behind, fmt.Sprintf("%d of at most %d batches wait for a worker", b.Stats.QueueDepth, b.Config.QueueDepth)
	case held >= 0.8:
		return Behind, fmt.Sprintf("%d of at most %d items are held", b.Stats.Pending, b.Config.MaxHeld)
	case b.Stats.Pending == 0 && now.Sub(lastOK) > 5*time.Second:
		if lastOK.IsZero() {
			return Idle, "nothing is held; nothing has been flushed yet"
		}
		return Idle, fmt.Sprintf("nothing is held; the last flush ended %s ago", short(now.Sub(lastOK)))
	case b.Recent.Batches == 0:
		return Flowing, fmt.Sprintf("%s held; nothing has been flushed yet", counted(int(b.Stats.Pending), "item is", "items are"))
	default:
		return Flowing, fmt.Sprintf("of the last %s, %d %% were full; on average %.3g of %d items",
			counted(b.Recent.Batches, "batch", "batches"), 100*b.Recent.Full/b.Recent.Batches, b.Recent.MeanSize, b.Config.MaxSize)
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

// counted returns "1 worker is", "2 workers are".
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
