package batcher

// Options: what can be chosen, what is chosen when nothing is said, and what is
// refused.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"time"
)

// Option configures a batcher; see the With functions. An option given twice
// counts as last given, except [WithHooks], which adds up. The order of the
// options does not matter otherwise.
type Option func(*config)

// Overflow is what happens to an item for which there is no room, see
// [WithOverflow].
type Overflow uint8

const (
	// Block makes Add wait until there is room. TryAdd returns ErrFull.
	Block Overflow = iota
	// Reject makes Add return ErrFull at once.
	Reject
	// DropNewest accepts the new item and drops it: Add returns nil, and the
	// item goes to the dead letter handler with ErrDropped.
	DropNewest
	// DropOldest drops the oldest batch that waits for a worker, as a whole,
	// and then accepts the new item.
	DropOldest

	overflowCount = iota
)

var overflowNames = [overflowCount]string{"Block", "Reject", "DropNewest", "DropOldest"}

// String returns the name of the policy.
func (p Overflow) String() string {
	if int(p) < len(overflowNames) {
		return overflowNames[p]
	}
	return fmt.Sprintf("Overflow(%d)", uint8(p))
}

// The upper bounds that keep a slip of the keyboard from becoming a fork bomb,
// and the arithmetic far from overflow, on 32 bits as well.
const (
	maxWorkers    = 1 << 16
	maxQueueDepth = 1 << 24
	maxLanes      = 1 << 12
	maxShards     = 1 << 16
)

// frontEnd is one of the kinds of batcher, which do not take all the same options.
type frontEnd uint8

const (
	forBatcher frontEnd = 1 << iota
	forSharded
	forCombiner
)

var constructors = map[frontEnd]string{forBatcher: "New", forSharded: "NewSharded", forCombiner: "NewCombiner"}

// config holds what the options said. Functions of T are kept as any until New
// knows T.
type config struct {
	maxSize      int
	maxDelay     time.Duration
	maxWeight    int
	weigh        any // func(T) int
	eager        bool
	workers      int
	queueDepth   int // 0 until defaulted, see queueDepthSet
	overflow     Overflow
	flushTimeout time.Duration
	maxAttempts  int
	backoff      Backoff
	retryIf      func(error) bool
	bisect       bool
	deadLetter   any // func(context.Context, DeadLetter[T])
	reuse        bool
	base         context.Context
	lanes        int
	shards       int // 0 until defaulted, see shardsSet
	maxPending   int
	maxPerKey    int // 0: no bound
	foldBack     bool
	name         string
	logger       *slog.Logger
	hooks        []Hooks

	queueDepthSet, weightSet, retryIfSet, loggerSet  bool
	lanesSet, shardsSet, maxPendingSet, maxPerKeySet bool
}

// newConfig returns the defaults with opts applied, and what is wrong with it.
func newConfig(kind frontEnd, opts []Option) (*config, []error) {
	c := &config{
		maxSize:      500,                    // a multi-row INSERT or COPY is near its best from here on
		maxDelay:     100 * time.Millisecond, // below what a person notices
		workers:      1,                      // batches stay in order
		overflow:     Block,
		flushTimeout: 30 * time.Second,
		maxAttempts:  1,
		reuse:        true,
		base:         context.Background(),
		lanes:        1,
		maxPending:   100_000,
	}
	var faults []error
	for i, opt := range opts {
		if opt == nil {
			faults = append(faults, fmt.Errorf("option %d of %d is nil", i+1, len(opts)))
			continue
		}
		opt(c)
	}
	if !c.queueDepthSet {
		c.queueDepth = 2 * c.workers // one batch ready for each worker, one being filled behind it
	}
	if !c.shardsSet {
		c.shards = 4 * runtime.GOMAXPROCS(0) // two goroutines seldom meet
	}
	faults = append(faults, c.misplaced(kind)...)
	return c, append(faults, c.faults()...)
}

