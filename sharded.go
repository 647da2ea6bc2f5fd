package batcher

// The front end with a batch for each key: what users see of it.

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// KeyedFlushFunc writes one batch of one key. All that is said of a [FlushFunc] holds
// for it; the key is also in [Info], as Key.
type KeyedFlushFunc[K comparable, T any] func(ctx context.Context, key K, batch []T) error

// Sharded groups items by key and passes each key's batches to a [KeyedFlushFunc]:
// one tenant, one topic, one table per batch. Make one with [NewSharded]; all methods
// may be called from any goroutine. The methods that take a context panic if it is
// nil.
//
// Each key has a filling batch of its own, with MaxSize, MaxWeight and MaxDelay of its
// own. Its items reach the flush function in the order in which they were accepted,
// with any number of workers: at most one batch of a key is in flight, and the
// following ones wait for their turn without holding a worker. So a key whose flush
// hangs, or fails and is tried again, costs one worker and delays its own items only.
// Between keys there is no order; those that wait for a worker are served in turn.
//
// The bound is [WithMaxPending] over all keys, and [WithMaxPendingPerKey]. A key costs
// nothing once it holds nothing. There is one timer for all keys, and no goroutine
// per key.
//
// Keys that are not equal to themselves, as NaN is, and keys that cannot be hashed,
// are refused with [ErrBadKey].
type Sharded[K comparable, T any] struct {
	hasher hasher[K]
	shards []shard[K, T]
	held   atomic.Int64 // items that count against maxPending; raised under a shard's lock only

	line    line[Entry[K, T]] // of producers that wait for room, under all the shards' locks
	alarm   alarm
	blanks  sync.Pool // of *slot[K, T], zero
	singles sync.Pool // of *single[T], zero
	buffers buffers[T]

	// Set by NewSharded.
	flushFunc KeyedFlushFunc[K, T]
	weigh     func(T) int // nil without WithMaxWeight
	plain     bool        // no weights, no budget per key

	engine engine[T]
}

// NewSharded returns a batcher with a batch for each key. Everything that is wrong
// with the arguments comes in one error, which wraps [ErrConfig]. The options are those
// of [New] without [WithQueueDepth] and [WithLanes], and in addition [WithShards],
// [WithMaxPending] and [WithMaxPendingPerKey]. The function of [WithDeadLetter]
// receives a DeadLetter[Entry[K, T]], that of [WithMaxWeight] a T.
func NewSharded[K comparable, T any](flush KeyedFlushFunc[K, T], opts ...Option) (*Sharded[K, T], error) {
	c, faults := newConfig(forSharded, opts)
	if flush == nil {
		faults = append(faults, errors.New("the flush function is nil"))
	}
	weigh, fault := typed[func(T) int]("WithMaxWeight", c.weigh)
	faults = append(faults, fault)
	letters, fault := typed[func(context.Context, DeadLetter[Entry[K, T]])]("WithDeadLetter", c.deadLetter)
	faults = append(faults, fault)
	if err := configError(faults); err != nil {
		return nil, err
	}
	s := &Sharded[K, T]{hasher: newHasher[K](c.shards), flushFunc: flush, weigh: weigh}
	s.plain = weigh == nil && c.maxPerKey == 0
	s.init(c, letters)
	return s, nil
}

// init sets up the shards and the engine, whose bound is not its queue.
func (s *Sharded[K, T]) init(c *config, letters func(context.Context, DeadLetter[Entry[K, T]])) {
	s.shards = make([]shard[K, T], s.hasher.shards())
	for i := range s.shards {
		s.shards[i].slots = make(map[K]*slot[K, T])
	}
	s.alarm.init(s.sweep)
	if letters == nil {
		s.engine.init(c, s, nil)
		return
	}
	s.engine.init(c, s, func(ctx context.Context, l DeadLetter[T]) {
		key, _ := l.Info.Key.(K) // a nil interface is a key too
		letters(ctx, DeadLetter[Entry[K, T]]{entries(key, l.Items), l.Err, l.Attempts, l.Info})
	})
}

