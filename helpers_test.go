package batcher_test

// The stage: scripts in virtual time, with exact expected results.

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

var (
	background = context.Background()
	errEnded   = errors.New("the producer has gone")
)

// endedContext returns a context that has ended because of errEnded.
func endedContext() context.Context {
	ctx, cancel := context.WithCancelCause(background)
	cancel(errEnded)
	return ctx
}

// stage is a batcher of ints in a synctest bubble, and a record of what happens.
type stage struct {
	*record
	b     *batcher.Batcher[int]
	calls []*call // made by the setup of a table's row
}

// record is what happens on a stage, whatever batcher is on it. Times are counted from
// when the batcher was made.
type record struct {
	*testing.T
	opening time.Time

	mu       sync.Mutex
	receipts map[int]batcher.Receipt // of the items submitted
	visits   []visit                 // the calls of the flush function, in the order of their beginning
}

// visit is one call of the flush function.
type visit struct {
	at    time.Duration
	info  batcher.Info
	items []int
	ctx   context.Context
}

// role is how the flush function plays its nth call, counted from 1.
type role func(ctx context.Context, nth int, items []int) error

// takes is a well-behaved sink that needs d for a batch.
func takes(d time.Duration) role {
	return func(ctx context.Context, _ int, _ []int) error { return pause(ctx, d) }
}

// deaf is a sink that needs d for a batch and does not listen to its context.
func deaf(d time.Duration) role {
	return func(context.Context, int, []int) error { time.Sleep(d); return nil }
}

// fails is a sink that takes nothing.
func fails(err error) role {
	return func(context.Context, int, []int) error { return err }
}

// inTurn plays one role per call, and then the last one for ever.
func inTurn(roles ...role) role {
	return func(ctx context.Context, nth int, items []int) error {
		return roles[min(nth, len(roles))-1](ctx, nth, items)
	}
}

// pause waits for d, or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// options is []batcher.Option, for short.
type options = []batcher.Option

// play runs a script in virtual time. When it is over, the batcher is closed, and
// must have kept its books and ended its goroutines.
func play(t *testing.T, flush role, opts options, script func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, flush, opts...)
		script(s)
		s.end()
	})
}

// open sets a stage within the bubble of the caller, who must end it.
func open(t *testing.T, flush role, opts ...batcher.Option) *stage {
	t.Helper()
	s := &stage{record: newRecord(t)}
	s.b = start(t, s.recorded(flush), append(options{silent()}, opts...)...)
	s.clearUp(s.b)
	return s
}

func newRecord(t *testing.T) *record {
	return &record{T: t, opening: time.Now(), receipts: make(map[int]batcher.Receipt)}
}

// closer is what the stages need of every kind of batcher.
type closer interface {
	Close(ctx context.Context) error
	Stats() batcher.Stats
}

// clearUp lets nothing be left of a test that has failed, which would hide the failure
// behind a panic.
func (s *record) clearUp(b closer) {
	s.Cleanup(func() {
		if s.Failed() {
			_ = b.Close(endedContext())
			time.Sleep(10_000 * time.Hour)
		}
	})
}

// recorded is flush with its calls recorded.
func (s *record) recorded(flush role) batcher.FlushFunc[int] {
	return func(ctx context.Context, items []int) error {
		info, _ := batcher.InfoFrom(ctx)
		s.mu.Lock()
		s.visits = append(s.visits, visit{s.now(), info, slices.Clone(items), ctx})
		nth := len(s.visits)
		s.mu.Unlock()
		return flush(ctx, nth, items)
	}
}

// end closes the batcher and checks what must hold after every script.
func (s *stage) end() {
	s.Helper()
	s.ended(s.b)
}

func (s *record) ended(b closer) {
	s.Helper()
	_ = b.Close(background) // the script has judged its answer, if it matters
	stats := b.Stats()
	requireBalanced(s.T, stats)
	require.Zero(s, stats.Pending, "items are still held after Close: %+v", stats)
	require.Zero(s, stats.Running+stats.QueueDepth+stats.Waiting, "after Close: %+v", stats)
	for _, v := range s.seen() {
		require.NotEmpty(s, v.items, "an empty batch was flushed")
	}
}

func (s *record) now() time.Duration { return time.Since(s.opening) }

// until sleeps until a time of the script. Others may act in the same instant.
func (s *record) until(at time.Duration) { time.Sleep(at - s.now()) }

// add adds items that must be accepted, without waiting.
func (s *stage) add(items ...int) {
	s.Helper()
	began := s.now()
	for _, item := range items {
		require.NoError(s, s.b.Add(background, item), "item %d", item)
	}
	require.Equal(s, began, s.now(), "Add waited")
}

