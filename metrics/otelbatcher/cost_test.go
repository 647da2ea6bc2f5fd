package otelbatcher_test

import (
	"context"
	"math"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/otelbatcher"
)

func TestP13_AnOriginCostsNoAllocation(t *testing.T) {
	r := newRig(t)
	traced, _ := r.request()
	b := start(t, otelbatcher.Linked(func(context.Context, []item) error { return nil }, originOf), batcher.WithMaxSize(1000))
	for _, ctx := range []context.Context{context.Background(), traced} {
		assert.Zero(t, testing.AllocsPerRun(500, func() {
			_ = b.Add(ctx, item{origin: otelbatcher.OriginOf(ctx)})
		}))
	}
}

// watchings are ways to watch a batcher, from not at all to everything.
var watchings = []struct {
	name string
	opts func() []otelbatcher.Option // nil: not at all
}{
	{"telemetry=none", nil},
	{"telemetry=noop", func() []otelbatcher.Option {
		return []otelbatcher.Option{otelbatcher.WithMeterProvider(noop.NewMeterProvider())}
	}},
	{"telemetry=nooptracer", func() []otelbatcher.Option {
		return []otelbatcher.Option{otelbatcher.WithMeterProvider(noop.NewMeterProvider()),
			otelbatcher.WithTracerProvider(tracenoop.NewTracerProvider())}
	}},
	{"telemetry=metrics", func() []otelbatcher.Option { return []otelbatcher.Option{sdkMetrics()} }},
	{"telemetry=unsampled", func() []otelbatcher.Option {
		return []otelbatcher.Option{sdkMetrics(), otelbatcher.WithTracerProvider(
			sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())))}
	}},
	{"telemetry=spans", func() []otelbatcher.Option {
		return []otelbatcher.Option{sdkMetrics(), otelbatcher.WithTracerProvider(sdktrace.NewTracerProvider(
			sdktrace.WithSpanProcessor(nothing{})))}
	}},
}

func sdkMetrics() otelbatcher.Option {
	return otelbatcher.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))
}

// nothing is a span processor that throws spans away, so that they are recorded.
type nothing struct{}

func (nothing) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (nothing) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (nothing) Shutdown(context.Context) error                  { return nil }
func (nothing) ForceFlush(context.Context) error                { return nil }

// watchedAs makes a batcher of items that carry their origin, watched as opts say.
func watchedAs(t testing.TB, opts func() []otelbatcher.Option) *batcher.Batcher[item] {
	t.Helper()
	b := start(t, otelbatcher.Linked(func(context.Context, []item) error { return nil }, originOf),
		batcher.WithName("a"), batcher.WithMaxSize(500))
	if opts != nil {
		telemetry, err := otelbatcher.New(opts()...)
		require.NoError(t, err)
		_, err = telemetry.Watch(b)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, telemetry.Close()) })
	}
	return b
}

func TestP13_MetricsCostABatchNoAllocation(t *testing.T) {
	measure := func(opts func() []otelbatcher.Option) float64 {
		b := watchedAs(t, opts)
		fewest := math.Inf(1) // other tests may have left goroutines that allocate
		for range 5 {
			fewest = min(fewest, testing.AllocsPerRun(100, func() {
				_ = b.Add(context.Background(), item{})
				_ = b.Flush(context.Background())
			}))
		}
		return fewest
	}
	random := 0.
	info, _ := debug.ReadBuildInfo()
	if slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		random = 1 // under the race detector, pools forget at random
	}
	none := measure(nil)
	assert.InDelta(t, none, measure(watchings[1].opts), random, watchings[1].name)
	assert.InDelta(t, none+1, measure(watchings[2].opts), random, "the context that a tracer makes, though it does nothing")
	assert.InDelta(t, none, measure(watchings[3].opts), random, watchings[3].name)
}

// BenchmarkAdd is Add of one item that carries its origin, including its share of the flush.
func BenchmarkAdd(b *testing.B) {
	for _, w := range watchings {
		b.Run(w.name, func(b *testing.B) {
			q, ctx := watchedAs(b, w.opts), context.Background()
			b.ReportAllocs()
			for b.Loop() {
				_ = q.Add(ctx, item{origin: otelbatcher.OriginOf(ctx)})
			}
		})
	}
}

// BenchmarkBatch is a batch of one item, from Add to its end.
func BenchmarkBatch(b *testing.B) {
	for _, w := range watchings {
		b.Run(w.name, func(b *testing.B) {
			q, ctx := watchedAs(b, w.opts), context.Background()
			b.ReportAllocs()
			for b.Loop() {
				_ = q.Add(ctx, item{})
				_ = q.Flush(ctx)
			}
		})
	}
}

func BenchmarkOriginOf(b *testing.B) {
	r := newRig(b)
	traced, _ := r.request()
	for name, ctx := range map[string]context.Context{"span=none": context.Background(), "span=sampled": traced} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = otelbatcher.OriginOf(ctx)
			}
		})
	}
}
