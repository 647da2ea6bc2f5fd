package batchertest

// What a sink has recorded, and waiting for it.

import (
	"context"
	"slices"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// Call is one call of [Sink.Write].
type Call[T any] struct {
	// Items is a copy of the slice as it was passed: see [Sink.CopyWith].
	Items []T

	// Info describes the batch. Its Attempt is 0 if Write was called with a context that does not
	// come from a batcher.
	Info batcher.Info

	// Start is when the call began.
	Start time.Time

	// Done tells whether the call has ended. If not, the fields below are zero.
	Done bool

	// End is when the call ended.
	End time.Time

	// Flushed are the items that the sink took: all of them, or none, or some if Err is a
	// *batcher.PartialError.
	Flushed []T

	// Err is what Write returned, or a *batcher.PanicError, or batcher.ErrGoexit. It is nil if all
	// items were taken.
	Err error

	// CtxErr is the cause of the call's context if that had ended before the call did, else nil.
	CtxErr error
}

// Calls returns all calls in the order in which they began, those that have not ended included. The
// caller owns the slices.
func (s *Sink[T]) Calls() (calls []Call[T]) {
	s.mu.look(func() {
		for _, c := range s.calls {
			record := c.record
			record.Items = slices.Clone(record.Items)
			record.Flushed = slices.Clone(record.Flushed)
			calls = append(calls, record)
		}
	})
	return calls
}

// Batches returns what the sink took, call by call, in the order in which the calls ended. Calls of
// which it took nothing are left out. The caller owns the slices.
//
// It is what the sink took, not what the batcher knows of: a batch that it took after Close had
// given up is among them.
func (s *Sink[T]) Batches() (batches [][]T) {
	s.mu.look(func() {
		for _, items := range s.flushed {
			batches = append(batches, slices.Clone(items))
		}
	})
	return batches
}

// Items returns the items of [Sink.Batches] in one slice, which the caller owns.
func (s *Sink[T]) Items() (items []T) {
	s.mu.look(func() { items = slices.Concat(s.flushed...) })
	return items
}

// Count returns how many items the sink took.
func (s *Sink[T]) Count() (n int) {
	s.mu.look(func() { n = s.flushCount })
	return n
}

// Attempts returns how many calls have begun.
func (s *Sink[T]) Attempts() (n int) {
	s.mu.look(func() { n = len(s.calls) })
	return n
}

// Held returns how many calls are held now.
func (s *Sink[T]) Held() (n int) {
	s.mu.look(func() { n = len(s.held) })
	return n
}

// WaitCalls waits until n calls have ended, whatever their outcome. See "Waiting".
func (s *Sink[T]) WaitCalls(ctx context.Context, n int) error {
	return s.mu.await(ctx, "Sink.WaitCalls", n, func() int { return s.ended })
}

// WaitItems waits until the sink has taken n items. See "Waiting".
func (s *Sink[T]) WaitItems(ctx context.Context, n int) error {
	return s.mu.await(ctx, "Sink.WaitItems", n, func() int { return s.flushCount })
}

// WaitHeld waits until n calls, or more, are held at the same time. See "Waiting".
func (s *Sink[T]) WaitHeld(ctx context.Context, n int) error {
	return s.mu.await(ctx, "Sink.WaitHeld", n, func() int { return len(s.held) })
}
