package batcher_test

// The stage of the combiner's tests: counters under string keys, in virtual time.

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// counter is the combiner of the tests, and entry what it hands back, as does a Sharded
// of ints by string.
type (
	counter = batcher.Combiner[string, int]
	entry   = batcher.Entry[string, int]
	counted = map[string]int
)

func sum(old, new int) int { return old + new }

// countRole is how the flush function plays its nth call, counted from 1.
type countRole func(ctx context.Context, nth int, batch counted) error

// answers plays one answer per call, and then nil.
func answers(errs ...error) countRole {
	return func(_ context.Context, nth int, _ counted) error {
		if nth <= len(errs) {
			return errs[nth-1]
		}
		return nil
	}
}

// takesCounts is a well-behaved sink that needs d for a batch.
func takesCounts(d time.Duration) countRole {
	return func(ctx context.Context, _ int, _ counted) error { return pause(ctx, d) }
}

// countStage is a combiner in a synctest bubble, and a record of its flushes.
type countStage struct {
	*testing.T
	c       *counter
	opening time.Time
	mail    mailbox[entry]

	mu     sync.Mutex
	visits []countVisit
}

type countVisit struct {
	at   time.Duration
	info batcher.Info
	line string // "a=1 b=2"
}

// playCounts runs a script in virtual time with a combiner that sums. When it is over,
// the combiner is closed, and must have kept its books.
func playCounts(t *testing.T, flush countRole, opts options, script func(s *countStage)) {
	t.Helper()
	playCombined(t, sum, flush, opts, script)
}

func playCombined(
	t *testing.T, combine func(old, new int) int, flush countRole, opts options, script func(s *countStage),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &countStage{T: t, opening: time.Now()}
		c, err := batcher.NewCombiner(combine, s.recorded(flush), append(options{
			batcher.WithLogger(slog.New(slog.DiscardHandler)), batcher.WithDeadLetter(s.mail.handle),
		}, opts...)...)
		require.NoError(t, err)
		s.c = c
		t.Cleanup(func() {
			if t.Failed() {
				_ = c.Close(endedContext())
				time.Sleep(10_000 * time.Hour)
			}
		})
		script(s)
		_ = c.Close(background)
		stats := c.Stats()
		requireCountsBalanced(t, stats)
		require.Zero(t, stats.Pending, "%+v", stats)
		require.Zero(t, stats.Running+stats.QueueDepth+stats.Waiting, "%+v", stats)
	})
}

// requireCountsBalanced checks the identity of P1.
func requireCountsBalanced(t testing.TB, s batcher.Stats) {
	t.Helper()
	require.Equal(t, s.Added, s.Flushed+s.Failed+s.Dropped+s.Returned+s.Folded+s.Pending, "P1: %+v", s)
	require.GreaterOrEqual(t, s.Pending, int64(0), "P1: %+v", s)
}

func (s *countStage) recorded(flush countRole) batcher.CombinedFlushFunc[string, int] {
	return func(ctx context.Context, batch counted) error {
		info, _ := batcher.InfoFrom(ctx)
		s.mu.Lock()
		s.visits = append(s.visits, countVisit{s.now(), info, lineOf(batch)})
		nth := len(s.visits)
		s.mu.Unlock()
		return flush(ctx, nth, batch)
	}
}

// lineOf renders a batch as "a=1 b=2".
func lineOf(batch counted) string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(batch)) {
		words = append(words, fmt.Sprintf("%s=%d", key, batch[key]))
	}
	return strings.Join(words, " ")
}

// lineOfEntries renders entries as "a=1 b=2", sorted.
func lineOfEntries(entries []entry) string {
	var words []string
	for _, e := range entries {
		words = append(words, fmt.Sprintf("%s=%d", e.Key, e.Item))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

func (s *countStage) now() time.Duration { return time.Since(s.opening) }

// until sleeps until a time of the script, and lets the others of that instant act first.
func (s *countStage) until(at time.Duration) {
	time.Sleep(at - s.now())
	synctest.Wait()
}

// add adds 1 under each key, which must be accepted without waiting.
func (s *countStage) add(keys ...string) {
	s.Helper()
	began := s.now()
	for _, key := range keys {
		require.NoError(s, s.c.Add(background, key, 1), "key %s", key)
	}
	require.Equal(s, began, s.now(), "Add waited")
}

// saw checks all calls of the flush function so far: "10ms delay a=1 b=2".
func (s *countStage) saw(want ...string) {
	s.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := []string{}
	for _, v := range s.visits {
		got = append(got, fmt.Sprintf("%v %v %v", v.at, v.info.Reason, v.line))
	}
	require.Equal(s, append([]string{}, want...), got, "the calls of the flush function")
}

// attempts returns Info.Attempt of all calls so far.
func (s *countStage) attempts() (attempts []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.visits {
		attempts = append(attempts, v.info.Attempt)
	}
	return attempts
}

// call calls f on a goroutine of its own and notes when it returned, and what.
func (s *countStage) call(f func() error) *call {
	c := &call{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = f()
		c.at = s.now()
	}()
	synctest.Wait()
	return c
}

// adding calls Add on a goroutine of its own.
func (s *countStage) adding(ctx context.Context, key string, value int) *call {
	return s.call(func() error { return s.c.Add(ctx, key, value) })
}

// returned waits for a call, which must have returned at this time, with an error
// that is target, or nil.
func (s *countStage) returned(c *call, at time.Duration, target error) {
	s.Helper()
	<-c.done
	require.Equal(s, at, c.at, "when the call returned")
	require.ErrorIs(s, c.err, target)
}
