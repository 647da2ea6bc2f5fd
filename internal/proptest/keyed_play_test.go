package proptest

// How a script with keys is played, and what is checked after each of its steps.

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
	"pgregory.net/rapid"
)

// runKeyed checks the property for scripts of one profile.
func runKeyed(t *testing.T, prof keyedProfile) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScript(rt, prof)
		if _, problem := s.play(t); problem != "" {
			rt.Fatal(problem)
		}
	})
}

// play plays the script in a bubble. It returns what was seen and what went wrong.
func (s *script) play(t *testing.T) (w *keyedWorld, problem string) {
	func() {
		defer func() {
			if p := recover(); p != nil { // leaked goroutines, by synctest
				problem += fmt.Sprintf("\nP13: %v\n", p)
			}
		}()
		synctest.Test(t, func(*testing.T) {
			w = newKeyedWorld(s.cfg)
			if problem = w.play(s); problem != "" {
				w.abandon()
			}
		})
	}()
	if problem != "" {
		problem += "\n\n" + s.String() + "\n" + w.dump()
	}
	return w, problem
}

// player plays a script.
type player struct {
	w    *keyedWorld
	last batcher.Stats
}

func (p *player) failf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

func (w *keyedWorld) play(s *script) (problem string) {
	p := &player{w: w}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			problem = r.msg
		default:
			problem = fmt.Sprintf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	if err := w.open(s.combined); err != nil {
		return err.Error()
	}
	for _, step := range s.steps {
		p.step(step)
	}
	p.end(s)
	return ""
}

// step takes a step, waits until nothing moves, and checks.
func (p *player) step(s keyedStep) {
	w := p.w
	switch s.kind {
	case stepCall:
		if w.cfg.Spaced {
			p.advance(time.Duration(s.op.ID)*1009 + 11)
		}
		p.call(s)
		return
	case stepRelease:
		if held := w.heldCalls(); len(held) > 0 {
			w.release(held[s.which%len(held)])
		}
	case stepCancel:
		if open := w.openOps(); len(open) > 0 {
			w.cut(open[s.which%len(open)])
		}
	case stepAdvance:
		p.advance(s.d)
	case stepNext, stepJustBefore:
		if at, ok := w.nextDue(); ok {
			p.advance(at - w.now() - time.Duration(s.kind-stepNext))
		}
	}
	p.settle()
}

// advance lets time pass, with a halt at all deadlines on the way.
func (p *player) advance(d time.Duration) {
	for end := p.w.now() + d; p.w.now() < end; {
		at, ok := p.w.nextDue()
		if !ok || at > end {
			at = end
		}
		time.Sleep(at - p.w.now())
		p.settle()
	}
}

// call starts a call, and checks whether it is refused with reason.
func (p *player) call(s keyedStep) {
	before := p.w.room(s.key)
	o := p.w.run(s)
	p.settle()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if !o.done || o.n > 1 || before.unknown {
		return
	}
	item := slices.IndexFunc(s.op.Items, func(it Item) bool { return p.w.items[it.ID].fate == fateDropped })
	full := errors.Is(o.err, batcher.ErrFull) || item >= 0
	if full && before.room && len(s.op.Items) == 1 && !p.w.combined {
		p.failf("P5: %v found no room (%v), though there was: %+v", o, o.err, before)
	}
}

// roomBefore is whether there is room for one item of a key.
type roomBefore struct {
	held, ofKey   int
	room, unknown bool
}

func (w *keyedWorld) room(key int) (r roomBefore) {
	s := w.front.stats()
	w.mu.Lock()
	defer w.mu.Unlock()
	r.held = int(s.Pending)
	for _, it := range w.items {
		if it.key == key && it.fate == fateOpen && !it.refused {
			r.ofKey++
			r.unknown = r.unknown || !it.accepted
		}
	}
	r.unknown = r.unknown || s.Waiting > 0
	r.room = r.held < w.cfg.MaxPending && (w.cfg.PerKey == 0 || r.ofKey < w.cfg.PerKey)
	return r
}

// settle waits until nothing moves, and checks all that must hold then.
func (p *player) settle() {
	synctest.Wait()
	w := p.w
	s := w.front.stats()
	w.mu.Lock()
	problems := w.problems
	for _, pair := range w.passed {
		if it := w.items[pair[0]]; it.fate != fateDropped {
			problems = append(problems, fmt.Sprintf("P2: item %d is flushed, and the older item %d of its key is left behind",
				pair[1], it.id))
		}
	}
	w.passed = nil
	problems = append(problems, w.checkBooksLocked(s, p.last)...)
	if w.gone < 0 {
		problems = append(problems, w.checkBarriersLocked(s)...)
	}
	gone := w.gone >= 0
	w.mu.Unlock()
	if !gone {
		problems = append(problems, w.front.check(s)...)
	}
	p.last = s
	if len(problems) > 0 {
		p.failf("at %v: %s\n%+v", w.now(), strings.Join(problems, "\n"), s)
	}
}

