package pgsink_test

// Exercise 6: a health check beside a loaded batcher.

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// BenchmarkPoolStarvation measures how long a health check takes while all workers of a batcher
// write, with a pool of as many connections as there are workers, of twice as many, and with two
// pools.
func BenchmarkPoolStarvation(b *testing.B) {
	const workers = 4
	for _, impl := range []struct {
		name         string
		conns, extra int // of the sink's pool, and of one for the health check
	}{
		{"same", workers, 0}, {"double", 2 * workers, 0}, {"own", workers, workers},
	} {
		b.Run(fmt.Sprintf("workers=%d/impl=%s", workers, impl.name), func(b *testing.B) {
			dsn := pgtest.Shared(b).NewDatabase(b)
			pool := pgtest.Pool(b, fmt.Sprintf("%s&pool_max_conns=%d", dsn, impl.conns))
			health := pool
			if impl.extra > 0 {
				health = pgtest.Pool(b, fmt.Sprintf("%s&pool_max_conns=%d", dsn, impl.extra))
			}
			stop := load(b, pool, workers)
			defer stop()
			var waits []time.Duration
			for b.Loop() {
				begin := time.Now()
				require.NoError(b, health.Ping(b.Context()))
				waits = append(waits, time.Since(begin))
			}
			slices.Sort(waits)
			b.ReportMetric(float64(waits[len(waits)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds()), "p99-us")
		})
	}
}

// load keeps the workers of a batcher writing until stop is called.
func load(b *testing.B, pool *pgxpool.Pool, workers int) (stop func()) {
	b.Helper()
	run(b, pool, "CREATE TABLE events (id uuid, at timestamptz, user_id text, action text, target text, details jsonb)")
	sink := newSink(b, pool, "events", eventColumns())
	full := make(chan struct{}) // closed when all workers have had a batch
	var batches int
	batched, err := batcher.New(sink.Write, batcher.WithMaxSize(1000), batcher.WithWorkers(workers))
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		event := newEvent(1)
		for batched.Add(ctx, event) == nil {
			if batches++; batches == 10*1000*workers {
				close(full)
			}
		}
	}()
	<-full
	return func() {
		cancel()
		<-done
		require.NoError(b, batched.Close(context.Background()))
	}
}
