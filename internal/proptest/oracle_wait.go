package proptest

// The model: calls that wait, and Close.

import (
	"slices"

	"github.com/seed-4c1eaf8a/batcher"
)

// letIn lets waiting producers go on after room was freed.
func (m *Model) letIn() {
	var waiting []*OpState
	for _, o := range m.Ops {
		if o.waits {
			waiting = append(waiting, o)
		}
	}
	if len(waiting) == 0 || (m.open == nil && !m.room()) {
		return
	}
	if len(waiting) == 1 {
		m.intake(waiting[0])
		return
	}
	m.letInGroup(waiting)
}

// letInGroup lets in as many of several waiting producers as there is room
// for. Which ones is the batcher's choice; how many is not.
func (m *Model) letInGroup(waiting []*OpState) {
	if m.Cfg.MaxWeight > 0 || m.Cfg.Workers > 1 {
		m.weaken("several producers wait, with weights or workers")
		return
	}
	group := &Group{}
	var let []*OpState
	for _, o := range waiting {
		if o.Kind != OpAdd && o.Kind != OpSubmit {
			m.weaken("several producers wait, not all with one item")
			return
		}
		if at, ok := m.ObservedReturn(o.ID); ok && at == m.Now {
			let = append(let, o)
		}
	}
	for m.open != nil || m.room() {
		if len(group.Left) == len(waiting) {
			break
		}
		if len(group.Left) == len(let) {
			m.weaken("P5: %d producers wait, %d were let in at %v though there is room for more", len(waiting), len(let), m.Now)
			m.Lost(m.Weak)
			return
		}
		o := let[len(group.Left)]
		group.Left = append(group.Left, o.Items[0].ID)
		m.Items[o.Items[0].ID] = &ItemState{Item: o.Items[0]}
		m.accept(&Slot{Group: group}, Item{})
		o.N++
		m.finish(o, AnsNil)
	}
	m.endChunk()
}

// gaveUp tells the Flush calls concerned that items of b were given up.
func (m *Model) gaveUp(b *BatchState, n int) {
	for _, o := range m.Ops {
		if !o.Done && o.waitsFor[b] {
			o.Gave += n
		}
	}
}

// batchDone is called when a batch has ended, dead letter handlers included.
func (m *Model) batchDone(b *BatchState) {
	for _, o := range m.Ops {
		if o.Done || !o.waitsFor[b] {
			continue
		}
		delete(o.waitsFor, b)
		if o.Kind == OpFlush && len(o.waitsFor) == 0 {
			if o.Gave > 0 {
				m.finish(o, AnsFailures)
			} else {
				m.finish(o, AnsNil)
			}
		}
	}
}

func (m *Model) startFlush(o *OpState) {
	if m.closed {
		m.finish(o, AnsClosed)
		return
	}
	o.waitsFor = make(map[*BatchState]bool)
	for _, b := range m.held() {
		o.waitsFor[b] = true
	}
	if len(o.waitsFor) == 0 {
		m.finish(o, AnsNil)
		return
	}
	m.markDue(batcher.ReasonFlush)
	if o.Ended {
		m.finish(o, AnsCause)
	}
}

func (m *Model) startClose(o *OpState) {
	switch {
	case m.Gone:
		m.finish(o, AnsCloseErr)
		return
	case m.Drained:
		m.finish(o, AnsNil)
		return
	}
	m.closed = true
	for _, w := range m.Ops {
		if w.waits {
			m.finish(w, AnsClosed)
		}
	}
	if o.Ended && len(m.held()) > 0 {
		m.giveUp()
		return
	}
	if m.open != nil {
		m.seal(batcher.ReasonClose)
	}
	m.checkDrained()
}

// checkDrained ends the Close calls if nothing is left.
func (m *Model) checkDrained() {
	if !m.closed || m.Gone || m.open != nil || len(m.queue)+len(m.running) > 0 {
		return
	}
	m.Drained = true
	for _, o := range m.Ops {
		if o.Kind == OpClose && !o.Done {
			m.finish(o, AnsNil)
		}
	}
}

// giveUp is what a Close does whose context has ended.
func (m *Model) giveUp() {
	m.Gone = true
	slices.SortFunc(m.running, func(a, b *BatchState) int { return a.Seq - b.Seq })
	for _, b := range m.running {
		for _, piece := range b.pieces {
			m.Unknown = append(m.Unknown, piece...)
		}
	}
	if len(m.running) < m.Cfg.Workers {
		m.Lenient = true // a worker may be about to begin
	}
	for _, b := range m.held() {
		if len(b.pieces) == 0 && b.phase == idle {
			m.Unflushed = append(m.Unflushed, b.Slots...)
		}
	}
	for _, slot := range slices.Concat(m.Unknown, m.Unflushed) {
		m.settle(slot, Returned, Cause{}, 0, 0)
	}
	m.open, m.queue, m.running = nil, nil, nil
	for _, o := range m.Ops {
		if o.Done {
			continue
		}
		switch o.Kind {
		case OpClose:
			m.finish(o, AnsCloseErr)
		case OpFlush:
			m.finish(o, AnsAny)
		}
	}
}

// CtxEnds ends the context of a call.
func (m *Model) CtxEnds(id int) {
	for _, o := range m.Ops {
		if o.ID != id || o.Done {
			continue
		}
		if o.Kind == OpClose {
			m.giveUp()
		} else {
			m.finish(o, AnsCause)
		}
	}
}