// checkBooksLocked compares Stats with the ledger.
func (w *keyedWorld) checkBooksLocked(s, last batcher.Stats) (bad []string) {
	badf := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	if !conserved(s) {
		badf("P1: the identity does not hold")
	}
	if s.Added < last.Added || s.Flushed < last.Flushed || s.Failed < last.Failed || s.Dropped < last.Dropped ||
		s.Returned < last.Returned || s.Folded < last.Folded || s.Merged < last.Merged || s.Retries < last.Retries {
		badf("a counter has decreased, from %+v", last)
	}
	accepted, maybe := int64(0), int64(0)
	for _, it := range w.items {
		switch {
		case it.accepted:
			accepted++
		case it.maybe():
			maybe++
		}
	}
	values := s.Added + s.Merged
	if values < accepted || values > accepted+maybe {
		badf("P1: %d items are accepted, perhaps %d more", accepted, maybe)
	}
	if s.Failed != w.entries[fateFailed] || s.Dropped != w.entries[fateDropped] {
		badf("P1: %d entries were dead letters, and %d drops", w.entries[fateFailed], w.entries[fateDropped])
	}
	if w.gone < 0 && (s.Flushed != w.entries[fateFlushed] || s.Returned != 0) {
		badf("P1: %d entries were flushed", w.entries[fateFlushed])
	}
	if w.gone >= 0 && s.Returned != w.entries[fateUnflushed]+w.entries[fateUnknown] {
		badf("P8: %d and %d entries were handed back", w.entries[fateUnflushed], w.entries[fateUnknown])
	}
	return bad
}

// checkBarriersLocked checks that Flush and Close have returned if they should have.
func (w *keyedWorld) checkBarriersLocked(s batcher.Stats) (bad []string) {
	if len(w.handlersLocked()) > 0 {
		return nil
	}
	for _, o := range w.ops {
		if o.done {
			continue
		}
		switch o.step.op.Kind {
		case OpClose:
			if s.Pending == 0 && s.Running == 0 {
				bad = append(bad, fmt.Sprintf("P8: %v has not returned, though nothing is left", o))
			}
		case OpFlush:
			if !w.heldUpLocked(o) {
				bad = append(bad, fmt.Sprintf("P7: %v has not returned, though its items are settled", o))
			}
		}
	}
	return bad
}

// heldUpLocked reports whether a Flush has something to wait for: an item of its own,
// or one that came into the same batch later.
func (w *keyedWorld) heldUpLocked(o *keyedOp) bool {
	batches := make(map[*keyedCall]bool)
	for _, it := range w.items {
		if !it.refused && it.began < o.began {
			if it.fate == fateOpen {
				return true
			}
			batches[it.first] = true
		}
	}
	for _, it := range w.items {
		if it.fate == fateOpen && it.first != nil && (batches[it.first] || w.combined && w.cfg.FoldBack) {
			return true
		}
	}
	return false
}

// end brings the script to one of its ends.
func (p *player) end(s *script) {
	w := p.w
	next := keyedStep{op: Op{ID: len(s.steps) + 1, Kind: OpClose}}
	switch s.end {
	case endGivingUp:
		next.op.Ended = true
	case endByFlush:
		next.op.Kind = OpFlush
	case endByTime:
		p.drain()
	}
	p.call(next)
	p.drain()
	if s.end == endByFlush && w.openStats() {
		p.failf("P7: the last Flush does not return")
	}
	p.final()
}

// openStats reports whether something is held or waits.
func (w *keyedWorld) openStats() bool {
	s := w.front.stats()
	return s.Pending > 0 || s.Running > 0 || s.Waiting > 0 || s.QueueDepth > 0
}

// drain releases all that is held and lets time pass, until nothing is open.
func (p *player) drain() {
	w := p.w
	w.mu.Lock()
	w.free = true
	w.mu.Unlock()
	for range 1000 {
		for _, c := range w.heldCalls() {
			w.release(c)
		}
		synctest.Wait()
		p.settle()
		if !w.busy() {
			return
		}
		time.Sleep(time.Minute)
		p.settle()
	}
	p.failf("P1: the batcher does not come to an end")
}

// busy reports whether anything is still to come.
func (w *keyedWorld) busy() bool {
	open := w.openStats() && !w.isGone()
	w.mu.Lock()
	defer w.mu.Unlock()
	running := slices.ContainsFunc(w.calls, func(c *keyedCall) bool { return c.end < 0 })
	waiting := slices.ContainsFunc(w.ops, func(o *keyedOp) bool { return !o.done })
	return open || running || waiting || len(w.handlersLocked()) > 0
}

// final checks the fates of all items.
func (p *player) final() {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range w.items {
		switch {
		case it.accepted && it.fate == fateOpen:
			p.failf("P1: item %d was accepted and has no fate", it.id)
		case it.refused && (it.fate != fateOpen || it.first != nil):
			p.failf("P1: item %d was refused and has fate %d", it.id, it.fate)
		}
		if it.answer != nil {
			p.checkAnswer(it, *it.answer)
		}
	}
	if len(w.problems) > 0 {
		p.failf("%s", strings.Join(w.problems, "\n"))
	}
}

// checkAnswer compares what a caller was told with what has become of the item.
func (p *player) checkAnswer(it *keyedItem, err error) {
	var fe *batcher.FlushError
	ok := true
	switch {
	case err == nil:
		ok = it.fate == fateFlushed
	case errors.As(err, &fe):
		ok = it.fate == fateFailed && fe.Attempts > 0 || it.fate == fateDropped && errors.Is(err, batcher.ErrDropped)
	case errors.Is(err, batcher.ErrClosed):
		ok = it.fate == fateUnflushed || it.fate == fateUnknown || it.fate == fateOpen
	}
	if !ok {
		p.failf("P1: item %d has fate %d, and its caller was told %v", it.id, it.fate, err)
	}
}
