package proptest

// The flush function and the dead letter handler under stress.

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// flush is the flush function for slices: it does all that one may and some that one may not.
func (s *stress) flush(ctx context.Context, batch []Item) error {
	if len(batch) > s.cfg.MaxSize || len(batch) == 0 {
		s.badf("P3: %d items", len(batch))
	}
	entries := make([][]Item, len(batch))
	for i, it := range batch {
		entries[i] = []Item{it}
	}
	kept := slices.Clone(batch)
	return s.deliver(ctx, entries, func() {
		if !s.cfg.Keep {
			scribble(Scribble(rand.IntN(4)), batch)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.kept = append(s.kept, [2][]Item{batch, kept})
	}, func(errs map[int]error) error { return &batcher.PartialError{Errs: errs} })
}

// deliver is the flush function for what fails or succeeds entry by entry. scribble
// spoils what the flush function was given.
func (s *stress) deliver(
	ctx context.Context, entries [][]Item, scribble func(), partial func(map[int]error) error,
) error {
	if n := s.running.Add(1); int(n) > s.cfg.Workers {
		s.badf("P5: %d flushes at once", n)
	}
	defer s.running.Add(-1)
	s.inspect(slices.Concat(entries...))
	scribble()
	s.callBack(ctx)
	switch n := rand.IntN(100); {
	case n < 2:
		select {
		case <-ctx.Done():
		case <-s.poke:
		}
	case n < 20 && s.sticky.Load():
		<-s.stuck
	}
	return s.outcome(entries, partial)
}

// inspect checks a batch.
func (s *stress) inspect(items []Item) {
	weight := 0
	for _, it := range items {
		weight += it.Weight
		if it.ID < 1 || it.ID >= len(s.ledger) {
			s.badf("P10: a scribbled item: %v", it)
			return
		}
		first := s.ledger[it.ID].Or(markSeen)&markSeen == 0
		if marks := s.ledger[it.ID].Load(); marks&(markFlushed|markDead) != 0 {
			s.badf("P1: item %d is flushed again: %#b", it.ID, marks)
		}
		if p := (it.ID - 1) / s.each; first && (s.cfg.Workers == 1 || s.front.sharded) && p < s.producers {
			last := &s.last[p][s.key(it.ID)]
			if *last > it.ID {
				s.badf("P2: item %d after %d", it.ID, *last)
			}
			*last = it.ID
		}
	}
	if s.cfg.MaxWeight > 0 && weight > s.cfg.MaxWeight {
		s.badf("P3: weight %d", weight)
	}
}

// callBack adds from inside the flush, now and then.
func (s *stress) callBack(ctx context.Context) {
	if rand.IntN(10) != 0 || s.next.Load() >= int64(len(s.ledger)-1) {
		return
	}
	id := int(s.next.Add(1))
	if id >= len(s.ledger) {
		return
	}
	var err error
	switch n := rand.IntN(3); {
	case n == 0:
		err = s.b.Add(ctx, Item{ID: id})
	case n == 1 || s.front.silent:
		err = s.b.TryAdd(Item{ID: id})
	default:
		_, err = s.b.Submit(ctx, Item{ID: id})
	}
	if err == nil {
		s.mark(id, markAccepted, markAccepted)
	}
	if err := s.b.Flush(ctx); !errors.Is(err, batcher.ErrReentrant) && !errors.Is(err, batcher.ErrClosed) {
		s.badf("P11: Flush inside a flush: %v", err)
	}
}

// outcome ends a flush in some way, and enters into the ledger what it means.
func (s *stress) outcome(entries [][]Item, partial func(map[int]error) error) error {
	good := func(entries ...[]Item) {
		for _, it := range slices.Concat(entries...) {
			s.mark(it.ID, markFlushed, markFlushed|markDead)
		}
	}
	fault := errors.New("fault")
	switch n := rand.IntN(100); {
	case n < 8:
		return fault
	case n < 10:
		return batcher.Permanent(fault)
	case n < 12:
		return batcher.RetryAfter(fault, time.Duration(rand.IntN(100))*time.Microsecond)
	case n < 14:
		return batcher.TooLarge(fault)
	case n < 16:
		panic(fault)
	case n < 18:
		runtime.Goexit()
	case n < 28:
		errs := make(map[int]error)
		for i, entry := range entries {
			switch rand.IntN(4) {
			case 0:
				errs[i] = fault
			case 1:
				errs[i] = batcher.Permanent(fault)
			default:
				defer good(entry)
			}
		}
		if len(errs) == 0 {
			return nil
		}
		return partial(errs)
	}
	good(entries...)
	return nil
}

// letter is the dead letter handler for slices.
func (s *stress) letter(_ context.Context, letter batcher.DeadLetter[Item]) {
	s.bury(slices.Clone(letter.Items), len(letter.Items), letter.Attempts, letter.Err)
	clear(letter.Items)
}

// bury is the dead letter handler: these items, in so many entries, were given up.
func (s *stress) bury(items []Item, entries, attempts int, err error) {
	for _, it := range items {
		s.mark(it.ID, markDead, markFlushed|markDead)
	}
	s.buried.Add(int64(entries))
	dropped := errors.Is(err, batcher.ErrDropped)
	if dropped != (attempts == 0) || dropped && s.cfg.Overflow < batcher.DropNewest {
		s.badf("dead letter: %v after %d attempts", err, attempts)
	}
	_ = s.b.Stats()
	if rand.IntN(50) == 0 {
		panic("a panic in the dead letter handler must be harmless")
	}
}
