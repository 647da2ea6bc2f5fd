package proptest

// An error as data: what a flush function returns, and what must come of it.

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// A TreeKind is a kind of node in an error tree.
type TreeKind int

// The kinds of nodes.
const (
	TreeNil        TreeKind = iota // no error at all
	TreePlain                      // a leaf without marks
	TreeRefused                    // a leaf that the RetryIf of the tests refuses
	TreeWrap                       // fmt.Errorf with %w around one kid
	TreeJoin                       // errors.Join over the kids
	TreePermanent                  // batcher.Permanent around one kid
	TreeRetryAfter                 // batcher.RetryAfter around one kid
	TreeTooLarge                   // batcher.TooLarge around one kid
	TreePartial                    // a *batcher.PartialError; its kids are the entries
	TreeNilPartial                 // a nil *batcher.PartialError in a non-nil error
)

// A Tree is an error built of leaves, wrappers and marks.
type Tree struct {
	Kind TreeKind
	Kids []*Tree
	Wait time.Duration // of TreeRetryAfter
	Keys []int         // of TreePartial: the index of each kid; later ones win
	Wild bool          // of TreePartial: take keys as they are, even out of range
}

// A Leaf is the error at the bottom of a tree. It is comparable, so errors.Is
// finds exactly this one: the attempt that the tree was built for.
type Leaf struct {
	Lead, Nth, Index int // first item of the call, how many calls it led before, index or -1
	Refused          bool
}

// Error implements error.
func (l Leaf) Error() string {
	return fmt.Sprintf("leaf of call %d.%d, index %d, refused %v", l.Lead, l.Nth, l.Index, l.Refused)
}

// WorthIt is the function that the tests pass to WithRetryIf.
func WorthIt(err error) bool {
	var leaf Leaf
	return !hasRefused(err, &leaf)
}

// hasRefused walks the tree by hand, since errors.As stops at the first leaf.
func hasRefused(err error, leaf *Leaf) bool {
	switch e := err.(type) {
	case nil:
		return false
	case Leaf:
		*leaf = e
		return e.Refused
	case interface{ Unwrap() error }:
		return hasRefused(e.Unwrap(), leaf)
	case interface{ Unwrap() []error }:
		for _, kid := range e.Unwrap() {
			if hasRefused(kid, leaf) {
				return true
			}
		}
	}
	return false
}

// Build makes the error for a slice of n items.
func (t *Tree) Build(n int, leaf Leaf) error {
	return t.BuildWith(n, leaf, func(errs map[int]error) error {
		if errs == nil {
			return (*batcher.PartialError)(nil)
		}
		return &batcher.PartialError{Errs: errs}
	})
}

// BuildWith is Build with another kind of error for what failed in part; nil errors
// stand for a nil pointer.
func (t *Tree) BuildWith(n int, leaf Leaf, partial func(errs map[int]error) error) error {
	if t == nil {
		return nil
	}
	var kid error
	if len(t.Kids) > 0 && t.Kind != TreePartial && t.Kind != TreeJoin {
		if kid = t.Kids[0].BuildWith(n, leaf, partial); kid == nil {
			return nil
		}
	}
	switch t.Kind {
	case TreePlain:
		return leaf
	case TreeRefused:
		leaf.Refused = true
		return leaf
	case TreeWrap:
		return fmt.Errorf("wrapped: %w", kid)
	case TreeJoin:
		var kids []error
		for _, k := range t.Kids {
			kids = append(kids, k.BuildWith(n, leaf, partial))
		}
		return errors.Join(kids...)
	case TreePermanent:
		return batcher.Permanent(kid)
	case TreeRetryAfter:
		return batcher.RetryAfter(kid, t.Wait)
	case TreeTooLarge:
		return batcher.TooLarge(kid)
	case TreePartial:
		errs := make(map[int]error)
		for key, entry := range t.entries(n) {
			inner := leaf
			inner.Index = key
			errs[key] = entry.BuildWith(n, inner, partial)
		}
		return partial(errs)
	case TreeNilPartial:
		return partial(nil)
	default:
		return nil
	}
}

// entries returns the kids of a TreePartial by index.
func (t *Tree) entries(n int) map[int]*Tree {
	m := make(map[int]*Tree)
	for i, kid := range t.Kids {
		key := t.Keys[i]
		if !t.Wild && n > 0 {
			key = ((key % n) + n) % n
		}
		m[key] = kid
	}
	return m
}

