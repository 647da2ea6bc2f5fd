package prombatcher_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/prombatcher"
)

// everyMetric are those of one batcher that has done nothing. Durations are exact in a bubble.
const everyMetric = `
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
		assert.NoError(t, testutil.CollectAndCompare(c, strings.NewReader(everyMetric),
			"batcher_added_total", "batcher_batches_total", "batcher_flushed_total", "batcher_failed_total",
			"batcher_flush_duration_seconds", "batcher_queue_delay_seconds", "batcher_batch_size_items",
			"batcher_max_pending_items", "batcher_max_delay_seconds", "batcher_max_queue_depth",
			"batcher_max_batch_size_items", "batcher_workers"))
	})
}

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

func TestEachReasonIsCounted(t *testing.T) {
	weigh := batcher.WithMaxWeight(1, func(int) int { return 1 })
	for reason, run := range map[batcher.Reason]func(t *testing.T) (batcher.Observed, func()){
		batcher.ReasonSize:   plain(func(b *batcher.Batcher[int]) error { return b.AddWait(t.Context(), 1) }, batcher.WithMaxSize(1)),
		batcher.ReasonWeight: plain(func(b *batcher.Batcher[int]) error { return b.AddWait(t.Context(), 1) }, weigh),
		batcher.ReasonDelay:  plain(func(b *batcher.Batcher[int]) error { return b.AddWait(t.Context(), 1) }),
		batcher.ReasonEager:  plain(func(b *batcher.Batcher[int]) error { return b.AddWait(t.Context(), 1) }, batcher.WithEager()),
		batcher.ReasonFlush: plain(func(b *batcher.Batcher[int]) error {
			return errors.Join(b.Add(t.Context(), 1), b.Flush(t.Context()))
		}),
		batcher.ReasonClose: plain(func(b *batcher.Batcher[int]) error {
			return errors.Join(b.Add(t.Context(), 1), b.Close(t.Context()))
		}),
		batcher.ReasonBudget: func(t *testing.T) (batcher.Observed, func()) {
			s, err := batcher.NewSharded(func(context.Context, int, []int) error { return nil },
				batcher.WithMaxPending(1), batcher.WithMaxDelay(time.Hour))
			require.NoError(t, err)
			return s, func() {
				require.NoError(t, s.Add(t.Context(), 1, 1))
				require.NoError(t, s.Add(t.Context(), 2, 1)) // for which the first has to go
				require.NoError(t, s.Close(t.Context()))
			}
		},
	} {
		t.Run(reason.String(), func(t *testing.T) {
			c, registry := registered(t)
			b, add := run(t)
			stop, err := c.WatchAs("a", b)
			require.NoError(t, err)
			defer stop()
			add()
			assert.EqualValues(t, 1, scrape(t, registry)["batcher_batches_total{name=a,reason="+reason.String()+"}"])
		})
	}
}

// plain is a batcher, and what is done with it.
func plain(add func(*batcher.Batcher[int]) error, opts ...batcher.Option) func(*testing.T) (batcher.Observed, func()) {
	return func(t *testing.T) (batcher.Observed, func()) {
		b := start(t, good, opts...)
		return b, func() { require.NoError(t, add(b)) }
	}
}

func TestEachClassOfErrorsIsCounted(t *testing.T) {
	outcomes := map[string]func() error{
		"panic":     func() error { panic("boom") },
		"goexit":    func() error { return goexit() },
		"partial":   func() error { return &batcher.PartialError{Errs: map[int]error{0: errSink}} },
		"too_large": func() error { return batcher.TooLarge(errSink) },
		"permanent": func() error { return batcher.Permanent(errSink) },
		"timeout":   func() error { return context.DeadlineExceeded },
		"canceled":  func() error { return context.Canceled },
		"throttled": func() error { return batcher.RetryAfter(errSink, 0) },
		"dropped":   func() error { return fmt.Errorf("by the next batcher: %w", batcher.ErrDropped) },
		"other":     func() error { return hostile{} },
	}
	assert.Len(t, outcomes, len(batcher.ErrorClasses()))
	for class, outcome := range outcomes {
		t.Run(class, func(t *testing.T) {
			c, registry := registered(t)
			b := start(t, func(context.Context, []int) error { return outcome() }, batcher.WithName("a"))
			watch(t, c, b)
			assert.Error(t, b.AddWait(t.Context(), 1))
			found := scrape(t, registry)
			assert.EqualValues(t, 1, found["batcher_flush_errors_total{class="+class+",name=a}"], "%v", found.nonzero())
			assert.EqualValues(t, 1, found["batcher_flush_duration_seconds_count{name=a,result=error}"])
			assert.EqualValues(t, 1, found["batcher_failed_total{name=a}"])
		})
	}
}

func TestASplitBatchCountsOnce(t *testing.T) {
	c, registry := registered(t)
	b := start(t, func(_ context.Context, batch []int) error {
		if len(batch) > 1 {
			return batcher.TooLarge(errSink)
		}
		return nil
	}, batcher.WithName("a"), batcher.WithMaxSize(4))
	watch(t, c, b)
	_, err := b.AddAll(t.Context(), []int{1, 2, 3, 4})
	require.NoError(t, err)
	require.NoError(t, b.Flush(t.Context()))
	found := scrape(t, registry)
	assert.EqualValues(t, 1, found["batcher_batch_size_items_count{name=a}"])
	assert.EqualValues(t, 4, found["batcher_batch_size_items_sum{name=a}"])
	assert.EqualValues(t, 1, found["batcher_queue_delay_seconds_count{name=a}"])
	assert.EqualValues(t, 3, found["batcher_flush_duration_seconds_count{name=a,result=error}"])
	assert.EqualValues(t, 4, found["batcher_flush_duration_seconds_count{name=a,result=ok}"])
}

func TestAllFrontEndsAreShown(t *testing.T) {
	c, registry := registered(t)
	sharded, err := batcher.NewSharded(func(context.Context, string, []int) error { return nil },
		batcher.WithName("sharded"), batcher.WithMaxPending(77))
	require.NoError(t, err)
	combiner, err := batcher.NewCombiner(func(old, new int) int { return old + new },
		func(context.Context, map[string]int) error { return nil }, batcher.WithName("combiner"), batcher.WithEager())
	require.NoError(t, err)
	watch(t, c, sharded)
	watch(t, c, combiner)
	for range 3 {
		require.NoError(t, sharded.Add(t.Context(), "k", 1))
		require.NoError(t, combiner.Add(t.Context(), "k", 1))
	}
	require.NoError(t, sharded.Close(t.Context()))
	require.NoError(t, combiner.Close(t.Context()))
	found := scrape(t, registry)
	assert.EqualValues(t, 77, found["batcher_max_pending_items{name=sharded}"])
	assert.EqualValues(t, 0, found["batcher_max_queue_depth{name=sharded}"])
	assert.EqualValues(t, 0, found["batcher_max_delay_seconds{name=combiner}"], "it is eager")
	assert.EqualValues(t, 3, found["batcher_flushed_total{name=sharded}"])
	assert.EqualValues(t, 3, found["batcher_flushed_total{name=combiner}"]+found["batcher_merged_total{name=combiner}"])
}

func TestP1_TheIdentityHoldsInEveryScrapeUnderLoad(t *testing.T) {
	c, registry := registered(t)
	calls := 0
	b := start(t, func(context.Context, []int) error {
		if calls++; calls%3 == 0 {
			return batcher.Permanent(errSink)
		}
		return nil
	}, batcher.WithName("a"), batcher.WithMaxSize(10), batcher.WithQueueDepth(1), batcher.WithOverflow(batcher.DropNewest))
	watch(t, c, b)
	ctx, stop := context.WithCancel(t.Context())
	var producers sync.WaitGroup
	for range 4 {
		producers.Go(func() {
			for ctx.Err() == nil {
				assert.NoError(t, b.Add(context.Background(), 1))
			}
		})
	}
	for range 200 {
		s := scrape(t, registry)
		of := func(metric string) float64 { return s["batcher_"+metric+"{name=a}"] }
		assert.Equal(t, of("added_total"), of("flushed_total")+of("failed_total")+of("dropped_total")+
			of("returned_total")+of("folded_total")+of("pending_items"))
	}
	stop()
	producers.Wait()
}

func TestNamesThatAreRefused(t *testing.T) {
	c, registry := registered(t)
	var none *batcher.Batcher[int]
	unnamed, named := start(t, good), start(t, good, batcher.WithName("a"))
	for name, test := range map[string]struct {
		b    batcher.Observed
		want error
	}{
		"nil":       {nil, prombatcher.ErrNoBatcher},
		"typed nil": {none, prombatcher.ErrNoBatcher},
		"no name":   {unnamed, prombatcher.ErrNoName},
	} {
		stop, err := c.Watch(test.b)
		assert.ErrorIs(t, err, test.want, name)
		assert.Nil(t, stop, name)
	}
	_, err := c.WatchAs("x", nil)
	assert.ErrorIs(t, err, prombatcher.ErrNoBatcher)
	_, err = c.WatchAs("", named)
	assert.ErrorIs(t, err, prombatcher.ErrNoName)

	watch(t, c, named)
	_, err = c.Watch(named)
	assert.ErrorIs(t, err, prombatcher.ErrNameTaken)
	_, err = c.WatchAs("a", unnamed)
	assert.ErrorIs(t, err, prombatcher.ErrNameTaken)
	stop, err := c.WatchAs("b", unnamed)
	require.NoError(t, err)
	defer stop()
	assert.Contains(t, scrape(t, registry), "batcher_added_total{name=b}")

	bad, err := c.WatchAs("\xff", named)
	require.NoError(t, err)
	defer bad()
	_, err = c.WatchAs("\xfe", unnamed)
	assert.ErrorIs(t, err, prombatcher.ErrNameTaken, "both are shown as the same")
}

func TestHostileNamesAreShownAsTheyAre(t *testing.T) {
	c, registry := registered(t)
	for i, name := range hostileNames {
		b := start(t, good)
		stop, err := c.WatchAs(name, b)
		require.NoError(t, err, "%d", i)
		defer stop()
	}
	found := scrape(t, registry)
	for _, name := range hostileNames {
		assert.Contains(t, found, "batcher_added_total{name="+strings.ToValidUTF8(name, "?")+"}")
	}
}

var hostileNames = []string{
	`<img src=x onerror=alert(1)>`, "two\nlines", `quote " and \ backslash`, "\xff\xfe", "{}=,", "__name__", " ", "Ω",
	strings.Repeat("long", 200),
}

