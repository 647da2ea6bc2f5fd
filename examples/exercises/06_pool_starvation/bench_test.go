package pool_starvation

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// leastChecks is how many checks the percentiles are taken from at least, however short the benchmark.
const leastChecks = 300

// BenchmarkCheck checks the health of the service every two milliseconds, while all workers of the batcher
// write. An op is a check: ns/op is how long it takes on average, wait-p50-ns and wait-p99-ns are
// how long of that it waits for a connection. events/s is what is stored meanwhile. The checks
// are paced so that the load is the same beside quick ones and slow ones; allocations are those of
// the whole process in that time.
func BenchmarkCheck(b *testing.B) {
	for _, v := range variants {
		b.Run("workers=4/"+v.name, func(b *testing.B) {
			s, err := v.open(b.Context(), pgtest.Shared(b).NewDatabase(b), workers)
			require.NoError(b, err)
			stop := load(b, s)
			defer stop()
			var took, waited []time.Duration
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			check := func() {
				<-pace.C
				began := time.Now()
				wait, err := s.Check(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				took, waited = append(took, time.Since(began)), append(waited, wait)
			}
			b.ReportAllocs()
			began, before := time.Now(), s.batches.Stats().Flushed
			for b.Loop() {
				check()
			}
			for len(took) < leastChecks {
				check()
			}
			stored := float64(s.batches.Stats().Flushed - before)
			b.ReportMetric(stored/time.Since(began).Seconds(), "events/s")
			b.ReportMetric(mean(took), "ns/op")
			report(b, took, "p50-ns", "p99-ns")
			report(b, waited, "wait-p50-ns", "wait-p99-ns")
		})
	}
}

func mean(times []time.Duration) float64 {
	var sum time.Duration
	for _, d := range times {
		sum += d
	}
	return float64(sum.Nanoseconds()) / float64(len(times))
}

func report(b *testing.B, times []time.Duration, p50, p99 string) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), p50)
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds()), p99)
}

// load keeps the workers writing until stop is called. When it returns, they have had some batches each,
// so the connections are open.
func load(b *testing.B, s *Service) (stop func()) {
	b.Helper()
	_, err := s.others.Exec(b.Context(), "CHECKPOINT") // what the server still has to write of the new database
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	warm, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; s.Add(ctx, makeEvent(i)) == nil; i++ {
			if i == 10*workers*perBatch {
				close(warm)
			}
		}
	}()
	select {
	case <-warm:
	case <-done:
		b.Error("the load has ended before the benchmark")
	}
	_, err = s.Check(ctx)
	require.NoError(b, err)
	return func() {
		cancel()
		<-done
		require.NoError(b, s.Close(context.Background()))
	}
}
