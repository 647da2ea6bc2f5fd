package otelbatcher_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/otelbatcher"
)

func TestPrometheusSeesTheNamesAndLabelsOfPrombatcher(t *testing.T) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(),
		otelprometheus.WithoutTargetInfo())
	require.NoError(t, err)
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	defer func() { assert.NoError(t, meters.Shutdown(context.Background())) }()
	telemetry, err := otelbatcher.New(otelbatcher.WithMeterProvider(meters))
	require.NoError(t, err)
	b := start(t, func(context.Context, []int) error { return errSink }, batcher.WithName("a"))
	stop, err := telemetry.Watch(b)
	require.NoError(t, err)
	defer stop()
	require.Error(t, b.AddWait(t.Context(), 1))

	families, err := registry.Gather()
	require.NoError(t, err)
	labels := map[string][]string{}
	for _, f := range families {
		labels[f.GetName()] = nil
		for _, l := range f.Metric[0].Label {
			labels[f.GetName()] = append(labels[f.GetName()], l.GetName())
		}
	}
	want := map[string][]string{}
	for _, name := range metricsOfPrombatcher(t) {
		want[name] = []string{"name"}
	}
	want["batcher_batches_total"] = []string{"name", "reason"}
	want["batcher_flush_errors_total"] = []string{"class", "name"}
	want["batcher_flush_duration_seconds"] = []string{"name", "result"}
	assert.Equal(t, want, labels)
}

// metricsOfPrombatcher are the names that its documentation explains.
func metricsOfPrombatcher(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile("../prombatcher/doc.go")
	require.NoError(t, err)
	for _, match := range regexp.MustCompile(`(?m)^//\t(batcher_\w+) `).FindAllSubmatch(text, -1) {
		names = append(names, string(match[1]))
	}
	require.Greater(t, len(names), 20)
	return names
}

func TestEachClassOfErrorsIsCounted(t *testing.T) {
	assert.Len(t, outcomes, len(batcher.ErrorClasses())-1, "all but dropped")
	for class, outcome := range outcomes {
		t.Run(class, func(t *testing.T) {
			r := newRig(t)
			b := start(t, func(context.Context, []int) error { return outcome() }, batcher.WithName("a"))
			r.watch(b)
			assert.Error(t, b.AddWait(t.Context(), 1))
			found := r.figures()
			assert.EqualValues(t, 1, found["batcher.flush.errors{class="+class+",name=a}"], "%v", found)
			assert.EqualValues(t, 1, found["batcher.flush.duration{name=a,result=error}"])
			assert.EqualValues(t, 1, found["batcher.failed{name=a}"])
		})
	}
}

func TestEachReasonAndEachFrontEndIsShown(t *testing.T) {
	r := newRig(t)
	sharded, err := batcher.NewSharded(func(context.Context, string, []int) error { return nil },
		batcher.WithName("sharded"), batcher.WithMaxPending(77))
	require.NoError(t, err)
	combiner, err := batcher.NewCombiner(func(old, new int) int { return old + new },
		func(context.Context, map[string]int) error { return nil }, batcher.WithName("combiner"), batcher.WithEager())
	require.NoError(t, err)
	r.watch(sharded)
	r.watch(combiner)
	for range 3 {
		require.NoError(t, sharded.Add(t.Context(), "k", 1))
		require.NoError(t, combiner.Add(t.Context(), "k", 1))
	}
	require.NoError(t, sharded.Close(t.Context()))
	require.NoError(t, combiner.Close(t.Context()))
	found := r.figures()
	assert.EqualValues(t, 77, found["batcher.max.pending.items{name=sharded}"])
	assert.EqualValues(t, 0, found["batcher.max.delay{name=combiner}"], "it is eager")
	assert.EqualValues(t, 3, found["batcher.flushed{name=sharded}"])
	assert.EqualValues(t, 3, found["batcher.flushed{name=combiner}"]+found["batcher.merged{name=combiner}"])
	assert.EqualValues(t, 1, found["batcher.batches{name=sharded,reason=close}"])
	for reason := batcher.ReasonSize; reason <= batcher.ReasonBudget; reason++ {
		assert.Contains(t, found, fmt.Sprintf("batcher.batches{name=sharded,reason=%v}", reason))
	}
}

func TestASplitBatchCountsOnce(t *testing.T) {
	r := newRig(t)
	b := start(t, func(_ context.Context, batch []int) error {
		if len(batch) > 1 {
			return batcher.TooLarge(errSink)
		}
		return nil
	}, batcher.WithName("a"), batcher.WithMaxSize(4))
	r.watch(b)
	_, err := b.AddAll(t.Context(), []int{1, 2, 3, 4})
	require.NoError(t, err)
	require.NoError(t, b.Flush(t.Context()))
	found := r.figures()
	assert.EqualValues(t, 1, found["batcher.batch.size.items{name=a}"])
	assert.EqualValues(t, 1, found["batcher.queue.delay{name=a}"])
	assert.EqualValues(t, 3, found["batcher.flush.duration{name=a,result=error}"])
	assert.EqualValues(t, 4, found["batcher.flush.duration{name=a,result=ok}"])
}

