package batcher

// Flush and Close, which wait for the engine.

import (
	"context"
)

// flush is the barrier behind Flush.
func (e *engine[T]) flush(ctx context.Context) error {
	b, err := e.raiseBarrier(ctx)
	if b == nil {
		return err
	}
	select {
	case <-b.epoch.over:
	case <-ctx.Done():
	}
	e.mu.Lock()
	failures, over := e.epochs.lower(b)
	e.mu.Unlock()
	if !over {
		return context.Cause(ctx)
	}
	return failures
}

// raiseBarrier makes all open batches due, behind a barrier. It returns nil if
// there is nothing to wait for, or if ctx says that Flush must not wait.
func (e *engine[T]) raiseBarrier(ctx context.Context) (*barrier, error) {
	if err := e.refusal(ctx); err != nil {
		return nil, err
	}
	e.mu.Lock()
	if e.closing {
		e.mu.Unlock()
		return nil, ErrClosed
	}
	b := e.epochs.raise() // before the batches are made due: none can fall between
	e.mu.Unlock()
	if b != nil {
		e.in.due(ReasonFlush)
	}
	return b, nil
}

// refusal returns why a call with ctx must not wait for items: the engine is
// closed, or the call comes from inside a flush.
func (e *engine[T]) refusal(ctx context.Context) error {
	if !e.life.inside(ctx) {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return ErrClosed
	}
	return ErrReentrant
}

// close is the drain behind Close.
func (e *engine[T]) close(ctx context.Context) error {
	if e.life.inside(ctx) {
		return ErrReentrant
	}
	e.stop()
	select {
	case <-e.over:
	case <-ctx.Done():
		e.abort(context.Cause(ctx))
		<-e.over
	}
	e.logOmitted()
	return e.result
}

// stop ends the acceptance of items, once.
func (e *engine[T]) stop() {
	e.in.lock()
	defer e.in.unlock()
	e.mu.Lock()
	stopped := e.closing
	e.mu.Unlock()
	if stopped {
		return
	}
	ticking := e.in.closeLocked()

	e.mu.Lock()
	defer e.mu.Unlock()
	e.closing = true
	if ticking {
		e.ticking = 1
	}
	e.finishIfIdleLocked()
}

// tickEnded is called by a timer's goroutine that closeLocked has announced.
func (e *engine[T]) tickEnded() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ticking = 0
	e.finishIfIdleLocked()
}

// abort gives up the drain: everything that has not met its fate moves into the
// result, and running flushes and pauses end. It does nothing if no batch is
// left: then the engine is over, or will be as soon as goroutines of its own, which
// wait for nobody, have ended.
func (e *engine[T]) abort(cause error) {
	e.in.lock() // a worker may be about to seal a batch that it has taken
	defer e.in.unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.aborted || e.queue.len+e.parked.len+e.running.len == 0 {
		return
	}
	e.aborted = true
	defer e.life.cancel(ErrClosed) // before the locks are released: no attempt begins in between
	left := e.leftoversLocked()
	e.epochs.abort()
	e.result = e.in.handBack(left, cause)
	close(e.over)
}

// remains are the undecided items of one batch, still in the batch's own slice.
type remains[T any] struct {
	of    keyed
	items []T
}

// leftovers are the remains of all batches, for the two lists of a CloseError.
type leftovers[T any] struct{ unflushed, unknown []remains[T] }

// leftoversLocked empties the lists of batches and returns what is in them.
func (e *engine[T]) leftoversLocked() (left leftovers[T]) {
	for b := range e.running.all() {
		left.unknown = append(left.unknown, e.takeBackLocked(b))
	}
	for _, waiting := range []*list[batch[T], *batch[T]]{&e.queue, &e.parked} {
		for b := range waiting.all() {
			if b.tried > 0 { // values that were folded back into it had their attempts before
				left.unknown = append(left.unknown, e.takeBackLocked(b))
			} else {
				left.unflushed = append(left.unflushed, e.takeBackLocked(b))
			}
		}
		*waiting = list[batch[T], *batch[T]]{}
	}
	e.running = list[batch[T], *batch[T]]{}
	return left
}

// takeBackLocked accounts for the undecided items of b and returns them.
func (e *engine[T]) takeBackLocked(b *batch[T]) remains[T] {
	left := b.items[b.pos:]
	e.books.returned += int64(len(left))
	if b.fates != nil {
		b.fates.settle(len(left), errHandedBack)
		b.fates.announce()
	}
	return remains[T]{b.of, left}
}

// handedBack makes the error of a Close that gave up, with copies of the items.
func handedBack[T, E any](left leftovers[T], cause error, entries func(remains[T]) []E) error {
	e := &CloseError[E]{Err: cause}
	for _, r := range left.unflushed {
		e.Unflushed = append(e.Unflushed, entries(r)...)
	}
	for _, r := range left.unknown {
		e.Unknown = append(e.Unknown, entries(r)...)
	}
	return e
}
