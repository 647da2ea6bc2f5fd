package proptest

// A Combiner under stress. A value is a list of items, and to combine two is to append.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
	"go.uber.org/goleak"
)

var onCombiner = stressFront{
	open: openCombiner, silent: true, leftovers: combinedLeft, most: heldInBatches, compare: compareValues,
}

// compareValues compares what of Stats counts values: the rest counts entries.
func compareValues(_ keyedConfig, st, ledger batcher.Stats) string {
	if st.Added+st.Merged != ledger.Added {
		return "the values differ"
	}
	return ""
}

// combinerTarget is a Combiner whose keys are hidden.
type combinerTarget struct {
	*batcher.Combiner[int, []Item]
	s *stress
}

func openCombiner(s *stress) (target, error) {
	opts := s.keyedOptions(batcher.WithQueueDepth(s.cfg.Depth), batcher.WithDeadLetter(s.combinedLetter))
	if s.cfg.FoldBack {
		opts = append(opts, batcher.WithFoldBack())
	}
	c, err := batcher.NewCombiner(func(old, new []Item) []Item { return slices.Concat(old, new) }, s.combinedFlush, opts...)
	return combinerTarget{c, s}, err
}

func (t combinerTarget) Add(ctx context.Context, it Item) error {
	return t.Combiner.Add(ctx, t.s.key(it.ID), []Item{it})
}

func (t combinerTarget) TryAdd(it Item) error {
	return t.Combiner.TryAdd(t.s.key(it.ID), []Item{it})
}

func (t combinerTarget) AddAll(ctx context.Context, items []Item) (int, error) {
	for n, it := range items {
		if err := t.Add(ctx, it); err != nil {
			return n, err
		}
	}
	return len(items), nil
}

func (t combinerTarget) AddWait(context.Context, Item) error { panic("there are no receipts") }

func (t combinerTarget) Submit(context.Context, Item) (batcher.Receipt, error) {
	panic("there are no receipts")
}

func (s *stress) combinedFlush(ctx context.Context, batch map[int][]Item) error {
	if len(batch) > s.cfg.MaxSize || len(batch) == 0 {
		s.badf("P3: %d keys", len(batch))
	}
	keys := slices.Sorted(maps.Keys(batch))
	var entries [][]Item
	for _, key := range keys {
		s.inspectValue(key, batch[key])
		entries = append(entries, batch[key])
	}
	return s.deliver(ctx, entries, func() { clear(batch) }, func(errs map[int]error) error {
		byKey := make(map[int]error)
		for i, err := range errs {
			byKey[keys[i]] = err
		}
		return &batcher.PartialKeyError[int]{Errs: byKey}
	})
}

// inspectValue checks that the items of a value are those of its key, and each producer's
// in order.
func (s *stress) inspectValue(key int, value []Item) {
	last := make(map[int]int)
	for _, it := range value {
		p := (it.ID - 1) / s.each
		loose := p == s.producers || s.cfg.FoldBack && s.cfg.Workers > 1
		if s.key(it.ID) != key || !loose && last[p] > it.ID {
			s.badf("P2: item %d in a value of key %d, after %d", it.ID, key, last[p])
		}
		last[p] = it.ID
	}
}

func (s *stress) combinedLetter(_ context.Context, letter batcher.DeadLetter[batcher.Entry[int, []Item]]) {
	items := combinedItems(letter.Items)
	entries := len(letter.Items)
	clear(letter.Items)
	s.bury(items, entries, letter.Attempts, letter.Err)
}

func combinedItems(entries []batcher.Entry[int, []Item]) (items []Item) {
	for _, e := range entries {
		items = append(items, e.Item...)
	}
	return items
}

func combinedLeft(err error) (unflushed, unknown []Item, ok bool) {
	var ce *batcher.CloseError[batcher.Entry[int, []Item]]
	if !errors.As(err, &ce) {
		return nil, nil, false
	}
	return combinedItems(ce.Unflushed), combinedItems(ce.Unknown), true
}

func stressCombined() keyedConfig {
	cfg := stressKeys()
	cfg.MaxSize, cfg.Keys = 4, 9
	return cfg
}

func TestP1_EveryCombinedValueHasOneFateUnderStress(t *testing.T) {
	for _, policy := range []batcher.Overflow{batcher.Block, batcher.Reject, batcher.DropNewest, batcher.DropOldest} {
		for _, workers := range []int{1, 4} {
			for _, fold := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v, %d workers, fold back %v", policy, workers, fold), func(t *testing.T) {
					cfg := stressCombined()
					cfg.Overflow, cfg.Workers, cfg.FoldBack, cfg.Bisect = policy, workers, fold, workers == 4
					runStressOn(t, onCombiner, cfg, closeAfterwards)
				})
			}
		}
	}
}

func TestP6_CloseOfACombinerWhileProducersAreAtWorkLosesNothing(t *testing.T) {
	for _, end := range []closing{closeMidway, closeGivingUp, closeStuck} {
		for _, fold := range []bool{false, true} {
			t.Run(fmt.Sprintf("way %d, fold back %v", end, fold), func(t *testing.T) {
				cfg := stressCombined()
				cfg.Workers, cfg.FoldBack = 3, fold
				runStressOn(t, onCombiner, cfg, end)
			})
		}
	}
}

func TestP6_ManySmallRacesOfCloseWithEverythingCombined(t *testing.T) {
	for round := range 250 * long {
		rnd := rand.New(rand.NewPCG(uint64(round), 10))
		cfg := stressCombined()
		cfg.MaxSize = 1 + rnd.IntN(6)
		cfg.Workers = 1 + rnd.IntN(3)
		cfg.Depth = 1 + rnd.IntN(2)
		cfg.Keys = 1 + rnd.IntN(9)
		cfg.Shards = 1 << rnd.IntN(4)
		cfg.Overflow = batcher.Overflow(rnd.IntN(4))
		cfg.Eager = rnd.IntN(3) == 0
		cfg.Bisect = rnd.IntN(2) == 0
		cfg.FoldBack = rnd.IntN(2) == 0
		if rnd.IntN(3) == 0 {
			cfg.MaxDelay = time.Hour
		}
		runStressOf(t, onCombiner, cfg, closing(1+rnd.IntN(3)), 3+rnd.IntN(4), 25, uint64(round))
		if t.Failed() {
			t.Fatalf("round %d: %+v", round, cfg)
		}
	}
	goleak.VerifyNone(t)
}
