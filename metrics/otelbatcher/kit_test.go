package otelbatcher_test

// What the tests share: batchers, and readers of what the SDK has gathered.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/otelbatcher"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // batches fail on purpose
	goleak.VerifyTestMain(m)
}

var errSink = errors.New("the sink is down")

func good(context.Context, []int) error { return nil }

// start makes a batcher that the test closes.
func start[T any](t testing.TB, flush batcher.FlushFunc[T], opts ...batcher.Option) *batcher.Batcher[T] {
	t.Helper()
	b, err := batcher.New(flush, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close(context.Background())) })
	return b
}

// rig is a Telemetry between a batcher and an SDK that keeps everything.
type rig struct {
	t         testing.TB
	telemetry *otelbatcher.Telemetry
	reader    *sdkmetric.ManualReader
	spans     *tracetest.SpanRecorder
	tracers   *sdktrace.TracerProvider
}

func newRig(t testing.TB, opts ...otelbatcher.Option) *rig {
	t.Helper()
	r := &rig{t: t, reader: sdkmetric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
	r.tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	var err error
	r.telemetry, err = otelbatcher.New(append([]otelbatcher.Option{
		otelbatcher.WithMeterProvider(meters), otelbatcher.WithTracerProvider(r.tracers)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, r.telemetry.Close())
		assert.NoError(t, meters.Shutdown(context.Background()))
		assert.NoError(t, r.tracers.Shutdown(context.Background()))
	})
	return r
}

func (r *rig) watch(b batcher.Observed) (stop func()) {
	r.t.Helper()
	stop, err := r.telemetry.Watch(b)
	require.NoError(r.t, err)
	r.t.Cleanup(stop)
	return stop
}

// collect collects, and returns what there is by name.
func (r *rig) collect() map[string]metricdata.Aggregation {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(r.t, r.reader.Collect(context.Background(), &all))
	found := map[string]metricdata.Aggregation{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			found[m.Name] = m.Data
		}
	}
	return found
}

// figures collects, and returns sums, gauges and the counts of histograms, by name and attributes.
func (r *rig) figures() map[string]float64 {
	r.t.Helper()
	found := map[string]float64{}
	for name, data := range r.collect() {
		switch data := data.(type) {
		case metricdata.Sum[int64]:
			points(found, name, data.DataPoints)
		case metricdata.Gauge[int64]:
			points(found, name, data.DataPoints)
		case metricdata.Gauge[float64]:
			points(found, name, data.DataPoints)
		case metricdata.Histogram[int64]:
			counts(found, name, data.DataPoints)
		case metricdata.Histogram[float64]:
			counts(found, name, data.DataPoints)
		default:
			r.t.Errorf("%s is a %T", name, data)
		}
	}
	return found
}

// bounds are those of the buckets of a histogram that has one series.
func (r *rig) bounds(name string) []float64 {
	r.t.Helper()
	switch data := r.collect()[name].(type) {
	case metricdata.Histogram[int64]:
		return data.DataPoints[0].Bounds
	case metricdata.Histogram[float64]:
		return data.DataPoints[0].Bounds
	default:
		r.t.Errorf("%s is a %T", name, data)
		return nil
	}
}

func key(name string, attrs attribute.Set) string {
	return name + "{" + attrs.Encoded(attribute.DefaultEncoder()) + "}"
}

func points[N int64 | float64](found map[string]float64, name string, points []metricdata.DataPoint[N]) {
	for _, p := range points {
		found[key(name, p.Attributes)] = float64(p.Value)
	}
}

func counts[N int64 | float64](found map[string]float64, name string, points []metricdata.HistogramDataPoint[N]) {
	for _, p := range points {
		found[key(name, p.Attributes)] = float64(p.Count)
	}
}

// attributes are those of a span, by name, as text.
func attributes(span sdktrace.ReadOnlySpan) map[string]string {
	found := map[string]string{}
	for _, a := range span.Attributes() {
		found[string(a.Key)] = a.Value.String()
	}
	return found
}

// outcomes are flush functions that fail, by the class of their error.
var outcomes = map[string]func() error{
	"panic":     func() error { panic("boom") },
	"goexit":    func() error { runtime.Goexit(); return nil },
	"partial":   func() error { return &batcher.PartialError{Errs: map[int]error{0: errSink}} },
	"too_large": func() error { return batcher.TooLarge(errSink) },
	"permanent": func() error { return batcher.Permanent(errSink) },
	"timeout":   func() error { return context.DeadlineExceeded },
	"canceled":  func() error { return context.Canceled },
	"throttled": func() error { return batcher.RetryAfter(errSink, 0) },
	"dropped":   func() error { return fmt.Errorf("by the next batcher: %w", batcher.ErrDropped) },
	"other":     func() error { return hostile{} },
}

// hostile is an error whose methods panic when they are looked at.
type hostile struct{}

func (hostile) Error() string { panic("Error") }
func (hostile) Is(error) bool { panic("Is") }
func (hostile) Unwrap() error { panic("Unwrap") }
func (hostile) Timeout() bool { panic("Timeout") }
