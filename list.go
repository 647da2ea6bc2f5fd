package batcher

// A list whose elements carry their own links.

import "iter"

// links are an element's place in the one list that it may be in.
type links[E any] struct {
	prev, next *E // the first one's prev is itself: nil means that it is in no list
}

func (l *links[E]) listed() bool { return l.prev != nil }

// element is a pointer to an E with links in it.
type element[E any] interface {
	*E
	linked() *links[E]
}

// list is a doubly linked list: no allocation, removal from anywhere in constant
// time. The zero list is empty.
type list[E any, P element[E]] struct {
	first, last P
	len         int
}

// pushBack puts e, which must be in no list, at the end.
func (l *list[E, P]) pushBack(e P) {
	if l.last == nil {
		l.first = e
		e.linked().prev = e
	} else {
		l.last.linked().next = e
		e.linked().prev = l.last
	}
	l.last = e
	l.len++
}

// insertBefore inserts e before at, which is in l, or at the end if at is nil.
func (l *list[E, P]) insertBefore(e, at P) {
	if at == nil {
		l.pushBack(e)
		return
	}
	prev := P(at.linked().prev)
	*e.linked() = links[E]{prev: prev, next: at}
	at.linked().prev = e
	if prev == at { // it was the first
		l.first = e
		e.linked().prev = e
	} else {
		prev.linked().next = e
	}
	l.len++
}

// remove takes e, which must be in l, out of it.
func (l *list[E, P]) remove(e P) {
	at := e.linked()
	prev, next := P(at.prev), P(at.next)
	*at = links[E]{}
	switch {
	case prev != e:
		prev.linked().next = next
	case next != nil: // it was the first
		l.first, prev = next, next
	default:
		l.first, prev = nil, nil
	}
	if next != nil {
		next.linked().prev = prev
	} else {
		l.last = prev
	}
	l.len--
}

// popFront removes and returns the first element, nil if there is none.
func (l *list[E, P]) popFront() P {
	e := l.first
	if e != nil {
		l.remove(e)
	}
	return e
}

// all yields the elements from first to last. The one just yielded may be removed.
func (l *list[E, P]) all() iter.Seq[P] {
	return func(yield func(P) bool) {
		for e := l.first; e != nil; {
			next := P(e.linked().next)
			if !yield(e) {
				return
			}
			e = next
		}
	}
}
