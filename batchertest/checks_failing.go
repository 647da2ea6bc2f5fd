package batchertest

// The checks of the conformance suite: contexts that end, bad items, failures.

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// errEnded is the cause of the contexts that the suite ends. A sink that finds it has asked
// context.Cause.
var errEnded = errors.New("batchertest: the suite has ended this context")

func obeysAnEndedContext[T any](r *rig[T]) {
	cancelled, cancel := context.WithCancelCause(r.ctx)
	cancel(errEnded)
	expired, cancelExpired := context.WithTimeoutCause(r.ctx, -time.Second, errEnded)
	defer cancelExpired()
	for _, ctx := range []context.Context{cancelled, expired} {
		for _, n := range []int{1, 100} {
			r.mustEnd(r.write(ctx, r.items(n)))
		}
		if r.sink.BadItem != nil {
			r.mustEnd(r.write(ctx, append(r.items(2), r.badItem())))
		}
		r.store(3)
	}
	r.verify()
}

// mustEnd expects the call to return soon, with an error that blames the context.
func (r *rig[T]) mustEnd(c *task) {
	err := r.await(c, promptly)
	switch v := verdictOf(err); {
	case err == nil:
		r.Error("Write returned nil, though its context had ended")
	case v != Transient:
		r.Errorf("the context has ended, which says nothing about the items, and the error is %v: %v", v, err)
	case !errors.Is(err, errEnded):
		r.Errorf("the error does not wrap context.Cause, which is %q: %v", errEnded, err)
	}
}

func obeysACancellation[T any](r *rig[T]) {
	r.endInMidWrite(func() (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(r.ctx)
		return ctx, func() { cancel(errEnded) }
	})
}

func obeysADeadline[T any](r *rig[T]) {
	r.endInMidWrite(func() (context.Context, func()) {
		ctx, cancel := context.WithTimeoutCause(r.ctx, 2*underWay, errEnded)
		return ctx, func() {
			<-ctx.Done()
			cancel()
		}
	})
}

// underWay is how long a call is left alone until it is taken to wait for the target. If it has not
// come that far, the check is weaker, and no less right.
const underWay = 100 * time.Millisecond

// endInMidWrite ends the context of some calls while the target hangs, and not that of others.
func (r *rig[T]) endInMidWrite(begin func() (ctx context.Context, end func())) {
	r.store(3) // what is to be had for the first call is there
	again, spoiled := r.items(5), r.items(5)
	r.leaveOpen(append(r.keys(again), r.keys(spoiled)...))
	spared := r.items(10)

	r.hang()
	ctx, end := begin()
	doomed := []*task{r.write(ctx, again[:2]), r.write(ctx, again[2:]), r.write(ctx, spoiled)}
	others := []*task{r.write(r.ctx, spared[:5]), r.write(r.ctx, spared[5:])}
	time.Sleep(underWay)
	r.mustWait(ctx, append(others, doomed...))
	end()
	for _, c := range doomed {
		r.mustEnd(c)
	}
	r.spoil(spoiled)
	time.Sleep(underWay) // in which others would be disturbed

	r.wake()
	for _, c := range others {
		r.mustSucceed(c, "Write, while the context of another call ended")
	}
	r.want(r.keys(spared))
	r.mustWorkAgain(again)
}

// mustWait fails the test if one of the calls has not waited for the target. Who is late finds
// that their context ended in the meantime, which is as good.
func (r *rig[T]) mustWait(ctx context.Context, calls []*task) {
	for _, c := range calls {
		if c.ended() && (c.err == nil || ctx.Err() == nil) {
			r.Fatalf("Write did not wait for a target that hangs, or Target.Hang has no effect: it returned %v", c.err)
		}
	}
}

// mustWorkAgain writes what failed before as a batcher does, and new items.
func (r *rig[T]) mustWorkAgain(failed []T) {
	for range 3 {
		r.store(3)
	}
	r.storeAtOnce(8, 2)
	if r.sink.Idempotent {
		r.mustWrite(failed)
	}
	r.verify()
}

// failsBadItemsAlone has them at all places where an index may go wrong.
func failsBadItemsAlone[T any](r *rig[T]) {
	for _, places := range [][]int{{0}, {5}, {9}, {0, 9}, {3, 4}, {0, 1, 2, 7, 9}, {1, 2, 3, 4, 5, 6, 7, 8, 9}} {
		batch := r.items(10)
		for _, i := range places {
			batch[i] = r.badItem()
		}
		r.mustFailAlone(batch, places)
	}
	r.store(10)
	r.verify()
}

func failsBadItemsOnly[T any](r *rig[T]) {
	for n := 1; n <= 3; n++ {
		batch, places := make([]T, n), make([]int, n)
		for i := range batch {
			batch[i], places[i] = r.badItem(), i
		}
		r.mustFailAlone(batch, places)
	}
	r.store(3)
	r.verify()
}

// mustFailAlone writes batch, expects the items at these places to fail, for good, and wants the
// others.
func (r *rig[T]) mustFailAlone(batch []T, places []int) {
	var good []T
	for i, item := range batch {
		if !slices.Contains(places, i) {
			good = append(good, item)
		}
	}
	keys := r.keys(good)
	err := r.await(r.write(r.ctx, batch), patience)
	r.want(keys)
	partial := partialOf(err)
	if partial == nil {
		r.Fatalf("the items %v of %d are bad, and the error is %v, not partial: %v",
			places, len(batch), verdictOf(err), err)
	}
	r.mustName(partial, places)
	if _, throttled := batcher.RetryDelay(err); throttled || batcher.IsPermanent(err) || batcher.IsTooLarge(err) {
		r.Errorf("the error bears a mark besides those of its entries: %v", err)
	}
}

// mustName expects entries for these places, all of them permanent.
func (r *rig[T]) mustName(partial *batcher.PartialError, places []int) {
	errs := maps.Clone(partial.Errs)
	maps.DeleteFunc(errs, func(_ int, entry error) bool { return entry == nil })
	if named := slices.Sorted(maps.Keys(errs)); !slices.Equal(named, places) {
		r.Fatalf("the items %v are bad, and the PartialError has entries for %v", places, named)
	}
	for i, entry := range errs {
		if v := verdictOf(entry); v != Permanent {
			r.Errorf("item %d is bad, and its entry is %v, not permanent: %v", i, v, entry)
		}
	}
}

// putsTheWholeFirst expects the failure of the whole batch alone, even if a bad item was found
// before: an error for both would settle the good items by the mark of the bad one, or as flushed.
func putsTheWholeFirst[T any](r *rig[T]) {
	r.store(3)
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	batch := r.items(4)
	r.leaveOpen(append(r.keys(batch[:1]), r.keys(batch[2:])...))
	batch[1] = r.badItem()

	r.hang()
	call := r.write(ctx, batch)
	time.Sleep(underWay)
	r.mustWait(ctx, []*task{call})
	cancel(errEnded)
	r.mustEnd(call)
	r.wake()
	r.mustWorkAgain(append(batch[:1:1], batch[2:]...))
}

// provoke checks one line of the classification table.
func (s SinkTest[T]) provoke(t testing.TB, f Failure) {
	watchGoroutines(t)
	err := f.Provoke(t)
	inspect(t, err, s.Secrets)
	if v := verdictOf(err); v != f.Want {
		t.Errorf("the error is %v, not %v: %v", v, f.Want, err)
	}
}
