package proptest

// What the model predicts exactly.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// exactStats compares all of Stats with the model.
func (c *checker) exactStats(got batcher.Stats) {
	m := c.ma.m
	want := m.Snapshot()
	if m.InLetter() || m.Gone {
		got.OldestAge, want.OldestAge = 0, 0 // is a batch whose items have all met their fate still held?
	}
	if m.Gone {
		got.Running, want.Running = 0, 0
		got.QueueDepth, want.QueueDepth = 0, 0
		got.Batches = want.Batches
		got.Retries, want.Retries = 0, 0
	}
	if sum(got.Batches[:]) == sum(want.Batches[:]) {
		got.Batches = want.Batches // the reasons are compared call by call
	}
	if got != want {
		c.ma.failf("Stats\n is     %+v\n should %+v", got, want)
	}
}

func sum(list []int64) (n int64) {
	for _, v := range list {
		n += v
	}
	return n
}

// calls compares the calls of the flush function.
func (c *checker) calls() {
	w, m := c.ma.w, c.ma.m
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.Gone {
		return
	}
	if len(w.calls) != len(m.Calls) {
		c.ma.failf("P1: %d calls of the flush function, should be %d", len(w.calls), len(m.Calls))
	}
	if m.Cfg.Workers > 1 {
		slices.SortStableFunc(w.calls[c.callsDone:], func(a, b *callRecord) int {
			return cmpPair(a.at, a.items[0].ID, b.at, b.items[0].ID)
		})
		slices.SortStableFunc(m.Calls[c.callsDone:], func(a, b Call) int {
			return cmpPair(a.At, a.Slots[0].Item, b.At, b.Slots[0].Item)
		})
	}
	for i, got := range w.calls[c.callsDone:] {
		want := m.Calls[c.callsDone+i]
		if problem := diffCall(got, want, w.start); problem != "" {
			c.ma.failf("call %d of the flush function, of %v at %v: %s", c.callsDone+i, ids(got.items), got.at, problem)
		}
	}
	c.callsDone = len(w.calls)
}

func cmpPair(at time.Duration, a int, bt time.Duration, b int) int {
	if at != bt {
		return int(min(max(at-bt, -1), 1))
	}
	return a - b
}

func diffCall(got *callRecord, want Call, start time.Time) string {
	info := got.info
	switch {
	case !slices.EqualFunc(got.items, want.Slots, func(it Item, s *Slot) bool { return it.ID == s.Item }):
		return fmt.Sprintf("P2/P3: items %v, should be %s", ids(got.items), SlotString(want.Slots))
	case got.at != want.At:
		return fmt.Sprintf("P4: at %v, should be %v", got.at, want.At)
	case info.Reason != want.Reason && info.Reason != want.Also:
		return fmt.Sprintf("reason %v, should be %v", info.Reason, want.Reason)
	case info.Attempt != want.Attempt:
		return fmt.Sprintf("attempt %d, should be %d", info.Attempt, want.Attempt)
	case info.Weight != want.Weight:
		return fmt.Sprintf("weight %d, should be %d", info.Weight, want.Weight)
	case info.FirstAdded.Sub(start) != want.First:
		return fmt.Sprintf("first added at %v, should be %v", info.FirstAdded.Sub(start), want.First)
	case info.Sealed.Sub(start) != want.Sealed:
		return fmt.Sprintf("sealed at %v, should be %v", info.Sealed.Sub(start), want.Sealed)
	case got.deadline != want.Deadline:
		return fmt.Sprintf("P9: deadline %v, should be %v", got.deadline, want.Deadline)
	}
	return ""
}

// ops compares the calls of the script: which have returned, when, and what.
func (c *checker) ops() {
	w, m := c.ma.w, c.ma.m
	w.mu.Lock()
	defer w.mu.Unlock()
	var closeErr error
	for i, got := range w.ops {
		want := m.Ops[i]
		if c.opsDone[i] {
			continue
		}
		switch {
		case got.done != want.Done:
			c.ma.failf("%v: returned %v (%v at %v), should be %v (answer %d)", got.op, got.done, got.err, got.at, want.Done, want.Want)
		case !got.done:
			continue
		case got.at != want.DoneAt:
			c.ma.failf("%v: returned at %v, should be %v", got.op, got.at, want.DoneAt)
		case got.op.Kind == OpAddAll && got.n != want.N:
			c.ma.failf("%v: accepted %d, should be %d", got.op, got.n, want.N)
		}
		c.answer(got.op, got.err, got.cause, want)
		c.opsDone[i] = want.Want != AnsCloseErr
		if want.Want == AnsCloseErr {
			if closeErr != nil && closeErr != got.err {
				c.ma.failf("P8: two Close calls gave different answers: %v and %v", closeErr, got.err)
			}
			closeErr = got.err
		}
	}
}

