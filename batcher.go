package batcher

// The front end for one stream of items: what users see of it.

import (
	"context"
	"errors"
	"sync"
)

// FlushFunc writes one batch. It runs on a worker's goroutine, with no lock held,
// and never for an empty batch.
//
//   - ctx belongs to the batcher, never to a producer. It ends with
//     [WithFlushTimeout], when Close gives up (its cause is then [ErrClosed]), and
//     when the function has returned. [InfoFrom] describes the batch.
//   - The slice is the function's own until it returns: it may sort it,
//     overwrite it, append to it. It must not keep it, unless [WithoutReuse].
//   - nil means that all items were written. For errors, see "Retries and loss".
//   - A panic or runtime.Goexit fails this batch and nothing else.
type FlushFunc[T any] func(ctx context.Context, batch []T) error

// Batcher groups items and passes them to a [FlushFunc]. Make one with [New];
// all methods may be called from any goroutine. The methods that take a context
// panic if it is nil.
type Batcher[T any] struct {
	// What an Add touches comes first, to lie together.
	mu    sync.Mutex // guards the fields below; never held while waiting or in user code
	items []T        // of the filling batch
	bound int        // while len(items) < bound, an item may simply be appended

	open     *batch[T] // the filling batch, nil if there is none
	fates    *fates    // of the filling batch's receipts, nil if there are none
	weight   int       // of the filling batch
	closed   bool
	lagging  bool    // a drain of the lanes found no room: there is no filling batch until admit drains
	line     line[T] // of producers that wait for room
	deadline deadline

	// Set by New.
	flushFunc FlushFunc[T]
	weigh     func(T) int // nil without WithMaxWeight
	startTick func()      // b.tick, made once: a method value allocates
	lanes     *lanes[T]   // nil if there are none; far from what changes: each Add reads it

	engine engine[T]
}

// New returns a batcher that passes its batches to flush. Everything that is
// wrong with the arguments comes in one error, which wraps [ErrConfig].
//
// No goroutine is started: workers run only while there is something to do, so a
// batcher that is forgotten leaks nothing once its items are flushed.
func New[T any](flush FlushFunc[T], opts ...Option) (*Batcher[T], error) {
	c, faults := newConfig(forBatcher, opts)
	if flush == nil {
		faults = append(faults, errors.New("the flush function is nil"))
	}
	weigh, fault := typed[func(T) int]("WithMaxWeight", c.weigh)
	faults = append(faults, fault)
	letters, fault := typed[func(context.Context, DeadLetter[T])]("WithDeadLetter", c.deadLetter)
	faults = append(faults, fault)
	if err := configError(faults); err != nil {
		return nil, err
	}
	b := &Batcher[T]{flushFunc: flush, weigh: weigh}
	b.startTick = b.tick
	if weigh == nil {
		b.lanes = newLanes[T](c.lanes, c.maxSize)
	}
	b.engine.init(c, b, letters)
	return b, nil
}

// Add hands over one item. It returns nil once the item is accepted: it is then
// flushed, or given up and reported, or handed back by Close. When there is no
// room, [WithOverflow] decides; by default Add waits.
//
// An error means that the item was not accepted and left no trace: [ErrClosed],
// [ErrFull], [ErrTooHeavy], [ErrNegativeWeight], [ErrReentrant], or the cause of
// ctx. A ctx that has ended is refused even if there is room. Once the item is
// accepted, ctx has no effect on it.
//
// Cost: 0 allocations, about a lock and an append (BenchmarkAdd).
func (b *Batcher[T]) Add(ctx context.Context, item T) error {
	mustHaveContext(ctx, "Add")
	if ctx.Err() == nil {
		if b.lanes != nil {
			return b.addTo(b.lanes.pick(), ctx, item)
		}
		if !b.mu.TryLock() {
			acquire(&b.mu)
		}
		if len(b.items) < b.bound {
			b.items = append(b.items, item)
			b.mu.Unlock()
			return nil
		}
		b.mu.Unlock()
	}
	return b.addOne(ctx, item, b.engine.overflow, nil)
}

