package batcher

// What is logged: one line for each failure, of which a flood is thinned out, and nothing
// for a batch that goes well. See [WithLogger].

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// logs thin out the lines of each kind by themselves, so that a flood of one does not hide
// another.
type logs struct {
	failed, dropped, retried, panicked sampler
}

// logLoss reports items that were given up. Drops are what the user has asked for: they are
// nobody else's business if there is a dead letter handler.
func (e *engine[T]) logLoss(ctx context.Context, info Info, failure *FlushError) {
	drop := failure.dropped()
	if drop && e.letters != nil {
		return
	}
	attrs := append(batchAttrs(info), slog.Int("attempts", failure.Attempts), slog.Any("error", failure.Err))
	if p, ok := failure.Err.(*PanicError); ok {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	if drop {
		e.logSampled(ctx, &e.logs.dropped, slog.LevelWarn, "batcher: items dropped", info.Size, attrs...)
	} else {
		e.logSampled(ctx, &e.logs.failed, e.failureLevel(), "batcher: batch failed", info.Size, attrs...)
	}
}

// failureLevel is how bad it is if items were given up: worse if nobody has got them.
func (e *engine[T]) failureLevel() slog.Level {
	if e.letters != nil {
		return slog.LevelWarn
	}
	return slog.LevelError
}

// logRetry reports a failed attempt that will be followed by another one.
func (e *engine[T]) logRetry(ctx context.Context, info Info, wait time.Duration, err error) {
	attrs := append(batchAttrs(info), slog.Int("attempts", info.Attempt), slog.Duration("wait", wait), slog.Any("error", err))
	e.logSampled(ctx, &e.logs.retried, slog.LevelWarn, "batcher: flush failed, to be tried again", info.Size, attrs...)
}

// batchAttrs describe a batch or a piece of one: not by its items nor its key, which may be anything.
func batchAttrs(info Info) []slog.Attr {
	attrs := make([]slog.Attr, 0, 8)
	if info.Reason != 0 {
		attrs = append(attrs, slog.String("reason", info.Reason.String()))
	}
	return append(attrs, slog.Int("size", info.Size))
}

// logPanic reports a panic in a callback, with its stack.
func (e *engine[T]) logPanic(ctx context.Context, what string, value any) {
	e.logSampled(ctx, &e.logs.panicked, slog.LevelError, "batcher: panic in user code", 0,
		slog.String("in", what), slog.Any("panic", value), slog.String("stack", string(debug.Stack())))
}

// logOmitted reports what the sampling has left out at last, when all is over.
func (e *engine[T]) logOmitted() {
	for _, kind := range []struct {
		*sampler
		level   slog.Level
		message string
	}{
		{&e.logs.failed, e.failureLevel(), "batcher: more batches failed"},
		{&e.logs.dropped, slog.LevelWarn, "batcher: more items dropped"},
		{&e.logs.retried, slog.LevelWarn, "batcher: more flushes failed and were tried again"},
		{&e.logs.panicked, slog.LevelError, "batcher: more panics in user code"},
	} {
		if left := kind.rest(); left.lines > 0 {
			e.write(e.life.ctx, kind.level, kind.message, left.attrs()...)
		}
	}
}

// logSampled writes one line about a number of items, or counts it towards what the next line says
// was left out.
func (e *engine[T]) logSampled(
	ctx context.Context, s *sampler, level slog.Level, message string, items int, attrs ...slog.Attr,
) {
	if left, due := s.take(items); due {
		e.write(ctx, level, message, append(attrs, left.attrs()...)...)
	}
}

// write writes one line. A panic in the logger is swallowed: there is nobody left to tell.
func (e *engine[T]) write(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	defer func() { _ = recover() }()
	logger := e.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, level, message, append([]slog.Attr{slog.String("name", e.name)}, attrs...)...)
}

// sampler lets the first line pass, and then one per second at most.
type sampler struct {
	mu   sync.Mutex // guards the fields below; a leaf
	last time.Time
	left omitted
}

// omitted is what was left out since the last line.
type omitted struct{ lines, items int }

// attrs is empty if nothing was left out.
func (o omitted) attrs() []slog.Attr {
	if o.lines == 0 {
		return nil
	}
	return []slog.Attr{slog.Int("omitted", o.lines), slog.Int("omitted_items", o.items)}
}

// take reports whether a line is due, and what was left out before it.
func (s *sampler) take(items int) (before omitted, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.last.IsZero() || now.Sub(s.last) >= time.Second {
		before, s.left, s.last = s.left, omitted{}, now
		return before, true
	}
	s.left.lines++
	s.left.items += items
	return omitted{}, false
}

// rest returns what was left out since the last line.
func (s *sampler) rest() (left omitted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left, s.left = s.left, omitted{}
	return left
}
