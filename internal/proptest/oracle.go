package proptest

// The model: what the batcher holds, and how items get in.

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// Model is the batcher as a simulation.
type Model struct {
	Cfg   Config
	Plans Plans
	Now   time.Duration

	Items   map[int]*ItemState
	Ops     []*OpState
	Calls   []Call
	Inners  []Inner
	Pauses  []Pause
	Weak    string // why exact prediction has ended, if it has
	Stats   batcher.Stats
	Gone    bool // a Close gave up
	Drained bool

	Unflushed, Unknown []*Slot // what that Close handed back
	Lenient            bool    // an item may be in either list

	// Observed tells what the batcher really did where the contract leaves a
	// choice; the model then checks that the choice was allowed.
	ObservedCall   func(nth int) []int                      // the items of the nth call, nil if there was none
	ObservedReturn func(op int) (at time.Duration, ok bool) // when a call returned

	seq     int
	step    int // counts what the script does and what time brings
	open    *BatchState
	queue   []*BatchState // the last one may still be open
	running []*BatchState
	closed  bool
}

// NewModel returns the model of a fresh batcher.
func NewModel(cfg Config, plans Plans) *Model {
	return &Model{Cfg: cfg, Plans: plans, Items: make(map[int]*ItemState)}
}

// weaken ends exact prediction.
func (m *Model) weaken(format string, args ...any) {
	if m.Weak == "" {
		m.Weak = fmt.Sprintf(format, args...)
	}
}

// Start performs the first part of a call: all that happens before it waits.
func (m *Model) Start(op Op) {
	m.step++
	o := &OpState{Op: op}
	m.Ops = append(m.Ops, o)
	switch op.Kind {
	case OpFlush:
		m.startFlush(o)
	case OpClose:
		m.startClose(o)
	default:
		o.rest = slices.Clone(op.Items)
		if m.closed {
			m.finish(o, AnsClosed)
		} else if op.Ended {
			m.finish(o, AnsCause)
		} else {
			m.intake(o)
		}
	}
}

// finish ends a call.
func (m *Model) finish(o *OpState, answer Answer) {
	o.Done, o.DoneAt, o.Want, o.waits = true, m.Now, answer, false
}

// room reports whether a batch may be opened.
func (m *Model) room() bool {
	return len(m.queue)+len(m.running) < m.Cfg.Depth+m.Cfg.Workers
}

// intake accepts as much of a call's items as it can now.
func (m *Model) intake(o *OpState) {
	o.waits = false
	if len(o.rest) > 1 && m.Cfg.Eager && m.Cfg.MaxWeight > 0 && len(m.running) < m.Cfg.Workers {
		m.weaken("weighed items are added one by one while a worker is idle")
	}
	for len(o.rest) > 0 {
		if stop, answer := m.intakeOne(o); stop {
			m.finish(o, answer)
			return
		}
		if o.waits {
			return
		}
	}
	m.endChunk()
	if o.Kind == OpAddWait && m.Items[o.Items[0].ID].Fate == Open {
		o.fate = o.Items[0].ID
		return
	}
	if o.Kind == OpAddWait {
		m.finish(o, AnsFate)
		return
	}
	m.finish(o, AnsNil)
}

// endChunk is where a producer lets go of the lock: an eager batch is due.
func (m *Model) endChunk() {
	if m.Cfg.Eager && m.open != nil {
		m.markDue(batcher.ReasonEager)
	}
}

// intakeOne accepts the next item, or says why not, or leaves o waiting.
func (m *Model) intakeOne(o *OpState) (stop bool, answer Answer) {
	item := o.rest[0]
	if m.Cfg.MaxWeight > 0 {
		switch {
		case item.Weight < 0:
			m.endChunk()
			return true, AnsNegative
		case item.Weight > m.Cfg.MaxWeight:
			m.endChunk()
			return true, AnsTooHeavy
		}
	}
	if m.open != nil && m.Cfg.MaxWeight > 0 && m.open.Weight+item.Weight > m.Cfg.MaxWeight {
		if m.Cfg.Eager && !m.open.Due {
			m.open.Also = batcher.ReasonEager
		}
		m.seal(batcher.ReasonWeight)
	}
	if m.open == nil && !m.room() {
		switch {
		case m.Cfg.Overflow == batcher.Block && o.Kind == OpTryAdd, m.Cfg.Overflow == batcher.Reject:
			return true, AnsFull
		case m.Cfg.Overflow == batcher.Block:
			o.waits = true
			return false, 0
		case m.Cfg.Overflow == batcher.DropOldest && len(m.queue) > 0:
			m.dropBatch()
			return false, 0
		default:
			m.acceptDropped(item)
		}
	} else {
		m.accept(&Slot{Item: item.ID}, item)
	}
	o.rest = o.rest[1:]
	o.N++
	return false, 0
}

