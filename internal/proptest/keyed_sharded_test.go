package proptest

// A Sharded, as scripts use it.

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-4c1eaf8a/batcher"
)

// shardedFront is a Sharded under a script.
type shardedFront struct {
	w *keyedWorld
	s *batcher.Sharded[int, Item]
}

func newShardedFront(w *keyedWorld) (*shardedFront, error) {
	f := &shardedFront{w: w}
	opts := append(w.keyedOptions(), batcher.WithMaxPending(w.cfg.MaxPending), batcher.WithDeadLetter(f.letter))
	if w.cfg.PerKey > 0 {
		opts = append(opts, batcher.WithMaxPendingPerKey(w.cfg.PerKey))
	}
	if w.cfg.MaxWeight > 0 {
		opts = append(opts, batcher.WithMaxWeight(w.cfg.MaxWeight, func(it Item) int {
			_ = f.s.Stats() // no lock may be held here
			return it.Weight
		}))
	}
	var err error
	f.s, err = batcher.NewSharded(f.flush, opts...)
	return f, err
}

func (f *shardedFront) stats() batcher.Stats { return f.s.Stats() }

func (f *shardedFront) call(ctx context.Context, step keyedStep) (n int, err error) {
	key, items := step.key, slices.Clone(step.op.Items)
	switch step.op.Kind {
	case OpAdd:
		err = f.s.Add(ctx, key, items[0])
	case OpTryAdd:
		err = f.s.TryAdd(key, items[0])
	case OpAddAll:
		n, err = f.s.AddAll(ctx, key, items)
		clear(items) // they remain the caller's
		return n, err
	case OpSubmit:
		var r batcher.Receipt
		if r, err = f.s.Submit(ctx, key, items[0]); err == nil {
			f.w.await(items[0].ID, r)
		}
	case OpAddWait:
		err = f.s.AddWait(ctx, key, items[0])
		f.w.answered(items[0].ID, err)
		if err == nil || errors.As(err, new(*batcher.FlushError)) {
			return 1, err
		}
		return 0, err // not known
	case OpFlush:
		return 0, f.s.Flush(ctx)
	case OpClose:
		return 0, f.close(ctx)
	}
	if err == nil {
		n = 1
	}
	return n, err
}

func (f *shardedFront) close(ctx context.Context) error {
	err := f.s.Close(ctx)
	var ce *batcher.CloseError[batcher.Entry[int, Item]]
	if errors.As(err, &ce) {
		f.w.handBack(shardedGroups(ce.Unflushed), shardedGroups(ce.Unknown))
	}
	return err
}

// shardedGroups makes a group of each entry.
func shardedGroups(entries []batcher.Entry[int, Item]) (groups []group) {
	for _, e := range entries {
		groups = append(groups, group{e.Key, []int{e.Item.ID}})
	}
	return groups
}

func (f *shardedFront) flush(ctx context.Context, key int, batch []Item) error {
	w := f.w
	if len(batch) == 0 {
		w.problem("P3: flush of an empty batch")
		return nil
	}
	call, beh := w.enter(ctx, []group{{key, ids(batch)}})
	f.inspect(call, batch)
	ended := w.act(ctx, call, beh)
	items := ids(batch)
	if !slices.Equal(items, call.groups[0].items) {
		w.problem("P10: the slice has changed while the flush ran: %v, %v", call.groups[0].items, items)
	}
	if !w.cfg.Keep {
		scribble(beh.Scribble, batch)
	}
	return w.leave(call, beh, ended, len(batch), func(entry int) {
		w.decideLocked(items[entry], fateFlushed)
	}, func(errs map[int]error) error {
		if errs == nil {
			return (*batcher.PartialError)(nil)
		}
		return &batcher.PartialError{Errs: errs}
	})
}

func (f *shardedFront) letter(_ context.Context, letter batcher.DeadLetter[batcher.Entry[int, Item]]) {
	for _, e := range letter.Items {
		if letter.Info.Key != e.Key {
			f.w.problem("an entry of key %v in a dead letter whose Info.Key is %v", e.Key, letter.Info.Key)
		}
	}
	if len(letter.Items) == 0 || letter.Info.Size != len(letter.Items) {
		f.w.problem("a dead letter of %d items with Info.Size %d", len(letter.Items), letter.Info.Size)
	}
	groups := shardedGroups(letter.Items)
	clear(letter.Items)
	f.w.bury(groups, letter.Attempts, letter.Err)
}