func TestStopFreesTheNameAndRemovesTheSeries(t *testing.T) {
	c, registry := registered(t)
	a, b := start(t, good, batcher.WithName("a")), start(t, good, batcher.WithName("a"))
	stop := watch(t, c, a)
	require.NoError(t, a.AddWait(t.Context(), 1))
	stop()
	stop()
	assert.Empty(t, scrape(t, registry))
	watch(t, c, b)
	stop() // of the former
	require.NoError(t, a.AddWait(t.Context(), 1))
	found := scrape(t, registry)
	assert.EqualValues(t, 0, found["batcher_added_total{name=a}"])
	assert.EqualValues(t, 0, found["batcher_batch_size_items_count{name=a}"], "hooks of the former are gone")
}

func TestAFlushThatEndsAfterStopBringsNothingBack(t *testing.T) {
	c, registry := registered(t)
	begun, end := make(chan struct{}), make(chan struct{})
	b := start(t, func(context.Context, []int) error {
		close(begun)
		<-end
		return errSink
	}, batcher.WithName("a"), batcher.WithMaxSize(1))
	stop := watch(t, c, b)
	require.NoError(t, b.Add(t.Context(), 1))
	<-begun
	stop()
	close(end)
	assert.Error(t, b.Flush(t.Context()))
	assert.Empty(t, scrape(t, registry))
}

