package batchertest

// Finding flush functions that keep the slice.

import (
	"context"
	"runtime"
	"testing"
	"unsafe"
	"weak"

	"github.com/seed-4c1eaf8a/batcher"
)

// CheckNoRetention fails the test if flush keeps the slice that it is given. It calls flush once,
// with a fresh slice of the items, and with a context that ends once flush has returned. Then it
// does what a batcher does, it clears the slice, and asks the garbage collector whether anything
// still refers to it.
//
// It finds, without a look at what flush does:
//   - every reference to the slice, a part of it or one of its elements that is left when flush has
//     returned: in a variable, a closure, or a goroutine that still works. Also one that would
//     never be read: it keeps the items of the batch alive;
//   - under the race detector, also a goroutine that reads or writes the slice without having been
//     waited for, even if it has let go of it by the time of the collection.
//
// Beyond that, what flush writes too late it writes as zero values, for the test's own assertions.
//
// It does not find:
//   - without the race detector, a reference that is given up within some milliseconds;
//   - a slice that is only in a sync.Pool, or hidden from the collector, as in C memory;
//   - what happens on a path not taken: with other items, or after a failure. To check how flush
//     fails, wrap it in a function that swallows the error.
//
// The items themselves may be kept: those that hold pointers share only what they point to. Items
// of size zero have no memory that could be kept.
//
// An error that flush returns fails the test as well; a panic is not recovered. [batcher.InfoFrom]
// reports false. There must be an item at least.
func CheckNoRetention[T any](t testing.TB, flush batcher.FlushFunc[T], items ...T) {
	t.Helper()
	if len(items) == 0 {
		t.Fatal("batchertest: CheckNoRetention: no items")
	}
	slice, err := lend(t.Context(), flush, items)
	if err != nil {
		t.Errorf("batchertest: CheckNoRetention: the flush function failed: %v", err)
	}
	var item T
	if unsafe.Sizeof(item) > 0 && reachable(slice) {
		t.Error("batchertest: CheckNoRetention: the flush function has returned, " +
			"and something still refers to its slice")
	}
}

// lend calls flush as a batcher does. It is a function of its own so that nothing on the stack
// refers to the slice afterwards.
//
//go:noinline
func lend[T any](
	ctx context.Context, flush batcher.FlushFunc[T], items []T,
) (weak.Pointer[T], error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slice := newSlice(items)
	err := flush(ctx, slice)
	clear(slice)
	return weak.Make(&slice[0]), err
}

// newSlice returns a copy of items with len = cap, in memory of its own: the runtime packs tiny
// objects together, and then a weak pointer to one lives as long as its neighbours.
func newSlice[T any](items []T) []T {
	const notTiny = 64 // bytes, and items of one byte at least
	slice := make([]T, max(len(items), notTiny))
	copy(slice, items)
	return slice[:len(items):len(items)]
}

// reachable reports whether the collector finds a reference to p's target. The first collections
// empty the sync.Pools, in which encoders keep what they have long finished with; a goroutine that
// is about to end gets the time to.
func reachable[T any](p weak.Pointer[T]) bool {
	const collections = 4
	for range collections {
		runtime.GC()
		if p.Value() == nil {
			return false
		}
	}
	return true
}

// Poison wraps flush so that a slice that it keeps goes bad: each call gets a slice of its own,
// whose elements are all set to poison once flush has returned. In a batcher of the whole program
//
//	batcher.New(batchertest.Poison(store.Insert, Event{ID: "poison"}), ...)
//
// the test's own assertions then see poison where the items should be, instead of the zero values
// or the items of a later batch that a batcher puts there sooner or later. Under the race detector,
// a goroutine that reads or writes the slice late is reported as a race with Poison.
//
// It finds only what the test looks at afterwards. [CheckNoRetention] finds a kept slice by itself,
// in a single call. Neither is for a flush function that relies on [batcher.WithoutReuse].
//
// After a panic or runtime.Goexit in flush, the slice is left alone, as a batcher leaves it alone.
func Poison[T any](flush batcher.FlushFunc[T], poison T) batcher.FlushFunc[T] {
	return func(ctx context.Context, batch []T) error {
		own := make([]T, len(batch))
		copy(own, batch)
		err := flush(ctx, own)
		for i := range own {
			own[i] = poison
		}
		return err
	}
}
