package batcher_test

// The stage for batches per key: the same scripts in virtual time.

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// keyedStage is a Sharded in a synctest bubble, and a record of what happens.
type keyedStage struct {
	*record
	b    *batcher.Sharded[string, int]
	mail mailbox[entry]
}

// startKeyed makes a Sharded or fails the test.
func startKeyed[K comparable, T any](
	t testing.TB, flush batcher.KeyedFlushFunc[K, T], opts ...batcher.Option,
) *batcher.Sharded[K, T] {
	t.Helper()
	s, err := batcher.NewSharded(flush, append(options{silent()}, opts...)...)
	require.NoError(t, err)
	return s
}

// finishKeyed closes s, which must have nothing left, and checks the books.
func finishKeyed[K comparable, T any](t testing.TB, s *batcher.Sharded[K, T]) batcher.Stats {
	t.Helper()
	require.NoError(t, s.Close(background))
	stats := s.Stats()
	requireBalanced(t, stats)
	require.Zero(t, stats.Pending, "pending after Close")
	return stats
}

// playKeyed is play for batches per key. Unless the options say otherwise, MaxDelay is
// an hour, and nobody but the script can make a batch due.
func playKeyed(t *testing.T, flush role, opts options, script func(s *keyedStage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := openKeyed(t, flush, opts...)
		script(s)
		s.Helper()
		s.ended(s.b)
	})
}

// openKeyed sets a stage within the bubble of the caller, who must end it.
func openKeyed(t *testing.T, flush role, opts ...batcher.Option) *keyedStage {
	t.Helper()
	s := &keyedStage{record: newRecord(t)}
	recorded := s.recorded(flush)
	defaults := options{batcher.WithMaxDelay(time.Hour), batcher.WithDeadLetter(s.mail.handle)}
	s.b = startKeyed(t, func(ctx context.Context, key string, items []int) error {
		if info, _ := batcher.InfoFrom(ctx); info.Key != any(key) {
			s.Errorf("Info.Key is %v in a flush of %q", info.Key, key)
		}
		return recorded(ctx, items)
	}, append(defaults, opts...)...)
	s.clearUp(s.b)
	return s
}

// forKey plays a role for one key, and another one for the others.
func forKey(key string, its, others role) role {
	return func(ctx context.Context, nth int, items []int) error {
		if info, _ := batcher.InfoFrom(ctx); info.Key == any(key) {
			return its(ctx, nth, items)
		}
		return others(ctx, nth, items)
	}
}

// add adds items of a key, which must be accepted, without waiting.
func (s *keyedStage) add(key string, items ...int) {
	s.Helper()
	began := s.now()
	for _, item := range items {
		require.NoError(s, s.b.Add(background, key, item), "item %d", item)
	}
	require.Equal(s, began, s.now(), "Add waited")
}

// submit is add that keeps the receipts.
func (s *keyedStage) submit(key string, items ...int) {
	s.Helper()
	for _, item := range items {
		r, err := s.b.Submit(background, key, item)
		require.NoError(s, err, "item %d", item)
		s.mu.Lock()
		s.receipts[item] = r
		s.mu.Unlock()
	}
}

// addLater calls Add on a goroutine of its own, and sees to it that the call is where it
// must wait before it returns.
func (s *keyedStage) addLater(key string, item int) *call {
	c := s.call(func() error { return s.b.Add(background, key, item) })
	synctest.Wait()
	return c
}

// settled lets everybody go as far as they can, and checks the books in between: how many
// items are held, and how many producers wait.
func (s *keyedStage) settled(pending, waiting int) {
	s.Helper()
	synctest.Wait()
	stats := s.b.Stats()
	requireBalanced(s.T, stats)
	require.EqualValues(s, pending, stats.Pending, "pending: %+v", stats)
	require.Equal(s, waiting, stats.Waiting, "waiting: %+v", stats)
}

// sawOf checks the calls of the flush function for one key, as saw does for all.
func (s *keyedStage) sawOf(key string, want ...string) {
	s.Helper()
	synctest.Wait()
	got := []string{}
	for _, line := range s.lines() {
		if strings.Contains(line, " "+key+"[") {
			got = append(got, line)
		}
	}
	require.Equal(s, append([]string{}, want...), got, "the calls for %s", key)
}

// receiptIs checks that the fate of an item is known, and what it is.
func (s *keyedStage) receiptIs(item int, target error) {
	s.Helper()
	select {
	case <-s.receipt(item).Done():
		require.ErrorIs(s, s.receipt(item).Wait(background), target, "item %d", item)
	default:
		require.Fail(s, "the fate is open", "item %d", item)
	}
}

// flushedItems returns the items of all calls of the flush function.
func (s *record) flushedItems() (items []int) {
	for _, v := range s.seen() {
		items = append(items, v.items...)
	}
	return items
}
