package proptest

// The errors that calls return.

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-4c1eaf8a/batcher"
)

// answer checks the error of a call.
func (c *checker) answer(op fmt.Stringer, err, cause error, want *OpState) {
	bad := func() { c.ma.failf("%s: returned %v, should be answer %d", op, err, want.Want) }
	switch want.Want {
	case AnsNil:
		if err != nil {
			bad()
		}
	case AnsFate:
		c.fate(op, err, want.Items[0].ID)
	case AnsFailures:
		list := flushErrors(err)
		items := 0
		for _, fe := range list {
			items += fe.Items
		}
		if items < 1 || items > want.Gave || len(list) <= 3 && items != want.Gave {
			bad()
		}
	case AnsCloseErr:
		c.closeError(op, err)
	case AnsAny:
	default:
		sentinel := map[Answer]error{
			AnsClosed: batcher.ErrClosed, AnsFull: batcher.ErrFull, AnsTooHeavy: batcher.ErrTooHeavy,
			AnsNegative: batcher.ErrNegativeWeight, AnsCause: cause, AnsReentrant: batcher.ErrReentrant,
		}[want.Want]
		heavy := want.Ended && (errors.Is(err, batcher.ErrTooHeavy) || errors.Is(err, batcher.ErrNegativeWeight))
		if !errors.Is(err, sentinel) && !(want.Want == AnsCause && heavy) {
			bad()
		}
	}
}

// flushErrors returns all FlushErrors in a tree of errors.
func flushErrors(err error) (list []*batcher.FlushError) {
	switch e := err.(type) {
	case *batcher.FlushError:
		return []*batcher.FlushError{e}
	case interface{ Unwrap() error }:
		return flushErrors(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, kid := range e.Unwrap() {
			list = append(list, flushErrors(kid)...)
		}
	}
	return list
}

// closeError checks what Close handed back.
func (c *checker) closeError(op fmt.Stringer, err error) {
	m := c.ma.m
	var ce *batcher.CloseError[Item]
	if !errors.As(err, &ce) {
		c.ma.failf("%s: returned %v, should be a *CloseError", op, err)
	}
	if !slices.ContainsFunc(c.ma.w.ops, func(o *opRecord) bool { return o.op.Kind == OpClose && o.cause == ce.Err }) {
		c.ma.failf("P8: %s: the cause is %v", op, ce.Err)
	}
	gotU, gotK := ids(ce.Unflushed), ids(ce.Unknown)
	all := append(slices.Clone(m.Unknown), m.Unflushed...)
	bound := !slices.ContainsFunc(all, func(s *Slot) bool { return s.Item == 0 })
	for _, call := range c.ma.w.calls {
		for _, it := range call.items {
			if slices.Contains(gotU, it.ID) {
				c.ma.failf("P8: item %d is called unflushed, but was passed to the flush function", it.ID)
			}
		}
	}
	switch {
	case len(gotU)+len(gotK) != len(all):
		c.ma.failf("P8: %s handed back %v and %v, should be %s and %s", op, gotU, gotK, SlotString(m.Unflushed), SlotString(m.Unknown))
	case !bound:
	case IDString(append(slices.Clone(gotK), gotU...)) != SlotString(all):
		c.ma.failf("P8: %s handed back %v and %v, should be %s and %s", op, gotU, gotK, SlotString(m.Unflushed), SlotString(m.Unknown))
	case !m.Lenient && len(gotK) != len(m.Unknown):
		c.ma.failf("P8: %s handed back %v and %v, should be %s and %s", op, gotU, gotK, SlotString(m.Unflushed), SlotString(m.Unknown))
	}
}

// fate checks the error by which a caller learns the fate of an item.
func (c *checker) fate(who fmt.Stringer, err error, id int) {
	it := c.ma.m.Items[id]
	var fe *batcher.FlushError
	switch it.Fate {
	case Flushed:
		if err != nil {
			c.ma.failf("%s: item %d was flushed, but: %v", who, id, err)
		}
	case Returned:
		if !errors.Is(err, batcher.ErrClosed) {
			c.ma.failf("%s: item %d was handed back, but: %v", who, id, err)
		}
	default:
		if !errors.As(err, &fe) || !errors.Is(err, fe.Err) {
			c.ma.failf("%s: item %d was given up, but: %v", who, id, err)
		}
		if fe.Attempts != it.Attempts || it.Group > 0 && it.Fate == Failed && fe.Items != it.Group {
			c.ma.failf("%s: %d items, %d attempts, should be %d, %d", who, fe.Items, fe.Attempts, it.Group, it.Attempts)
		}
		c.cause(who, id, fe.Err, it.Cause)
	}
}

// cause checks why an item was given up.
func (c *checker) cause(who fmt.Stringer, id int, err error, want Cause) {
	var pe *batcher.PanicError
	var leaf Leaf
	ok := true
	switch {
	case want.Dropped:
		ok = errors.Is(err, batcher.ErrDropped)
	case want.Panic:
		ok = errors.As(err, &pe) && pe.Value == any(want.Leaf) && len(pe.Stack) > 0
	case want.Goexit:
		ok = errors.Is(err, batcher.ErrGoexit)
	case want.Timeout:
		ok = errors.Is(err, context.DeadlineExceeded) && errors.As(err, &leaf)
	case want.Opaque:
		ok = errors.As(err, new(*batcher.PartialError))
	default:
		errors.As(err, &leaf)
		leaf.Refused = false
		if want.Leaf.Index >= 0 && leaf != want.Leaf { // perhaps the mark around all
			var part *batcher.PartialError
			ok = errors.As(err, &part) && part.Errs[want.Leaf.Index] != nil
			break
		}
		ok = leaf == want.Leaf
	}
	if !ok {
		c.ma.failf("%s of item %d: the cause is %v (%T), should be %+v", who, id, err, err, want)
	}
}