func TestScrapesRaceWatchStopAndClose(t *testing.T) {
	c, registry := registered(t)
	other := prometheus.NewPedanticRegistry()
	require.NoError(t, other.Register(c), "one collector in two registries")
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 25 {
				b, err := batcher.New(good, batcher.WithName(fmt.Sprint(i)), batcher.WithMaxSize(2))
				if !assert.NoError(t, err) {
					return
				}
				stop, err := c.Watch(b)
				assert.NoError(t, err)
				for range 5 {
					assert.NoError(t, b.Add(context.Background(), 1))
				}
				closed := make(chan struct{})
				go func() {
					defer close(closed)
					assert.NoError(t, b.Close(context.Background()))
				}()
				stop()
				<-closed
			}
		})
	}
	for _, r := range []*prometheus.Registry{registry, other} {
		all.Go(func() {
			for range 100 {
				_, err := r.Gather()
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	assert.Empty(t, scrape(t, registry))
}

func TestOptionsThatAreRefused(t *testing.T) {
	for name, opts := range map[string][]prombatcher.Option{
		"no buckets":   {prombatcher.WithDurationBuckets()},
		"descending":   {prombatcher.WithDurationBuckets(1, .5)},
		"twice":        {prombatcher.WithSizeBuckets(1, 1)},
		"zero":         {prombatcher.WithSizeBuckets(0, 1)},
		"NaN":          {prombatcher.WithSizeBuckets(math.NaN())},
		"infinite":     {prombatcher.WithSizeBuckets(1, math.Inf(1))},
		"factor of 1":  {prombatcher.WithNativeHistograms(1)},
		"factor NaN":   {prombatcher.WithNativeHistograms(math.NaN())},
		"factor of 3":  {prombatcher.WithNativeHistograms(3)},
		"a nil option": {nil},
	} {
		c, err := prombatcher.New(opts...)
		assert.Nil(t, c, name)
		assert.ErrorContains(t, err, "prombatcher: ", name)
	}
	_, err := prombatcher.New(prombatcher.WithSizeBuckets(), prombatcher.WithNativeHistograms(0))
	assert.ErrorContains(t, err, "WithSizeBuckets")
	assert.ErrorContains(t, err, "WithNativeHistograms")
}

func TestNativeHistogramsStandBesideTheClassicOnes(t *testing.T) {
	c, registry := registered(t, prombatcher.WithNativeHistograms(1.1))
	b := start(t, good, batcher.WithName("a"))
	watch(t, c, b)
	require.NoError(t, b.AddWait(t.Context(), 1))
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "batcher_batch_size_items" {
			h := f.Metric[0].Histogram
			assert.NotEmpty(t, h.PositiveSpan)
			assert.Len(t, h.Bucket, 13)
		}
	}
}
