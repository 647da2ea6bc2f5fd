package proptest

// The front ends under stress, as one kind of thing: an item finds its key by its number.

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// target is what the stress needs of a batcher.
type target interface {
	Add(ctx context.Context, it Item) error
	TryAdd(it Item) error
	AddAll(ctx context.Context, items []Item) (int, error)
	AddWait(ctx context.Context, it Item) error
	Submit(ctx context.Context, it Item) (batcher.Receipt, error)
	Flush(ctx context.Context) error
	Close(ctx context.Context) error
	Stats() batcher.Stats
}

// stressFront is a front end and what the stress may expect of it.
type stressFront struct {
	open    func(s *stress) (target, error)
	sharded bool // the order is that of each key, and the bound one of items
	silent  bool // there are no receipts
	// leftovers returns what a *CloseError has handed back.
	leftovers func(err error) (unflushed, unknown []Item, ok bool)
	// most returns how much may be held.
	most func(cfg keyedConfig) int
	// compare returns what is wrong in Stats, given the ledger's counts of items.
	compare func(cfg keyedConfig, st, ledger batcher.Stats) string
}

var (
	onBatcher = stressFront{open: openBatcher, leftovers: itemsLeft, most: heldInBatches, compare: compareItems}
	onSharded = stressFront{
		open: openSharded, sharded: true, leftovers: shardedLeft, compare: compareItems,
		most: func(cfg keyedConfig) int { return cfg.MaxPending },
	}
)

func heldInBatches(cfg keyedConfig) int { return cfg.MaxSize * (cfg.Depth + cfg.Workers) }

func compareItems(_ keyedConfig, st, ledger batcher.Stats) string {
	if st.Flushed != ledger.Flushed || st.Failed+st.Dropped != ledger.Failed || st.Returned != ledger.Returned {
		return "the fates differ"
	}
	return ""
}

// key returns the key of an item: that of its neighbours too, so that AddAll has
// something to do.
func (s *stress) key(id int) int { return (id >> 3) % s.cfg.Keys }

// watchful are hooks that look at the batcher: no lock may be held there.
func (s *stress) watchful() batcher.Option {
	return batcher.WithHooks(batcher.Hooks{
		FlushEnd: func(context.Context, batcher.Info, batcher.FlushResult) { s.b.Stats() },
		Retry:    func(context.Context, batcher.Info, time.Duration, error) { s.b.Stats() },
	})
}

func openBatcher(s *stress) (target, error) {
	w := &world{cfg: s.cfg.Config, base: context.Background()} // for its options
	w.b, _ = batcher.New(s.flush)
	return batcher.New(s.flush, append(w.options(), batcher.WithDeadLetter(s.letter), s.watchful())...)
}

func itemsLeft(err error) (unflushed, unknown []Item, ok bool) {
	var ce *batcher.CloseError[Item]
	if !errors.As(err, &ce) {
		return nil, nil, false
	}
	return ce.Unflushed, ce.Unknown, true
}

// The options of the front ends with keys ask for the Stats of a world.
func (s *stress) call(context.Context, keyedStep) (int, error) { return 0, nil }
func (s *stress) stats() batcher.Stats                         { return s.b.Stats() }
func (s *stress) check(batcher.Stats) []string                 { return nil }

func (s *stress) keyedOptions(more ...batcher.Option) []batcher.Option {
	w := &keyedWorld{cfg: s.cfg, front: s}
	return append(append(w.keyedOptions(), s.watchful()), more...)
}

// shardedTarget is a Sharded whose keys are hidden.
type shardedTarget struct {
	*batcher.Sharded[int, Item]
	s *stress
}

func openSharded(s *stress) (target, error) {
	opts := s.keyedOptions(batcher.WithMaxPending(s.cfg.MaxPending), batcher.WithDeadLetter(s.shardedLetter))
	if s.cfg.PerKey > 0 {
		opts = append(opts, batcher.WithMaxPendingPerKey(s.cfg.PerKey))
	}
	if s.cfg.MaxWeight > 0 {
		opts = append(opts, batcher.WithMaxWeight(s.cfg.MaxWeight, func(it Item) int { return it.Weight }))
	}
	b, err := batcher.NewSharded(s.shardedFlush, opts...)
	return shardedTarget{b, s}, err
}

func (t shardedTarget) Add(ctx context.Context, it Item) error {
	return t.Sharded.Add(ctx, t.s.key(it.ID), it)
}

func (t shardedTarget) TryAdd(it Item) error { return t.Sharded.TryAdd(t.s.key(it.ID), it) }

func (t shardedTarget) AddWait(ctx context.Context, it Item) error {
	return t.Sharded.AddWait(ctx, t.s.key(it.ID), it)
}

func (t shardedTarget) Submit(ctx context.Context, it Item) (batcher.Receipt, error) {
	return t.Sharded.Submit(ctx, t.s.key(it.ID), it)
}

// AddAll makes a call for each run of items with the same key.
func (t shardedTarget) AddAll(ctx context.Context, items []Item) (n int, err error) {
	for n < len(items) && err == nil {
		key, end := t.s.key(items[n].ID), n+1
		for end < len(items) && t.s.key(items[end].ID) == key {
			end++
		}
		var accepted int
		accepted, err = t.Sharded.AddAll(ctx, key, items[n:end])
		n += accepted
	}
	return n, err
}

func (s *stress) shardedFlush(ctx context.Context, key int, batch []Item) error {
	if s.flying[key].Add(1) > 1 {
		s.badf("P2: two batches of key %d in flight", key)
	}
	defer s.flying[key].Add(-1)
	for _, it := range batch {
		if s.key(it.ID) != key {
			s.badf("item %d in a batch of key %d", it.ID, key)
		}
	}
	return s.flush(ctx, batch)
}

func (s *stress) shardedLetter(_ context.Context, letter batcher.DeadLetter[batcher.Entry[int, Item]]) {
	items := s.ofEntries(letter.Items)
	clear(letter.Items)
	s.bury(items, len(items), letter.Attempts, letter.Err)
}

// ofEntries returns the items of entries, whose keys it checks.
func (s *stress) ofEntries(entries []batcher.Entry[int, Item]) (items []Item) {
	for _, e := range entries {
		if e.Key != s.key(e.Item.ID) {
			s.badf("item %d in an entry of key %d", e.Item.ID, e.Key)
		}
		items = append(items, e.Item)
	}
	return items
}

func shardedLeft(err error) (unflushed, unknown []Item, ok bool) {
	var ce *batcher.CloseError[batcher.Entry[int, Item]]
	if !errors.As(err, &ce) {
		return nil, nil, false
	}
	return shardedItems(ce.Unflushed), shardedItems(ce.Unknown), true
}

func shardedItems(entries []batcher.Entry[int, Item]) (items []Item) {
	for _, e := range entries {
		items = append(items, e.Item)
	}
	return slices.Clip(items)
}
