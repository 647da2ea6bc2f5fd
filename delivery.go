package batcher

// The delivery of one batch: attempts, and what follows from their outcome, until
// every item has met its fate.

import (
	"context"
	"runtime/debug"
	"time"
)

// delivery is how far the delivery of a batch has come. It lives with the batch,
// not on the stack of the worker, so that a successor can go on when the user's code has ended the
// worker's goroutine: each step is entered in it before user code is called.
//
// items[:pos] are settled. items[pos:end] are the current piece, which attempts
// are made at; end is the batch's unless splits have left nearer ones. Settling
// goes from left to right, always. Only the worker moves items, under the engine's
// lock. A batch that no worker has taken has no delivery.
type delivery struct {
	number   uint64 // of the batch, see [Info]
	step     step
	ends     []int // the right ends of pieces that are not the batch's end, nearest last
	attempts int   // at the current piece
	made     int   // attempts at the batch and its pieces in all

	ctx      context.Context // of the last attempt
	hooks    []*Hooks        // that the last attempt began with
	began    time.Time       // the last attempt, if there are hooks
	err      error           // its outcome
	observed bool            // the FlushEnd hooks have been told
	judged   int             // how often that was begun: again after Goexit in user code

	flushed int           // items from pos on that the attempt has flushed
	losses  []loss        // behind those, items to give up; what is left of the piece is tried again
	then    step          // what comes when that is settled and something is left
	pause   time.Duration // before the next attempt
}

// loss is a run of items to be given up for the same reason.
type loss struct {
	items int
	err   error
}

// step is what is to be done next for a batch.
type step uint8

const (
	stepTry    step = iota // make an attempt at the piece
	stepJudge              // an attempt was made: decide what follows
	stepSettle             // settle what was decided, one fate at a time
	stepNotice             // tell the hooks of the coming retry
	stepPause              // wait before the next attempt
	stepFold               // out of attempts, under WithFoldBack: put the piece back, as far as that goes
)

// deliver brings b to its end, or returns early if Close gives up.
func (e *engine[T]) deliver(b *batch[T]) {
	for b.pos < len(b.items) {
		goOn := true
		switch b.step {
		case stepTry:
			goOn = e.try(b)
		case stepJudge:
			e.judge(b)
		case stepSettle:
			goOn = e.settleNext(b)
		case stepNotice:
			b.step = stepPause
			e.retrying(b)
		case stepPause:
			b.step = stepTry
			if b.attempts >= e.maxAttempts {
				b.step = stepFold
			}
			goOn = e.sleep(b.pause)
		case stepFold:
			e.fold(b)
		}
		if !goOn {
			return
		}
	}
}

// end returns the right end of b's current piece.
func (b *batch[T]) end() int {
	if n := len(b.ends); n > 0 {
		return b.ends[n-1]
	}
	return len(b.items)
}

// try makes one attempt at the piece. It reports false if Close gave up before.
func (e *engine[T]) try(b *batch[T]) bool {
	if e.life.ctx.Err() != nil {
		return false
	}
	if b.attempts > 0 {
		e.mu.Lock()
		e.books.retries++
		e.mu.Unlock()
	}
	b.attempts++
	b.made++
	b.step, b.err, b.observed, b.judged = stepJudge, ErrGoexit, false, 0
	piece := b.items[b.pos:b.end()]

	ctx, cancel := e.life.forAttempt(e.info(b, len(piece)), e.flushTimeout)
	defer cancel()
	b.ctx = ctx
	e.flushStarts(b)
	b.err = e.call(b, piece)
	return true
}

// call lends the flush function a copy of items and returns its outcome. It does
// not return if the function leaves by runtime.Goexit.
func (e *engine[T]) call(b *batch[T], items []T) (err error) {
	if !e.reuse {
		own := make([]T, len(items))
		copy(own, items)
		return e.callOn(b, own)
	}
	loan := e.pool.lend(items)
	err = e.callOn(b, loan.items[:len(items):len(items)])
	if _, panicked := err.(*PanicError); !panicked { // else somebody may have kept the slice
		e.pool.takeBack(loan)
	}
	return err
}

func (e *engine[T]) callOn(b *batch[T], items []T) (err error) {
	returned := false
	defer func() {
		// Recover may say nil, under GODEBUG=panicnil=1. After Goexit err is not used.
		if !returned {
			err = &PanicError{Value: recover(), Stack: debug.Stack()}
		}
	}()
	err = e.in.call(b.ctx, b, items)
	returned = true
	return err
}

// judge decides what follows from an attempt.
func (e *engine[T]) judge(b *batch[T]) {
	if !b.observed {
		b.observed = true
		e.flushEnded(b)
	}
	b.judged++
	n := b.end() - b.pos
	if b.err == nil {
		b.flushed, b.step = n, stepSettle
		return
	}
	v := e.verdict(b, b.err, b.items[b.pos:b.end()])
	switch {
	case v.partial != nil:
		e.sortOut(b, v)
	case n > 1 && (v.tooLarge || v.permanent && e.bisect):
		b.ends = append(b.ends, b.pos+(n+1)/2)
		b.attempts = 0
		b.step = stepTry
	case v.permanent || v.tooLarge || e.exhausted(b):
		b.losses = append(b.losses, loss{n, b.err})
		b.step = stepSettle
	default:
		e.planRetry(b, v.after)
	}
}

// exhausted reports whether the piece is to be given up since it is out of attempts.
func (e *engine[T]) exhausted(b *batch[T]) bool {
	return b.attempts >= e.maxAttempts && e.fold == nil
}

// planRetry decides on the pause before the next attempt.
func (e *engine[T]) planRetry(b *batch[T], after time.Duration) {
	b.pause = max(after, e.backoffAfter(b))
	b.step, b.then = stepSettle, stepNotice
}

// settleNext settles the next run of items that share a fate, or moves on when
// all that was decided is settled. It reports false if Close gave up.
func (e *engine[T]) settleNext(b *batch[T]) bool {
	switch {
	case b.flushed > 0:
		n := b.flushed
		b.flushed = 0
		return e.settle(b, n, nil)
	case len(b.losses) > 0:
		l := b.losses[0]
		b.losses = b.losses[1:]
		return e.giveUp(b, l)
	case b.pos < b.end():
		b.step = b.then
	default:
		b.ends = b.ends[:len(b.ends)-1]
		b.attempts = 0
		b.step = stepTry
	}
	return true
}

// giveUp settles a loss and hands the items to the dead letter handler.
func (e *engine[T]) giveUp(b *batch[T], l loss) bool {
	lost := b.items[b.pos : b.pos+l.items]
	failure := &FlushError{Items: l.items, Attempts: b.attempts, Err: l.err}
	if !e.settle(b, l.items, failure) {
		return false
	}
	e.deadLetter(e.letter(b, lost, failure), failure)
	return true
}

// sleep waits for d and reports true, or reports false as soon as Close gives up.
func (e *engine[T]) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.life.ctx.Done():
		return false
	}
}

// info describes an attempt at n items of b.
func (e *engine[T]) info(b *batch[T], n int) Info {
	info := Info{
		Name:       e.name,
		Reason:     b.reason,
		Size:       n,
		Weight:     b.weight,
		FirstAdded: b.firstAdded,
		Sealed:     b.firstAdded.Add(b.filledFor),
	}
	if b.delivery != nil {
		info.Attempt, info.Batch, info.Offset, info.First = b.attempts, b.number, b.pos, b.made == 1
	}
	if b.of != nil {
		info.Key = b.of.boxedKey()
	}
	return info
}
