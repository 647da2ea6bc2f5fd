package prombatcher_test

// The text that Prometheus reads: each metric, its help, and its series.

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/prombatcher"
)

func TestTheTextIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := prombatcher.New(prombatcher.WithDurationBuckets(.01, .1, 1), prombatcher.WithSizeBuckets(1, 2, 4))
		require.NoError(t, err)
		calls := 0
		b := start(t, func(context.Context, []int) error {
			time.Sleep(30 * time.Millisecond)
			if calls++; calls == 2 {
				return errSink
			}
			return nil
		}, batcher.WithName("orders"), batcher.WithMaxSize(3), batcher.WithMaxDelay(100*time.Millisecond))
		watch(t, c, b)
		for i := range 7 {
			require.NoError(t, b.Add(t.Context(), i))
		}
		time.Sleep(time.Second)
		assert.NoError(t, testutil.CollectAndCompare(c, strings.NewReader(textOfOrders),
			"batcher_added_total", "batcher_batches_total", "batcher_flushed_total", "batcher_failed_total",
			"batcher_flush_duration_seconds", "batcher_queue_delay_seconds", "batcher_batch_size_items",
			"batcher_max_pending_items", "batcher_max_delay_seconds", "batcher_max_queue_depth",
			"batcher_max_batch_size_items", "batcher_workers"))
	})
}

// textOfOrders is the text of a batcher that has flushed two batches and failed one. In a bubble,
// durations are exact.
const textOfOrders = `
# HELP batcher_added_total Items accepted.
# TYPE batcher_added_total counter
batcher_added_total{name="orders"} 7
# HELP batcher_batches_total Batches sealed, by reason.
# TYPE batcher_batches_total counter
batcher_batches_total{name="orders",reason="budget"} 0
batcher_batches_total{name="orders",reason="close"} 0
batcher_batches_total{name="orders",reason="delay"} 1
batcher_batches_total{name="orders",reason="eager"} 0
batcher_batches_total{name="orders",reason="flush"} 0
batcher_batches_total{name="orders",reason="size"} 2
batcher_batches_total{name="orders",reason="weight"} 0
# HELP batcher_flushed_total Items that the flush function has taken.
# TYPE batcher_flushed_total counter
batcher_flushed_total{name="orders"} 4
# HELP batcher_flush_duration_seconds How long the flush function ran, by result of the attempt.
# TYPE batcher_flush_duration_seconds histogram
batcher_flush_duration_seconds_bucket{name="orders",result="error",le="0.01"} 0
batcher_flush_duration_seconds_bucket{name="orders",result="error",le="0.1"} 1
batcher_flush_duration_seconds_bucket{name="orders",result="error",le="1"} 1
batcher_flush_duration_seconds_bucket{name="orders",result="error",le="+Inf"} 1
batcher_flush_duration_seconds_sum{name="orders",result="error"} 0.03
batcher_flush_duration_seconds_count{name="orders",result="error"} 1
batcher_flush_duration_seconds_bucket{name="orders",result="ok",le="0.01"} 0
batcher_flush_duration_seconds_bucket{name="orders",result="ok",le="0.1"} 2
batcher_flush_duration_seconds_bucket{name="orders",result="ok",le="1"} 2
batcher_flush_duration_seconds_bucket{name="orders",result="ok",le="+Inf"} 2
batcher_flush_duration_seconds_sum{name="orders",result="ok"} 0.06
batcher_flush_duration_seconds_count{name="orders",result="ok"} 2
# HELP batcher_queue_delay_seconds From the sealing of a batch to its first attempt.
# TYPE batcher_queue_delay_seconds histogram
batcher_queue_delay_seconds_bucket{name="orders",le="0.01"} 2
batcher_queue_delay_seconds_bucket{name="orders",le="0.1"} 3
batcher_queue_delay_seconds_bucket{name="orders",le="1"} 3
batcher_queue_delay_seconds_bucket{name="orders",le="+Inf"} 3
batcher_queue_delay_seconds_sum{name="orders"} 0.03
batcher_queue_delay_seconds_count{name="orders"} 3
# HELP batcher_batch_size_items Items in a batch at its first attempt.
# TYPE batcher_batch_size_items histogram
batcher_batch_size_items_bucket{name="orders",le="1"} 1
batcher_batch_size_items_bucket{name="orders",le="2"} 1
batcher_batch_size_items_bucket{name="orders",le="4"} 3
batcher_batch_size_items_bucket{name="orders",le="+Inf"} 3
batcher_batch_size_items_sum{name="orders"} 7
batcher_batch_size_items_count{name="orders"} 3
# HELP batcher_max_pending_items How many items are held at most.
# TYPE batcher_max_pending_items gauge
batcher_max_pending_items{name="orders"} 9
# HELP batcher_max_delay_seconds How long the first item of a batch waits at most; 0 if batches are due at once.
# TYPE batcher_max_delay_seconds gauge
batcher_max_delay_seconds{name="orders"} 0.1
# HELP batcher_max_queue_depth How many batches may wait for a worker; 0 if only items are bounded.
# TYPE batcher_max_queue_depth gauge
batcher_max_queue_depth{name="orders"} 2
# HELP batcher_max_batch_size_items How many items a batch has at most.
# TYPE batcher_max_batch_size_items gauge
batcher_max_batch_size_items{name="orders"} 3
# HELP batcher_workers How many batches are flushed at once at most.
# TYPE batcher_workers gauge
batcher_workers{name="orders"} 1
# HELP batcher_failed_total Items given up.
# TYPE batcher_failed_total counter
batcher_failed_total{name="orders"} 3
`

func TestTheMetricsAreThoseOfTheDocument(t *testing.T) {
	c, registry := registered(t)
	watch(t, c, start(t, good, batcher.WithName("a")))
	families, err := registry.Gather()
	require.NoError(t, err)
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	assert.ElementsMatch(t, metricsInDoc(t), names)
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	assert.Empty(t, problems)
}

// metricsInDoc are the names that the package documentation explains.
func metricsInDoc(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	for _, match := range regexp.MustCompile(`(?m)^//\t(batcher_\w+) `).FindAllSubmatch(text, -1) {
		names = append(names, string(match[1]))
	}
	return names
}

func TestAllSeriesAreThereFromTheFirstScrapeOn(t *testing.T) {
	c, registry := registered(t)
	watch(t, c, start(t, good, batcher.WithName("a")))
	found := scrape(t, registry)
	for reason := batcher.ReasonSize; reason <= batcher.ReasonBudget; reason++ {
		assert.Contains(t, found, fmt.Sprintf("batcher_batches_total{name=a,reason=%v}", reason))
	}
	for _, class := range batcher.ErrorClasses() {
		assert.Contains(t, found, "batcher_flush_errors_total{class="+class+",name=a}")
	}
	assert.Equal(t, []string{
		"batcher_max_batch_size_items{name=a}", "batcher_max_delay_seconds{name=a}", "batcher_max_pending_items{name=a}",
		"batcher_max_queue_depth{name=a}", "batcher_workers{name=a}",
	}, found.nonzero())
}
