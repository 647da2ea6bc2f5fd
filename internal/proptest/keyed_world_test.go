package proptest

// A batcher with keys under a script: its flush function and its dead letter handler,
// and the ledger of all items, which both front ends share.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// fate is what became of an item.
type fate int

const (
	fateOpen fate = iota
	fateFlushed
	fateFailed
	fateDropped
	fateUnflushed
	fateUnknown
)

// keyedItem is an item's page in the ledger.
type keyedItem struct {
	id, key, weight int
	op              *keyedOp      // the call that brings it; nil for one from inside a flush
	began, ended    int           // logical clock: when its call began, and when it was known to be accepted
	at              time.Duration // when it was known to be accepted
	accepted        bool
	refused         bool
	fate            fate
	decided         int        // logical clock
	first, last     *keyedCall // that it was seen in
	group           []int      // with what it was combined last
	answer          *error     // what its receipt said
}

// maybe reports whether it may have been accepted, though the call has not said so.
func (it *keyedItem) maybe() bool { return !it.accepted && !it.refused }

// group is what a call is given of one key.
type group struct {
	key   int
	items []int
}

// keyedCall is a call of the flush function.
type keyedCall struct {
	at, end  time.Duration // end is -1 while it runs
	groups   []group
	info     batcher.Info
	lead     int // the lowest item
	nth      int // how many calls the lead has led before
	gate     chan struct{}
	ready    bool // it waits at the gate
	released bool
}

func (c *keyedCall) String() string {
	return fmt.Sprintf("%v: %v, attempt %d, %v", c.at, c.groups, c.info.Attempt, c.info.Reason)
}

// items returns the items of all groups.
func (c *keyedCall) items() (all []int) {
	for _, g := range c.groups {
		all = append(all, g.items...)
	}
	return all
}

// keyedOp is a call by the script.
type keyedOp struct {
	step   keyedStep
	began  int
	at     time.Duration
	cause  error
	cancel context.CancelCauseFunc
	cut    bool // the script has ended its context
	done   bool
	n      int
	err    error
}

func (o *keyedOp) String() string { return fmt.Sprintf("%v key %d", o.step.op, o.step.key) }

// frontEnd is the batcher behind the methods that scripts use. A flush of it calls
// enter, act and leave of its world.
type frontEnd interface {
	call(ctx context.Context, step keyedStep) (n int, err error)
	stats() batcher.Stats
	// check returns what is wrong while nothing moves.
	check(s batcher.Stats) []string
}

// keyedWorld is a batcher with keys, and all that was seen of it.
type keyedWorld struct {
	cfg      keyedConfig
	combined bool
	front    frontEnd
	start    time.Time

	mu       sync.Mutex // guards the fields below
	plans    Plans
	led      map[int]int
	items    map[int]*keyedItem
	next     int // number of the next item that comes from inside a flush
	ops      []*keyedOp
	calls    []*keyedCall
	handling map[int]int // dead letter handlers of failed batches that run, by key
	letterAt map[int]time.Duration
	entries  [fateUnknown + 1]int64 // entries that have met their fates
	clock    int
	gone     time.Duration // when a Close gave up, -1 before
	closed   bool
	free     bool     // holds do not hold any more
	passed   [][2]int // items that were open when a newer one of their key was flushed
	problems []string
}

func newKeyedWorld(cfg keyedConfig) *keyedWorld {
	return &keyedWorld{
		cfg: cfg, start: time.Now(), plans: make(Plans), led: make(map[int]int), items: make(map[int]*keyedItem),
		next: 1_000_000, handling: make(map[int]int), letterAt: make(map[int]time.Duration), gone: -1,
	}
}

func (w *keyedWorld) now() time.Duration { return time.Since(w.start) }

func (w *keyedWorld) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problemLocked(format, args...)
}

func (w *keyedWorld) problemLocked(format string, args ...any) {
	if len(w.problems) < 10 {
		w.problems = append(w.problems, fmt.Sprintf(format, args...))
	}
}

func (w *keyedWorld) tickLocked() int {
	w.clock++
	return w.clock
}

// enter checks a call and notes it.
func (w *keyedWorld) enter(ctx context.Context, groups []group) (*keyedCall, Behaviour) {
	call := &keyedCall{at: w.now(), end: -1, groups: groups, lead: groups[0].items[0]}
	for _, g := range groups {
		call.lead = min(call.lead, slices.Min(g.items))
	}
	s := w.front.stats()
	w.mu.Lock()
	defer w.mu.Unlock()
	var ok bool
	if call.info, ok = batcher.InfoFrom(ctx); !ok {
		w.problemLocked("InfoFrom finds nothing")
	}
	if w.gone >= 0 && call.at > w.gone {
		w.problemLocked("P8: a flush began at %v, after Close gave up at %v", call.at, w.gone)
	}
	if !conserved(s) {
		w.problemLocked("P1: the identity does not hold: %+v", s)
	}
	for _, g := range groups {
		w.checkGroupLocked(call, g)
	}
	for _, g := range groups { // after all were checked as they were before
		w.noteLocked(call, g)
	}
	call.nth = w.led[call.lead]
	w.led[call.lead]++
	beh := w.plans.Get(call.lead, call.nth)
	if beh.Hold && !w.free {
		call.gate = make(chan struct{})
	}
	w.calls = append(w.calls, call)
	w.checkWorkersLocked()
	return call, beh
}

