package proptest

// What must hold after every step of a script.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

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

// answer checks the error of a call.
func (c *checker) answer(op fmt.Stringer, err, cause error, want *OpState) {
	bad := func() { c.ma.failf("%s: returned %v, should be answer %d", op, err, want.Want) }
	switch want.Want {
	case AnsNil:
		if err != nil {
			bad()
		}
	case AnsFate:
		c.fate(op, err, want.Items[0].ID)
	case AnsFailures:
		list := flushErrors(err)
		items := 0
		for _, fe := range list {
			items += fe.Items
		}
		if items < 1 || items > want.Gave || len(list) <= 3 && items != want.Gave {
			bad()
		}
	case AnsCloseErr:
		c.closeError(op, err)
	case AnsAny:
	default:
		sentinel := map[Answer]error{
			AnsClosed: batcher.ErrClosed, AnsFull: batcher.ErrFull, AnsTooHeavy: batcher.ErrTooHeavy,
			AnsNegative: batcher.ErrNegativeWeight, AnsCause: cause, AnsReentrant: batcher.ErrReentrant,
		}[want.Want]
		heavy := want.Ended && (errors.Is(err, batcher.ErrTooHeavy) || errors.Is(err, batcher.ErrNegativeWeight))
		if !errors.Is(err, sentinel) && !(want.Want == AnsCause && heavy) {
			bad()
		}
	}
}

// flushErrors returns all FlushErrors in a tree of errors.
func flushErrors(err error) (list []*batcher.FlushError) {
	switch e := err.(type) {
	case *batcher.FlushError:
		return []*batcher.FlushError{e}
	case interface{ Unwrap() error }:
		return flushErrors(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, kid := range e.Unwrap() {
			list = append(list, flushErrors(kid)...)
		}
	}
	return list
}

// closeError checks what Close handed back.
func (c *checker) closeError(op fmt.Stringer, err error) {
	m := c.ma.m
	var ce *batcher.CloseError[Item]
	if !errors.As(err, &ce) {
		c.ma.failf("%s: returned %v, should be a *CloseError", op, err)
	}
	if !slices.ContainsFunc(c.ma.w.ops, func(o *opRecord) bool { return o.op.Kind == OpClose && o.cause == ce.Err }) {
		c.ma.failf("P8: %s: the cause is %v", op, ce.Err)
	}
	gotU, gotK := ids(ce.Unflushed), ids(ce.Unknown)
	all := append(slices.Clone(m.Unknown), m.Unflushed...)
	bound := !slices.ContainsFunc(all, func(s *Slot) bool { return s.Item == 0 })
	for _, call := range c.ma.w.calls {
		for _, it := range call.items {
			if slices.Contains(gotU, it.ID) {
				c.ma.failf("P8: item %d is called unflushed, but was passed to the flush function", it.ID)
			}
		}
	}
	switch {
	case len(gotU)+len(gotK) != len(all):
		c.ma.failf("P8: %s handed back %v and %v, should be %s and %s", op, gotU, gotK, SlotString(m.Unflushed), SlotString(m.Unknown))
	case !bound:
	case IDString(append(slices.Clone(gotK), gotU...)) != SlotString(all):
		c.ma.failf("P8: %s handed back %v and %v, should be %s and %s", op, gotU, gotK, SlotString(m.Unflushed), SlotString(m.Unknown))
	case !m.Lenient && len(gotK) != len(m.Unknown):
		c.ma.failf("P8: %s handed back %v and %v, should be %s and %s", op, gotU, gotK, SlotString(m.Unflushed), SlotString(m.Unknown))
	}
}

// fate checks the error by which a caller learns the fate of an item.
func (c *checker) fate(who fmt.Stringer, err error, id int) {
	it := c.ma.m.Items[id]
	var fe *batcher.FlushError
	switch it.Fate {
	case Flushed:
		if err != nil {
			c.ma.failf("%s: item %d was flushed, but: %v", who, id, err)
		}
	case Returned:
		if !errors.Is(err, batcher.ErrClosed) {
			c.ma.failf("%s: item %d was handed back, but: %v", who, id, err)
		}
	default:
		if !errors.As(err, &fe) || !errors.Is(err, fe.Err) {
			c.ma.failf("%s: item %d was given up, but: %v", who, id, err)
		}
		if fe.Attempts != it.Attempts || it.Group > 0 && it.Fate == Failed && fe.Items != it.Group {
			c.ma.failf("%s: %d items, %d attempts, should be %d, %d", who, fe.Items, fe.Attempts, it.Group, it.Attempts)
		}
		c.cause(who, id, fe.Err, it.Cause)
	}
}

// cause checks why an item was given up.
func (c *checker) cause(who fmt.Stringer, id int, err error, want Cause) {
	var pe *batcher.PanicError
	var leaf Leaf
	ok := true
	switch {
	case want.Dropped:
		ok = errors.Is(err, batcher.ErrDropped)
	case want.Panic:
		ok = errors.As(err, &pe) && pe.Value == any(want.Leaf) && len(pe.Stack) > 0
	case want.Goexit:
		ok = errors.Is(err, batcher.ErrGoexit)
	case want.Timeout:
		ok = errors.Is(err, context.DeadlineExceeded) && errors.As(err, &leaf)
	case want.Opaque:
		ok = errors.As(err, new(*batcher.PartialError))
	default:
		errors.As(err, &leaf)
		leaf.Refused = false
		if want.Leaf.Index >= 0 && leaf != want.Leaf { // perhaps the mark around all
			var part *batcher.PartialError
			ok = errors.As(err, &part) && part.Errs[want.Leaf.Index] != nil
			break
		}
		ok = leaf == want.Leaf
	}
	if !ok {
		c.ma.failf("%s of item %d: the cause is %v (%T), should be %+v", who, id, err, err, want)
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
