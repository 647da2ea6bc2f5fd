package batcher

// The context that a flush function receives.

import (
	"context"
	"time"
)

// lifetime is the context behind all flushes of one batcher. It belongs to the
// batcher, never to a producer, and ends only when Close gives up. Its address
// is the batcher's identity: see inside.
type lifetime struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// newLifetime keeps base's values and drops its cancellation.
func newLifetime(base context.Context) *lifetime {
	l := new(lifetime)
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(base))
	return l
}

// forAttempt returns the context of one attempt, which ends after timeout (never
// if 0), when Close gives up, or by the returned function.
func (l *lifetime) forAttempt(info Info, timeout time.Duration) (*flushContext, context.CancelFunc) {
	fc := &flushContext{owner: l, info: info}
	var cancel context.CancelFunc
	if timeout > 0 {
		fc.Context, cancel = context.WithTimeout(l.ctx, timeout)
	} else {
		fc.Context, cancel = context.WithCancel(l.ctx)
	}
	return fc, cancel
}

// forCallback returns a context for user code that is not an attempt: it has the
// same values and ends only when Close gives up.
func (l *lifetime) forCallback(info Info) context.Context {
	return &flushContext{Context: l.ctx, owner: l, info: info}
}

// inside reports whether ctx comes from a flush (or a callback) of this batcher,
// however deeply derived.
func (l *lifetime) inside(ctx context.Context) bool {
	return ctx.Value(ownerKey{l}) != nil
}

// flushContext adds to a context the batch's description and the mark of the
// batcher that it belongs to. It is not pooled: the user may keep it.
type flushContext struct {
	context.Context
	owner *lifetime
	info  Info
}

type (
	infoKey  struct{}
	ownerKey struct{ owner *lifetime }
)

// Value answers for infoKey and for the ownerKey of its own batcher.
func (c *flushContext) Value(key any) any {
	switch k := key.(type) {
	case infoKey:
		return c
	case ownerKey:
		if k.owner == c.owner {
			return c
		}
	}
	return c.Context.Value(key)
}
