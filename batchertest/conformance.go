package batchertest

// The conformance suite: what every sink has to do, whatever it writes to.

import (
	"errors"
	"fmt"
	"testing"

	"github.com/seed-4c1eaf8a/batcher"
)

// SinkTest describes a sink to [TestSink]. Open, Item and Key are required; each of
// the others adds to the checks.
//
// All the functions may be called many times. Item, Key, BadItem and Spoil may be called from
// several goroutines at once.
type SinkTest[T any] struct {
	// Open makes a sink and a target of its own, empty and healthy. It is called once for each
	// check, with the test of that check, on which it may register a cleanup. What all targets share,
	// such as a server, may be started by the first call, whose target is not checked, and go on.
	Open func(t testing.TB) Target[T]

	// Item returns the i-th item, from 0 on, that the target takes. Items of different
	// numbers have different keys.
	Item func(i int) T

	// Key returns what an item is known by in the target.
	Key func(item T) string

	// BadItem returns an item that the sink has to fail alone, for good, and before anything
	// of it is sent. Without it that check is left out: say in the test why there is no such item.
	BadItem func(i int) T

	// Spoil overwrites what the item points to, as a program does that uses the memory of its
	// items again. Nil if items of this type share nothing with their copies.
	Spoil func(item T)

	// Huge is the number of items of the huge batch. Default 10 000.
	Huge int

	// Idempotent says that an item that is written twice, in one batch or in two, is stored once.
	Idempotent bool

	// Ordered says that the target keeps the order of the items of a batch, and of batches that
	// are written one after another.
	Ordered bool

	// Failures is the classification table: how the target can fail, and what the sink has to make of
	// it.
	Failures []Failure

	// Secrets are what no error's text may contain, such as the password that the sink was given.
	// All errors that the suite gets to see are searched for them.
	Secrets []string
}

// Target is a sink with what it writes to. Write, Stored and Close are required.
type Target[T any] struct {
	// Write is the sink's method.
	Write batcher.FlushFunc[T]

	// Stored returns the keys of all items that the target holds, in its order, as often as it
	// holds them.
	Stored func(t testing.TB) []string

	// Hang makes the target stop answering, connections open, until resume is called, which happens
	// once. Nil if that cannot be had: the checks of a context that ends in mid-write are then
	// skipped.
	Hang func(t testing.TB) (resume func())

	// Close ends what Open has begun, the sink's clients included. No goroutine may be left
	// after it and the cleanups of the check's test.
	Close func()
}

// Failure is one line of the classification table.
type Failure struct {
	// Name says what happens, as "the table is gone".
	Name string

	// Provoke makes it happen to a sink of its own and returns what its Write returned. No goroutine
	// may be left after it and the cleanups of t.
	Provoke func(t testing.TB) error

	// Want is what the sink has to say of it.
	Want Verdict
}

// TestSink runs the conformance suite against a sink: it fails the test if the sink does not do
// what a batcher, and those who read its errors, rely on. Each check is a subtest with a target of
// its own:
//
//   - batches of 1, 2, 7 and 100 items, and one of [SinkTest.Huge], are stored, each item once, and
//     with Ordered in order; a nil and an empty batch are no error, and nothing;
//   - the slice is not kept ([CheckNoRetention]), nor read after the call; with Spoil, nor is what
//     the items point to;
//   - if the context has ended, nothing is stored. If it ends in mid-write (with Hang), the call
//     returns within seconds, and neither other calls nor later ones are harmed. In both cases
//     the error wraps [context.Cause], and bears no mark: it says nothing about the items;
//   - calls from several goroutines at once store all their items, once;
//   - with BadItem: bad items fail alone, wherever they are. The error is a [*batcher.PartialError]
//     with exactly their indexes, each entry [batcher.Permanent], and the other items are stored;
//     but if the write of the others fails, that failure is returned alone;
//   - with Idempotent: a repeated batch, an overlapping one, and an item that is twice in a batch are
//     stored once;
//   - with Failures: each of them gets the [Verdict] that the table wants;
//   - a batcher with several producers and workers stores everything, once, and gives up nothing
//     but the bad items;
//   - no error has an empty text or contains one of the Secrets;
//   - no goroutine is left at the end of a check, after [Target.Close] and the cleanups of its test.
//
// Run it with the race detector too: what a sink reads too late is then reported as a race.
//
// Whether the target is healthy is not doubted: a call that should succeed has a minute, one
// whose context has ended, and a goroutine that should end, ten seconds. Neither matters for a
// sink that passes, on a slow machine either. The time that it takes is that of the target: besides
// the huge batch, some thousand items are written.
//
// The goroutines are those of the whole process. So neither the test that calls TestSink nor one
// that it is part of may call [testing.T.Parallel].
func TestSink[T any](t *testing.T, sink SinkTest[T]) {
	t.Helper()
	sink.mustBeComplete(t)
	sink.warmUp(t)
	for _, c := range sink.checks() {
		t.Run(c.name, func(t *testing.T) { c.run(t) })
	}
}

