package batcher

// Failures of some of the items: verdicts, and the sorting of a piece by them.

import (
	"reflect"
	"time"
)

// verdict reads the marks of err, the outcome of an attempt at items (none for one of
// the errors in a PartialError), and asks the user where they leave the answer open. It survives a panic in the methods of the
// user's errors, which then count as permanent. If such a method has ended the
// goroutine, a second look is taken without asking the user, and no third.
func (e *engine[T]) verdict(b *batch[T], err error, items []T) (v verdict) {
	v = verdict{permanent: true}
	if b.judged > 2 {
		return v
	}
	e.guard(b.ctx, "error returned by the flush function", func() {
		marks := readMarks(err, items, e.partialOf)
		if marks.open() && !e.worthRetry(b, err) {
			marks.permanent = true
		}
		v = marks
	})
	return v
}

// worthRetry asks WithRetryIf's function, if there is one.
func (e *engine[T]) worthRetry(b *batch[T], err error) (yes bool) {
	switch {
	case e.retryIf == nil:
		return true
	case b.judged > 1:
		return false
	}
	e.guard(b.ctx, "function of WithRetryIf", func() { yes = e.retryIf(err) })
	return yes
}

// backoffAfter asks WithRetry's Backoff for the pause after b's last attempt.
func (e *engine[T]) backoffAfter(b *batch[T]) (pause time.Duration) {
	if b.judged > 1 {
		return 0
	}
	e.guard(b.ctx, "Backoff of WithRetry", func() { pause = e.backoff(b.attempts) })
	return max(pause, 0)
}

// sortOut plans what follows from a partial failure: the piece is put in the
// order flushed, given up, to be tried again, each part in the order it had.
func (e *engine[T]) sortOut(b *batch[T], whole verdict) {
	var (
		flushed, lost, retry []int // indexes into the piece
		losses               []loss
		after                = whole.after
	)
	for i := range b.end() - b.pos {
		err := whole.partial.Errs[i]
		if err == nil {
			flushed = append(flushed, i)
			continue
		}
		v := e.verdict(b, err, nil)
		if whole.permanent || v.permanent || v.tooLarge || e.exhausted(b) {
			lost = append(lost, i)
			losses = appendLoss(losses, err)
			continue
		}
		retry = append(retry, i)
		after = max(after, v.after)
	}
	order := append(append(flushed, lost...), retry...)
	if len(retry) > 0 {
		e.planRetry(b, after)
	}
	e.permute(b, order)
	b.flushed, b.losses, b.step = len(order)-len(lost)-len(retry), losses, stepSettle
}

// permute moves item order[i] of b's piece to place i. If Close has given up before,
// that is without effect: its leftovers are copies, and all their fates the same.
func (e *engine[T]) permute(b *batch[T], order []int) {
	piece := b.items[b.pos:b.end()]
	moved := make([]T, len(piece))
	for i, source := range order {
		moved[i] = piece[source]
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	copy(piece, moved)
	if b.fates != nil {
		b.fates.permute(b.pos, order, len(b.items))
	}
}

// appendLoss adds one item given up for err, to the last run if err is the very
// same: many items often fail for one reason, and make one dead letter then.
func appendLoss(losses []loss, err error) []loss {
	if n := len(losses); n > 0 && same(losses[n-1].err, err) {
		losses[n-1].items++
		return losses
	}
	return append(losses, loss{1, err})
}

// same reports whether a and b are equal. Unlike ==, it does not panic for types that
// cannot be compared.
func same(a, b error) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
