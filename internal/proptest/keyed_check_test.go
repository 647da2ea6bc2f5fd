package proptest

// What must hold for both front ends with keys when a flush begins, and while nothing moves.

import (
	"fmt"
	"slices"

	"github.com/seed-4c1eaf8a/batcher"
)

// checkFreshLocked checks the first call of a batch: why it was sealed, when, and whether
// it took all that it could.
func (w *keyedWorld) checkFreshLocked(call *keyedCall, full bool) {
	items, info := call.items(), call.info
	if slices.ContainsFunc(items, func(id int) bool { return w.items[id].first != call }) || w.gone >= 0 {
		return
	}
	firstAt, sealed := info.FirstAdded.Sub(w.start), info.Sealed.Sub(w.start)
	for _, id := range items {
		if it := w.items[id]; it.accepted && firstAt > it.at {
			w.problemLocked("P4: item %d was accepted at %v, and the first one at %v", id, it.at, firstAt)
		}
	}
	if sealed > call.at || sealed < firstAt || info.Attempt != 1 {
		w.problemLocked("P4: first added at %v, sealed at %v, attempt %d: %v", firstAt, sealed, info.Attempt, call)
	}
	asked := func(kind OpKind) bool {
		return slices.ContainsFunc(w.ops, func(o *keyedOp) bool { return o.step.op.Kind == kind && o.at <= sealed })
	}
	due := map[batcher.Reason]bool{
		batcher.ReasonSize:   full,
		batcher.ReasonWeight: w.cfg.MaxWeight > 0,
		batcher.ReasonDelay:  sealed-firstAt >= w.cfg.MaxDelay,
		batcher.ReasonEager:  w.cfg.Eager,
		batcher.ReasonFlush:  asked(OpFlush),
		batcher.ReasonClose:  asked(OpClose),
		batcher.ReasonBudget: !w.combined && (w.cfg.MaxPending < 1000 || w.cfg.PerKey > 0),
	}
	if !due[info.Reason] {
		w.problemLocked("P4: %v was sealed too early, at %v", call, sealed)
	}
	if !full && w.cfg.MaxWeight == 0 && w.cfg.Overflow != batcher.DropOldest && (!w.combined || w.cfg.Workers == 1) {
		w.checkFilledLocked(call)
	}
}

// checkFilledLocked checks that nothing was left behind that there was room for: a batch
// that waits for a worker, or for its turn, keeps filling.
func (w *keyedWorld) checkFilledLocked(call *keyedCall) {
	for _, it := range w.items {
		ours := w.combined || it.key == call.groups[0].key
		if ours && it.accepted && it.fate == fateOpen && it.at < call.at && it.first == nil {
			w.problemLocked("P4: %v has left item %d behind", call, it.id)
		}
	}
}

// checkWorkersLocked checks how many flushes run.
func (w *keyedWorld) checkWorkersLocked() {
	running := 0
	for _, c := range w.calls {
		if c.end < 0 {
			running++
		}
	}
	if running > w.cfg.Workers && w.gone < 0 {
		w.problemLocked("P5: %d flushes at once", running)
	}
}

// checkLineLocked checks who waits for room: the calls that have not returned.
func (w *keyedWorld) checkLineLocked(s batcher.Stats) (bad []string) {
	if s.Waiting > 0 && (w.cfg.Overflow != batcher.Block || w.closed) {
		bad = append(bad, fmt.Sprintf("P5: %d producers wait", s.Waiting))
	}
	if s.Waiting > 0 && s.Running == 0 {
		bad = append(bad, fmt.Sprintf("P5: %d producers wait, and nothing is on its way", s.Waiting))
	}
	least, most := 0, 0
	for _, o := range w.ops {
		switch {
		case o.waits():
			least++
			most++
		case !o.done && o.step.op.Kind == OpAddWait:
			most++
		}
	}
	if s.Waiting < least || s.Waiting > most {
		bad = append(bad, fmt.Sprintf("P5: %d producers wait, of %d to %d", s.Waiting, least, most))
	}
	return bad
}

// awaitedLocked reports whether a Flush waits for an item.
func (w *keyedWorld) awaitedLocked(it *keyedItem) bool {
	return slices.ContainsFunc(w.ops, func(o *keyedOp) bool {
		return !o.done && o.step.op.Kind == OpFlush && it.ended < o.began
	})
}

// waitsLocked reports whether a call for the key has not returned, and is certain to
// wait for room.
func (w *keyedWorld) waitsLocked(key int) bool {
	return slices.ContainsFunc(w.ops, func(o *keyedOp) bool { return o.step.key == key && o.waits() })
}

// waits reports whether a call is waiting for room.
func (o *keyedOp) waits() bool {
	k := o.step.op.Kind
	return !o.done && (k == OpAdd || k == OpAddAll || k == OpSubmit)
}

// handlersLocked returns the keys whose dead letters are being handled.
func (w *keyedWorld) handlersLocked() (keys []int) {
	for key, n := range w.handling {
		if n > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}
