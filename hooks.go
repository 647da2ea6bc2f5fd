package batcher

// Watching from outside: what a flush may ask about its batch, and hooks for
// metrics and traces.

import (
	"context"
	"fmt"
	"time"
)

// Reason is why a batch was sealed. Every batch has exactly one.
type Reason uint8

const (
	// ReasonSize: the batch reached MaxSize, even if it was already due for
	// another reason and only waited for a worker.
	ReasonSize Reason = iota + 1
	// ReasonWeight: the batch reached MaxWeight, or the next item would have
	// passed it.
	ReasonWeight
	// ReasonDelay: the first item had waited for MaxDelay.
	ReasonDelay
	// ReasonEager: a worker was idle, see [WithEager].
	ReasonEager
	// ReasonFlush: Flush was called.
	ReasonFlush
	// ReasonClose: Close was called.
	ReasonClose
	// ReasonBudget: producers found no room under [WithMaxPending] or
	// [WithMaxPendingPerKey], and the batch held part of it.
	ReasonBudget

	reasonCount = iota + 1
)

var reasonNames = [reasonCount]string{"none", "size", "weight", "delay", "eager", "flush", "close", "budget"}

// String returns the reason in lower case: "size", "weight", "delay", "eager",
// "flush", "close" or "budget". It is the value that dashboards expect in the label
// "reason".
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// Info describes one attempt to flush: the batch, or the piece of a split batch,
// that the flush function received.
type Info struct {
	// Name is the name given by [WithName].
	Name string

	// Reason is why the batch was sealed. It is 0 in the dead letter of items
	// dropped under [DropNewest], which were never in a batch; there, only
	// Name and Size are set.
	Reason Reason

	// Size is the number of items in this attempt: len(batch).
	Size int

	// Weight is the weight of the whole batch as it was sealed, 0 without
	// [WithMaxWeight]. It is not worked out again for the pieces of a split batch.
	Weight int

	// FirstAdded is when the first item of the batch was accepted.
	FirstAdded time.Time

	// Sealed is when the batch stopped accepting items.
	Sealed time.Time

	// Attempt counts from 1. It starts anew for each piece of a split batch. For a
	// batch that has received values under [WithFoldBack], it counts on from the
	// attempts that these have behind them.
	Attempt int

	// Key is the key of a per-key batch, else nil.
	Key any

	// Batch is the number of the batch, from 1 on. No other batch of the process has it, of this
	// batcher or another. It is 0 in the dead letter of items that no worker had taken.
	Batch uint64

	// Offset is how many items of the batch have met their fate so far; in a dead letter, its own
	// included. Batch, Offset and Size together name the piece that an attempt is made at:
	// they are the same for all attempts at it, and differ for any two pieces in the process, so
	// an idempotency key can be made of them. (Under [WithFoldBack] a piece may get another
	// name when values are put back.)
	Offset int

	// First is true for the first attempt at the batch, and for no other one: not for its
	// retries, and not for the pieces that are left of it. So it is where to count batches, and
	// to measure their sizes. In a dead letter it says that this was the only attempt.
	First bool
}

// InfoFrom returns the description of the batch being flushed. It reports false
// for a context that does not come from a flush. The cost is one walk up the
// context's chain of values.
func InfoFrom(ctx context.Context) (Info, bool) {
	if fc, ok := ctx.Value(infoKey{}).(*flushContext); ok {
		return fc.info, true
	}
	return Info{}, false
}

// Hooks observe a batcher: the place for metrics and traces. Nil fields are
// skipped and cost nothing. See [WithHooks].
//
// Every hook:
//   - runs on the goroutine that does the work, a worker's or, for drops, a
//     producer's, so its time is added to that of the batch;
//   - is called with no lock held and may call Add, TryAdd, AddAll, Submit and Stats;
//   - may be called from several goroutines at once;
//   - is isolated: a panic in it is logged and changes nothing else.
//     [runtime.Goexit] in FlushStart fails the attempt with [ErrGoexit]; in the
//     others it ends the hook and skips the rest of the same kind; on a
//     producer's goroutine it ends that goroutine, as it always does.
type Hooks struct {
	// FlushStart runs before every attempt. The context that it returns is
	// passed to the flush function and to FlushEnd, so that a span can travel
	// in it; it must be derived from ctx. Returning nil stands for ctx.
	FlushStart func(ctx context.Context, info Info) context.Context

	// FlushEnd runs after every attempt, also after one that panicked or
	// left through runtime.Goexit, and before the items are accounted for.
	// The context is the attempt's and has already ended; its values remain.
	FlushEnd func(ctx context.Context, info Info, result FlushResult)

	// Retry runs before the wait that precedes another attempt at
	// info.Size items; err is why the last one failed. Under [WithFoldBack] they
	// may come with the next batch then.
	Retry func(ctx context.Context, info Info, wait time.Duration, err error)

	// DeadLetter runs after items were given up: accounted for, and handed
	// to the dead letter handler. err.Err is [ErrDropped] for drops.
	DeadLetter func(ctx context.Context, info Info, err *FlushError)
}

// FlushResult is the outcome of one attempt.
type FlushResult struct {
	// Duration is how long the flush function ran.
	Duration time.Duration

	// Err is what it returned, or a [*PanicError] or [ErrGoexit].
	Err error
}
