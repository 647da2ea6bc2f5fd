package batcher

// Calls out to the user's code other than the flush function: the dead letter
// handler, hooks, the logger. None of them can harm the batcher.

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
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

// deadLetter passes a letter on, or logs it. No lock is held; the items are
// accounted for.
func (e *engine[T]) deadLetter(letter DeadLetter[T], failure *FlushError) {
	ctx := e.life.forCallback(letter.Info)
	if e.letters != nil {
		e.guard(ctx, "dead letter handler", func() { e.letters(ctx, letter) })
	} else {
		e.logLoss(ctx, failure)
	}
	for _, h := range e.hooks {
		if h.DeadLetter != nil {
			e.guard(ctx, "hook DeadLetter", func() { h.DeadLetter(ctx, letter.Info, failure) })
		}
	}
}

// flushStarts calls the FlushStart hooks; each may replace the attempt's context.
func (e *engine[T]) flushStarts(b *batch[T]) {
	if len(e.hooks) == 0 {
		return
	}
	info := e.info(b, b.end()-b.pos)
	b.began = time.Now() // in case that a hook ends the goroutine
	for _, h := range e.hooks {
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
	if len(e.hooks) == 0 {
		return
	}
	info := e.info(b, b.end()-b.pos)
	result := FlushResult{Duration: time.Since(b.began), Err: b.err}
	for _, h := range slices.Backward(e.hooks) {
		if h.FlushEnd != nil {
			e.guard(b.ctx, "hook FlushEnd", func() { h.FlushEnd(b.ctx, info, result) })
		}
	}
}

// retrying calls the Retry hooks.
func (e *engine[T]) retrying(b *batch[T]) {
	info := e.info(b, b.end()-b.pos)
	for _, h := range e.hooks {
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

// logLoss reports items that nobody else hears of.
func (e *engine[T]) logLoss(ctx context.Context, failure *FlushError) {
	level := slog.LevelError
	if failure.Err == ErrDropped {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.Int("items", failure.Items), slog.Int("attempts", failure.Attempts), slog.Any("error", failure.Err),
	}
	if p, ok := failure.Err.(*PanicError); ok {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	e.logSampled(ctx, &e.lossLog, level, "batcher: items lost", failure.Items, attrs...)
}

// logOmitted reports what the sampling has left out at last, when all is over.
func (e *engine[T]) logOmitted() {
	if n := e.lossLog.rest(); n > 0 {
		e.write(e.life.ctx, slog.LevelError, "batcher: more items lost", slog.Int("items", n))
	}
}

// logPanic reports a panic in a callback, with its stack.
func (e *engine[T]) logPanic(ctx context.Context, what string, value any) {
	e.logSampled(ctx, &e.panicLog, slog.LevelError, "batcher: panic in user code", 1,
		slog.String("in", what), slog.Any("panic", value), slog.String("stack", string(debug.Stack())))
}

// logSampled writes one line, or counts n towards what the next line says was
// left out.
func (e *engine[T]) logSampled(
	ctx context.Context, s *sampler, level slog.Level, message string, n int, attrs ...slog.Attr,
) {
	omitted, due := s.take(n)
	if !due {
		return
	}
	e.write(ctx, level, message, append(attrs, slog.Int("omitted", omitted))...)
}

// write writes one line. A panic in the logger is nobody's business any more.
func (e *engine[T]) write(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	defer func() { _ = recover() }()
	logger := e.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, level, message, append(attrs, slog.String("name", e.name))...)
}

// sampler lets the first line pass, and then one per second at most.
type sampler struct {
	mu      sync.Mutex // guards the fields below; a leaf
	last    time.Time
	omitted int
}

// take reports whether a line is due, and how much was left out before it.
func (s *sampler) take(n int) (omitted int, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.last.IsZero() || now.Sub(s.last) >= time.Second {
		omitted, s.omitted, s.last = s.omitted, 0, now
		return omitted, true
	}
	s.omitted += n
	return 0, false
}

// rest returns what was left out since the last line.
func (s *sampler) rest() (omitted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	omitted, s.omitted = s.omitted, 0
	return omitted
}
