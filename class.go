package batcher

// The classes of errors, for metrics: a word from a short list.

import (
	"context"
	"errors"
	"slices"
)

// ErrorClass returns the class of an error of a flush as one word of a fixed list, so that it can
// be the label of a metric. The first that fits:
//
//   - "" for nil;
//   - "dropped", "panic" and "goexit" for what the library says itself: [ErrDropped], a
//     [*PanicError], [ErrGoexit]; of this batcher, or of another one that the flush function feeds;
//   - "partial" for a [*PartialError], or a [*PartialKeyError]: some of the items failed;
//   - "too_large" and "permanent" for what has these marks, see [TooLarge] and [Permanent];
//   - "timeout" if err, or any error in its tree, is [context.DeadlineExceeded], or says of itself
//     that it is a timeout, as the errors of package net do;
//   - "canceled" if err is [context.Canceled] or [ErrClosed], as it is when Close gives up;
//   - "throttled" for what is marked by [RetryAfter];
//   - "other".
//
// It calls methods of the error, such as Is and As, and panics if they do.
func ErrorClass(err error) string {
	var (
		panicked *PanicError
		partial  interface{ ofSomeItems() }
	)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrDropped):
		return "dropped"
	case errors.As(err, &panicked):
		return "panic"
	case errors.Is(err, ErrGoexit):
		return "goexit"
	case errors.As(err, &partial):
		return "partial"
	case IsTooLarge(err):
		return "too_large"
	case IsPermanent(err):
		return "permanent"
	case errors.Is(err, context.DeadlineExceeded), timedOut(err):
		return "timeout"
	case errors.Is(err, context.Canceled), errors.Is(err, ErrClosed):
		return "canceled"
	}
	if _, throttled := RetryDelay(err); throttled {
		return "throttled"
	}
	return "other"
}

// timedOut reports whether any error in the tree of err says that it is a timeout. The first that
// has the method does not speak for the others.
func timedOut(err error) bool {
	if e, ok := err.(interface{ Timeout() bool }); ok && e.Timeout() {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return timedOut(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), timedOut)
	}
	return false
}

// ErrorClasses returns all that [ErrorClass] returns, but for "", in that order: for metrics whose
// series are to be there before the first error. The slice is the caller's.
func ErrorClasses() []string {
	return []string{"dropped", "panic", "goexit", "partial", "too_large", "permanent", "timeout", "canceled",
		"throttled", "other"}
}

// ofSomeItems marks a PartialKeyError of any type of keys.
func (e *PartialKeyError[K]) ofSomeItems() {}
func (e *PartialError) ofSomeItems()       {}
