package batchertest

// The checks of the conformance suite: what is written to a healthy target.

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

func storesEachItemOnce[T any](r *rig[T]) {
	for range 2 {
		for _, n := range []int{1, 2, 7, 100} {
			r.store(n)
			r.verify()
		}
	}
}

func takesEmptyBatches[T any](r *rig[T]) {
	for range 2 { // before the first write and after it
		for _, empty := range [][]T{nil, {}, r.items(3)[:0]} {
			c := r.begin(func() error { return r.target.Write(r.ctx, empty) })
			r.mustSucceed(c, "Write of an empty batch")
		}
		r.store(3)
	}
	r.verify()
}

func storesAHugeBatch[T any](r *rig[T]) {
	const byDefault = 10_000
	n := r.sink.Huge
	if n == 0 {
		n = byDefault
	}
	r.store(n)
	r.store(3)
	r.verify()
}

func keepsTheOrder[T any](r *rig[T]) {
	var want []string
	for _, n := range []int{1, 2, 100, 7, 1000} {
		items := r.items(n)
		want = append(want, r.keys(items)...)
		r.mustWrite(items)
	}
	r.verify()
	if stored := r.target.Stored(r.TB); !r.Failed() && !slices.Equal(stored, want) {
		at := 0
		for stored[at] == want[at] {
			at++
		}
		r.Errorf("the order is not kept: place %d has %q instead of %q", at, stored[at], want[at])
	}
}

// keepsNoSlice looks at a call only after another one: at first use, clients make connections, and
// start goroutines that may hold anything.
func keepsNoSlice[T any](r *rig[T]) {
	r.store(3)
	for _, n := range []int{1, 100} {
		items := r.items(n)
		r.want(r.keys(items))
		CheckNoRetention(r.TB, r.target.Write, items...)
	}
	r.verify()
}

func readsNothingLate[T any](r *rig[T]) {
	decoys := r.items(100)
	for _, n := range []int{1, 7, 100, 7, 1} {
		items := r.items(n)
		keys, batch := r.keys(items), newSlice(items)
		c := r.begin(func() error { return r.target.Write(r.ctx, batch) })
		r.mustSucceed(c, "Write of %d good items to a healthy target", n)
		copy(batch, decoys)
		r.spoil(items)
		r.want(keys)
	}
	r.verify()
}

// spoil overwrites what the items point to.
func (r *rig[T]) spoil(items []T) {
	if r.sink.Spoil == nil {
		return
	}
	for _, item := range items {
		r.sink.Spoil(item)
	}
}

func takesCallsAtOnce[T any](r *rig[T]) {
	r.storeAtOnce(8, 10)
	r.verify()
}

// storeAtOnce writes new items from several goroutines, in that many batches each.
func (r *rig[T]) storeAtOnce(writers, batches int) {
	var calls []*task
	var keys []string
	for w := range writers {
		var todo [][]T
		for b := range batches {
			items := r.items(3 + (w+b)%3)
			keys = append(keys, r.keys(items)...)
			todo = append(todo, newSlice(items))
		}
		calls = append(calls, r.begin(func() error { return r.writeAll(todo) }))
	}
	for _, c := range calls {
		r.mustSucceed(c, "Write, with %d at once", writers)
	}
	r.want(keys)
}

// writeAll writes one batch after another until one fails.
func (r *rig[T]) writeAll(batches [][]T) error {
	for _, batch := range batches {
		if err := r.target.Write(r.ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

func storesAgainForNothing[T any](r *rig[T]) {
	items := r.items(10)
	for range 3 {
		r.mustWrite(items[:6])
	}
	r.mustWrite(items[4:])

	twin := r.items(3)
	r.mustWrite([]T{twin[0], twin[1], twin[0], twin[2], twin[2]})
	r.verify()
}

func servesABatcher[T any](r *rig[T]) {
	const producers, each = 8, 40
	letters := NewLetters[T]()
	b := r.newBatcher(letters)
	defer r.giveUp(b)
	var adding []*task
	var bad []string
	for range producers {
		items := r.items(each)
		r.want(r.keys(items))
		if r.sink.BadItem != nil {
			items[each/2] = r.swapForBad(items[each/2], &bad)
		}
		adding = append(adding, r.begin(func() error {
			_, err := b.AddAll(r.ctx, items)
			return err
		}))
	}
	for _, c := range adding {
		r.mustSucceed(c, "AddAll to the batcher")
	}
	r.mustSucceed(r.begin(func() error { return b.Close(r.ctx) }), "Close of the batcher")
	r.checkLetters(letters, bad)
	r.verify()
}

// newBatcher returns a batcher that writes small batches to the sink, many at once.
func (r *rig[T]) newBatcher(letters *Letters[T]) *batcher.Batcher[T] {
	b, err := batcher.New(r.target.Write, batcher.WithMaxSize(6), batcher.WithWorkers(4),
		batcher.WithMaxDelay(5*time.Millisecond), batcher.WithDeadLetter(letters.Handle),
		batcher.WithRetry(3, batcher.ExponentialBackoff(time.Millisecond, 10*time.Millisecond)),
		batcher.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		r.Fatalf("batcher.New: %v", err)
	}
	return b
}

// giveUp ends what a failed check has left to the batcher.
func (r *rig[T]) giveUp(b *batcher.Batcher[T]) {
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	_ = b.Close(ctx)
}

// swapForBad returns a bad item instead of a good one, which is no longer wanted.
func (r *rig[T]) swapForBad(good T, bad *[]string) T {
	delete(r.wanted, r.sink.Key(good))
	item := r.badItem()
	*bad = append(*bad, r.sink.Key(item))
	return item
}

// checkLetters expects the bad items, and nothing else, to have been given up.
func (r *rig[T]) checkLetters(letters *Letters[T], bad []string) {
	var given []string
	var errs []error
	for _, letter := range letters.All() {
		r.inspect(letter.Err)
		given = append(given, r.keys(letter.Items)...)
		errs = append(errs, letter.Err)
	}
	if !slices.Equal(slices.Sorted(slices.Values(given)), slices.Sorted(slices.Values(bad))) {
		r.Errorf("the batcher has given up %q; the bad items are %q; the errors: %v", given, bad, errors.Join(errs...))
	}
}
