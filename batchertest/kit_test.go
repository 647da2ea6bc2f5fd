package batchertest_test

// Helpers of the tests.

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
)

var (
	errDown = errors.New("database down")
	errBad  = errors.New("bad item")
)

// quiet keeps the batcher from logging what the test asserts anyway.
var quiet = batcher.WithLogger(slog.New(slog.DiscardHandler))

// newBatcher returns a batcher that writes to sink and is closed at the end of the test.
func newBatcher[T any](
	t *testing.T, sink *batchertest.Sink[T], opts ...batcher.Option,
) *batcher.Batcher[T] {
	t.Helper()
	b, err := batcher.New(sink.Write, opts...)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what a test leaves behind is given up
		_ = b.Close(ctx)
		sink.Succeed()
	})
	return b
}

// inBubble runs f in a bubble with a sink of its own.
func inBubble(t *testing.T, f func(t *testing.T, sink *batchertest.Sink[int])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, batchertest.NewSink[int]()) })
}

// write calls sink.Write on a goroutine of its own, and returns where its result will be. A call
// that panics or leaves by Goexit leaves no result.
func write(ctx context.Context, sink *batchertest.Sink[int], items ...int) <-chan error {
	result := make(chan error, 1)
	go func() {
		defer close(result)
		defer func() { _ = recover() }()
		result <- sink.Write(ctx, items)
	}()
	return result
}

// noPause retries at once.
func noPause(int) time.Duration { return 0 }
