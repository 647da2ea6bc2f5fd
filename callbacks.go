package batcher

// Calls out to the user's code other than the flush function: the dead letter
// handler and the hooks. None of them can harm the batcher.

import (
	"context"
	"slices"
	"time"
)

// DeadLetter is a group of items that will not be flushed.
type DeadLetter[T any] struct {
	// Items are as they were accepted. The receiver owns the slice.
	Items []T

	// Err is the cause: what the flush function returned last for these
	// items, marks included, or a [*PanicError], [ErrGoexit] or [ErrDropped].
	Err error

	// Attempts is how often the items were passed to the flush function since
	// their batch was last split; 0 for dropped items.
	Attempts int

	// Info describes the batch. Info.Size is len(Items).
	Info Info
}

// letter makes the dead letter for items of b. Nobody may want the items: then
// they are not copied.
func (e *engine[T]) letter(b *batch[T], items []T, failure *FlushError) DeadLetter[T] {
	letter := DeadLetter[T]{Err: failure.Err, Attempts: failure.Attempts, Info: e.info(b, len(items))}
	if e.letters != nil {
		letter.Items = slices.Clone(items)
	}
	return letter
}

// deadLetter passes a letter on, and logs the loss. No lock is held; the items are
// accounted for.
func (e *engine[T]) deadLetter(letter DeadLetter[T], failure *FlushError) {
	ctx := e.life.forCallback(letter.Info)
	if e.letters != nil {
		e.guard(ctx, "dead letter handler", func() { e.letters(ctx, letter) })
	}
	e.logLoss(ctx, letter.Info, failure)
	for _, h := range e.watchers.all() {
		if h.DeadLetter != nil {
			e.guard(ctx, "hook DeadLetter", func() { h.DeadLetter(ctx, letter.Info, failure) })
		}
	}
}

// flushStarts calls the FlushStart hooks; each may replace the attempt's context.
func (e *engine[T]) flushStarts(b *batch[T]) {
	b.hooks = e.watchers.all()
	if len(b.hooks) == 0 {
		return
	}
	info := e.info(b, b.end()-b.pos)
	b.began = time.Now() // in case that a hook ends the goroutine
	for _, h := range b.hooks {
		if h.FlushStart != nil {
			e.guard(b.ctx, "hook FlushStart", func() {
				if ctx := h.FlushStart(b.ctx, info); ctx != nil {
					b.ctx = ctx
				}
			})
		}
	}
	b.began = time.Now()
}

// flushEnded calls the FlushEnd hooks.
func (e *engine[T]) flushEnded(b *batch[T]) {
	if len(b.hooks) == 0 {
		return
	}
	info := e.info(b, b.end()-b.pos)
	result := FlushResult{Duration: time.Since(b.began), Err: b.err}
	for _, h := range slices.Backward(b.hooks) {
		if h.FlushEnd != nil {
			e.guard(b.ctx, "hook FlushEnd", func() { h.FlushEnd(b.ctx, info, result) })
		}
	}
}

// retrying logs that an attempt will follow, and calls the Retry hooks.
func (e *engine[T]) retrying(b *batch[T]) {
	info := e.info(b, b.end()-b.pos)
	e.logRetry(b.ctx, info, b.pause, b.err)
	for _, h := range e.watchers.all() {
		if h.Retry != nil {
			e.guard(b.ctx, "hook Retry", func() { h.Retry(b.ctx, info, b.pause, b.err) })
		}
	}
}

// guard calls f and logs its panic, if any.
func (e *engine[T]) guard(ctx context.Context, what string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			e.logPanic(ctx, what, v)
		}
	}()
	f()
}