// inspect checks what the flush function of a Sharded is given.
func (f *shardedFront) inspect(call *keyedCall, batch []Item) {
	s := f.s.Stats()
	w := f.w
	w.mu.Lock()
	defer w.mu.Unlock()
	info, key := call.info, call.groups[0].key
	weight := 0
	for _, it := range batch {
		weight += it.Weight
	}
	switch {
	case info.Key != key || info.Size != len(batch) || cap(batch) != len(batch):
		w.problemLocked("a batch of %d, cap %d, of key %d: %+v", len(batch), cap(batch), key, info)
	case len(batch) > w.cfg.MaxSize || w.cfg.MaxWeight > 0 && weight > w.cfg.MaxWeight:
		w.problemLocked("P3: a batch of %d, weight %d", len(batch), weight)
	case s.Pending > int64(w.cfg.MaxPending):
		w.problemLocked("P5: %d items are held", s.Pending)
	}
	for _, c := range w.calls {
		if c != call && c.end < 0 && c.groups[0].key == key && w.gone < 0 {
			w.problemLocked("P2: two batches of key %d in flight: %v, %v", key, c, call)
		}
	}
	if w.handling[key] > 0 {
		w.problemLocked("P2: a batch of key %d in flight while the last one's dead letter is handled", key)
	}
	w.checkFreshLocked(call, len(batch) == w.cfg.MaxSize)
}

// check compares what the Sharded does with what is held, while nothing moves.
func (f *shardedFront) check(s batcher.Stats) (bad []string) {
	w := f.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.Pending > int64(w.cfg.MaxPending) {
		bad = append(bad, fmt.Sprintf("P5: %d items are held", s.Pending))
	}
	bad = append(bad, w.checkLineLocked(s)...)
	for key := range w.cfg.Keys {
		bad = append(bad, f.checkKeyLocked(key, s)...)
	}
	return append(bad, f.checkWaitingLocked(s)...)
}

// checkKeyLocked checks one key: what it holds must be flying if it could.
func (f *shardedFront) checkKeyLocked(key int, s batcher.Stats) (bad []string) {
	w := f.w
	held, weight, flying := 0, 0, w.handling[key] > 0
	var oldest *keyedItem
	for _, it := range w.items {
		if it.key != key || it.fate != fateOpen || it.refused {
			continue
		}
		flying = flying || it.first != nil
		if !it.accepted {
			continue
		}
		held++
		weight += it.weight
		if oldest == nil || it.at < oldest.at {
			oldest = it
		}
	}
	if w.cfg.PerKey > 0 && held > w.cfg.PerKey {
		bad = append(bad, fmt.Sprintf("P5: key %d holds %d items", key, held))
	}
	if held == 0 || flying || s.Running >= w.cfg.Workers {
		return bad
	}
	why := ""
	switch {
	case held >= w.cfg.MaxSize || w.cfg.MaxWeight > 0 && weight >= w.cfg.MaxWeight:
		why = "full"
	case w.now() >= oldest.at+w.cfg.MaxDelay:
		why = "due by its age"
	case w.cfg.Eager:
		why = "eager"
	case w.closed:
		why = "due by Close"
	case w.awaitedLocked(oldest):
		why = "due by Flush"
	case w.crowdedLocked(s):
		why = "holding a part of the budget that producers wait for"
	case w.cfg.PerKey > 0 && held == w.cfg.PerKey && w.waitsLocked(key):
		why = "holding the budget of its key that producers wait for"
	default:
		return bad
	}
	return append(bad, fmt.Sprintf("P4/P5: a worker is idle, and the batch of key %d is %s: %d items", key, why, held))
}

// checkWaitingLocked checks that nobody waits without need.
func (f *shardedFront) checkWaitingLocked(s batcher.Stats) (bad []string) {
	w := f.w
	for _, o := range w.ops {
		if o.waits() && s.Pending < int64(w.cfg.MaxPending) && !w.keyFullLocked(o.step.key) {
			bad = append(bad, fmt.Sprintf("P5: %v waits, though there is room: %d held", o, s.Pending))
		}
	}
	return bad
}

// crowdedLocked reports whether somebody waits for room of all keys.
func (w *keyedWorld) crowdedLocked(s batcher.Stats) bool {
	return s.Pending == int64(w.cfg.MaxPending) && slices.ContainsFunc(w.ops, func(o *keyedOp) bool {
		return o.waits() && !w.keyFullLocked(o.step.key)
	})
}

// keyFullLocked reports whether a key may have no room, as far as can be told while a call
// for it waits, one of whose own items is not accepted yet.
func (w *keyedWorld) keyFullLocked(key int) bool {
	most := -1
	for _, it := range w.items {
		if it.key == key && it.fate == fateOpen && !it.refused {
			most++
		}
	}
	return w.cfg.PerKey > 0 && most >= w.cfg.PerKey
}
