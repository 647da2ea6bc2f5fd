package batcherdebug

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// modes are a batcher as it is, and one that a page shows.
func modes(b *testing.B, run func(q *batcher.Batcher[int64])) {
	for _, shown := range []bool{false, true} {
		name := map[bool]string{false: "page=none", true: "page=shown"}[shown]
		b.Run(name, func(b *testing.B) {
			q, err := batcher.New(func(context.Context, []int64) error { return nil }, batcher.WithMaxSize(500))
			require.NoError(b, err)
			if shown {
				show(b, q)
			}
			b.ReportAllocs()
			for b.Loop() {
				run(q)
			}
			require.NoError(b, q.Close(context.Background()))
		})
	}
}

// BenchmarkAdd is Add with all that follows, for an item.
func BenchmarkAdd(b *testing.B) {
	modes(b, func(q *batcher.Batcher[int64]) { _ = q.Add(context.Background(), 1) })
}

// BenchmarkBatch is a batch of one item, from Add to its end.
func BenchmarkBatch(b *testing.B) {
	modes(b, func(q *batcher.Batcher[int64]) {
		_ = q.Add(context.Background(), 1)
		_ = q.Flush(context.Background())
	})
}

// BenchmarkHooks is what the page adds to an attempt.
func BenchmarkHooks(b *testing.B) {
	q, err := batcher.New(func(context.Context, []int64) error { return nil })
	require.NoError(b, err)
	w := show(b, q).watched[0]
	b.ReportAllocs()
	info := batcher.Info{First: true, Size: 500, Reason: batcher.ReasonSize}
	for b.Loop() {
		info.Batch++
		w.flushStart(context.Background(), info)
		w.flushEnd(context.Background(), info, batcher.FlushResult{Duration: time.Millisecond})
	}
	require.NoError(b, q.Close(context.Background()))
}

// BenchmarkSnapshot is what a second of being watched costs, for one batcher.
func BenchmarkSnapshot(b *testing.B) {
	q, err := batcher.New(func(context.Context, []int64) error { return nil })
	require.NoError(b, err)
	p := show(b, q)
	for range keptAttempts {
		require.NoError(b, q.Add(context.Background(), 1))
		require.NoError(b, q.Flush(context.Background()))
	}
	b.ReportAllocs()
	for b.Loop() {
		p.latest = nil
		p.snapshot()
	}
	require.NoError(b, q.Close(context.Background()))
}