// Add hands over one item of a key. It returns nil once the item is accepted: it is
// then flushed, or given up and reported, or handed back by Close. When there is no
// room, [WithOverflow] decides; by default Add waits. Waiting for room of one key
// ([WithMaxPendingPerKey]) does not hold up the others.
//
// An error means that the item was not accepted and left no trace: [ErrClosed],
// [ErrBadKey], [ErrFull], [ErrTooHeavy], [ErrNegativeWeight], [ErrReentrant], or the
// cause of ctx. A ctx that has ended is refused even if there is room. Once the item
// is accepted, ctx has no effect on it.
//
// Cost: 0 allocations for a key that holds something, and about a hash, a lock, a
// lookup and an append (BenchmarkSharded).
func (s *Sharded[K, T]) Add(ctx context.Context, key K, item T) error {
	mustHaveContext(ctx, "Add")
	if s.plain && ctx.Err() == nil && s.addToFilling(key, item) {
		return nil
	}
	return s.addOne(ctx, key, item, s.engine.overflow, nil)
}

// TryAdd is Add without waiting, and without a context. Without room it returns
// [ErrFull] under [Block] and [Reject]; the other policies apply as they are.
func (s *Sharded[K, T]) TryAdd(key K, item T) error {
	if s.plain && s.addToFilling(key, item) {
		return nil
	}
	p := s.engine.overflow
	if p == Block {
		p = Reject
	}
	return s.addOne(context.Background(), key, item, p, nil)
}

// AddAll hands over items of one key in order, as Add does, under one lock per batch
// instead of one per item (with [WithMaxWeight], one per item). It returns how many were
// accepted: all of them, or a prefix and the reason why the next one was not. Items
// dropped under [DropNewest] were accepted; those of one call share a dead letter.
// For no items it returns nil, [ErrClosed], [ErrBadKey] or the cause of ctx. The items
// are copied; the slice remains the caller's.
func (s *Sharded[K, T]) AddAll(ctx context.Context, key K, items []T) (n int, err error) {
	mustHaveContext(ctx, "AddAll")
	for {
		accepted, err := s.accept(ctx, key, items[n:], s.engine.overflow, nil)
		n += accepted
		if err != nil || n == len(items) {
			return n, err
		}
	}
}

// Submit is Add with a receipt, by which the caller can learn the fate of the
// item. It is accounted for, dropped and refused as in Add. The zero Receipt
// comes with every error.
func (s *Sharded[K, T]) Submit(ctx context.Context, key K, item T) (Receipt, error) {
	mustHaveContext(ctx, "Submit")
	return s.submit(ctx, key, item)
}

// AddWait adds an item and waits for its fate: nil once it was flushed, else what
// [Receipt.Wait] returns. When ctx ends after the item was accepted, AddWait
// returns the cause of ctx and the item goes on, its fate open; use Submit where
// that must be told from a refusal. Inside a flush of the same batcher it returns
// [ErrReentrant] and accepts nothing.
func (s *Sharded[K, T]) AddWait(ctx context.Context, key K, item T) error {
	mustHaveContext(ctx, "AddWait")
	if err := s.engine.refusal(ctx); err != nil {
		return err
	}
	r, err := s.submit(ctx, key, item)
	if err != nil {
		return err
	}
	return r.wait(ctx)
}

// Flush makes what is held due, of all keys, and waits until every item accepted before
// the call has met its fate. All that is said of [Batcher.Flush] holds for it.
func (s *Sharded[K, T]) Flush(ctx context.Context) error {
	mustHaveContext(ctx, "Flush")
	return s.engine.flush(ctx)
}

// Close ends the batcher: it refuses new items, flushes what is held, waits until
// all is delivered and the goroutines have ended, and returns nil. When ctx ends first,
// it returns at once, with a *CloseError[Entry[K, T]] that holds the items left with their
// keys. All that is said of [Batcher.Close] holds for it.
func (s *Sharded[K, T]) Close(ctx context.Context) error {
	mustHaveContext(ctx, "Close")
	return s.engine.close(ctx)
}

// Stats returns a consistent snapshot. It takes the locks of all shards, for a time
// that does not depend on how much is held. OldestAge is that of the oldest batch among
// those running, next in line, and filling.
func (s *Sharded[K, T]) Stats() Stats { return s.engine.stats() }
