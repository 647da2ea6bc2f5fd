// Package batcher groups items that many goroutines hand over one at a time, and
// passes them to a flush function in batches: when a batch is full, or when its
// first item has waited long enough. It is made to stand in front of databases,
// brokers and HTTP APIs, and to be trusted with the data: what was accepted is
// flushed, or given up and reported, or handed back by Close, exactly once.
//
//	b, err := batcher.New(func(ctx context.Context, batch []Event) error {
//		return store.Insert(ctx, batch)
//	},
//		batcher.WithMaxSize(500),
//		batcher.WithMaxDelay(100*time.Millisecond),
//		batcher.WithRetry(5, batcher.ExponentialBackoff(100*time.Millisecond, 10*time.Second)),
//	)
//	...
//	err = b.Add(ctx, event)
//	...
//	err = b.Close(ctx)
//
// It is not a durable queue: what is in memory when the process dies is lost;
// callers who must know use [Batcher.AddWait]. It is not a scheduler, and it is
// not distributed: each process batches into an engine that is.
//
// # Lifecycle
//
// [New] checks everything and starts nothing. Workers are goroutines only while
// they have a batch, and the timer has one only while it fires, so an idle batcher
// costs no CPU and a forgotten one leaks nothing.
//
// A batch is opened by its first item and sealed when it reaches [WithMaxSize] or
// [WithMaxWeight]. It becomes due [WithMaxDelay] after its first item was accepted,
// at once under [WithEager], or by Flush or Close; a worker then takes and seals
// it. While all workers are busy, a due batch goes on filling, so that a slow sink
// gets full batches and not many small ones.
//
// [Batcher.Close] ends it all: it refuses new items, delivers what is held, and
// waits for that, or until its context ends; then it hands the rest back in a
// [*CloseError]. Every program should call it with a deadline, after its producers
// have stopped, and look at the error.
//
// # Front ends
//
// [Batcher] has one stream of items. [Sharded] has a batch for each key, in order per
// key with any number of workers. [Combiner] combines values under their keys, so that
// a batch is a map. All that follows holds for the three of them, where nothing else is
// said.
//
// # Waiting for room
//
// At most MaxSize x (QueueDepth + Workers) items are held ([WithMaxPending] is the
// bound of a [Sharded]): a batch is opened only
// when there is a place for it in the queue behind the workers. Beyond that,
// [WithOverflow] decides: wait (the default), refuse, or drop. Waiting ends with
// the producer's context and with Close. It is first come, first served, except
// that a long AddAll goes to the end of the line after each MaxSize items, of which
// it holds a copy while it waits. Each worker also holds one attempt's copy of its
// batch, and [WithLanes] holds up to half a batch more.
//
// # Order
//
// With one worker and without [WithLanes], items reach the flush function in the
// order in which they were accepted, so the items of each goroutine in its own
// order, across retries, splits and batches; an item that is given up, or tried again
// by itself after a partial failure, is the exception that the flush function has
// asked for. With more workers there is order within a batch only, with lanes there
// is none. With keys there is order per key, with any number of workers.
//
// # Retries and loss
//
// A flush function that returns nil has written everything. An error fails the
// whole batch, unless it carries a mark: [Permanent] (no further attempt),
// [RetryAfter] (not before that time), [TooLarge] (split in two), or a
// [*PartialError] (only these items failed). Marks are found by [errors.As],
// however deeply the error is wrapped or joined.
//
// Failed items are tried again as [WithRetry] and [WithRetryIf] say. Items that
// are out of attempts, or failed for good, are given up: they count as failed,
// their receipts resolve to a [*FlushError], and the function of [WithDeadLetter]
// receives them. A panic and [runtime.Goexit] are permanent failures of one batch.
// With [WithBisect], a permanent failure splits the batch until the poison items
// are alone.
//
// An error does not mean that nothing was written. A statement that timed out may
// have been committed; the retry then writes again. The same holds for the
// Unknown items of a [*CloseError]. Where that matters, the flush function must
// be idempotent, for instance INSERT ... ON CONFLICT DO NOTHING on an id that
// the producer has given.
//
// # Who owns a slice
//
// The batch that a flush function receives is a copy, with len = cap, and the
// function's own until it returns: it may sort it, overwrite it, append to it. A
// retry, the dead letter handler and Close see the items as they were accepted.
// After the return the copy is cleared and used again: a function that keeps it
// sees zeroes first, and perhaps other items later. [WithoutReuse] gives it a
// fresh slice each time. What the items point to is the user's own affair.
//
// # Calls from inside a flush
//
// Add, TryAdd, AddAll, Submit and Stats may be called from inside a flush
// function. What would have to wait for that very flush returns [ErrReentrant]
// instead: Flush, Close, AddWait, an open Receipt.Wait, and Add without room. The
// batcher knows such calls by the context, so pass on the one that the function
// received. A ring of several batchers that wait for one another is not detected.
//
// # Costs
//
// Add is a lock and an append, without allocation; [WithLanes] makes it many locks. A batch costs a constant number
// of allocations, five with a flush timeout, whatever its size. The figures, and
// the benchmarks that keep them honest, are in docs/performance.md.
package batcher