// misplaced lists the options that this kind of batcher does not take.
func (c *config) misplaced(kind frontEnd) []error {
	var faults []error
	for _, o := range []struct {
		name  string
		given bool
		takes frontEnd
		why   string
	}{
		{"WithMaxWeight", c.weightSet, forBatcher | forSharded, "a combined value would change its weight"},
		{"WithQueueDepth", c.queueDepthSet, forBatcher | forCombiner, "its bound is WithMaxPending"},
		{"WithLanes", c.lanesSet, forBatcher, "its keys are spread over WithShards"},
		{"WithShards", c.shardsSet, forSharded | forCombiner, "it has no keys"},
		{"WithMaxPending", c.maxPendingSet, forSharded, "its bound is WithQueueDepth"},
		{"WithMaxPendingPerKey", c.maxPerKeySet, forSharded, "it has no batches per key"},
		{"WithFoldBack", c.foldBack, forCombiner, "its items cannot be combined"},
	} {
		if o.given && o.takes&kind == 0 {
			faults = append(faults, fmt.Errorf("%s: not an option of %s: %s", o.name, constructors[kind], o.why))
		}
	}
	return faults
}

// faults lists everything that is wrong with c, as far as it can be told without T.
func (c *config) faults() []error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(c.maxSize < 1, "WithMaxSize(%d): must be at least 1", c.maxSize)
	fault(c.maxDelay <= 0, "WithMaxDelay(%v): must be positive", c.maxDelay)
	fault(c.weightSet && c.maxWeight < 1, "WithMaxWeight(%d): must be at least 1", c.maxWeight)
	fault(c.workers < 1 || c.workers > maxWorkers,
		"WithWorkers(%d): must be from 1 to %d", c.workers, maxWorkers)
	fault(c.queueDepthSet && (c.queueDepth < 1 || c.queueDepth > maxQueueDepth),
		"WithQueueDepth(%d): must be from 1 to %d", c.queueDepth, maxQueueDepth)
	fault(c.overflow >= overflowCount,
		"WithOverflow(%d): must be Block, Reject, DropNewest or DropOldest", c.overflow)
	fault(c.flushTimeout < 0, "WithFlushTimeout(%v): must not be negative (0 means none)", c.flushTimeout)
	fault(c.maxAttempts < 1, "WithRetry(%d): attempts must be at least 1 (the first one counts)", c.maxAttempts)
	fault(c.maxAttempts > 1 && c.backoff == nil, "WithRetry(%d): the Backoff is nil", c.maxAttempts)
	fault(c.retryIfSet && c.retryIf == nil, "WithRetryIf: the function is nil")
	fault(c.lanes < 1 || c.lanes > maxLanes, "WithLanes(%d): must be from 1 to %d", c.lanes, maxLanes)
	fault(c.lanes > 1 && c.eager, "WithLanes(%d) and WithEager: items cannot both gather in lanes and be due at once", c.lanes)
	fault(c.shardsSet && (c.shards < 1 || c.shards > maxShards),
		"WithShards(%d): must be from 1 to %d", c.shards, maxShards)
	fault(c.maxPending < 1, "WithMaxPending(%d): must be at least 1", c.maxPending)
	fault(c.maxPerKeySet && c.maxPerKey < 1, "WithMaxPendingPerKey(%d): must be at least 1", c.maxPerKey)
	fault(c.maxPerKey > c.maxPending && c.maxPending > 0,
		"WithMaxPendingPerKey(%d): more than WithMaxPending(%d) allows for all keys", c.maxPerKey, c.maxPending)
	fault(c.foldBack && c.backoff == nil, "WithFoldBack: needs WithRetry with a Backoff, which gives the pauses")
	fault(c.base == nil, "WithBaseContext: the context is nil")
	fault(c.loggerSet && c.logger == nil, "WithLogger: the logger is nil")
	return faults
}

