package main

// The sixth step, its second half: what follows from the figures.

import (
	"fmt"
	"math"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// capacity is how many items per second the workers can write in full batches. That is the
// limit, whatever the load: while no worker is idle, due batches fill.
func (c *config) capacity() float64 { return c.capacityOf(c.size, c.workers) }

func (c *config) capacityOf(size, workers int) float64 {
	one := c.latency.of(size)
	if one == 0 {
		return math.Inf(1)
	}
	return float64(workers) * float64(size) / one.Seconds()
}

// wantedReserve is how much of the capacity may be used on average, so that bursts and slow
// flushes are made up for soon.
const wantedReserve = 2.0 / 3

// workersFor is how many workers can write rate with full batches, if they may be busy for this
// share of their time.
func (c *config) workersFor(rate, share float64) int {
	return int(math.Ceil(rate / c.capacityOf(c.size, 1) / share))
}

// sizeFor is the least MaxSize with which the workers can write rate; 0 if there is none.
func (c *config) sizeFor(rate float64) int {
	perItem := float64(c.workers)/rate - c.latency.perItem.Seconds()
	if n := math.Ceil(c.latency.fixed.Seconds() / perItem); perItem > 0 && n <= maxSize {
		return int(n)
	}
	return 0
}

// advise says in words what the figures mean. It runs the simulation again where only that can
// tell what would help.
func (c *config) advise(f figures) (all []string, err error) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	use := f.rate() / c.capacity()
	if use >= 1 {
		c.adviseMore(f, say)
		return all, nil
	}
	if use > 0.8 {
		say("Little reserve: the items are %s of what the workers can write with full batches. "+
			"%s would leave a third for bursts and slow flushes.",
			percent(use), plural(c.workersFor(f.rate(), wantedReserve), "worker"))
	}
	if f.waited+f.lost() > 0 {
		if err := c.adviseRoom(say); err != nil {
			return nil, err
		}
	}
	c.adviseSize(f, say)
	if err := c.adviseDelay(f, use, say); err != nil {
		return nil, err
	}
	if err := c.adviseEager(f, use, say); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		say("Nothing stands out: the sink keeps up (%s of what it can write), and there is room.", percent(use))
	}
	return all, nil
}

// adviseMore is for more items than the sink can write.
func (c *config) adviseMore(f figures, say func(string, ...any)) {
	rate := f.rate()
	say("The sink is the limit: with %s and full batches it writes %s, and %s come. "+
		"What waits, or is lost, grows without end; no QueueDepth helps.",
		plural(c.workers, "worker"), perSecond(c.capacity()), perSecond(rate))
	say("It needs at least %s, better %d.", plural(c.workersFor(rate, 1), "worker"), c.workersFor(rate, wantedReserve))
	switch n := c.sizeFor(rate); {
	case n > c.size:
		say("Or a MaxSize of at least %d: then the fixed part of the sink's time is shared by more items.", n)
	case n == 0:
		say("A larger MaxSize alone does not do: the time per item is too long for it.")
	}
}

// adviseRoom finds out which QueueDepth would have been enough.
func (c *config) adviseRoom(say func(string, ...any)) error {
	ample := c.settings
	ample.queue, ample.overflow, ample.patience = maxQueue, batcher.Block, 0
	f, err := c.simulate(ample)
	if err != nil {
		return err
	}
	say("There was no room at times, though the sink keeps up on average. QueueDepth %d would have been enough: "+
		"%s from Add to written at most, and up to %d items held.",
		f.depth, pretty(f.toEnd.max), c.mayHold(f.depth))
	return nil
}

// adviseSize is about which of MaxSize and MaxDelay seals.
func (c *config) adviseSize(f figures, say func(string, ...any)) {
	bySize := float64(f.reasons[batcher.ReasonSize]) / float64(f.batches)
	filling := time.Duration(float64(c.size) / f.rate() * float64(time.Second))
	switch {
	case c.size == 1:
		say("MaxSize 1: every item is a call of its own.")
	case bySize == 0 && c.eager:
		say("MaxSize is never reached: batches are as large as what comes during a flush. It only bounds them.")
	case bySize == 0:
		say("MaxSize is never reached: in a MaxDelay of %s about %s items come. It only bounds the batches.",
			pretty(c.delay), count(f.rate()*c.delay.Seconds()))
	case bySize >= 0.99 && !c.eager && filling < c.delay:
		say("MaxDelay is hardly ever reached: a batch is full after about %s. It counts only when less than %s come.",
			pretty(filling), perSecond(float64(c.size)/c.delay.Seconds()))
	}
}

// adviseDelay finds out what a longer MaxDelay would change, where workers are busy all the time with
// batches that are not full: then MaxDelay is over before a worker is idle.
func (c *config) adviseDelay(f figures, use float64, say func(string, ...any)) error {
	if c.eager || f.busy < 0.9 || use > 0.8 {
		return nil
	}
	longer := c.settings
	longer.delay = 2 * c.latency.of(int(f.size.mean)) / time.Duration(c.workers)
	g, err := c.simulate(longer)
	if err != nil || g.calls() > f.calls()*4/5 {
		return err
	}
	say("The workers are always busy, but not at their limit: MaxDelay is over before one of them is idle. "+
		"With a MaxDelay of %s they would be busy %s of the time, for %s instead of %s calls/s, and p99 from Add to "+
		"written would be %s instead of %s.",
		pretty(longer.delay), percent(g.busy), count(g.calls()), count(f.calls()), pretty(g.toEnd.p99), pretty(f.toEnd.p99))
	return nil
}

// adviseEager finds out what WithEager would gain, where items wait although workers are idle.
func (c *config) adviseEager(f figures, use float64, say func(string, ...any)) error {
	if c.eager || use > 0.8 || f.batches == 0 || f.toBegin.p50 < f.toEnd.p50/2 {
		return nil
	}
	eager := c.settings
	eager.eager = true
	g, err := c.simulate(eager)
	if err != nil {
		return err
	}
	if g.lost() > f.lost() || g.toEnd.p50 > f.toEnd.p50*4/5 || g.toEnd.p99 > f.toEnd.p99 {
		return nil
	}
	say("Most of the time until an item is written is waiting for its batch. "+
		"With eager it would be p50 %s, p99 %s, for %s instead of %s calls/s.",
		pretty(g.toEnd.p50), pretty(g.toEnd.p99), count(g.calls()), count(f.calls()))
	return nil
}

// plural is "1 worker", "2 workers".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
