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

// flush is the flush function: it does all that one may and some that one may not.
func (s *stress) flush(ctx context.Context, batch []Item) error {
	if n := s.running.Add(1); int(n) > s.cfg.Workers {
		s.badf("P5: %d flushes at once", n)
	}
	defer s.running.Add(-1)
	items := slices.Clone(batch)
	s.inspect(items)
	if s.cfg.Keep {
		s.mu.Lock()
		s.kept = append(s.kept, [2][]Item{batch, items})
		s.mu.Unlock()
	} else {
		scribble(Scribble(rand.IntN(4)), batch)
	}
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
	return s.outcome(items)
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
		if p := (it.ID - 1) / s.each; first && s.cfg.Workers == 1 && p < s.producers {
			if s.last[p] > it.ID {
				s.badf("P2: item %d after %d", it.ID, s.last[p])
			}
			s.last[p] = it.ID
		}
	}
	if len(items) > s.cfg.MaxSize || len(items) == 0 || s.cfg.MaxWeight > 0 && weight > s.cfg.MaxWeight {
		s.badf("P3: %d items, weight %d", len(items), weight)
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
	switch rand.IntN(3) {
	case 0:
		err = s.b.Add(ctx, Item{ID: id})
	case 1:
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
func (s *stress) outcome(items []Item) error {
	good := func(items ...Item) {
		for _, it := range items {
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
		for i, it := range items {
			switch rand.IntN(4) {
			case 0:
				errs[i] = fault
			case 1:
				errs[i] = batcher.Permanent(fault)
			default:
				defer good(it)
			}
		}
		if len(errs) == 0 {
			return nil
		}
		return &batcher.PartialError{Errs: errs}
	}
	good(items...)
	return nil
}

// letter is the dead letter handler.
func (s *stress) letter(_ context.Context, letter batcher.DeadLetter[Item]) {
	for _, it := range letter.Items {
		s.mark(it.ID, markDead, markFlushed|markDead)
	}
	s.buried.Add(int64(len(letter.Items)))
	dropped := errors.Is(letter.Err, batcher.ErrDropped)
	if dropped != (letter.Attempts == 0) || dropped && s.cfg.Overflow < batcher.DropNewest {
		s.badf("dead letter: %v after %d attempts", letter.Err, letter.Attempts)
	}
	clear(letter.Items)
	_ = s.b.Stats()
	if rand.IntN(50) == 0 {
		panic("a panic in the dead letter handler must be harmless")
	}
}