// checkGroupLocked checks what a flush function may be given of a key.
func (w *keyedWorld) checkGroupLocked(call *keyedCall, g group) {
	for i, id := range g.items {
		it := w.items[id]
		switch {
		case it == nil:
			w.problemLocked("P10: an item that nobody added: %d", id)
			return
		case it.key != g.key:
			w.problemLocked("item %d of key %d is in a batch of key %d", id, it.key, g.key)
		case it.refused:
			w.problemLocked("P1: item %d was refused, and is flushed", id)
		case it.fate != fateOpen && w.gone < 0:
			w.problemLocked("P1: item %d has fate %d, and is flushed again", id, it.fate)
		case it.last != nil && it.last.end < 0:
			w.problemLocked("P1: item %d is in two calls at a time", id)
		case slices.Contains(g.items[:i], id):
			w.problemLocked("P1: item %d is twice in a batch", id)
		}
		for _, later := range g.items[i+1:] {
			if l := w.items[later]; l != nil && l.before(it) && !w.looseLocked() {
				w.problemLocked("P2: item %d comes before %d in %v", id, later, g)
			}
		}
	}
	w.checkTurnLocked(g)
}

// looseLocked reports whether what is folded back by one worker may pass what another has.
func (w *keyedWorld) looseLocked() bool { return w.cfg.FoldBack && w.cfg.Workers > 1 }

// before reports whether an item is known to have been accepted before another.
func (it *keyedItem) before(other *keyedItem) bool {
	if it.op != nil && it.op == other.op {
		return it.id < other.id
	}
	return it.accepted && it.ended < other.began
}

// checkTurnLocked notes which older items of the key are left behind. They must have
// been dropped just now: the dead letter handler has not heard of it yet.
func (w *keyedWorld) checkTurnLocked(g group) {
	if w.combined && w.cfg.Workers > 1 || w.gone >= 0 {
		return
	}
	for _, it := range w.items {
		if it.key != g.key || it.fate != fateOpen || it.refused || slices.Contains(g.items, it.id) {
			continue
		}
		for _, id := range g.items {
			if newer := w.items[id]; newer.first == nil && it.before(newer) {
				w.passed = append(w.passed, [2]int{it.id, id})
			}
		}
	}
}

// noteLocked notes that the items of a group were seen.
func (w *keyedWorld) noteLocked(call *keyedCall, g group) {
	for _, id := range g.items {
		it := w.items[id]
		if it == nil {
			continue
		}
		if it.first == nil {
			it.first = call
		}
		it.last, it.group = call, g.items
	}
}

// act is what a flush does between enter and leave.
func (w *keyedWorld) act(ctx context.Context, call *keyedCall, beh Behaviour) error {
	none := &world{}
	_ = none.wait(ctx, beh.Honour, beh.Delay, nil)
	w.callBack(ctx, call, beh)
	w.mu.Lock()
	call.ready = call.gate != nil
	w.mu.Unlock()
	return none.wait(ctx, beh.Honour, beh.Work, call.gate)
}

// callBack makes the inner call of a behaviour.
func (w *keyedWorld) callBack(ctx context.Context, call *keyedCall, beh Behaviour) {
	step := keyedStep{key: call.groups[0].key}
	switch beh.Inner {
	case InnerAdd:
		step.op.Kind = OpAdd
	case InnerTryAdd:
		step.op.Kind = OpTryAdd
	case InnerForbidden:
		for _, kind := range []OpKind{OpFlush, OpClose} {
			step.op.Kind = kind
			_, err := w.front.call(ctx, step)
			if !errors.Is(err, batcher.ErrReentrant) && !errors.Is(err, batcher.ErrClosed) && !w.isGone() {
				w.problem("P11: method %d inside a flush: %v", kind, err)
			}
		}
		return
	default:
		return
	}
	w.mu.Lock()
	w.next++
	it := &keyedItem{id: w.next, key: step.key, began: w.tickLocked()}
	w.items[it.id] = it
	w.mu.Unlock()
	step.op.Items = []Item{{ID: it.id}}
	n, err := w.front.call(ctx, step)
	w.mu.Lock()
	defer w.mu.Unlock()
	it.accepted, it.refused = n == 1, n == 0
	it.ended, it.at = w.tickLocked(), w.now()
	known := errors.Is(err, batcher.ErrReentrant) || errors.Is(err, batcher.ErrFull) || errors.Is(err, batcher.ErrClosed)
	if err != nil && !known && ctx.Err() == nil {
		w.problemLocked("P11: method %d inside a flush: %v", step.op.Kind, err)
	}
}

func (w *keyedWorld) isGone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gone >= 0
}

// leave notes the result of a call and returns it, in whatever way. What fails in part
// is a matter of entries, of which there are n; settle is called for each flushed one.
func (w *keyedWorld) leave(
	call *keyedCall, beh Behaviour, ended error, n int, settleLocked func(entry int),
	partial func(map[int]error) error,
) error {
	w.mu.Lock()
	call.end = w.now()
	if ended == nil && beh.End == EndReturn && w.gone < 0 {
		j := beh.Tree.Judge(n, w.cfg.RetryIf)
		for i := range n {
			if j.Items == nil && j.Whole == Good || j.Items != nil && j.Items[i] == Good {
				settleLocked(i)
				w.entries[fateFlushed]++
			}
		}
	}
	w.letterAt[call.lead] = beh.Letter
	w.mu.Unlock()
	leaf := Leaf{Lead: call.lead, Nth: call.nth, Index: -1}
	switch {
	case ended != nil:
		return fmt.Errorf("flush: %w", errors.Join(ended, leaf))
	case beh.End == EndPanic:
		panic(leaf)
	case beh.End == EndGoexit:
		runtime.Goexit()
	}
	return beh.Tree.BuildWith(n, leaf, partial)
}