// typed returns the function that an option stored as any, the zero F if the
// option was not given, and a fault if it is nil or was made for another T.
func typed[F any](option string, stored any) (f F, fault error) {
	if stored == nil {
		return f, nil
	}
	f, ok := stored.(F)
	switch {
	case !ok:
		return f, fmt.Errorf("%s: its function is a %T, but this batcher needs a %T", option, stored, f)
	case reflect.ValueOf(stored).IsNil():
		return f, fmt.Errorf("%s: the function is nil", option)
	}
	return f, nil
}

// configError joins faults into one error that wraps ErrConfig, nil if there are none.
func configError(faults []error) error {
	if all := errors.Join(faults...); all != nil {
		return fmt.Errorf("%w:\n%w", ErrConfig, all)
	}
	return nil
}

// WithMaxSize sets how many items seal a batch, and the upper bound of
// len(batch) that no flush function ever sees exceeded. At least 1; default 500.
// Nothing is allocated up front, so a huge n is harmless with a sensible
// [WithMaxDelay].
func WithMaxSize(n int) Option { return func(c *config) { c.maxSize = n } }

// WithMaxDelay sets how long the first item of a batch waits at most before the
// batch is sealed. It is measured from that item, not by a ticker. Positive;
// default 100 ms. While all workers are busy, a batch that is due keeps filling.
func WithMaxDelay(d time.Duration) Option { return func(c *config) { c.maxDelay = d } }

// WithMaxWeight bounds the sum of weigh over the items of a batch, usually their
// size in bytes. A batch is sealed when the sum reaches max, and before an item
// that would take it past max. An item heavier than max alone is refused with
// [ErrTooHeavy], a negative weight with [ErrNegativeWeight]. At least 1; default
// off.
//
// weigh runs once per item, on the producer's goroutine, before any lock is
// taken, and also for items that are then refused. A panic in it reaches the
// caller of Add; the item was not accepted.
func WithMaxWeight[T any](max int, weigh func(T) int) Option {
	return func(c *config) { c.maxWeight, c.weigh, c.weightSet = max, weigh, true }
}

// WithEager also seals a batch as soon as a worker is idle. At a low rate an
// item then waits for nothing at all; under load the batches grow by themselves
// while the workers are busy (group commit). [WithMaxDelay] is then without effect,
// since a batch is due from its first item on. Default off.
func WithEager() Option { return func(c *config) { c.eager = true } }

// WithWorkers sets how many flushes may run at once. 1 keeps batches in order;
// more give up the order between batches. From 1 to 65536; default 1. A worker
// is a goroutine only while it has a batch.
func WithWorkers(n int) Option { return func(c *config) { c.workers = n } }

// WithQueueDepth sets how many sealed batches may wait for a worker. It is the
// boundary of backpressure: beyond it, [WithOverflow] decides. From 1 to 2^24;
// default twice the workers.
func WithQueueDepth(n int) Option {
	return func(c *config) { c.queueDepth, c.queueDepthSet = n, true }
}

// WithOverflow sets what happens to an item for which there is no room. Default
// [Block].
func WithOverflow(p Overflow) Option { return func(c *config) { c.overflow = p } }

// WithFlushTimeout bounds one attempt: the context of the flush function ends
// after d. A function that ignores its context is not interrupted; it keeps its
// worker. 0 means no bound, negative is refused; default 30 s.
//
// A timeout does not mean that nothing was written: see "Retries and loss" in
// the package documentation.
func WithFlushTimeout(d time.Duration) Option { return func(c *config) { c.flushTimeout = d } }

// WithRetry allows maxAttempts attempts in all, the first one included, with the
// pauses given by backoff in between: usually [ExponentialBackoff]. The pause
// holds the worker, so that order is kept. At least 1; default 1, no retry, for
// which backoff may be nil.
//
// backoff is called with the number of attempts made so far, from 1 on, on the
// worker's goroutine, with no lock held. A negative result counts as 0, as does
// a panic, which is logged. There is no pause after the last attempt.
func WithRetry(maxAttempts int, backoff Backoff) Option {
	return func(c *config) { c.maxAttempts, c.backoff = maxAttempts, backoff }
}

