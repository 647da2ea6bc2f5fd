package proptest

// The books of a stress run, and how they are checked.

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"github.com/seed-4c1eaf8a/batcher"
)

// checkReceipt compares an answer with the ledger.
func (s *stress) checkReceipt(id int, err error) {
	marks := s.ledger[id].Load()
	switch {
	case err == nil && marks&markFlushed == 0:
		s.badf("P1: item %d has fate nil, marks %#b", id, marks)
	case errors.As(err, new(*batcher.FlushError)) && marks&markFlushed != 0:
		s.badf("P1: item %d has fate %v, marks %#b", id, err, marks)
	}
}

// closed enters what Close handed back.
func (s *stress) closed(err error) {
	if err == nil {
		return
	}
	unflushed, unknown, ok := s.front.leftovers(err)
	if !ok || s.end < closeGivingUp {
		s.badf("P8: Close returned %v", err)
		return
	}
	for _, it := range unflushed {
		s.mark(it.ID, markUnflushed, markDead|markUnflushed|markUnknown)
	}
	for _, it := range unknown {
		s.mark(it.ID, markUnknown, markDead|markUnflushed|markUnknown)
	}
}

// audit checks the ledger when all is over.
func (s *stress) audit() {
	s.t.Helper()
	// After a Close that gave up, user code may still be running.
	for i := 0; s.running.Load() > 0 || s.buried.Load() < s.lost(); i++ {
		if i > 50_000_000 {
			s.badf("P1: %d flushes do not end, or dead letters are missing: %d of %d", s.running.Load(), s.buried.Load(), s.lost())
			break
		}
		runtime.Gosched()
	}
	var got batcher.Stats
	for id := 1; id < len(s.ledger); id++ {
		s.auditItem(id, s.ledger[id].Load(), &got)
	}
	st := s.b.Stats()
	if !conserved(st) || st.Pending != 0 {
		s.badf("P1: at the end: %+v", st)
	}
	if problem := s.front.compare(s.cfg, st, got); problem != "" {
		s.badf("P1: %s: Stats says %+v, the ledger %+v", problem, st, got)
	}
	for _, k := range s.kept {
		if !slices.Equal(k[0], k[1]) {
			s.badf("P10: a slice under WithoutReuse has changed")
		}
	}
	for _, line := range s.bad {
		s.t.Error(line)
	}
	if s.each > 100 {
		s.t.Logf("%+v", st)
	}
}

// lost returns how many entries were given up.
func (s *stress) lost() int64 {
	st := s.b.Stats()
	return st.Failed + st.Dropped
}

// auditItem checks one item and counts it.
func (s *stress) auditItem(id int, m uint32, got *batcher.Stats) {
	fates := 0
	if m&markAccepted != 0 {
		got.Added++
	}
	switch {
	case m&(markUnflushed|markUnknown) != 0:
		fates++
		got.Returned++
		if m&markUnflushed != 0 && m&markSeen != 0 {
			s.badf("P8: item %d is called unflushed, marks %#b", id, m)
		}
	case m&markFlushed != 0:
		fates++
		got.Flushed++
	}
	if m&markDead != 0 {
		fates++
		got.Failed++
	}
	accepted, maybe := m&markAccepted != 0, m&markMaybe != 0
	if accepted && fates != 1 || !accepted && !maybe && (fates > 0 || m&markSeen != 0) || fates > 1 {
		s.badf("P1: item %d has %d fates, marks %#b", id, fates, m)
	}
}

// barrier flushes: what was accepted before has met its fate then.
func (s *stress) barrier(mine []int) {
	err := s.b.Flush(context.Background())
	if errors.Is(err, batcher.ErrClosed) {
		return
	}
	closed := errors.Is(s.b.Flush(context.Background()), batcher.ErrClosed)
	if s.cfg.Overflow == batcher.DropOldest {
		return // what another producer has dropped has its fate, but perhaps not yet its dead letter
	}
	for _, id := range mine {
		if marks := s.ledger[id].Load(); marks&(markFlushed|markDead) == 0 && !closed {
			s.badf("P7: Flush returned %v, item %d has marks %#b", err, id, marks)
		}
	}
}
