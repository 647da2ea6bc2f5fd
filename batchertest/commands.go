package batchertest

// Commands: what the sink does with its calls.

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// commands are the ones in force. The sink's lock guards them.
type commands[T any] struct {
	holding bool
	delay   time.Duration
	script  []step
	failure batcher.FlushFunc[T] // of FailWith
	reject  func(item T) error   // of RejectItems
}

// step is what the next calls do.
type step struct {
	calls int // how many of them; negative: until another step is added
	act   func() error
}

// plan is what was decided for one call.
type plan[T any] struct {
	delay   time.Duration
	act     func() error // nil if the script was empty
	failure batcher.FlushFunc[T]
	reject  func(item T) error
}

// planLocked decides for one call and takes its step off the script.
func (c *commands[T]) planLocked() plan[T] {
	p := plan[T]{delay: c.delay, failure: c.failure, reject: c.reject}
	if len(c.script) == 0 {
		return p
	}
	next := &c.script[0]
	p.act = next.act
	if next.calls > 0 {
		if next.calls--; next.calls == 0 {
			c.script = c.script[1:]
		}
	}
	return p
}

// outcome ends the call. items is the sink's copy of batch, which the user's function may change.
func (p *plan[T]) outcome(ctx context.Context, batch, items []T) error {
	if p.act != nil {
		return p.act()
	}
	if p.failure != nil {
		if err := p.failure(ctx, batch); err != nil {
			return err
		}
	}
	if p.reject != nil {
		return rejected(items, p.reject)
	}
	return nil
}

// rejected asks reject about every item. It returns nil if it has no objection.
func rejected[T any](items []T, reject func(item T) error) error {
	errs := make(map[int]error)
	for i, item := range items {
		if err := reject(item); err != nil {
			errs[i] = err
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return &batcher.PartialError{Errs: errs}
}

// FailNext makes the next n calls return err, which may carry the marks of package batcher; if n is
// negative, all calls until [Sink.Succeed] or another Next command. It panics if err is nil.
func (s *Sink[T]) FailNext(n int, err error) {
	if err == nil {
		panic("batchertest: Sink.FailNext: nil error")
	}
	s.script(n, func() error { return err })
}

// PanicNext makes the next n calls panic with value; if n is negative, all calls until
// [Sink.Succeed] or another Next command.
func (s *Sink[T]) PanicNext(n int, value any) {
	s.script(n, func() error { panic(value) })
}

// GoexitNext makes the next n calls end their goroutine by [runtime.Goexit], as t.FailNow does; if
// n is negative, all calls until [Sink.Succeed] or another Next command.
func (s *Sink[T]) GoexitNext(n int) {
	s.script(n, func() error {
		runtime.Goexit()
		return nil
	})
}

// SucceedNext makes the next n calls take their batch, whatever [Sink.FailWith] and
// [Sink.RejectItems] say; if n is negative, all calls until [Sink.Succeed] or another Next command.
// It serves to put a failure further back: SucceedNext(2), then FailNext(1, err).
func (s *Sink[T]) SucceedNext(n int) {
	s.script(n, func() error { return nil })
}

// script adds a step for n calls, none if 0, and ends one that was to last until another is added.
func (s *Sink[T]) script(n int, act func() error) {
	s.mu.change(func() {
		script := s.commands.script
		if last := len(script) - 1; last >= 0 && script[last].calls < 0 {
			script = script[:last:last]
		}
		if n != 0 {
			script = append(script, step{n, act})
		}
		s.commands.script = script
	})
}

// FailWith makes f decide whether a call fails: it fails with the error that f returns. A nil f
// takes the command back.
//
// f is called with the arguments of [Sink.Write], on the batcher's worker, and from several
// goroutines at once if there are several workers. It may do what a flush function may: block, mark
// its error, fail some of the items, change the slice, panic. It is not bound by
// [Sink.IgnoreContext].
func (s *Sink[T]) FailWith(f batcher.FlushFunc[T]) {
	s.mu.change(func() { s.commands.failure = f })
}

// RejectItems makes calls fail for the items for which f returns an error, such as
// batcher.Permanent(err), and take the others: Write returns a *batcher.PartialError. A nil f takes
// the command back.
//
// f is called once for each item of a call, in order, on the batcher's worker, and from several
// goroutines at once if there are several workers. A panic in it is one of the call.
func (s *Sink[T]) RejectItems(f func(item T) error) {
	s.mu.change(func() { s.commands.reject = f })
}

// Delay makes every call take d. Calls that are under way are not affected. Zero or less takes the
// command back.
func (s *Sink[T]) Delay(d time.Duration) {
	s.mu.change(func() { s.commands.delay = d })
}

// Hold makes calls wait until they are released, or until their contexts end.
func (s *Sink[T]) Hold() {
	s.mu.change(func() { s.commands.holding = true })
}

// Release ends [Sink.Hold] and lets the held calls through.
func (s *Sink[T]) Release() {
	s.mu.change(func() {
		s.commands.holding = false
		s.letThroughLocked(len(s.held))
	})
}

// ReleaseNext lets the n calls through that have been held longest, or all of them if there are
// fewer, and returns how many it were. Other calls are held as before.
func (s *Sink[T]) ReleaseNext(n int) int {
	s.mu.change(func() {
		n = max(0, min(n, len(s.held)))
		s.letThroughLocked(n)
	})
	return n
}

// letThroughLocked lets the first n of the held calls through.
func (s *Sink[T]) letThroughLocked(n int) {
	for _, c := range s.held[:n] {
		c.plan = s.commands.planLocked()
		close(c.through)
	}
	s.held = slices.Delete(s.held, 0, n)
}

// Succeed takes back all commands: held calls are let through, and they and all further ones take
// their batch at once. What was recorded remains, and so do the settings of [Sink.IgnoreContext]
// and [Sink.CopyWith]. A call that was let through earlier ends as was decided then.
func (s *Sink[T]) Succeed() {
	s.mu.change(func() {
		s.commands = commands[T]{}
		s.letThroughLocked(len(s.held))
	})
}

// IgnoreContext sets whether calls ignore their contexts while they are held or delayed. It counts
// for calls that begin later. Default false.
func (s *Sink[T]) IgnoreContext(ignore bool) {
	s.mu.change(func() { s.ignoreCtx = ignore })
}

// CopyWith sets how an item is copied for the record. By default it is assigned, which is enough
// unless the test changes later what an item points to. It counts for calls that begin later; nil
// stands for the default.
//
// f is called at the beginning of each call, for each item, on the batcher's worker. If it panics,
// the call is not recorded, and fails with that panic.
func (s *Sink[T]) CopyWith(f func(item T) T) {
	s.mu.change(func() { s.copyItem = f })
}
