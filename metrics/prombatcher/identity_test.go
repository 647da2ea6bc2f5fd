package prombatcher_test

// That the figures of one scrape agree, under load, and while Close gives up.

import (
	"context"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// text returns what a scrape by HTTP has of the batcher "a": its values, by metric.
func text(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	page := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	found := map[string]float64{}
	for line := range strings.Lines(page.Body.String()) {
		if metric, value, ok := strings.Cut(strings.TrimSpace(line), `{name="a"} `); ok {
			number, err := strconv.ParseFloat(value, 64)
			require.NoError(t, err, line)
			found[strings.TrimPrefix(metric, "batcher_")] = number
		}
	}
	return found
}

// checkIdentity scrapes, and returns what it found.
func checkIdentity(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	s := text(t, registry)
	assert.Contains(t, s, "added_total")
	assert.Equal(t, s["added_total"], s["flushed_total"]+s["failed_total"]+s["dropped_total"]+
		s["returned_total"]+s["folded_total"]+s["pending_items"])
	return s
}

// sink fails every third flush with err, until it is told to hang.
type sink struct {
	err   error
	calls atomic.Int64
	hangs atomic.Bool
}

func (s *sink) flush(ctx context.Context) error {
	if s.hangs.Load() {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if s.calls.Add(1)%3 == 0 {
		return s.err
	}
	return nil
}

// loaded is a batcher under load, and the metrics that must become more than 0 meanwhile.
type loaded struct {
	batcher.Observed
	add   func(i int) error
	close func(context.Context) error
	moves []string
}

func loadedPlain(t *testing.T, s *sink) loaded {
	b, err := batcher.New(func(ctx context.Context, _ []int) error { return s.flush(ctx) },
		batcher.WithMaxSize(10), batcher.WithQueueDepth(1), batcher.WithOverflow(batcher.DropNewest))
	require.NoError(t, err)
	return loaded{b, func(i int) error { return b.Add(context.Background(), i) }, b.Close,
		[]string{"flushed_total", "failed_total", "dropped_total"}}
}

func loadedSharded(t *testing.T, s *sink) loaded {
	b, err := batcher.NewSharded(func(ctx context.Context, _ int, _ []int) error { return s.flush(ctx) },
		batcher.WithMaxSize(10), batcher.WithMaxPending(50), batcher.WithWorkers(2))
	require.NoError(t, err)
	return loaded{b, func(i int) error { return b.Add(context.Background(), i%20, i) }, b.Close,
		[]string{"flushed_total", "failed_total"}}
}

func loadedCombiner(t *testing.T, s *sink) loaded {
	s.err = errSink // not permanent, so that it is put back
	b, err := batcher.NewCombiner(func(old, new int) int { return old + new },
		func(ctx context.Context, _ map[int]int) error { return s.flush(ctx) },
		batcher.WithMaxSize(15), batcher.WithMaxDelay(time.Millisecond), batcher.WithFoldBack(),
		batcher.WithRetry(1, func(int) time.Duration { return time.Microsecond }))
	require.NoError(t, err)
	return loaded{b, func(i int) error { return b.Add(context.Background(), i%20, 1) }, b.Close,
		[]string{"flushed_total", "merged_total", "folded_total"}}
}

func TestP1_TheIdentityHoldsInEveryScrapeUnderLoad(t *testing.T) {
	for name, front := range map[string]func(*testing.T, *sink) loaded{
		"Batcher": loadedPlain, "Sharded": loadedSharded, "Combiner": loadedCombiner,
	} {
		t.Run(name, func(t *testing.T) {
			c, registry := registered(t)
			s := &sink{err: batcher.Permanent(errSink)}
			b := front(t, s)
			stop, err := c.WatchAs("a", b)
			require.NoError(t, err)
			defer stop()
			var producers sync.WaitGroup
			for i := range 4 {
				producers.Go(func() {
					for b.add(i) == nil {
						i++
					}
				})
			}
			scrapeUntil(t, registry, 50, b.moves...)
			s.hangs.Store(true)
			scrapeUntil(t, registry, 10, "running_batches", "pending_items")
			giveUp(t, registry, b)
			producers.Wait()
			last := checkIdentity(t, registry)
			assert.Zero(t, last["pending_items"])
			assert.NotZero(t, last["returned_total"])
		})
	}
}

// scrapeUntil scrapes n times, and until none of the metrics is 0.
func scrapeUntil(t *testing.T, registry *prometheus.Registry, n int, metrics ...string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; n-- {
		s, still := checkIdentity(t, registry), []string(nil)
		for _, m := range metrics {
			if s[m] == 0 {
				still = append(still, m)
			}
		}
		if n <= 0 && still == nil {
			return
		}
		require.True(t, time.Now().Before(deadline), "still 0: %v", still)
	}
}

// giveUp closes b with a context that has ended, and scrapes meanwhile.
func giveUp(t *testing.T, registry *prometheus.Registry, b loaded) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	closed := make(chan error, 1)
	go func() { closed <- b.close(ctx) }()
	for {
		checkIdentity(t, registry)
		select {
		case err := <-closed:
			assert.Error(t, err)
			return
		default:
		}
	}
}
