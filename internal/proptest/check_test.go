package proptest

// What must hold after every step of a script.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/seed-4c1eaf8a/batcher"
)

// checker compares the batcher with the model, and with itself.
type checker struct {
	ma   *machine
	last batcher.Stats

	// What has been found right and can not change any more.
	opsDone     map[int]bool
	callsDone   int
	lettersDone map[int]bool
	ended       bool // the goroutines were seen to have ended after Close gave up
}

// name is a subject of failure reports.
type name string

func (n name) String() string { return string(n) }

func newChecker(ma *machine) checker {
	return checker{ma: ma, opsDone: make(map[int]bool), lettersDone: make(map[int]bool)}
}

// all is called when nothing moves.
func (c *checker) all() {
	w, m := c.ma.w, c.ma.m
	w.mu.Lock()
	problems := slices.Clone(w.problems)
	for _, cut := range w.cut {
		if w.gone != cut.at {
			problems = append(problems, fmt.Sprintf("P9: the context of a flush has ended at %v: %v", cut.at, cut.cause))
		}
	}
	w.mu.Unlock()
	if len(problems) > 0 {
		c.ma.failf("%s", strings.Join(problems, "\n"))
	}
	stats := w.b.Stats()
	c.stats(stats)
	c.accounts(stats)
	c.kept()
	c.closed()
	c.gone()
	if m.Weak == "" {
		c.ops()
		c.calls()
		c.letters()
		c.receipts()
		c.inners()
		c.pauses()
		c.exactStats(stats)
	}
	c.last = stats
}

// stats checks what holds for the counters by themselves.
func (c *checker) stats(s batcher.Stats) {
	cfg := c.ma.w.cfg
	if s.Added != s.Flushed+s.Failed+s.Dropped+s.Returned+s.Pending {
		c.ma.failf("P1: the identity does not hold: %+v", s)
	}
	l := c.last
	if s.Added < l.Added || s.Flushed < l.Flushed || s.Failed < l.Failed || s.Dropped < l.Dropped || s.Returned < l.Returned || s.Retries < l.Retries {
		c.ma.failf("a counter has decreased: %+v, then %+v", l, s)
	}
	for i, n := range s.Batches {
		if n < l.Batches[i] {
			c.ma.failf("a counter has decreased: %+v, then %+v", l, s)
		}
	}
	if c.ma.w.isGone() {
		return
	}
	places := cfg.Depth + cfg.Workers
	switch {
	case s.Pending > int64(cfg.MaxSize*places):
		c.ma.failf("P5: %d items are held: %+v", s.Pending, s)
	case s.QueueDepth+s.Running > places:
		c.ma.failf("P5: %d batches are queued and %d running", s.QueueDepth, s.Running)
	case s.Waiting > 0 && s.QueueDepth+s.Running < places:
		c.ma.failf("P5: lost wake-up: %d producers wait though there is room: %+v", s.Waiting, s)
	case s.QueueDepth > 0 && s.Running < cfg.Workers:
		c.ma.failf("P4: batches wait though a worker is idle: %+v", s)
	case s.Running == 0 && s.OldestAge >= cfg.MaxDelay:
		c.ma.failf("P4: a batch is overdue though all workers are idle: %+v", s)
	case s.Running == 0 && cfg.Eager && s.Pending > 0:
		c.ma.failf("eager, but all workers are idle: %+v", s)
	case s.Pending == 0 && s.QueueDepth > 0, s.Pending < 0:
		c.ma.failf("P1: %+v", s)
	}
}

// accounts compares the counters with what flush functions and handlers saw.
func (c *checker) accounts(s batcher.Stats) {
	w := c.ma.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone >= 0 {
		return
	}
	if int(s.Flushed) != len(w.good) {
		c.ma.failf("P1: %d items were flushed, Stats says %+v", len(w.good), s)
	}
	if int(s.Failed+s.Dropped) != len(w.letters) {
		c.ma.failf("P1: %d items reached the dead letter handler, Stats says %+v", len(w.letters), s)
	}
	for id := range w.letters {
		if w.good[id] {
			c.ma.failf("P1: item %d was flushed and given up", id)
		}
	}
	if int(s.Added) < len(w.accepted) {
		c.ma.failf("P1: %d items were accepted, Stats says %+v", len(w.accepted), s)
	}
}

// closed checks that no producer gets past Close.
func (c *checker) closed() {
	w := c.ma.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.ops {
		w.closed = w.closed || o.op.Kind == OpClose
	}
	if !w.closed {
		return
	}
	for _, o := range w.ops {
		if o.op.Kind == OpClose {
			continue
		}
		if o.late && (!o.done || !errors.Is(o.err, batcher.ErrClosed) || o.n > 0) {
			c.ma.failf("P6: %v after Close: returned %v: %d, %v", o.op, o.done, o.n, o.err)
		}
		if !o.done && o.op.Kind != OpFlush && o.op.Kind != OpAddWait {
			c.ma.failf("P6: %v is still waiting after Close", o.op)
		}
	}
}