// letters compares what the dead letter handler got, item by item.
func (c *checker) letters() {
	w, m := c.ma.w, c.ma.m
	if m.Gone {
		return
	}
	for id, it := range m.Items {
		if c.lettersDone[id] {
			continue
		}
		w.mu.Lock()
		rec, got := w.letters[id]
		w.mu.Unlock()
		want := it.Fate == Failed || it.Fate == Dropped
		switch {
		case got != want:
			c.ma.failf("P1: item %d has fate %d, dead letter: %v", id, it.Fate, got)
		case !got:
			continue
		case rec.at != it.At || rec.attempts != it.Attempts:
			c.ma.failf("dead letter of item %d: at %v after %d attempts, should be %v, %d", id, rec.at, rec.attempts, it.At, it.Attempts)
		}
		c.cause(name("dead letter"), id, rec.err, it.Cause)
		c.letterInfo(id, rec, it)
		c.lettersDone[id] = true
	}
}

// letterInfo checks the description of a dead letter.
func (c *checker) letterInfo(id int, rec letterRecord, it *ItemState) {
	want := batcher.Info{Name: "proptest", Size: rec.size, Attempt: it.Attempts}
	if b := it.In; b != nil {
		want.Reason, want.Weight = b.Reason, b.Weight
		want.FirstAdded, want.Sealed = c.ma.w.start.Add(b.First), c.ma.w.start.Add(b.Sealed)
		if rec.info.Reason == b.Also {
			want.Reason = b.Also
		}
	}
	got := rec.info
	if !got.FirstAdded.Equal(want.FirstAdded) || !got.Sealed.Equal(want.Sealed) {
		c.ma.failf("dead letter of item %d: first added %v, sealed %v, should be %v, %v", id, got.FirstAdded, got.Sealed, want.FirstAdded, want.Sealed)
	}
	if it.Attempts > 0 { // the model does not number batches; namePieceLocked checks the numbers
		want.Batch, want.Offset = max(got.Batch, 1), max(got.Offset, rec.size)
		want.First = got.First && it.Attempts == 1
	}
	got.FirstAdded, got.Sealed = want.FirstAdded, want.Sealed
	if got != want {
		c.ma.failf("dead letter of item %d: %+v, should be %+v", id, got, want)
	}
}

// pauses compares what the Retry hook saw.
func (c *checker) pauses() {
	w, m := c.ma.w, c.ma.m
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cfg.Hooks && w.cfg.Workers == 1 && !m.Gone && !slices.Equal(w.pauses, m.Pauses) {
		c.ma.failf("hooks: pauses %v, should be %v", w.pauses, m.Pauses)
	}
}

// receipts compares what receipts know.
func (c *checker) receipts() {
	w, m := c.ma.w, c.ma.m
	ended, cancel := context.WithCancelCause(context.Background())
	open := errors.New("not settled")
	cancel(open)
	w.mu.Lock()
	list := make(map[int]batcher.Receipt)
	for id, r := range w.receipts {
		list[id] = r
	}
	w.mu.Unlock()
	for id, r := range list {
		it := m.Items[id]
		if it == nil {
			c.ma.failf("item %d has a receipt, but was not accepted", id)
		}
		if id%2 == 0 {
			select {
			case <-r.Done():
				if it.Fate == Open {
					c.ma.failf("the receipt of item %d is done, its fate open", id)
				}
			default:
				if it.Fate != Open {
					c.ma.failf("the receipt of item %d is not done, its fate %d", id, it.Fate)
				}
			}
		}
		err := r.Wait(ended)
		if it.Fate == Open {
			if err != open {
				c.ma.failf("the receipt of item %d: %v, its fate open", id, err)
			}
			continue
		}
		c.fate(name("receipt"), err, id)
	}
}

// inners compares the answers to the calls from inside flushes.
func (c *checker) inners() {
	w, m := c.ma.w, c.ma.m
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.Gone {
		return
	}
	if len(w.inners) != len(m.Inners) {
		c.ma.failf("%d calls from inside flushes, should be %d", len(w.inners), len(m.Inners))
	}
	for i, got := range w.inners {
		want := m.Inners[i]
		if got.lead != want.Lead || got.nth != want.Nth || got.n != want.N {
			c.ma.failf("P11: call %d from inside a flush: %+v, should be %+v", i, got, want)
		}
		c.answer(name("P11: a call from inside a flush"), got.err, nil, &OpState{Want: want.Want})
	}
}
