package batchertest

// What a check of the conformance suite works with: a target, calls, and what has to be stored.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// How long things may take. None of it is waited for if the sink is right.
const (
	patience = time.Minute      // a call that should succeed
	promptly = 10 * time.Second // a call whose context has ended, a goroutine that should end
)

// rig is the target of one check. Its methods are called on the goroutine of the test.
type rig[T any] struct {
	testing.TB
	sink   SinkTest[T]
	target Target[T]
	ctx    context.Context // of all calls that should succeed
	end    func()          // ends ctx
	resume func()          // not nil while the target hangs

	tasks   []*task
	good    int             // items made so far
	bad     int             // bad items made so far
	numbers map[string]int  // of the items made so far, by key
	wanted  map[string]bool // keys that have to be stored
	open    map[string]bool // keys that may be: their call has failed in mid-write
}

// newRig opens a target.
func newRig[T any](t testing.TB, sink SinkTest[T]) *rig[T] {
	r := &rig[T]{
		TB: t, sink: sink, target: sink.Open(t), numbers: make(map[string]int),
		wanted: make(map[string]bool), open: make(map[string]bool),
	}
	switch {
	case r.target.Write == nil:
		t.Fatal("batchertest: TestSink: Target.Write is nil")
	case r.target.Stored == nil:
		t.Fatal("batchertest: TestSink: Target.Stored is nil")
	case r.target.Close == nil:
		t.Fatal("batchertest: TestSink: Target.Close is nil")
	}
	r.ctx, r.end = context.WithCancel(context.Background())
	return r
}

// close ends what the check has begun, whatever became of it, and closes the target.
func (r *rig[T]) close() {
	r.wake()
	r.end()
	for _, c := range r.tasks {
		c.within(promptly) // if it does not return, the check has failed
	}
	r.target.Close()
}

// hang makes the target stop answering until wake, and skips the check if that cannot be had.
func (r *rig[T]) hang() {
	if r.target.Hang == nil {
		r.Skip("Target.Hang is nil")
	}
	r.resume = r.target.Hang(r.TB)
}

func (r *rig[T]) wake() {
	if r.resume != nil {
		resume := r.resume
		r.resume = nil
		resume()
	}
}

// items returns n items that no other call has returned.
func (r *rig[T]) items(n int) []T {
	items := make([]T, n)
	for i := range items {
		items[i] = r.sink.Item(r.good)
		key := r.sink.Key(items[i])
		if twin, ok := r.numbers[key]; ok {
			r.Fatalf("batchertest: TestSink: SinkTest.Item: items %d and %d have the same key %q",
				twin, r.good, key)
		}
		r.numbers[key] = r.good
		r.good++
	}
	return items
}

// badItem returns a bad item that no other call has returned.
func (r *rig[T]) badItem() T {
	r.bad++
	return r.sink.BadItem(r.bad - 1)
}

// keys returns the keys of the items.
func (r *rig[T]) keys(items []T) []string {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = r.sink.Key(item)
	}
	return keys
}

// task is a call that runs on a goroutine of its own.
type task struct {
	done chan struct{} // closed by the goroutine once err is set
	err  error
}

var errLeft = errors.New("batchertest: Write has left through runtime.Goexit")

// begin calls f on a goroutine of its own.
func (r *rig[T]) begin(f func() error) *task {
	call := &task{done: make(chan struct{}), err: errLeft}
	r.tasks = append(r.tasks, call)
	go func() {
		defer close(call.done)
		call.err = f()
	}()
	return call
}

// within reports whether the call returns before the limit has passed.
func (c *task) within(limit time.Duration) bool { return !pause(c.done, limit) }

// ended reports whether the call has returned.
func (c *task) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// write begins a call of Write, with a slice of its own, as a batcher does.
func (r *rig[T]) write(ctx context.Context, items []T) *task {
	batch := newSlice(items)
	return r.begin(func() error { return r.target.Write(ctx, batch) })
}

// await returns what the call has returned.
func (r *rig[T]) await(c *task, limit time.Duration) error {
	if !c.within(limit) {
		r.Fatalf("Write has not returned within %v", limit)
	}
	r.inspect(c.err)
	return c.err
}

// mustSucceed expects the call to return nil.
func (r *rig[T]) mustSucceed(c *task, what string, args ...any) {
	if err := r.await(c, patience); err != nil {
		r.Fatalf("%s: %v", fmt.Sprintf(what, args...), err)
	}
}

// mustWrite writes the items, which have to be stored from then on.
func (r *rig[T]) mustWrite(items []T) {
	keys := r.keys(items)
	r.mustSucceed(r.write(r.ctx, items), "Write of %d good items to a healthy target", len(items))
	r.want(keys)
}

// store writes n new items.
func (r *rig[T]) store(n int) { r.mustWrite(r.items(n)) }

// want notes that the items have to be stored. What may be stored and is not wanted is left open.
func (r *rig[T]) want(keys []string) {
	for _, key := range keys {
		r.wanted[key] = true
	}
}

// leaveOpen notes that the items may be stored.
func (r *rig[T]) leaveOpen(keys []string) {
	for _, key := range keys {
		r.open[key] = true
	}
}

// verify compares what is stored with what was wanted.
func (r *rig[T]) verify() {
	count := make(map[string]int)
	var missing, doubled, foreign []string
	for _, key := range r.target.Stored(r.TB) {
		count[key]++
	}
	for key := range r.wanted {
		if count[key] == 0 {
			missing = append(missing, key)
		}
	}
	for key, n := range count {
		switch {
		case !r.wanted[key] && !r.open[key]:
			foreign = append(foreign, key)
		case n > 1:
			doubled = append(doubled, key)
		}
	}
	r.report(missing, "missing, though Write reported them as written")
	r.report(doubled, "stored more than once")
	r.report(foreign, "stored, though they should not be")
}

// report fails the test if there are such keys.
func (r *rig[T]) report(keys []string, what string) {
	if len(keys) == 0 {
		return
	}
	const shown = 5
	slices.Sort(keys)
	r.Errorf("items that are %s: %d of %d wanted, such as %q", what, len(keys), len(r.wanted),
		keys[:min(len(keys), shown)])
}

// inspect checks what holds for the text of every error.
func (r *rig[T]) inspect(err error) { inspect(r.TB, err, r.sink.Secrets) }

// inspect fails the test if an error, or an entry of it, says nothing, or too much.
func inspect(t testing.TB, err error, secrets []string) {
	if err == nil {
		return
	}
	inspectText(t, "the error", err.Error(), secrets)
	if partial := partialOf(err); partial != nil {
		for _, i := range slices.Sorted(maps.Keys(partial.Errs)) {
			if entry := partial.Errs[i]; entry != nil {
				inspectText(t, fmt.Sprintf("the entry of item %d", i), entry.Error(), secrets)
			}
		}
	}
}

func inspectText(t testing.TB, name, text string, secrets []string) {
	if strings.TrimSpace(text) == "" {
		t.Errorf("%s has an empty text", name)
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s tells the secret %q: %s", name, secret, text)
		}
	}
}