// WithRetryIf sets which errors are worth another attempt. An error for which
// worthIt returns false is a permanent failure. Errors marked [Permanent],
// panics and [ErrGoexit] are never retried, and errors marked [TooLarge] are
// answered by a split; worthIt is not asked about those. Of a [*PartialError], it is
// asked about each entry by itself. Default: everything is worth another attempt.
//
// worthIt runs on the worker's goroutine, with no lock held. A panic in it is
// logged and counts as false.
func WithRetryIf(worthIt func(error) bool) Option {
	return func(c *config) { c.retryIf, c.retryIfSet = worthIt, true }
}

// WithBisect answers a permanent failure by splitting the batch in two, and so
// on, until the items that cause the failure are alone; only those fail. One bad
// item among n costs about 2 log2(n) extra calls. A piece starts its attempts
// anew. Retries that were used up do not split. Default off.
func WithBisect() Option { return func(c *config) { c.bisect = true } }

// WithDeadLetter sets the function that receives the items that were given up.
// By default nobody does: they are logged, as counted, not with their contents.
//
// handle runs after the items were accounted for, with no lock held:
//   - on the worker's goroutine for failed items; the worker waits for it, and
//     so do Flush and Close;
//   - on the producer's goroutine for items dropped under [DropNewest] and
//     [DropOldest].
//
// Flush and Close do not wait for a handler that runs on a producer's goroutine.
//
// It owns letter.Items. Its context ends only when Close gives up, so nothing should
// be left waiting for that. It may call Add, TryAdd, AddAll, Submit and Stats; beware
// of adding to the batcher that has just dropped the item for lack of room. A panic
// in it is logged; after runtime.Goexit the worker is replaced, and the hooks of
// this letter are skipped.
func WithDeadLetter[T any](handle func(ctx context.Context, letter DeadLetter[T])) Option {
	return func(c *config) { c.deadLetter = handle }
}

// WithLanes spreads Add over n separately locked lanes, for many producers on many
// cores: each gathers a small chunk of items, and only a full chunk goes on to the
// batch, in one go. With few producers Add gets a little slower by that. The price is
// order: a goroutine mostly stays on its lane, but not always, so there is no order of
// items that a user could rely on. From 1, no lanes, to 4096, rounded up to a power of
// two; default 1. About the number of cores is enough: [runtime.GOMAXPROCS](0). Only
// [New] takes it, and not together with [WithEager].
//
// A chunk has at most 64 items, and all of them together at most half a batch. So a
// small MaxSize allows fewer lanes, and one below 32 none. What is in the lanes is held
// in addition to the bound under "Waiting for room". It counts as accepted: MaxDelay
// runs from the first item of a chunk, and Flush, Close and Stats cover it. A batch is
// sealed by size when the items that have left the lanes fill it. Add puts an item into
// a lane as long as there is room in it, whatever [WithOverflow] says; then the policy
// applies. Submit, AddWait, TryAdd and AddAll do not use the lanes, nor does Add with
// [WithMaxWeight].
func WithLanes(n int) Option { return func(c *config) { c.lanes, c.lanesSet = n, true } }

// WithShards sets over how many locks the keys of a [Sharded] or a [Combiner] are
// spread. Keys of different shards do not wait for one another. From 1 to 65536,
// rounded up to a power of two; default four times GOMAXPROCS. A Combiner has no more
// than MaxSize. It changes nothing but speed.
func WithShards(n int) Option { return func(c *config) { c.shards, c.shardsSet = n, true } }

// WithMaxPending bounds the items that a [Sharded] holds, over all keys, from being
// accepted to having met their fate. Beyond it, [WithOverflow] decides. When the
// budget is used up, the oldest batches that are still filling are sealed for
// [ReasonBudget] as workers become free, rather than left to hold it. At least 1;
// default 100 000.
func WithMaxPending(n int) Option {
	return func(c *config) { c.maxPending, c.maxPendingSet = n, true }
}

