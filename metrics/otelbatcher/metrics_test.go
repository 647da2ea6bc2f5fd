package otelbatcher_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

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

func TestTheBucketsAreThoseOfPrombatcher(t *testing.T) {
	r := newRig(t)
	b := start(t, good, batcher.WithName("a"))
	r.watch(b)
	require.NoError(t, b.AddWait(t.Context(), 1))
	text, err := os.ReadFile("../prombatcher/options.go")
	require.NoError(t, err)
	for name, kind := range map[string]string{
		"batcher.batch.size.items": "sizes", "batcher.queue.delay": "durations", "batcher.flush.duration": "durations",
	} {
		match := regexp.MustCompile(`\t` + kind + `: +\[\]float64\{(.*)\}`).FindSubmatch(text)
		require.NotNil(t, match, kind)
		var bounds []string
		for _, b := range r.bounds(name) {
			bounds = append(bounds, strings.TrimPrefix(fmt.Sprint(b), "0"))
		}
		assert.Equal(t, string(match[1]), strings.Join(bounds, ", "), name)
	}
}

func TestDurationsLeadToTheirSpan(t *testing.T) {
	r := newRig(t)
	b := start(t, good, batcher.WithName("a"))
	r.watch(b)
	require.NoError(t, b.AddWait(t.Context(), 1))
	data, ok := r.collect()["batcher.flush.duration"].(metricdata.Histogram[float64])
	require.True(t, ok)
	require.Len(t, data.DataPoints[0].Exemplars, 1)
	want := r.spans.Ended()[0].SpanContext().SpanID()
	assert.Equal(t, want[:], data.DataPoints[0].Exemplars[0].SpanID)
}

func TestErrorsOfAllClassesAreThereFromTheFirstCollectionOn(t *testing.T) {
	r := newRig(t)
	r.watch(start(t, good, batcher.WithName("a")))
	found := r.figures()
	for _, class := range batcher.ErrorClasses() {
		series := "batcher.flush.errors{class=" + class + ",name=a}"
		assert.Contains(t, found, series)
		assert.Zero(t, found[series])
	}
}

func TestAfterCloseNothingIsWatched(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.telemetry.Close())
	_, err := r.telemetry.Watch(start(t, good, batcher.WithName("a")))
	require.ErrorIs(t, err, otelbatcher.ErrClosed)
	assert.Empty(t, r.figures())
}

func TestEachClassOfErrorsIsCounted(t *testing.T) {
	assert.Len(t, outcomes, len(batcher.ErrorClasses()))
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

func TestEachReasonIsCountedAndInTheSpan(t *testing.T) {
	wait := func(b *batcher.Batcher[int]) error { return b.AddWait(t.Context(), 1) }
	for reason, test := range map[batcher.Reason]struct {
		add  func(*batcher.Batcher[int]) error
		opts []batcher.Option
	}{
		batcher.ReasonSize:   {wait, []batcher.Option{batcher.WithMaxSize(1)}},
		batcher.ReasonWeight: {wait, []batcher.Option{batcher.WithMaxWeight(1, func(int) int { return 1 })}},
		batcher.ReasonDelay:  {wait, nil},
		batcher.ReasonEager:  {wait, []batcher.Option{batcher.WithEager()}},
		batcher.ReasonFlush: {func(b *batcher.Batcher[int]) error {
			return errors.Join(b.Add(t.Context(), 1), b.Flush(t.Context()))
		}, nil},
		batcher.ReasonClose: {func(b *batcher.Batcher[int]) error {
			return errors.Join(b.Add(t.Context(), 1), b.Close(t.Context()))
		}, nil},
	} {
		t.Run(reason.String(), func(t *testing.T) {
			r := newRig(t)
			b := start(t, good, append(test.opts, batcher.WithName("a"))...)
			r.watch(b)
			require.NoError(t, test.add(b))
			r.hasOneOf(reason)
		})
	}
	t.Run("budget", func(t *testing.T) {
		r := newRig(t)
		s, err := batcher.NewSharded(func(context.Context, int, []int) error { return nil },
			batcher.WithName("a"), batcher.WithMaxPending(1), batcher.WithMaxDelay(time.Hour))
		require.NoError(t, err)
		r.watch(s)
		require.NoError(t, s.Add(t.Context(), 1, 1))
		require.NoError(t, s.Add(t.Context(), 2, 1)) // for which the first has to go
		require.NoError(t, s.Close(t.Context()))
		r.hasOneOf(batcher.ReasonBudget)
	})
}

// hasOneOf checks that the batcher a had one batch sealed for that reason, and that it came first.
func (r *rig) hasOneOf(reason batcher.Reason) {
	r.t.Helper()
	assert.EqualValues(r.t, 1, r.figures()["batcher.batches{name=a,reason="+reason.String()+"}"])
	require.NotEmpty(r.t, r.spans.Ended())
	assert.Equal(r.t, reason.String(), attributes(r.spans.Ended()[0])["batcher.reason"])
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
	for n, failed := 0, 0.0; n < 100 || failed == 0; n++ {
		s := r.figures()
		of := func(metric string) float64 { return s["batcher."+metric+"{name=a}"] }
		failed = of("failed") // which takes two flushes that succeed before it
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
	for _, same := range []string{"\xfe<b>\n", "\uFFFD<b>\n"} {
		_, err = r.telemetry.WatchAs(same, unnamed)
		assert.ErrorIs(t, err, otelbatcher.ErrNameTaken, "%q is shown as the same", same)
	}

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
		"WithMeterProvider(nil)":  otelbatcher.WithMeterProvider((*sdkmetric.MeterProvider)(nil)),
		"WithTracerProvider(nil)": otelbatcher.WithTracerProvider((*sdktrace.TracerProvider)(nil)),
	} {
		telemetry, err := otelbatcher.New(o)
		assert.Nil(t, telemetry)
		assert.ErrorContains(t, err, name)
	}
}

func TestWithoutProvidersNothingBreaks(t *testing.T) {
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

// counted is a batcher that calls asked before each Stats.
type counted struct {
	batcher.Observed
	asked func()
}

func (c counted) Stats() batcher.Stats {
	c.asked()
	return c.Observed.Stats()
}

func TestACollectionThatNobodyWaitsForEnds(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := 0
	for _, name := range []string{"a", "b", "c"} {
		r.watch(counted{start(t, good, batcher.WithName(name)), func() { asked++; cancel() }})
	}
	assert.ErrorIs(t, r.reader.Collect(ctx, &metricdata.ResourceMetrics{}), context.Canceled)
	assert.Equal(t, 1, asked)
}