// kept checks that slices under WithoutReuse are left alone, and that others
// are cleared after the call: the last one to return has not been used again.
func (c *checker) kept() {
	w := c.ma.w
	w.mu.Lock()
	defer w.mu.Unlock()
	var last *callRecord
	for i, call := range w.calls {
		switch {
		case call.kept == nil:
		case w.cfg.Keep && !slices.Equal(call.kept, call.items):
			c.ma.failf("P10: a slice under WithoutReuse has changed: %v, was %v", call.kept, call.items)
		case call.end >= 0 && i == len(w.calls)-1:
			last = call
		}
	}
	if last == nil || w.cfg.Keep || raced || w.plans.Get(last.items[0].ID, last.nth).End != EndReturn {
		return // after a panic or Goexit nobody knows who has the slice; and looking is a race, of course
	}
	for _, it := range last.kept {
		if it != (Item{}) {
			c.ma.failf("P10: a slice is not cleared after the call: %v", last.kept)
		}
	}
}

// gone checks what must be true once a Close gave up: flushes are cancelled, and
// goroutines end as soon as the user's code lets them.
func (c *checker) gone() {
	w := c.ma.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone < 0 || c.ended {
		return
	}
	for _, call := range w.calls {
		if call.end < 0 && w.plans.Get(call.items[0].ID, call.nth).Honour {
			c.ma.failf("P8: Close gave up, but the flush of %v is not cancelled", ids(call.items))
		}
	}
	if w.running == 0 && w.handling == 0 {
		c.ended = true
		c.noGoroutines()
	}
}

// noGoroutines checks that the batcher has none. Calls that wait have theirs
// from the script.
func (c *checker) noGoroutines() {
	if batchers := goroutinesOfBatcher(); batchers != "" {
		c.ma.failf("P8/P13: a goroutine is left:\n%s", batchers)
	}
}

// goroutinesOfBatcher returns the stacks of the goroutines that a batcher of
// this bubble has started.
func goroutinesOfBatcher() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var found []string
	for _, stack := range strings.Split(string(buf), "\n\n") {
		if strings.Contains(stack, "created by github.com/seed-4c1eaf8a/batcher.") && strings.Contains(stack, "synctest bubble") {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}

// final is called when nothing will happen any more.
func (c *checker) final() {
	w := c.ma.w
	c.noGoroutines()
	s := w.b.Stats()
	if s.Pending != 0 || s.Running != 0 || s.QueueDepth != 0 || s.Waiting != 0 {
		c.ma.failf("the batcher does not come to rest: %+v", s)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	returned := make(map[int]bool)
	for _, o := range w.ops {
		if !o.done {
			c.ma.failf("%v never returned", o.op)
		}
		var ce *batcher.CloseError[Item]
		if !errors.As(o.err, &ce) {
			continue
		}
		for _, it := range slices.Concat(ce.Unflushed, ce.Unknown) {
			if it.ID <= 0 {
				c.ma.failf("P10: a scribbled item was handed back: %v", it)
			}
			returned[it.ID] = true
		}
		for _, it := range ce.Unflushed {
			if w.seenLocked(it.ID) {
				c.ma.failf("P8: item %d is called unflushed, but was passed to the flush function", it.ID)
			}
		}
	}
	for id := range w.accepted {
		_, dead := w.letters[id]
		fates := 0
		for _, is := range []bool{w.good[id], dead, returned[id]} {
			if is {
				fates++
			}
		}
		if fates != 1 && (w.gone < 0 || fates == 0) {
			c.ma.failf("P1: item %d has %d fates: flushed %v, dead letter %v, returned %v", id, fates, w.good[id], dead, returned[id])
		}
	}
	c.finalReceipts(returned)
	if int(s.Returned) != len(returned) {
		c.ma.failf("P8: %d items were handed back, Stats says %+v", len(returned), s)
	}
	if w.gone < 0 && w.cfg.Hooks {
		if w.hooks != [3]int{len(w.calls), len(w.calls), int(s.Failed + s.Dropped)} {
			c.ma.failf("hooks: %v, with %d calls and %+v", w.hooks, len(w.calls), s)
		}
		if len(w.pauses) != int(s.Retries) {
			c.ma.failf("hooks: %d pauses, %+v", len(w.pauses), s)
		}
	}
}

// finalReceipts checks that every receipt tells the fate of its item.
func (c *checker) finalReceipts(returned map[int]bool) {
	w := c.ma.w
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for id, r := range w.receipts {
		err := r.Wait(ended)
		rec, dead := w.letters[id]
		var fe *batcher.FlushError
		ok := false
		switch {
		case returned[id]:
			ok = errors.Is(err, batcher.ErrClosed)
		case dead:
			ok = errors.As(err, &fe) && fe.Attempts == rec.attempts
		default:
			ok = err == nil
		}
		if !ok {
			c.ma.failf("P1: the receipt of item %d says %v; dead letter %v, returned %v", id, err, dead, returned[id])
		}
	}
}

// dump shows what was seen, for failure reports.
func (c *checker) dump() string {
	w := c.ma.w
	w.mu.Lock()
	defer w.mu.Unlock()
	var s strings.Builder
	s.WriteString("calls of the flush function:\n")
	for _, call := range w.calls {
		fmt.Fprintf(&s, "  %v to %v: %v %v attempt %d weight %d\n", call.at, call.end, ids(call.items), call.info.Reason, call.info.Attempt, call.info.Weight)
	}
	s.WriteString("the model's:\n")
	for _, call := range c.ma.m.Calls {
		fmt.Fprintf(&s, "  %v: %v %v attempt %d weight %d\n", call.At, SlotString(call.Slots), call.Reason, call.Attempt, call.Weight)
	}
	return s.String()
}
