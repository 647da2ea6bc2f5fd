package main

// The third step: the library's rules, event by event in virtual time.

import (
	"cmp"
	"container/heap"
	"errors"
	"math"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// settings are what the library is told; see its options of these names.
type settings struct {
	size     int
	delay    time.Duration
	workers  int
	queue    int
	eager    bool
	overflow batcher.Overflow
	patience time.Duration // how long the context of an Add lives; 0: for ever
}

// item is what has become of one item. All times count from the start.
type item struct {
	at    time.Duration // Add is called
	in    time.Duration // Add returns: it is accepted, or has run out of patience
	batch int32         // its batch in simulation.batches, or one of the fates below
}

// What becomes of an item that gets into no batch.
const (
	waits   = -1 - iota // it is in line for room
	refused             // ErrFull, or the context ended before there was room
	dropped             // under DropNewest
)

// batch is one batch.
type batch struct {
	size   int
	reason batcher.Reason
	first  time.Duration // its first item was accepted
	sealed time.Duration
	begin  time.Duration // of its flush
	end    time.Duration

	queued  bool // it is in the queue, or was
	dropped bool // under DropOldest: it has no begin
}

// simulation is one run. It knows no more of the library than docs/design.md says:
//
//   - a batch is sealed when it is full; it is due delay after its first item, or with that item if
//     eager; a due batch is queued and goes on filling until a worker takes it;
//   - a batch is opened while queued + running < queue + workers;
//   - without room, an item waits in line, is refused or dropped, or drops the oldest queued batch;
//   - when a flush ends, those in line are let in first, in their order, before the worker takes its
//     next batch.
//
// Each item comes with a goroutine of its own, so an item that waits holds up no other. With fewer
// producers, items would wait before Add instead of in it, and just as long.
//
// At one and the same instant, flushes end first, then delays, then patience; items come last. The
// library has no such order: there the scheduler decides. ties counts these cases.
type simulation struct {
	settings
	sink *sink

	now     time.Duration
	items   []item
	next    int      // the first item that has not come yet
	batches []*batch // in the order in which they were opened, which is that of their flushes
	open    int      // the filling batch, none if negative
	queue   fifo     // of batches; the last one may still be filling
	running endings
	line    fifo // of items that wait for room

	held     int // items accepted and not written yet
	mostHeld int
	mostLine int
	most     int // batches at once: queued, running or filling
	ties     int
}

// none is no batch.
const none = -1

// never is later than everything; horizon is as long as a run may take.
const (
	never   = time.Duration(math.MaxInt64)
	horizon = 10 * 365 * 24 * time.Hour
)

var errForEver = errors.New("writing it all would take more than ten years")

// simulate runs until everything is written. The arrivals are in ascending order.
func simulate(set settings, s *sink, arrivals []time.Duration) (*simulation, error) {
	sim := &simulation{settings: set, sink: s, now: -1, open: none, items: make([]item, len(arrivals))}
	for i, at := range arrivals {
		sim.items[i] = item{at: at, batch: waits}
	}
	for {
		what, at := sim.nextEvent()
		if at == never {
			return sim, nil
		}
		if at > horizon {
			return nil, errForEver
		}
		if at == sim.now {
			sim.ties++
		}
		sim.now = at
		sim.happens(what)
		sim.dispatch()
	}
}

// event is one of the things that happen, in the order in which they do at one instant.
type event int

const (
	flushEnds event = iota
	delayEnds
	patienceEnds
	itemComes
)

// nextEvent returns what happens next, and when: never if nothing does.
func (s *simulation) nextEvent() (what event, at time.Duration) {
	at = never
	for e, t := range [...]time.Duration{
		flushEnds: s.nextEnd(), delayEnds: s.nextDue(), patienceEnds: s.nextImpatient(), itemComes: s.nextArrival(),
	} {
		if t < at {
			what, at = event(e), t
		}
	}
	return what, at
}

// happens lets it happen.
func (s *simulation) happens(what event) {
	switch what {
	case flushEnds:
		s.endFlush()
	case delayEnds:
		s.due(batcher.ReasonDelay)
	case patienceEnds:
		s.turnAway()
	case itemComes:
		s.arrive()
	}
}

func (s *simulation) nextEnd() time.Duration {
	if len(s.running) == 0 {
		return never
	}
	return s.running[0].at
}

func (s *simulation) nextDue() time.Duration {
	if s.open == none || s.batches[s.open].queued {
		return never
	}
	return s.batches[s.open].first + s.delay
}

// nextImpatient goes by the first in line: all have the same patience.
func (s *simulation) nextImpatient() time.Duration {
	if s.line.len() == 0 || s.patience == 0 {
		return never
	}
	return s.items[s.line.front()].at + s.patience
}

func (s *simulation) nextArrival() time.Duration {
	if s.next == len(s.items) {
		return never
	}
	return s.items[s.next].at
}

// arrive is an Add. While others are in line there is neither a filling batch nor room: admit has let in
// all that fit. So nobody can pass them.
func (s *simulation) arrive() {
	i := s.next
	s.next++
	if s.open == none && !s.room() {
		s.overflows(i)
	} else {
		s.accept(i)
	}
}

// room reports whether a batch may be opened.
func (s *simulation) room() bool { return s.queue.len()+len(s.running) < s.settings.queue+s.workers }

// accept puts an item into the filling batch, or into a new one, for which there is room.
func (s *simulation) accept(i int) {
	if s.open == none {
		s.open = len(s.batches)
		s.batches = append(s.batches, &batch{first: s.now})
		s.most = max(s.most, s.queue.len()+len(s.running)+1)
	}
	b := s.batches[s.open]
	s.items[i].in, s.items[i].batch = s.now, int32(s.open)
	b.size++
	s.held++
	s.mostHeld = max(s.mostHeld, s.held)
	switch {
	case b.size == s.size:
		s.seal(batcher.ReasonSize)
	case b.size == 1 && s.eager:
		s.due(batcher.ReasonEager)
	}
}

// due queues the filling batch, which goes on filling.
func (s *simulation) due(r batcher.Reason) {
	b := s.batches[s.open]
	b.queued, b.reason = true, r
	s.queue.push(s.open)
}

// seal ends the filling of the open batch.
func (s *simulation) seal(r batcher.Reason) {
	b := s.batches[s.open]
	b.sealed, b.reason = s.now, r
	if !b.queued {
		b.queued = true
		s.queue.push(s.open)
	}
	s.open = none
}

// dispatch lets idle workers take what is queued.
func (s *simulation) dispatch() {
	for len(s.running) < s.workers && s.queue.len() > 0 {
		n := s.queue.pop()
		b := s.batches[n]
		if n == s.open {
			b.sealed, s.open = s.now, none
		}
		b.begin = s.now
		b.end = s.now + s.sink.time(s.now, b.size)
		heap.Push(&s.running, ending{b.end, n})
	}
}

// endFlush ends the flush that is over first. Its items are written, and its place is free.
func (s *simulation) endFlush() {
	e := heap.Pop(&s.running).(ending)
	s.held -= s.batches[e.batch].size
	s.admit()
}

// ending is when a batch will be written.
type ending struct {
	at    time.Duration
	batch int
}

// endings is a heap of those that are being written.
type endings []ending

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (e endings) Len() int { return len(e) }
func (e endings) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(e[i].at, e[j].at), cmp.Compare(e[i].batch, e[j].batch)) < 0
}
func (e endings) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)   { *e = append(*e, x.(ending)) }
func (e *endings) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
