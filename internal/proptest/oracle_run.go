package proptest

// The model: workers, attempts, and the passing of time.

import (
	"slices"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// phase is what a running batch waits for.
type phase int

const (
	idle    phase = iota // not running
	before               // the flush function waits, then calls back
	working              // the flush function works until wake
	holding              // the flush function is held
	pausing              // between two attempts
	letters              // the dead letter handler works
)

// startAttempt calls the flush function with the first piece.
func (m *Model) startAttempt(b *BatchState) {
	piece := b.pieces[0]
	m.bind(piece)
	for _, slot := range piece {
		m.Items[slot.Item].In = b
	}
	b.lead = piece[0].Item
	b.nth = m.Items[b.lead].Led
	m.Items[b.lead].Led++
	b.beh = m.Plans.Get(b.lead, b.nth)
	b.deadline = 0
	if m.Cfg.Timeout > 0 {
		b.deadline = m.Now + m.Cfg.Timeout
	}
	b.phase, b.wake = before, m.Now+b.beh.Delay
	m.Calls = append(m.Calls, Call{
		At: m.Now, Slots: piece, Reason: b.Reason, Also: b.Also, Attempt: b.attempt,
		Weight: b.Weight, First: b.First, Sealed: b.Sealed, Deadline: b.deadline,
	})
}

// bind fills the slots of a batch whose order was the batcher's choice.
func (m *Model) bind(piece []*Slot) {
	if !slices.ContainsFunc(piece, func(s *Slot) bool { return s.Item == 0 }) {
		return
	}
	ids := m.ObservedCall(len(m.Calls))
	if len(ids) != len(piece) {
		m.weaken("a call of the flush function is missing or has another size")
		m.Lost("expected a call with " + SlotString(piece))
		return
	}
	for i, slot := range piece {
		if slot.Item != 0 {
			continue
		}
		at := slices.Index(slot.Group.Left, ids[i])
		if at < 0 {
			m.Lost("an item was flushed that no waiting producer could have added here")
			return
		}
		slot.Group.Left = slices.Delete(slot.Group.Left, at, at+1)
		slot.Item = ids[i]
	}
}

// event is something that happens by the passing of time.
type event struct {
	at    time.Duration
	batch *BatchState // that goes on, or nil
	op    *OpState    // whose context ends, or nil; neither: the open batch is due
}

// events returns all that is known to happen, in no particular order.
func (m *Model) events() []event {
	var all []event
	if m.open != nil && !m.open.Due && m.Cfg.MaxDelay < never-m.open.First {
		all = append(all, event{at: m.open.First + m.Cfg.MaxDelay})
	}
	for _, b := range m.running {
		at := b.wake
		if b.phase == holding {
			at = never
		}
		if b.deadline > 0 && b.beh.Honour && b.phase <= holding {
			at = min(at, b.deadline)
		}
		if at < never {
			all = append(all, event{at: at, batch: b})
		}
	}
	for _, o := range m.Ops {
		if !o.Done && o.Deadline > 0 {
			all = append(all, event{at: o.Deadline, op: o})
		}
	}
	return all
}

// Next returns when something will happen next without the script.
func (m *Model) Next() (at time.Duration, ok bool) {
	at = never
	for _, e := range m.events() {
		at = min(at, e.at)
	}
	return at, at < never
}

// Advance moves time to the given instant, which is not before now.
func (m *Model) Advance(to time.Duration) {
	for m.Weak == "" {
		at, ok := m.Next()
		if !ok || at > to {
			break
		}
		var due []event
		for _, e := range m.events() {
			if e.at == at {
				due = append(due, e)
			}
		}
		if len(due) > 1 {
			m.weaken("%d things happen at %v", len(due), at)
			break
		}
		m.Now = at
		m.happen(due[0])
	}
	m.Now = to
}

func (m *Model) happen(e event) {
	m.step++
	switch {
	case e.op != nil:
		m.CtxEnds(e.op.ID)
	case e.batch == nil:
		m.markDue(batcher.ReasonDelay)
	default:
		m.goOn(e.batch)
	}
}

// goOn ends the phase of a running batch.
func (m *Model) goOn(b *BatchState) {
	if b.phase <= holding && b.deadline > 0 && b.beh.Honour && m.Now == b.deadline {
		m.endAttempt(b, true)
		return
	}
	switch b.phase {
	case before:
		m.inner(b)
		b.phase = working
		b.wake = m.Now + b.beh.Work
		if b.beh.Hold {
			b.phase = holding
		}
	case working:
		m.endAttempt(b, false)
	case pausing:
		b.attempt++
		m.Stats.Retries++
		m.startAttempt(b)
	case letters:
		m.pieceDone(b)
	}
}

// Release lets a held call of the flush function go on, found by its first item.
func (m *Model) Release(lead int) {
	m.step++
	for _, b := range m.running {
		if b.phase == holding && b.lead == lead {
			m.endAttempt(b, false)
			return
		}
	}
}

// inner is the call from inside the flush function.
func (m *Model) inner(b *BatchState) {
	in := Inner{Lead: b.lead, Nth: b.nth}
	kinds := map[InnerKind]OpKind{InnerAdd: OpAdd, InnerTryAdd: OpTryAdd, InnerSubmit: OpSubmit, InnerAddAll: OpAddAll}
	kind, ok := kinds[b.beh.Inner]
	if !ok {
		return
	}
	o := &OpState{Op: Op{Kind: kind, Items: b.beh.Items}, rest: slices.Clone(b.beh.Items)}
	if m.closed {
		o.Want = AnsClosed
	} else if m.intake(o); o.waits {
		o.Want = AnsReentrant // it would wait for itself
		m.endChunk()
	}
	in.N, in.Want = o.N, o.Want
	m.Inners = append(m.Inners, in)
}

// endAttempt decides about the items of the first piece.
func (m *Model) endAttempt(b *BatchState, timeout bool) {
	piece := b.pieces[0]
	leaf := Leaf{Lead: b.lead, Nth: b.nth, Index: -1}
	cause := Cause{Leaf: leaf}
	var j Judgement
	switch {
	case timeout:
		j = Judgement{Whole: Again}
		cause = Cause{Timeout: true, Leaf: leaf}
	case b.beh.End == EndPanic:
		j = Judgement{Whole: Final}
		cause = Cause{Panic: true, Leaf: leaf}
	case b.beh.End == EndGoexit:
		j = Judgement{Whole: Final}
		cause = Cause{Goexit: true}
	default:
		j = b.beh.Tree.Judge(len(piece), m.Cfg.RetryIf)
		cause.Opaque = !b.beh.Tree.has(TreePlain) && !b.beh.Tree.has(TreeRefused)
	}
	if j.Items != nil {
		m.settlePartial(b, j)
		return
	}
	switch {
	case j.Whole == Good:
		for _, slot := range piece {
			m.settle(slot, Flushed, Cause{}, 0, 0)
		}
		m.pieceDone(b)
	case j.Whole == Again && b.attempt < m.Cfg.Attempts:
		m.pause(b, j.Pause)
	case len(piece) > 1 && (j.Whole == Split || j.Whole == Final && m.Cfg.Bisect):
		m.split(b)
	default:
		for _, slot := range piece {
			m.settle(slot, Failed, cause, b.attempt, len(piece))
		}
		m.gaveUp(b, len(piece))
		b.pieces[0] = nil
		if b.beh.Letter > 0 {
			b.phase, b.wake = letters, m.Now+b.beh.Letter
			return
		}
		m.pieceDone(b)
	}
}

// settlePartial decides item by item.
func (m *Model) settlePartial(b *BatchState, j Judgement) {
	var again []*Slot
	for i, slot := range b.pieces[0] {
		class := j.Items[i]
		if class == Again && b.attempt >= m.Cfg.Attempts {
			class = Final
		}
		switch class {
		case Good:
			m.settle(slot, Flushed, Cause{}, 0, 0)
		case Again:
			again = append(again, slot)
		default:
			leaf := Leaf{Lead: b.lead, Nth: b.nth, Index: i}
			m.settle(slot, Failed, Cause{Leaf: leaf}, b.attempt, 0)
			m.gaveUp(b, 1)
		}
	}
	b.pieces[0] = again
	if len(again) > 0 {
		m.pause(b, j.Pause)
		return
	}
	m.pieceDone(b)
}

func (m *Model) pause(b *BatchState, hint time.Duration) {
	wait := max(m.Cfg.Backoff*time.Duration(b.attempt), hint)
	m.Pauses = append(m.Pauses, Pause{At: m.Now, Wait: wait, Size: len(b.pieces[0])})
	if wait > 0 {
		b.phase, b.wake = pausing, m.Now+wait
		return
	}
	b.phase = pausing
	m.goOn(b)
}

func (m *Model) split(b *BatchState) {
	piece := b.pieces[0]
	half := (len(piece) + 1) / 2 // the larger half first; the contract is silent
	b.pieces = append([][]*Slot{piece[:half], piece[half:]}, b.pieces[1:]...)
	b.attempt = 1
	m.startAttempt(b)
}

// pieceDone goes on to the next piece, or ends the batch.
func (m *Model) pieceDone(b *BatchState) {
	b.pieces = b.pieces[1:]
	if len(b.pieces) > 0 {
		b.attempt = 1
		m.startAttempt(b)
		return
	}
	m.running = slices.DeleteFunc(m.running, func(r *BatchState) bool { return r == b })
	m.batchDone(b)
	m.dispatch()
	m.letIn()
	m.dispatch()
	m.checkDrained()
}

// Snapshot returns what Stats should say now.
func (m *Model) Snapshot() batcher.Stats {
	s := m.Stats
	s.QueueDepth, s.Running, s.Waiting, s.OldestAge = len(m.queue), len(m.running), 0, 0
	for _, o := range m.Ops {
		if o.waits {
			s.Waiting++
		}
	}
	for _, b := range m.held() {
		s.OldestAge = max(s.OldestAge, m.Now-b.First)
	}
	return s
}

// InLetter reports whether a dead letter handler is running.
func (m *Model) InLetter() bool {
	return slices.ContainsFunc(m.running, func(b *BatchState) bool { return b.phase == letters })
}

// Bound is the most items that may be held.
func (m *Model) Bound() int {
	return m.Cfg.MaxSize * (m.Cfg.Depth + m.Cfg.Workers)
}

// SlotString shows slots in failure reports.
func SlotString(slots []*Slot) string {
	var ids []int
	for _, s := range slots {
		ids = append(ids, s.Item)
	}
	return IDString(ids)
}
