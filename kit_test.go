package batcher_test

// Small tools of the failure tests: a scripted flush function and what it saw.

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// script is a flush function that plays one answer per call, and then nil. It
// records what it was called with.
type script[T any] struct {
	mu      sync.Mutex
	answers []func(batch []T) error
	calls   [][]T
	infos   []batcher.Info
}

// answer appends answers to the script.
func (s *script[T]) answer(answers ...func(batch []T) error) *script[T] {
	s.answers = append(s.answers, answers...)
	return s
}

// fail appends plain errors to the script.
func (s *script[T]) fail(errs ...error) *script[T] {
	for _, err := range errs {
		s.answer(func([]T) error { return err })
	}
	return s
}

func (s *script[T]) flush(ctx context.Context, batch []T) error {
	info, _ := batcher.InfoFrom(ctx)
	s.mu.Lock()
	s.calls = append(s.calls, slices.Clone(batch))
	s.infos = append(s.infos, info)
	var answer func([]T) error
	if len(s.answers) > 0 {
		answer, s.answers = s.answers[0], s.answers[1:]
	}
	s.mu.Unlock()
	if answer == nil {
		return nil
	}
	return answer(batch)
}

// seen returns the batches of all calls so far.
func (s *script[T]) seen() [][]T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// mailbox collects dead letters.
type mailbox[T any] struct {
	mu      sync.Mutex
	letters []batcher.DeadLetter[T]
}

func (m *mailbox[T]) handle(_ context.Context, letter batcher.DeadLetter[T]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters = append(m.letters, letter)
}

// items returns the items of all letters, in the order of arrival.
func (m *mailbox[T]) items() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	var items []T
	for _, l := range m.letters {
		items = append(items, l.Items...)
	}
	return items
}

// start makes a batcher or fails the test.
func start[T any](t testing.TB, flush batcher.FlushFunc[T], opts ...batcher.Option) *batcher.Batcher[T] {
	t.Helper()
	b, err := batcher.New(flush, opts...)
	require.NoError(t, err)
	return b
}

// addInts adds the items 0 to n-1.
func addInts(t testing.TB, b *batcher.Batcher[int], n int) {
	t.Helper()
	accepted, err := b.AddAll(context.Background(), ints(n))
	require.NoError(t, err)
	require.Equal(t, n, accepted)
}

// ints returns 0 to n-1.
func ints(n int) []int {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return items
}

// finish closes b, which must have nothing left, and checks the books.
func finish[T any](t testing.TB, b *batcher.Batcher[T]) batcher.Stats {
	t.Helper()
	require.NoError(t, b.Close(context.Background()))
	s := b.Stats()
	requireBalanced(t, s)
	require.Zero(t, s.Pending, "pending after Close")
	return s
}

// requireBalanced checks the identity of P1.
func requireBalanced(t testing.TB, s batcher.Stats) {
	t.Helper()
	require.Equal(t, s.Added, s.Flushed+s.Failed+s.Dropped+s.Returned+s.Folded+s.Pending, "P1: %+v", s)
	require.GreaterOrEqual(t, s.Pending, int64(0), "P1: %+v", s)
}