// TryAdd is Add without waiting, and without a context. Without room it returns
// [ErrFull] under [Block] and [Reject]; the other policies apply as they are.
func (b *Batcher[T]) TryAdd(item T) error {
	p := b.engine.overflow
	if p == Block {
		p = Reject
	}
	return b.addOne(context.Background(), item, p, nil)
}

// AddAll hands over items in order, as Add does, under one lock per batch instead
// of one per item (with [WithMaxWeight], one per item). It returns how many were
// accepted: all of them, or a prefix and the reason why the next one was not. Items
// dropped under [DropNewest] were accepted; those of one call share a dead letter.
// For no items it returns nil, [ErrClosed] or the cause of ctx. The items are
// copied; the slice remains the caller's. Items of other producers may come in
// between.
func (b *Batcher[T]) AddAll(ctx context.Context, items []T) (n int, err error) {
	mustHaveContext(ctx, "AddAll")
	for {
		accepted, err := b.accept(ctx, items[n:], b.engine.overflow, nil)
		n += accepted
		if err != nil || n == len(items) {
			return n, err
		}
	}
}

// Submit is Add with a receipt, by which the caller can learn the fate of the
// item. It is accounted for, dropped and refused as in Add. The zero Receipt
// comes with every error.
//
// Cost: about that of Add, one small allocation per batch, and another if
// somebody waits.
func (b *Batcher[T]) Submit(ctx context.Context, item T) (Receipt, error) {
	mustHaveContext(ctx, "Submit")
	return b.submit(ctx, item)
}

// AddWait adds an item and waits for its fate: nil once it was flushed, else what
// [Receipt.Wait] returns. When ctx ends after the item was accepted, AddWait
// returns the cause of ctx and the item goes on, its fate open; use Submit where
// that must be told from a refusal. Inside a flush of the same batcher it returns
// [ErrReentrant] and accepts nothing.
func (b *Batcher[T]) AddWait(ctx context.Context, item T) error {
	mustHaveContext(ctx, "AddWait")
	if err := b.engine.refusal(ctx); err != nil {
		return err
	}
	r, err := b.submit(ctx, item)
	if err != nil {
		return err
	}
	return r.wait(ctx)
}

// Flush makes what is held due and waits until every item accepted before the
// call has met its fate, retries and dead letters of failures included. Items
// accepted later do not hold it up, though some may travel in the same batch. The
// batcher stays open.
//
// It returns nil if nothing was given up since the call, else the [*FlushError]s of
// the batches concerned, joined: the last few, and how many came before them. It
// returns [ErrClosed] after Close, [ErrReentrant] inside a flush, and the cause of
// ctx if that ends first; the items then go on. If Close gives up meanwhile, an
// error that is ErrClosed is among those joined. With nothing held Flush returns nil
// whatever the state of ctx.
func (b *Batcher[T]) Flush(ctx context.Context) error {
	mustHaveContext(ctx, "Flush")
	return b.engine.flush(ctx)
}

// Close ends the batcher: it refuses new items, flushes what is held, waits until
// all is delivered and the goroutines have ended, and returns nil. Retries go on as
// ever, with their pauses.
//
// When ctx ends first, Close gives up: it cancels running flushes and pauses, and
// returns at once, whatever the flush function does, with a [*CloseError] that
// holds the items left. A flush function that ignores its context may still be
// running then; what it makes of its batch counts no more.
//
// Close may be called often and from many goroutines: there is one drain, any
// call whose ctx ends gives up for all, and all return the same answer. With
// nothing left to do it returns nil even if ctx has ended. Inside a flush it
// returns [ErrReentrant] and does nothing.
func (b *Batcher[T]) Close(ctx context.Context) error {
	mustHaveContext(ctx, "Close")
	return b.engine.close(ctx)
}

// Stats returns a consistent snapshot. It takes the lock that Add takes, or those of
// all lanes, for a time that does not depend on how much is held.
func (b *Batcher[T]) Stats() Stats { return b.engine.stats() }

// mustHaveContext panics with a clear message if ctx is nil.
func mustHaveContext(ctx context.Context, method string) {
	if ctx == nil {
		panic("batcher: " + method + ": nil context")
	}
}
