package batchertest

// A dead letter handler that records.

import (
	"context"
	"slices"

	"github.com/seed-4c1eaf8a/batcher"
)

// Letters records the items that a batcher gave up. Make one with [NewLetters] and pass its method
// [Letters.Handle] to batcher.WithDeadLetter:
//
//	letters := batchertest.NewLetters[Event]()
//	b, err := batcher.New(write, batcher.WithDeadLetter(letters.Handle))
//
// A receipt and AddWait tell the fate of an item just before its letter comes; Flush and Close
// return after it has come.
type Letters[T any] struct {
	mu monitor // guards the fields below; never held while waiting

	letters []batcher.DeadLetter[T]
	count   int // items in letters
}

// NewLetters returns a recorder without letters. Make it inside the bubble if there is one.
func NewLetters[T any]() *Letters[T] { return new(Letters[T]) }

// Handle is the dead letter handler. It keeps the letter, whose items are the handler's, and
// ignores its context.
func (l *Letters[T]) Handle(_ context.Context, letter batcher.DeadLetter[T]) {
	l.mu.change(func() {
		l.letters = append(l.letters, letter)
		l.count += len(letter.Items)
	})
}

// All returns the letters in the order in which they came. The caller owns the slices.
func (l *Letters[T]) All() (letters []batcher.DeadLetter[T]) {
	l.mu.look(func() { letters = slices.Clone(l.letters) })
	for i := range letters {
		letters[i].Items = slices.Clone(letters[i].Items)
	}
	return letters
}

// Items returns the items of all letters, in order, in one slice, which the caller owns.
func (l *Letters[T]) Items() (items []T) {
	for _, letter := range l.All() {
		items = append(items, letter.Items...)
	}
	return items
}

// Count returns how many items there are in all letters.
func (l *Letters[T]) Count() (n int) {
	l.mu.look(func() { n = l.count })
	return n
}

// WaitLetters waits until n letters have come. See "Waiting".
func (l *Letters[T]) WaitLetters(ctx context.Context, n int) error {
	return l.mu.await(ctx, "Letters.WaitLetters", n, func() int { return len(l.letters) })
}

// WaitItems waits until the letters that have come hold n items. See "Waiting".
func (l *Letters[T]) WaitItems(ctx context.Context, n int) error {
	return l.mu.await(ctx, "Letters.WaitItems", n, func() int { return l.count })
}