// void reports whether the tree builds to a nil error.
func (t *Tree) void() bool {
	switch {
	case t == nil || t.Kind == TreeNil:
		return true
	case t.Kind == TreePartial || t.Kind == TreeNilPartial || t.Kind == TreePlain || t.Kind == TreeRefused:
		return false
	}
	for _, kid := range t.Kids {
		if !kid.void() {
			return false
		}
	}
	return true
}

// find returns the first node of a kind in the order of errors.As: the node
// itself, then its kids from left to right, never inside a PartialError.
func (t *Tree) find(ok func(*Tree) bool) *Tree {
	if t.void() {
		return nil
	}
	if ok(t) {
		return t
	}
	if t.Kind == TreePartial {
		return nil
	}
	for _, kid := range t.Kids {
		if found := kid.find(ok); found != nil {
			return found
		}
	}
	return nil
}

func (t *Tree) has(kind TreeKind) bool {
	return t.find(func(n *Tree) bool { return n.Kind == kind }) != nil
}

// pause is the wait that the tree asks for: the outermost RetryAfter.
func (t *Tree) pause() time.Duration {
	found := t.find(func(n *Tree) bool { return n.Kind == TreeRetryAfter })
	if found == nil {
		return 0
	}
	return min(max(found.Wait, 0), time.Hour)
}

// A Class is what becomes of an item, or a batch, after an attempt.
type Class int

// The classes.
const (
	Good  Class = iota // flushed
	Again              // worth another attempt
	Final              // failed for good
	Split              // to be tried again in halves
)

// A Judgement is what becomes of the items of one attempt.
type Judgement struct {
	Whole Class   // of the whole batch, if Items is nil
	Items []Class // one for each item, for a usable PartialError
	Pause time.Duration
}

// Judge says what must come of a batch of n items whose attempt returned t.
func (t *Tree) Judge(n int, retryIf bool) Judgement {
	switch {
	case t.void():
		return Judgement{Whole: Good}
	case t.partial(n) != nil:
		return t.judgeItems(n, retryIf)
	}
	class := t.class(retryIf)
	return Judgement{Whole: class, Pause: t.pause()}
}

// class is the answer to an error that holds for all that it was returned for.
func (t *Tree) class(retryIf bool) Class {
	switch {
	case t.has(TreeTooLarge):
		return Split // even if it is marked Permanent too: a split is not a retry
	case t.has(TreePermanent):
		return Final
	case retryIf && t.has(TreeRefused):
		return Final
	}
	return Again
}

// partial returns the PartialError that errors.As finds, if it is usable.
func (t *Tree) partial(n int) *Tree {
	p := t.find(func(n *Tree) bool { return n.Kind == TreePartial || n.Kind == TreeNilPartial })
	if p == nil || p.Kind == TreeNilPartial {
		return nil
	}
	usable := false
	for key, entry := range p.entries(n) {
		if key < 0 || key >= n {
			return nil
		}
		usable = usable || !entry.void()
	}
	if !usable {
		return nil
	}
	return p
}

// judgeItems answers a usable PartialError.
func (t *Tree) judgeItems(n int, retryIf bool) Judgement {
	j := Judgement{Items: make([]Class, n), Pause: t.pause()}
	for key, entry := range t.partial(n).entries(n) {
		switch {
		case entry.void():
		case t.has(TreePermanent) || entry.class(retryIf) != Again:
			j.Items[key] = Final
		default:
			j.Items[key] = Again
			j.Pause = max(j.Pause, entry.pause())
		}
	}
	return j
}

// String shows the tree as an expression.
func (t *Tree) String() string {
	if t == nil {
		return "nil"
	}
	names := [...]string{"nil", "plain", "refused", "wrap", "join", "permanent", "retryafter", "toolarge", "partial", "nilpartial"}
	var kids []string
	for i, kid := range t.Kids {
		s := kid.String()
		if t.Kind == TreePartial {
			s = fmt.Sprintf("%d:%s", t.Keys[i], s)
		}
		kids = append(kids, s)
	}
	if t.Kind == TreeRetryAfter {
		kids = append(kids, t.Wait.String())
	}
	if t.Wild {
		kids = append(kids, "wild")
	}
	if len(kids) == 0 {
		return names[t.Kind]
	}
	return names[t.Kind] + "(" + strings.Join(kids, ", ") + ")"
}
