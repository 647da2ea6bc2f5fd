package batcher

// The map that a CombinedFlushFunc receives, and what it says about the keys in it.

import (
	"context"
	"errors"
	"fmt"
)

// PartialKeyError is returned by a [CombinedFlushFunc] when some keys failed and
// the others were written: those in Errs failed, each with its error, and the others
// count as flushed at once. It is to a map what [PartialError] is to a slice: each
// error carries its own marks; a nil error stands for a key that was flushed; an error
// that names no failed key, or a key that is not in the batch, fails the whole batch;
// and it has no Unwrap method.
type PartialKeyError[K comparable] struct {
	// Errs has an error for each failed key, whatever was done to the map since.
	Errs map[K]error
}

// Error says how many keys failed. It quotes the error if there is only one: of
// more, none comes first.
func (e *PartialKeyError[K]) Error() string {
	switch failed := e.Failed(); failed {
	case 0:
		return "batcher: partial failure of no keys"
	case 1:
		return fmt.Sprintf("batcher: 1 key of the batch failed: %v", e.any())
	default:
		return fmt.Sprintf("batcher: %d keys of the batch failed", failed)
	}
}

// Failed returns how many keys failed: the errors in Errs that are not nil.
func (e *PartialKeyError[K]) Failed() int {
	if e == nil {
		return 0
	}
	return countErrors(e.Errs)
}

// any returns an error of a key, or nil.
func (e *PartialKeyError[K]) any() error {
	for _, err := range e.Errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// partialByKey looks for a PartialKeyError in err, the outcome of an attempt at
// entries, and returns the same by the index of the entries; nil if there is none, or
// if it says nothing usable. It calls methods of the user's errors, which may panic.
func partialByKey[K comparable, V any](err error, entries []Entry[K, V]) *PartialError {
	var byKey *PartialKeyError[K]
	if !errors.As(err, &byKey) || byKey == nil {
		return nil
	}
	byIndex := &PartialError{Errs: make(map[int]error, len(byKey.Errs))}
	for i, e := range entries {
		if err, named := byKey.Errs[e.Key]; named {
			byIndex.Errs[i] = err
		}
	}
	if len(byIndex.Errs) < len(byKey.Errs) || !byIndex.usable(len(entries)) {
		return nil // it names a stranger (NaN always is one), or no failure
	}
	return byIndex
}

// mapLoan is a map lent to the flush function for one attempt.
type mapLoan[K comparable, V any] struct {
	batch map[K]V
	peak  int // the most entries it is known to have had: a map never shrinks
}

// call calls the user's function with the entries as a map. It does not take the map
// back after a panic or Goexit: somebody may have kept it.
func (c *Combiner[K, V]) call(
	ctx context.Context, _ *batch[Entry[K, V]], entries []Entry[K, V],
) error {
	loan := c.lend(entries)
	err := c.flushFunc(ctx, loan.batch)
	if c.engine.reuse {
		c.takeBack(loan)
	}
	return err
}

// lend returns a map of entries, for the flush function to own.
func (c *Combiner[K, V]) lend(entries []Entry[K, V]) *mapLoan[K, V] {
	loan, ok := c.maps.Get().(*mapLoan[K, V])
	if !ok {
		loan = &mapLoan[K, V]{batch: make(map[K]V, len(entries))}
	}
	for _, e := range entries {
		loan.batch[e.Key] = e.Item
	}
	loan.peak = max(loan.peak, len(entries))
	return loan
}

// takeBack takes ownership of loan, empties the map, and keeps it unless it is far
// larger than what is usual now.
func (c *Combiner[K, V]) takeBack(loan *mapLoan[K, V]) {
	loan.peak = max(loan.peak, len(loan.batch))
	clear(loan.batch)
	if c.engine.pool.worthKeeping(loan.peak) {
		c.maps.Put(loan)
	}
}
