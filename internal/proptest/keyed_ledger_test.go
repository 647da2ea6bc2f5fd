package proptest

// The fates of items in scripts with keys: what dead letters and Close say of them.

import (
	"errors"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// decideLocked enters an item's fate.
func (w *keyedWorld) decideLocked(id int, f fate) {
	it := w.items[id]
	switch {
	case it == nil:
		w.problemLocked("P10: fate %d of an item that nobody added: %d", f, id)
		return
	case it.fate != fateOpen:
		w.problemLocked("P1: item %d has fate %d, and now %d", id, it.fate, f)
	case it.refused:
		w.problemLocked("P1: item %d was refused, and now has fate %d", id, f)
	case (f == fateDropped && !w.cfg.FoldBack || f == fateUnflushed) && it.first != nil:
		w.problemLocked("P8: item %d was passed to the flush function, and now has fate %d", id, f)
	}
	it.fate, it.decided = f, w.tickLocked()
}

// bury notes a dead letter of one entry for each group.
func (w *keyedWorld) bury(groups []group, attempts int, err error) {
	if !conserved(w.front.stats()) { // and no lock may be held here
		w.problem("P1: the identity does not hold in a dead letter handler")
	}
	took := w.buried(groups, attempts, err)
	time.Sleep(took)
	w.mu.Lock()
	defer w.mu.Unlock()
	if attempts > 0 {
		for _, g := range groups {
			w.handling[g.key]--
		}
	}
}

// buried returns how long the handler takes.
func (w *keyedWorld) buried(groups []group, attempts int, err error) (took time.Duration) {
	f := fateFailed
	if errors.Is(err, batcher.ErrDropped) {
		f = fateDropped
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if (attempts == 0) != (f == fateDropped) || f == fateDropped && w.cfg.Overflow < batcher.DropNewest {
		w.problemLocked("a dead letter of %v after %d attempts: %v", groups, attempts, err)
	}
	for _, g := range groups {
		if attempts > 0 { // a drop is handled on the producer's goroutine, beside the flushes of the key
			w.handling[g.key]++
		}
		w.entries[f]++
		for _, id := range g.items {
			w.decideLocked(id, f)
			if it := w.items[id]; it != nil && it.key != g.key {
				w.problemLocked("item %d of key %d is in a dead letter of key %d", id, it.key, g.key)
			}
			if f == fateFailed && !w.free {
				took = max(took, w.letterAt[id])
			}
		}
	}
	return took
}

// handBack notes what a Close that gave up has handed back. All Close calls share it.
func (w *keyedWorld) handBack(unflushed, unknown []group) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone >= 0 {
		return
	}
	w.gone = w.now()
	for f, groups := range map[fate][]group{fateUnflushed: unflushed, fateUnknown: unknown} {
		for _, g := range groups {
			w.entries[f]++
			for _, id := range g.items {
				w.decideLocked(id, f)
				if it := w.items[id]; it != nil && it.key != g.key {
					w.problemLocked("item %d of key %d is handed back as one of key %d", id, it.key, g.key)
				}
			}
		}
	}
}

// conserved reports whether the identity of Stats holds.
func conserved(s batcher.Stats) bool {
	return s.Added == s.Flushed+s.Failed+s.Dropped+s.Returned+s.Folded+s.Pending && s.Pending >= 0
}