// submit is add that keeps the receipts.
func (s *stage) submit(items ...int) {
	s.Helper()
	for _, item := range items {
		r, err := s.b.Submit(background, item)
		require.NoError(s, err, "item %d", item)
		s.mu.Lock()
		s.receipts[item] = r
		s.mu.Unlock()
	}
}

// receipt returns the receipt of an item that was submitted.
func (s *record) receipt(item int) batcher.Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.receipts[item]
}

// call is a call that is made on a goroutine of its own.
type call struct {
	done chan struct{} // closed when the fields below are final
	at   time.Duration
	err  error
}

// call calls f on a goroutine of its own and notes when it returned, and what.
func (s *record) call(f func() error) *call {
	c := &call{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = f()
		c.at = s.now()
	}()
	return c
}

// returned waits for a call, which must have returned at this time, with an error
// that is target, or nil.
func (s *record) returned(c *call, at time.Duration, target error) {
	s.Helper()
	<-c.done
	require.Equal(s, at, c.at, "when the call returned")
	require.ErrorIs(s, c.err, target)
}

// waiting checks that a call has not returned.
func (s *record) waiting(c *call) {
	s.Helper()
	synctest.Wait()
	select {
	case <-c.done:
		require.Fail(s, "the call did not wait", "it returned %v at %v", c.err, c.at)
	default:
	}
}

func (s *record) seen() []visit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.visits)
}

// flushes lists the calls of the flush function as "10ms [1 2]".
func (s *record) flushes() []string {
	lines := []string{}
	for _, v := range s.seen() {
		lines = append(lines, fmt.Sprintf("%v %v", v.at, v.items))
	}
	return lines
}

// saw checks all calls of the flush function so far: "10ms delay [1 2]", and with a
// key "10ms delay a[1 2]".
func (s *record) saw(want ...string) {
	s.Helper()
	synctest.Wait()
	require.Equal(s, append([]string{}, want...), s.lines(), "the calls of the flush function")
}

// lines lists the calls of the flush function in the form in which saw wants them.
func (s *record) lines() []string {
	lines := []string{}
	for _, v := range s.seen() {
		key := ""
		if v.info.Key != nil {
			key = fmt.Sprint(v.info.Key)
		}
		lines = append(lines, fmt.Sprintf("%v %v %v%v", v.at, v.info.Reason, key, v.items))
	}
	return lines
}

// tally is the part of Stats that P1 is about.
type tally struct{ Added, Flushed, Failed, Dropped, Returned, Pending int64 }

func tallyOf(st batcher.Stats) tally {
	return tally{st.Added, st.Flushed, st.Failed, st.Dropped, st.Returned, st.Pending}
}

// engineGoroutines returns how many goroutines the batchers in the caller's bubble
// have at this moment, workers and firing timers, by looking at who made them.
func engineGoroutines() int {
	pkg := reflect.TypeFor[batcher.Stats]().PkgPath() + "."
	count := 0
	stacks := strings.Split(allStacks(), "\n\n")
	for _, stack := range stacks {
		_, maker, _ := strings.Cut(stack, "\ncreated by ")
		timer := strings.HasPrefix(maker, "time.goFunc") && strings.Contains(stack, "\n"+pkg)
		if bubbleOf(stack) == bubbleOf(stacks[0]) && (strings.HasPrefix(maker, pkg) || timer) {
			count++
		}
	}
	return count
}

// bubbleOf returns the name of the bubble in the first line of a goroutine's stack:
// "goroutine 7 [sleep (durable), synctest bubble 3]:".
func bubbleOf(stack string) string {
	line, _, _ := strings.Cut(stack, "]:")
	_, name, _ := strings.Cut(line, "synctest bubble ")
	return name
}

// allStacks returns the stacks of all goroutines, the caller's first.
func allStacks() string {
	for size := 1 << 16; ; size *= 2 {
		stacks := make([]byte, size)
		if n := runtime.Stack(stacks, true); n < size {
			return string(stacks[:n])
		}
	}
}

// failuresIn returns the *FlushErrors joined in err.
func failuresIn(err error) []*batcher.FlushError {
	switch e := err.(type) {
	case *batcher.FlushError:
		return []*batcher.FlushError{e}
	case interface{ Unwrap() []error }:
		var all []*batcher.FlushError
		for _, err := range e.Unwrap() {
			all = append(all, failuresIn(err)...)
		}
		return all
	}
	return nil
}