// check is one check of the suite. It takes a testing.TB so that it can be tested itself.
type check struct {
	name string
	run  func(t testing.TB)
}

// checks returns those that sink asks for.
func (s SinkTest[T]) checks() []check {
	list := []check{
		s.check("every item of a batch is stored once", storesEachItemOnce),
		s.check("an empty batch is nothing", takesEmptyBatches),
		s.check("a huge batch is stored whole", storesAHugeBatch),
		s.check("the slice is not kept", keepsNoSlice),
		s.check("the slice may be overwritten after the call", readsNothingLate),
		s.check("calls at once do not disturb one another", takesCallsAtOnce),
		s.check("a context that has ended stores nothing", obeysAnEndedContext),
		s.check("a context cancelled in mid-write ends the call", obeysACancellation),
		s.check("a deadline that passes in mid-write ends the call", obeysADeadline),
		s.check("the items of a batcher are stored once", servesABatcher),
	}
	if s.Ordered {
		list = append(list, s.check("items are stored in order", keepsTheOrder))
	}
	if s.BadItem != nil {
		list = append(list,
			s.check("bad items fail alone", failsBadItemsAlone),
			s.check("a batch of bad items stores nothing", failsBadItemsOnly),
			s.check("a bad item does not hide the failure of the others", putsTheWholeFirst))
	}
	if s.Idempotent {
		list = append(list, s.check("an item written twice is stored once", storesAgainForNothing))
	}
	for _, f := range s.Failures {
		list = append(list, check{"failure: " + f.Name, func(t testing.TB) { s.provoke(t, f) }})
	}
	return list
}

// check returns a check that runs body with a target of its own.
func (s SinkTest[T]) check(name string, body func(*rig[T])) check {
	return check{name, func(t testing.TB) {
		watchGoroutines(t)
		r := newRig(t, s)
		defer r.close()
		body(r)
	}}
}

// mustBeComplete names what is missing instead of dereferencing it later.
func (s SinkTest[T]) mustBeComplete(t testing.TB) {
	t.Helper()
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("batchertest: TestSink: SinkTest."+format, args...))
		}
	}
	fault(s.Open == nil, "Open is nil")
	fault(s.Item == nil, "Item is nil")
	fault(s.Key == nil, "Key is nil")
	fault(s.Huge < 0, "Huge is %d", s.Huge)
	for i, f := range s.Failures {
		fault(f.Name == "", "Failures[%d] has no Name", i)
		fault(f.Provoke == nil, "Failures[%d] (%q) has no Provoke", i, f.Name)
		fault(f.Want < Partial || f.Want > Transient, "Failures[%d] (%q) wants %v", i, f.Name, f.Want)
	}
	for i, secret := range s.Secrets {
		fault(secret == "", "Secrets[%d] is empty", i)
	}
	if len(faults) > 0 {
		t.Fatal(errors.Join(faults...))
	}
}

// warmUp lets the first target start what all of them share, so that it does not count as a leak.
func (s SinkTest[T]) warmUp(t testing.TB) {
	r := newRig(t, s)
	defer r.close()
	r.store(1)
}