// WithMaxPendingPerKey bounds the items that a [Sharded] holds of one key, so that
// one tenant cannot use up the budget of all. Beyond it, [WithOverflow] decides, for
// this key alone. At least 1, at most [WithMaxPending]; default off.
func WithMaxPendingPerKey(n int) Option {
	return func(c *config) { c.maxPerKey, c.maxPerKeySet = n, true }
}

// WithFoldBack makes a [Combiner] put a batch that is out of attempts back instead
// of giving it up: after the pause, each of its values is combined into the batch
// that is filling then, as the older one, and travels with that. So no value is given up
// just because a sink is down for long, and what is held does not grow: it is at most
// one value for each key. Permanent failures are given up as ever.
//
//   - While sealed batches wait, or if none is filling, or as far as the filling one
//     has no place, the failed batch is tried again as it is: with one worker, older
//     values never overtake newer ones of their key. No number of attempts ends that.
//   - Attempts count on, in [Info] too, so that the Backoff grows until a flush
//     succeeds; a split starts anew, as ever. It needs [WithRetry] with a Backoff:
//     WithRetry(1, backoff) puts a batch back after every failure.
//   - The filling batch is due when it was before: the pause sets the pace. It is due
//     at once if a Flush waits for a value put back.
//   - Flush and Close wait for such values too, if need be until their context ends.
//     After Close nothing is put back, but tried again as it is.
//   - The combine function is then called on a worker's goroutine, with the locks of
//     all shards held. If it panics or leaves by [runtime.Goexit], the older value is given
//     up, with a [*PanicError] or [ErrGoexit], and the newer one remains.
//
// [Stats] counts an entry that was combined into a newer one as Folded. One whose
// key is new to the filling batch moves there, and remains the same entry. Default
// off.
func WithFoldBack() Option { return func(c *config) { c.foldBack = true } }

// WithoutReuse gives the flush function a fresh slice every time, which it may
// keep. The cost is one allocation of the size of the batch per attempt. By
// default the slice belongs to the function only until it returns.
func WithoutReuse() Option { return func(c *config) { c.reuse = false } }

// WithBaseContext makes the values of ctx visible in the context of the flush
// function. The end of ctx has no effect. Default [context.Background].
func WithBaseContext(ctx context.Context) Option { return func(c *config) { c.base = ctx } }

// WithName names the batcher in [Info], in logs and in metrics. Default "".
func WithName(name string) Option { return func(c *config) { c.name = name } }

// WithLogger sets where the batcher reports what goes wrong. Default [slog.Default], looked up at
// each use. Each line is structured: the attribute name says which batcher, and, where they apply,
// reason, size, attempts and error tell of the batch, or of the piece of a split one. Neither items nor
// keys are logged.
//
//   - Error, "batch failed": items were given up, and there is no dead letter handler to receive them.
//     Of a panic, the stack comes along.
//   - Error, "panic in user code": in a hook, a handler, a Backoff; with its stack.
//   - Warn, "batch failed": items were given up, and the dead letter handler has them.
//   - Warn, "flush failed, to be tried again": with the wait before the next attempt.
//   - Warn, "items dropped": for lack of room, while there is no dead letter handler.
//
// Nothing is logged of a flush that succeeds. Each of these is sampled by itself: the first line
// at once, then one a second at most, with the number of lines left out since (omitted) and of the
// items in them (omitted_items). Close writes the last counts.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) { c.logger, c.loggerSet = logger, true }
}

// WithHooks adds hooks. It may be given several times; the hooks are then called
// in the order given, those of FlushEnd in the reverse order. Default none.
func WithHooks(hooks Hooks) Option {
	return func(c *config) { c.hooks = append(c.hooks, hooks) }
}
