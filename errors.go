package batcher

// What can go wrong, as values that errors.Is and errors.As find.

import (
	"errors"
	"fmt"
)

// The errors that the methods of a batcher return. Test for them with
// [errors.Is]: most are returned wrapped, with the numbers that explain them.
var (
	// ErrConfig is wrapped by everything that New refuses. No batcher was
	// made and no goroutine was started.
	ErrConfig = errors.New("batcher: invalid configuration")

	// ErrClosed is returned by every call that would accept an item, and by
	// Flush, once Close was called, and wins over every other reason for
	// refusing it. The item was not accepted. It is also wrapped by the error of a
	// receipt whose item Close handed back.
	ErrClosed = errors.New("batcher: closed")

	// ErrFull is returned by TryAdd, and by all the others under [Reject],
	// when there is no room. The item was not accepted.
	ErrFull = errors.New("batcher: full")

	// ErrTooHeavy is returned for an item that weighs more than the maximum
	// weight of a whole batch. The item was not accepted.
	ErrTooHeavy = errors.New("batcher: item heavier than the maximum weight of a batch")

	// ErrNegativeWeight is returned for an item whose weight is negative.
	// The item was not accepted.
	ErrNegativeWeight = errors.New("batcher: negative item weight")

	// ErrBadKey is returned by a [Sharded] or a [Combiner] for a key that is
	// not equal to itself, as NaN is, or that cannot be compared, as a slice in
	// an interface. The item was not accepted.
	ErrBadKey = errors.New("batcher: key that cannot be looked up")

	// ErrDropped is the cause of death of an item that was accepted and then
	// dropped under [DropNewest] or [DropOldest].
	ErrDropped = errors.New("batcher: dropped for lack of room")

	// ErrReentrant is returned by a call from inside a flush function (or a
	// dead letter handler, or a hook) that would have to wait for that very flush: Flush,
	// Close, AddWait, Receipt.Wait, and Add when there is no room. The call
	// had no effect. It is recognised by the context that the flush function
	// received, so pass that context on.
	ErrReentrant = errors.New("batcher: call from inside a flush would wait for itself")

	// ErrGoexit is the failure of a flush function that left through
	// [runtime.Goexit], as t.FailNow does. It counts as permanent.
	ErrGoexit = errors.New("batcher: flush function called runtime.Goexit")

	errHandedBack = fmt.Errorf("batcher: item handed back by Close: %w", ErrClosed)
)

// FlushError reports items that were given up: the flush function failed them
// for good, or they were dropped for lack of room.
type FlushError struct {
	// Items is how many items share this failure.
	Items int

	// Attempts is how often they were passed to the flush function: since
	// the batch was last split, if it was. 0 means that they were dropped
	// without an attempt. Under [WithFoldBack], see Info.Attempt.
	Attempts int

	// Err is the cause: what the flush function returned for the last
	// attempt, marks included, or a [*PanicError], [ErrGoexit] or [ErrDropped].
	Err error
}

// Error says how many items failed, after how many attempts, and why.
func (e *FlushError) Error() string {
	if e.Attempts == 0 {
		return fmt.Sprintf("batcher: %s lost without an attempt: %v", counted(e.Items, "item"), e.Err)
	}
	return fmt.Sprintf("batcher: %s failed after %s: %v",
		counted(e.Items, "item"), counted(e.Attempts, "attempt"), e.Err)
}

// Unwrap returns the cause.
func (e *FlushError) Unwrap() error { return e.Err }

// dropped reports whether the items were dropped for lack of room. A flush function may return the
// ErrDropped of another batcher; that is a failure.
func (e *FlushError) dropped() bool { return e.Attempts == 0 }

// PanicError is the failure of a flush function that panicked. It counts as
// permanent.
type PanicError struct {
	// Value is what was passed to panic; for panic(nil) it is a
	// [*runtime.PanicNilError].
	Value any

	// Stack is the stack of the panicking goroutine, as [runtime/debug.Stack]
	// formats it.
	Stack []byte
}

// Error gives the panic's value. The stack is left to those who print Stack.
func (e *PanicError) Error() string { return fmt.Sprintf("batcher: panic in user code: %v", e.Value) }

// Unwrap returns the panic's value if it is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// CloseError is returned by Close when its context ended before everything was
// delivered. It hands the undelivered items back, as they were accepted and in
// the order of their batches, each in exactly one of the two lists. All calls of
// Close share the one error.
//
// Items that were given up before are in neither list, even if the dead letter
// handler has not returned yet; wait for it before the process ends. So both lists
// may be empty: every item has met its fate, and a callback was still running.
type CloseError[T any] struct {
	// Unflushed items were never passed to the flush function.
	Unflushed []T

	// Unknown items belong to batches that a worker had taken: an attempt
	// was made, or was about to be made, and its outcome is not known. They
	// may or may not have been written. The same goes for a batch into which
	// [WithFoldBack] has put values of such a one.
	Unknown []T

	// Err is why Close gave up: the cause of the context that ended.
	Err error
}

// Error says how many items are in each list, and why Close gave up.
func (e *CloseError[T]) Error() string {
	return fmt.Sprintf("batcher: closed with %s unflushed and %d of unknown outcome: %v",
		counted(len(e.Unflushed), "item"), len(e.Unknown), e.Err)
}

// Unwrap returns the cause of the context that ended.
func (e *CloseError[T]) Unwrap() error { return e.Err }

// counted returns "1 item", "2 items".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