// accept puts an item into the open batch, which has room for it or is opened.
func (m *Model) accept(slot *Slot, item Item) {
	if item.ID != 0 {
		m.Items[item.ID] = &ItemState{Item: item}
	}
	m.Stats.Added++
	m.Stats.Pending++
	if m.open == nil {
		m.seq++
		m.open = &BatchState{Seq: m.seq, First: m.Now}
	}
	m.open.Slots = append(m.open.Slots, slot)
	m.open.Weight += m.weigh(item)
	switch {
	case len(m.open.Slots) == m.Cfg.MaxSize:
		if m.Cfg.MaxWeight > 0 && m.open.Weight >= m.Cfg.MaxWeight {
			m.open.Also = batcher.ReasonWeight
		}
		m.seal(batcher.ReasonSize)
	case m.Cfg.MaxWeight > 0 && m.open.Weight >= m.Cfg.MaxWeight:
		m.seal(batcher.ReasonWeight)
	}
}

func (m *Model) weigh(item Item) int {
	if m.Cfg.MaxWeight == 0 {
		return 0
	}
	return item.Weight
}

// acceptDropped accounts for an item that is accepted and dropped.
func (m *Model) acceptDropped(item Item) {
	m.Items[item.ID] = &ItemState{Item: item}
	m.Stats.Added++
	m.Stats.Pending++
	m.settle(&Slot{Item: item.ID}, Dropped, Cause{Dropped: true}, 0, 0)
}

// dropBatch drops the oldest batch that waits for a worker.
func (m *Model) dropBatch() {
	b := m.queue[0]
	m.queue = m.queue[1:]
	for _, r := range m.running {
		if r.taken == m.step {
			m.weaken("a batch is dropped while a worker takes another")
		}
	}
	if b == m.open {
		m.weaken("an open batch is dropped")
		m.open = nil
	}
	for _, slot := range b.Slots {
		m.Items[slot.Item].In = b
		m.settle(slot, Dropped, Cause{Dropped: true}, 0, len(b.Slots))
	}
	m.gaveUp(b, len(b.Slots))
	m.batchDone(b)
}

// markDue queues the open batch, which keeps filling until a worker takes it.
func (m *Model) markDue(reason batcher.Reason) {
	if m.open == nil || m.open.Due {
		return
	}
	m.open.Due, m.open.Reason = true, reason
	m.queue = append(m.queue, m.open)
	m.dispatch()
}

// seal ends the filling of the open batch.
func (m *Model) seal(reason batcher.Reason) {
	b := m.open
	m.open = nil
	b.Reason, b.Sealed = reason, m.Now
	m.Stats.Batches[reason]++
	if !b.Due {
		b.Due = true
		m.queue = append(m.queue, b)
	}
	m.dispatch()
}

// dispatch gives queued batches to idle workers.
func (m *Model) dispatch() {
	for len(m.queue) > 0 && len(m.running) < m.Cfg.Workers {
		b := m.queue[0]
		if b == m.open {
			m.seal(b.Reason)
			return
		}
		m.queue = m.queue[1:]
		m.running = append(m.running, b)
		b.taken, b.pieces = m.step, [][]*Slot{b.Slots}
		b.attempt = 1
		m.startAttempt(b)
	}
}

// Lost is called when the model finds a broken promise by itself.
func (m *Model) Lost(problem string) { panic(modelError(problem)) }

type modelError string

// settle records the fate of an item.
func (m *Model) settle(slot *Slot, fate Fate, cause Cause, attempts, group int) {
	m.Stats.Pending--
	switch fate {
	case Flushed:
		m.Stats.Flushed++
	case Failed:
		m.Stats.Failed++
	case Dropped:
		m.Stats.Dropped++
	case Returned:
		m.Stats.Returned++
	}
	if slot.Item == 0 { // handed back by Close before a call has shown it
		for _, id := range slot.Group.Left {
			m.Items[id].Fate, m.Items[id].At = fate, m.Now
		}
		return
	}
	it := m.Items[slot.Item]
	it.Fate, it.At, it.Cause, it.Attempts, it.Group = fate, m.Now, cause, attempts, group
	for _, o := range m.Ops {
		if o.fate == slot.Item && !o.Done {
			m.finish(o, AnsFate)
		}
	}
}

// held returns all batches that are not finished.
func (m *Model) held() []*BatchState {
	all := append(slices.Clone(m.running), m.queue...)
	if m.open != nil && !m.open.Due {
		all = append(all, m.open)
	}
	return all
}

// never is later than everything.
const never = time.Duration(math.MaxInt64)
