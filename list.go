package batcher

// A list whose elements carry their own links.

import "iter"

// links are an element's place in the one list that it may be in.
type links[E any] struct {
	prev, next *E
	listed     bool
}

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

func (l *list[E, P]) pushBack(e P) {
	*e.linked() = links[E]{prev: l.last, listed: true}
	if l.last == nil {
		l.first = e
	} else {
		l.last.linked().next = e
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
	*e.linked() = links[E]{prev: prev, next: at, listed: true}
	at.linked().prev = e
	if prev == nil {
		l.first = e
	} else {
		prev.linked().next = e
	}
	l.len++
}

// remove takes e, which must be in l, out of it.
func (l *list[E, P]) remove(e P) {
	at := e.linked()
	if at.prev == nil {
		l.first = at.next
	} else {
		P(at.prev).linked().next = at.next
	}
	if at.next == nil {
		l.last = at.prev
	} else {
		P(at.next).linked().prev = at.prev
	}
	*at = links[E]{}
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
