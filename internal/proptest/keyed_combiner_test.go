package proptest

// A Combiner, as scripts use it.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-4c1eaf8a/batcher"
)

// combinerFront is a Combiner under a script. A value is a list of item numbers, and
// to combine two is to append: so nothing can be lost, doubled or reordered unseen.
type combinerFront struct {
	w *keyedWorld
	c *batcher.Combiner[int, []int]
}

func newCombinerFront(w *keyedWorld) (*combinerFront, error) {
	f := &combinerFront{w: w}
	opts := append(w.keyedOptions(), batcher.WithQueueDepth(w.cfg.Depth), batcher.WithDeadLetter(f.letter))
	if w.cfg.FoldBack {
		opts = append(opts, batcher.WithFoldBack())
	}
	var err error
	f.c, err = batcher.NewCombiner(appended, f.flush, opts...)
	return f, err
}

// appended combines two values. It makes a new one, so that a value that was passed to
// the flush function never changes.
func appended(old, new []int) []int { return slices.Concat(old, new) }

func (f *combinerFront) stats() batcher.Stats { return f.c.Stats() }

func (f *combinerFront) call(ctx context.Context, step keyedStep) (n int, err error) {
	value := ids(step.op.Items)
	switch step.op.Kind {
	case OpAdd:
		err = f.c.Add(ctx, step.key, value)
	case OpTryAdd:
		err = f.c.TryAdd(step.key, value)
	case OpFlush:
		return 0, f.c.Flush(ctx)
	case OpClose:
		err = f.c.Close(ctx)
		var ce *batcher.CloseError[batcher.Entry[int, []int]]
		if errors.As(err, &ce) {
			f.w.handBack(combinedGroups(ce.Unflushed), combinedGroups(ce.Unknown))
		}
		return 0, err
	}
	if err != nil {
		return 0, err
	}
	return 1, nil
}

func combinedGroups(entries []batcher.Entry[int, []int]) (groups []group) {
	for _, e := range entries {
		groups = append(groups, group{e.Key, e.Item})
	}
	return groups
}

func (f *combinerFront) flush(ctx context.Context, batch map[int][]int) error {
	w := f.w
	if len(batch) == 0 {
		w.problem("P3: flush of an empty batch")
		return nil
	}
	var groups []group
	for _, key := range slices.Sorted(maps.Keys(batch)) {
		groups = append(groups, group{key, batch[key]})
	}
	f.inspectBefore(groups)
	call, beh := w.enter(ctx, groups)
	f.inspect(call)
	ended := w.act(ctx, call, beh)
	if len(batch) != len(groups) {
		w.problem("P10: the map has changed while the flush ran: %v, %v", groups, batch)
	}
	scribbleMap(beh.Scribble, batch)
	return w.leave(call, beh, ended, len(groups), func(entry int) {
		for _, id := range groups[entry].items {
			w.decideLocked(id, fateFlushed)
		}
	}, func(errs map[int]error) error { return partialKeys(groups, errs) })
}

// partialKeys turns errors by position into errors by key. A position that there is not
// becomes a key that there is not.
func partialKeys(groups []group, errs map[int]error) error {
	if errs == nil {
		return (*batcher.PartialKeyError[int])(nil)
	}
	byKey := make(map[int]error)
	for i, err := range errs {
		if i < 0 || i >= len(groups) {
			byKey[-1000+i] = err
			continue
		}
		byKey[groups[i].key] = err
	}
	return &batcher.PartialKeyError[int]{Errs: byKey}
}

func scribbleMap(how Scribble, batch map[int][]int) {
	switch how {
	case ScribbleSort:
		for key := range batch {
			batch[key] = []int{-7}
		}
	case ScribbleZero:
		clear(batch)
	case ScribbleTail:
		for i := range 40 {
			batch[-i-1] = []int{-8}
		}
	}
}

func (f *combinerFront) letter(_ context.Context, letter batcher.DeadLetter[batcher.Entry[int, []int]]) {
	if len(letter.Items) == 0 || letter.Info.Size != len(letter.Items) {
		f.w.problem("a dead letter of %d entries with Info.Size %d", len(letter.Items), letter.Info.Size)
	}
	groups := combinedGroups(letter.Items)
	clear(letter.Items)
	f.w.bury(groups, letter.Attempts, letter.Err)
}

// inspectBefore checks, before a call is noted, that values which have been tried before
// come again as they were: a retry gets the map of the failed attempt. Only a value that
// was folded back is in company of newer ones.
func (f *combinerFront) inspectBefore(groups []group) {
	w := f.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range groups {
		for _, id := range g.items {
			it := w.items[id]
			if it == nil || it.group == nil || w.gone >= 0 {
				continue
			}
			if w.cfg.FoldBack && contains(g.items, it.group) || slices.Equal(g.items, it.group) {
				continue
			}
			w.problemLocked("P2: %v of key %d were tried together, and come again as %v", it.group, g.key, g.items)
		}
	}
}

// contains reports whether part is in all, in one piece.
func contains(all, part []int) bool {
	i := slices.Index(all, part[0])
	return i >= 0 && i+len(part) <= len(all) && slices.Equal(all[i:i+len(part)], part)
}

// inspect checks what the flush function of a Combiner is given.
func (f *combinerFront) inspect(call *keyedCall) {
	w := f.w
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(call.groups)
	if n > w.cfg.MaxSize {
		w.problemLocked("P3: a map of %d keys", n)
	}
	if call.info.Size != n || call.info.Key != nil {
		w.problemLocked("a map of %d keys: %+v", n, call.info)
	}
	w.checkFreshLocked(call, n == w.cfg.MaxSize)
}

// check compares what the Combiner does with what is held, while nothing moves.
func (f *combinerFront) check(s batcher.Stats) []string {
	w := f.w
	w.mu.Lock()
	defer w.mu.Unlock()
	bad := w.checkLineLocked(s)
	if most := w.cfg.MaxSize * (w.cfg.Depth + w.cfg.Workers); s.Pending > int64(most) {
		bad = append(bad, fmt.Sprintf("P5: %d entries are held", s.Pending))
	}
	if s.Waiting > 0 && s.QueueDepth+s.Running < w.cfg.Depth+w.cfg.Workers {
		bad = append(bad, "P5: producers wait, though there is room for another batch")
	}
	return append(bad, f.checkFillingLocked(s)...)
}

// checkFillingLocked checks that the filling batch is not due while a worker is idle. What
// was never tried is then in it, and while nothing runs, what was folded back is too.
func (f *combinerFront) checkFillingLocked(s batcher.Stats) []string {
	w := f.w
	keys := make(map[int]bool)
	late, awaited := false, false
	for _, it := range w.items {
		if !it.accepted || it.fate != fateOpen || it.first != nil && s.Running > 0 {
			continue
		}
		keys[it.key] = true
		late = late || it.first == nil && w.now() >= it.at+w.cfg.MaxDelay
		awaited = awaited || w.awaitedLocked(it)
	}
	if len(keys) == 0 || s.Running >= w.cfg.Workers {
		return nil
	}
	why := ""
	switch {
	case len(keys) >= w.cfg.MaxSize:
		why = "full"
	case late:
		why = "due by its age"
	case w.cfg.Eager:
		why = "eager"
	case w.closed:
		why = "due by Close"
	case awaited:
		why = "due by Flush"
	case s.Waiting > 0:
		why = "there, though producers wait"
	default:
		return nil
	}
	return []string{fmt.Sprintf("P4: a worker is idle, and the filling batch is %s: %d keys", why, len(keys))}
}
