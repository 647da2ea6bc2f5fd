package batcher

// Marks that a flush function puts on its errors, and the pauses between attempts.

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Permanent marks err as not worth another attempt. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// RetryAfter marks err with the time to wait at least before the next attempt,
// as an HTTP response gives it in Retry-After. The pause is the longer one of d
// and the backoff. A negative d counts as 0, more than an hour as an hour. The
// number of attempts is bounded by [WithRetry] as ever. RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, min(max(d, 0), maxRetryAfter)}
}

// maxRetryAfter keeps a server's slip from parking a worker for a year.
const maxRetryAfter = time.Hour

// TooLarge marks err as caused by the size of the batch, as HTTP status 413 is.
// The batch is split in two and the halves are flushed in order, each with its
// attempts anew; of an odd number, the first half is the larger one. On a single
// item it is a permanent failure. On more, it wins over [Permanent]. TooLarge(nil) is
// nil.
func TooLarge(err error) error {
	if err == nil {
		return nil
	}
	return &tooLargeError{err}
}

// PartialError is returned by a flush function when only some of the items
// failed. The others are settled as flushed at once.
//
// Each error carries its own marks: [Permanent] (or a refusal by [WithRetryIf],
// or [TooLarge]) gives up that item alone; [RetryAfter] counts for the pause before
// the next attempt, for which the longest one is taken. The items that are worth
// it are tried again together, in their order. A Permanent or RetryAfter around
// the PartialError holds for all the items in it.
//
// A PartialError that says nothing usable (no entries, only nil errors, or an
// index out of range) counts as the failure of the whole batch. It has no Unwrap
// method, since the fault of one item must not be found in the error of all.
type PartialError struct {
	// Errs has an error for each failed item, by its index in the slice as it
	// was passed to the flush function (whatever was done to the slice since).
	// A nil error stands for an item that was flushed.
	Errs map[int]error
}

// Error says how many items failed and quotes the one with the lowest index.
func (e *PartialError) Error() string {
	failed, first := e.Failed(), -1
	if failed == 0 {
		return "batcher: partial failure of no items"
	}
	for i, err := range e.Errs {
		if err != nil && (first < 0 || i < first) {
			first = i
		}
	}
	return fmt.Sprintf("batcher: %s of the batch failed, item %d: %v", counted(failed, "item"), first, e.Errs[first])
}

// Failed returns how many items failed: the errors in Errs that are not nil.
func (e *PartialError) Failed() int {
	if e == nil {
		return 0
	}
	return countErrors(e.Errs)
}

func countErrors[K comparable](errs map[K]error) (n int) {
	for _, err := range errs {
		if err != nil {
			n++
		}
	}
	return n
}

// usable reports whether e says which ones of n items failed.
func (e *PartialError) usable(n int) bool {
	if e == nil {
		return false
	}
	for i := range e.Errs {
		if i < 0 || i >= n {
			return false
		}
	}
	return e.Failed() > 0
}

// partialByIndex looks for a PartialError in err, the outcome of an attempt at
// items, and returns nil if there is none, or if it says nothing usable.
func partialByIndex[T any](err error, items []T) *PartialError {
	var partial *PartialError
	if errors.As(err, &partial) && partial.usable(len(items)) {
		return partial
	}
	return nil
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

type tooLargeError struct{ err error }

func (e *tooLargeError) Error() string { return e.err.Error() }
func (e *tooLargeError) Unwrap() error { return e.err }

type retryAfterError struct {
	err   error
	after time.Duration
}

func (e *retryAfterError) Error() string {
	return fmt.Sprintf("%v (retry after %v)", e.err, e.after)
}
func (e *retryAfterError) Unwrap() error { return e.err }

// Backoff returns how long to wait before the next attempt, given the number of
// attempts made so far, from 1 on. It may be called from several goroutines at
// once.
type Backoff func(attempt int) time.Duration

// ExponentialBackoff waits for a random time between 0 and base before the
// second attempt, and doubles that bound for each further one, up to max. The
// full jitter spreads the attempts of many batchers that failed together.
//
// It is total: a base of 0 or less gives no wait, a max below base is the bound
// from the start, and no attempt number overflows.
func ExponentialBackoff(base, max time.Duration) Backoff {
	return func(attempt int) time.Duration {
		bound := backoffBound(base, max, attempt)
		return time.Duration(rand.Uint64N(uint64(bound) + 1))
	}
}

// backoffBound returns base << (attempt-1), not above max and never negative.
func backoffBound(base, max time.Duration, attempt int) time.Duration {
	if base <= 0 || max <= 0 {
		return 0
	}
	shift := min(attempt-1, 62)
	if shift < 0 {
		shift = 0
	}
	if base > max>>shift { // so base << shift would pass max, or overflow
		return max
	}
	return base << shift
}

// IsPermanent reports whether err, or an error that it wraps, is marked with [Permanent]. It does
// not look into a [*PartialError], whose entries carry marks of their own. IsPermanent(nil)
// is false.
//
// This function, [IsTooLarge] and [RetryDelay] read the marks back: for those who wrap a flush
// function, and for tests of one. They tell what was marked, not what a batcher does about
// it, which also depends on [WithRetryIf] and the other options.
func IsPermanent(err error) bool {
	var mark *permanentError
	return errors.As(err, &mark)
}

// IsTooLarge reports whether err, or an error that it wraps, is marked with [TooLarge], like
// [IsPermanent].
func IsTooLarge(err error) bool {
	var mark *tooLargeError
	return errors.As(err, &mark)
}

// RetryDelay returns how long a [RetryAfter] on err, or on an error that it wraps, asks to wait,
// from 0 to an hour, and whether there is such a mark, like [IsPermanent]. Of several marks the
// outermost counts.
func RetryDelay(err error) (d time.Duration, ok bool) {
	var mark *retryAfterError
	if !errors.As(err, &mark) {
		return 0, false
	}
	return mark.after, true
}

// verdict is what the marks on an error ask for.
type verdict struct {
	permanent bool
	tooLarge  bool
	after     time.Duration // what RetryAfter asks for, at least
	partial   *PartialError // nil unless it says which of the items failed
}

// open reports whether the marks leave it to others if another attempt is made.
func (v verdict) open() bool { return !v.permanent && !v.tooLarge && v.partial == nil }

// readMarks reads the marks of err, the outcome of an attempt at items. It
// calls methods of the user's errors, which may panic.
func readMarks[T any](err error, items []T, partialOf func(error, []T) *PartialError) (v verdict) {
	if _, panicked := err.(*PanicError); panicked || err == ErrGoexit {
		return verdict{permanent: true}
	}
	v.after, _ = RetryDelay(err)
	v.partial = partialOf(err, items)
	v.permanent = IsPermanent(err)
	v.tooLarge = IsTooLarge(err)
	return v
}
