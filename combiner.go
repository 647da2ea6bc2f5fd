package batcher

// The front end that combines values under their keys: what users see of it.

import (
	"context"
	"errors"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// CombinedFlushFunc writes one batch of combined values: what was added under each
// key since the last batch. It runs on a worker's goroutine, with no lock held, and
// never for an empty batch.
//
//   - ctx is as for a [FlushFunc].
//   - The map is the function's own until it returns: it may delete from it and
//     write to it. It must not keep it, unless [WithoutReuse]. What the function does to
//     the map does not change what a retry gets.
//   - nil means that all entries were written. An error fails the batch as for a
//     [FlushFunc]; a [*PartialKeyError] says which keys failed, so that only those
//     are tried again. (A [*PartialError] says nothing about a map: it fails the
//     whole batch.)
//   - A panic or runtime.Goexit fails this batch and nothing else.
type CombinedFlushFunc[K comparable, V any] func(ctx context.Context, batch map[K]V) error

// Combiner aggregates values under their keys before they are flushed: counters,
// sums, maxima, the last state of an entity. A batch is a map, with one entry for each
// key that was added since the last one. Make one with [NewCombiner]; all methods
// may be called from any goroutine. The methods that take a context panic if it is
// nil.
//
// A batch is sealed when it has MaxSize distinct keys, MaxDelay after its first
// value, by Flush and by Close. A retry delivers the map of the failed batch as it
// was, while new values go to the next one; but see [WithFoldBack].
//
// In [Stats], Added, Flushed and the others count entries: a key of a batch is one
// item, whatever was combined under it. Merged counts the values that made no entry
// of their own, so Added + Merged is the number of values accepted.
type Combiner[K comparable, V any] struct {
	// Set by NewCombiner.
	hasher    hasher[K]
	tallies   []tally[K, V] // by the key's shard
	combine   func(old, new V) V
	flushFunc CombinedFlushFunc[K, V]
	startTick func() // c.tick, made once: a method value allocates

	maps sync.Pool // of *mapLoan[K, V], empty

	// places is how many keys the filling batch has room for, 0 if there is none. It
	// changes only under the lock of some tally, so it stands still for who has all.
	places atomic.Int64

	// Guarded by the locks of all tallies together.
	open     *batch[Entry[K, V]] // the filling batch, nil if there is none; tallies have its entries
	opened   time.Time           // when that got its first value
	closed   bool
	line     line[Entry[K, V]] // of producers that wait for room
	deadline deadline

	engine engine[Entry[K, V]]
}

// NewCombiner returns a combiner. combine returns what becomes of the value under a
// key, old, when another one is added, new. Everything that is wrong with the
// arguments comes in one error, which wraps [ErrConfig]. The options are those of
// [New] without [WithMaxWeight] and [WithLanes], and in addition [WithShards] and
// [WithFoldBack]. The function of [WithDeadLetter] receives a
// DeadLetter[Entry[K, V]].
//
// combine runs on the goroutine of the producer who adds the value (with
// [WithFoldBack] also on a worker's), while the lock of the key's shard is held, and
// sometimes those of all shards: the one exception to the rule that no lock is held in
// user code. So it must be short, and must not call any method of the combiner. For
// one key the calls come one after another, in the order in which the values were
// accepted. A panic in it, or [runtime.Goexit], leaves the entry as it was and reaches
// the caller of Add, whose value was not accepted. What combine has changed in place
// before, if V has pointers in it, cannot be taken back.
func NewCombiner[K comparable, V any](
	combine func(old, new V) V, flush CombinedFlushFunc[K, V], opts ...Option,
) (*Combiner[K, V], error) {
	config, faults := newConfig(forCombiner, opts)
	if combine == nil {
		faults = append(faults, errors.New("the combine function is nil"))
	}
	if flush == nil {
		faults = append(faults, errors.New("the flush function is nil"))
	}
	letters, fault := typed[func(context.Context, DeadLetter[Entry[K, V]])](
		"WithDeadLetter", config.deadLetter)
	faults = append(faults, fault)
	if err := configError(faults); err != nil {
		return nil, err
	}
	// More shards than keys would only cost time.
	shards := min(powerOfTwo(config.shards), 1<<(bits.Len(uint(config.maxSize))-1))
	c := &Combiner[K, V]{combine: combine, flushFunc: flush}
	c.hasher = newHasher[K](shards)
	c.tallies = make([]tally[K, V], c.hasher.shards())
	c.startTick = c.tick
	c.engine.init(config, c, letters)
	c.engine.partialOf = partialByKey[K, V]
	if config.foldBack {
		c.engine.fold = c.foldBack
	}
	return c, nil
}

// Add combines value into what was added under key, or makes a new entry of it. It
// returns nil once the value is accepted: its entry is then flushed, or given up and
// reported, or handed back by Close. A key that is in the batch needs no room. When
// there is no room for a new one, [WithOverflow] decides; by default Add waits.
//
// An error means that the value was not accepted and left no trace: [ErrClosed],
// [ErrFull], [ErrBadKey], [ErrReentrant], or the cause of ctx. A ctx that has ended
// is refused even if there is room. Once the value is accepted, ctx has no effect on
// it.
//
// Under [DropNewest] a value for which there is no room is dropped alone, and counts as
// an entry, added and dropped.
//
// Cost: no allocation; two hashes of the key and a lock that only keys of the same
// shard share (BenchmarkCombiner).
func (c *Combiner[K, V]) Add(ctx context.Context, key K, value V) error {
	mustHaveContext(ctx, "Add")
	if ctx.Err() == nil {
		if shard, ok := c.hasher.shard(key); ok && c.addQuickly(shard, key, value) {
			return nil
		}
	}
	return c.accept(ctx, Entry[K, V]{key, value}, c.engine.overflow)
}

// TryAdd is Add without waiting, and without a context. Without room it returns
// [ErrFull] under [Block] and [Reject]; the other policies apply as they are.
func (c *Combiner[K, V]) TryAdd(key K, value V) error {
	p := c.engine.overflow
	if p == Block {
		p = Reject
	}
	if shard, ok := c.hasher.shard(key); ok && c.addQuickly(shard, key, value) {
		return nil
	}
	return c.accept(context.Background(), Entry[K, V]{key, value}, p)
}

// Flush makes what is held due and waits until every value accepted before the
// call has met its fate, as [Batcher.Flush] does, with the same errors. Values that
// [WithFoldBack] has put back are waited for as well, however long that takes.
func (c *Combiner[K, V]) Flush(ctx context.Context) error {
	mustHaveContext(ctx, "Flush")
	return c.engine.flush(ctx)
}

// Close ends the combiner: it refuses new values, flushes what is held, and waits
// until all is delivered, as [Batcher.Close] does. When ctx ends first, it hands
// back what is left in a [*CloseError] of Entry[K, V]. A key may be in it
// several times, once for each batch: combine them in their order.
//
// After Close was called nothing is put back under [WithFoldBack] any more: a failed
// batch is tried again until it is written or ctx ends.
func (c *Combiner[K, V]) Close(ctx context.Context) error {
	mustHaveContext(ctx, "Close")
	return c.engine.close(ctx)
}

// Stats returns a consistent snapshot. It takes the locks of all shards, for a time
// that does not depend on how much is held.
func (c *Combiner[K, V]) Stats() Stats { return c.engine.stats() }
