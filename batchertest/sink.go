package batchertest

// The way of a call through the sink.

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// Sink is a recording flush function for tests. Make one with [NewSink] and pass its method
// [Sink.Write] to batcher.New. It keeps what it records for as long as it lives.
type Sink[T any] struct {
	mu monitor // guards the fields below; never held while waiting or in user code

	commands   commands[T]
	ignoreCtx  bool
	copyItem   func(T) T // nil: assignment does
	calls      []*call[T]
	held       []*call[T] // the one held longest first
	ended      int        // how many of calls have ended
	flushed    [][]T      // what was taken of each call, in the order in which the calls ended
	flushCount int        // items in flushed
}

// call is a call as it is recorded, and its way through the sink.
type call[T any] struct {
	record Call[T] // guarded by the sink's lock, but for Items, which never change

	ignoreCtx bool
	through   chan struct{} // closed by who takes the call off the held list; nil if it was never held
	plan      plan[T]       // set before through is closed, then the caller's
}

// NewSink returns a sink that takes every batch at once. Make it inside the bubble if there is one.
func NewSink[T any]() *Sink[T] { return new(Sink[T]) }

// Write is the flush function: a batcher.FlushFunc. It may also be called directly. It does not
// change batch unless the function of [Sink.FailWith] does, and does not keep it. It panics if ctx
// is nil.
//
// The name is the one that the sink modules of batcher use.
func (s *Sink[T]) Write(ctx context.Context, batch []T) (err error) {
	mustHaveContext(ctx, "Sink.Write")
	c := s.begin(ctx, batch)
	var flushed []T
	returned := false
	defer func() {
		if returned {
			s.end(ctx, c, flushed, err)
			return
		}
		v := recover()
		if v == nil {
			s.end(ctx, c, nil, batcher.ErrGoexit)
			return
		}
		s.end(ctx, c, nil, &batcher.PanicError{Value: v, Stack: debug.Stack()})
		panic(v) // the stack is still there, and is what the batcher sees
	}()
	err = s.answer(ctx, c, batch)
	flushed = taken(c.record.Items, err)
	returned = true
	return err
}

// begin records the call, and either lets it through or holds it.
func (s *Sink[T]) begin(ctx context.Context, batch []T) *call[T] {
	info, _ := batcher.InfoFrom(ctx)
	c := &call[T]{record: Call[T]{Items: s.copyOf(batch), Info: info}}
	s.mu.change(func() {
		c.record.Start = time.Now()
		c.ignoreCtx = s.ignoreCtx
		s.calls = append(s.calls, c)
		if s.commands.holding {
			c.through = make(chan struct{})
			s.held = append(s.held, c)
		} else {
			c.plan = s.commands.planLocked()
		}
	})
	return c
}

// copyOf copies batch, with its items as deep as CopyWith's function does it.
func (s *Sink[T]) copyOf(batch []T) []T {
	var copyItem func(T) T
	s.mu.look(func() { copyItem = s.copyItem })
	items := slices.Clone(batch)
	if copyItem != nil {
		for i, item := range items {
			items[i] = copyItem(item)
		}
	}
	return items
}

// answer takes the call through the stages of the package documentation.
func (s *Sink[T]) answer(ctx context.Context, c *call[T], batch []T) error {
	if err := s.waitForRelease(ctx, c); err != nil {
		return err
	}
	if !pause(c.doneOf(ctx), c.plan.delay) {
		return context.Cause(ctx)
	}
	return c.plan.outcome(ctx, batch, c.record.Items)
}

// waitForRelease returns nil once the call is let through, or the cause of ctx. A release that came
// before ctx ended, or before its end was noticed, counts.
func (s *Sink[T]) waitForRelease(ctx context.Context, c *call[T]) error {
	if c.through == nil {
		return nil
	}
	select {
	case <-c.through:
	case <-c.doneOf(ctx):
	}
	unlisted := false
	s.mu.change(func() {
		if i := slices.Index(s.held, c); i >= 0 {
			s.held = slices.Delete(s.held, i, i+1)
			unlisted = true
		}
	})
	if unlisted {
		return context.Cause(ctx)
	}
	return nil
}

// doneOf returns the channel that makes the call give up: none if it ignores its context.
func (c *call[T]) doneOf(ctx context.Context) <-chan struct{} {
	if c.ignoreCtx {
		return nil
	}
	return ctx.Done()
}

// pause waits for d and reports true, or reports false as soon as done is closed.
func pause(done <-chan struct{}, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-done:
		return false
	}
}

// end records how the call ended. The context is asked before the lock is taken.
func (s *Sink[T]) end(ctx context.Context, c *call[T], flushed []T, err error) {
	cause := context.Cause(ctx)
	s.mu.change(func() {
		c.record.End, c.record.Done = time.Now(), true
		c.record.Flushed, c.record.Err, c.record.CtxErr = flushed, err, cause
		s.ended++
		if len(flushed) > 0 {
			s.flushed = append(s.flushed, flushed)
			s.flushCount += len(flushed)
		}
	})
}

// taken returns those of the items that count as flushed after err, by the rules of
// batcher.PartialError. The result may be items itself.
func taken[T any](items []T, err error) []T {
	var partial *batcher.PartialError
	switch {
	case err == nil:
		return items
	case !errors.As(err, &partial) || !usable(partial, len(items)):
		return nil
	}
	var flushed []T
	for i, item := range items {
		if partial.Errs[i] == nil {
			flushed = append(flushed, item)
		}
	}
	return flushed
}

// usable reports whether e says which ones of n items failed.
func usable(e *batcher.PartialError, n int) bool {
	failed := false
	for i, err := range e.Errs {
		if i < 0 || i >= n {
			return false
		}
		failed = failed || err != nil
	}
	return failed
}

// mustHaveContext names the method instead of dereferencing a nil context later.
func mustHaveContext(ctx context.Context, method string) {
	if ctx == nil {
		panic("batchertest: " + method + ": nil context")
	}
}