func TestP1_TheIdentityHoldsInEveryCollectionUnderLoad(t *testing.T) {
	r := newRig(t)
	calls := 0
	b := start(t, func(context.Context, []int) error {
		if calls++; calls%3 == 0 {
			return batcher.Permanent(errSink)
		}
		return nil
	}, batcher.WithName("a"), batcher.WithMaxSize(10), batcher.WithQueueDepth(1), batcher.WithOverflow(batcher.DropNewest))
	r.watch(b)
	ctx, stop := context.WithCancel(t.Context())
	var producers sync.WaitGroup
	for range 4 {
		producers.Go(func() {
			for ctx.Err() == nil {
				assert.NoError(t, b.Add(context.Background(), 1))
			}
		})
	}
	for range 100 {
		s := r.figures()
		of := func(metric string) float64 { return s["batcher."+metric+"{name=a}"] }
		assert.Equal(t, of("added"), of("flushed")+of("failed")+of("dropped")+of("returned")+of("folded")+of("pending.items"))
	}
	stop()
	producers.Wait()
}

func TestNamesThatAreRefused(t *testing.T) {
	r := newRig(t)
	var none *batcher.Batcher[int]
	unnamed, named := start(t, good), start(t, good, batcher.WithName("a"))
	for name, test := range map[string]struct {
		b    batcher.Observed
		want error
	}{
		"nil":       {nil, otelbatcher.ErrNoBatcher},
		"typed nil": {none, otelbatcher.ErrNoBatcher},
		"no name":   {unnamed, otelbatcher.ErrNoName},
	} {
		stop, err := r.telemetry.Watch(test.b)
		assert.ErrorIs(t, err, test.want, name)
		assert.Nil(t, stop, name)
	}
	_, err := r.telemetry.WatchAs("x", nil)
	assert.ErrorIs(t, err, otelbatcher.ErrNoBatcher)
	r.watch(named)
	_, err = r.telemetry.WatchAs("a", unnamed)
	assert.ErrorIs(t, err, otelbatcher.ErrNameTaken)
	stop, err := r.telemetry.WatchAs("\xff<b>\n", unnamed)
	require.NoError(t, err)
	defer stop()
	assert.Contains(t, strings.Join(names(r.figures()), "\n"), "?<b>")
	_, err = r.telemetry.WatchAs("\xfe<b>\n", unnamed)
	assert.ErrorIs(t, err, otelbatcher.ErrNameTaken, "both are shown as the same")

	require.NoError(t, unnamed.AddWait(t.Context(), 1))
	require.NoError(t, r.telemetry.Close())
	require.NoError(t, r.telemetry.Close())
	ended := len(r.spans.Ended())
	require.NoError(t, unnamed.AddWait(t.Context(), 1))
	assert.Len(t, r.spans.Ended(), ended, "Close has removed the hooks")
	_, err = r.telemetry.WatchAs("z", unnamed)
	assert.ErrorIs(t, err, otelbatcher.ErrClosed)
	stop()
}

func names(figures map[string]float64) (list []string) {
	for name := range figures {
		list = append(list, name)
	}
	return list
}

func TestStopFreesTheName(t *testing.T) {
	r := newRig(t)
	a, b := start(t, good, batcher.WithName("a")), start(t, good, batcher.WithName("a"))
	stop := r.watch(a)
	require.NoError(t, a.AddWait(t.Context(), 1))
	stop()
	stop()
	assert.NotContains(t, r.figures(), "batcher.added{name=a}")
	r.watch(b)
	stop() // of the former
	require.NoError(t, a.AddWait(t.Context(), 1))
	assert.EqualValues(t, 0, r.figures()["batcher.added{name=a}"])
	assert.Len(t, r.spans.Ended(), 1, "the hooks of the former are gone")
}

func TestCollectionsRaceWatchStopAndClose(t *testing.T) {
	r := newRig(t)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 25 {
				b, err := batcher.New(good, batcher.WithName(fmt.Sprint(i)), batcher.WithMaxSize(2))
				if !assert.NoError(t, err) {
					return
				}
				stop, err := r.telemetry.Watch(b)
				assert.NoError(t, err)
				for range 5 {
					assert.NoError(t, b.Add(context.Background(), 1))
				}
				var closing sync.WaitGroup
				closing.Go(func() { assert.NoError(t, b.Close(context.Background())) })
				stop()
				closing.Wait()
			}
		})
	}
	all.Go(func() {
		for range 100 {
			r.figures()
		}
	})
	all.Wait()
}

func TestOptionsThatAreRefused(t *testing.T) {
	for name, o := range map[string]otelbatcher.Option{
		"nil": nil, "WithMeterProvider": otelbatcher.WithMeterProvider(nil),
		"WithTracerProvider": otelbatcher.WithTracerProvider(nil), "WithKey": otelbatcher.WithKey(nil),
	} {
		telemetry, err := otelbatcher.New(o)
		assert.Nil(t, telemetry)
		assert.ErrorContains(t, err, name)
	}
}

func TestWithoutProvidersNothingIsShownAndNothingBreaks(t *testing.T) {
	for _, opts := range [][]otelbatcher.Option{nil, {otelbatcher.WithMeterProvider(noop.NewMeterProvider())}} {
		telemetry, err := otelbatcher.New(opts...)
		require.NoError(t, err)
		b := start(t, good, batcher.WithName("a"))
		stop, err := telemetry.Watch(b)
		require.NoError(t, err)
		require.NoError(t, b.AddWait(t.Context(), 1))
		stop()
		require.NoError(t, telemetry.Close())
	}
}
