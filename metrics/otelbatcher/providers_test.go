package otelbatcher_test

// What providers do of their own accord: they come late, are shut down early, and have limits.

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/otelbatcher"
)

// Global providers can be set once in a process, so the test has one of its own.
func TestGlobalProvidersMayBeSetAfterTheBatcherIsWatched(t *testing.T) {
	const itself = "OTELBATCHER_TEST_OF_GLOBAL_PROVIDERS"
	if os.Getenv(itself) == "" {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		again.Env = append(os.Environ(), itself+"=1")
		out, err := again.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS: "+t.Name())
		return
	}
	telemetry, err := otelbatcher.New(otelbatcher.WithTracerProvider(otel.GetTracerProvider()))
	require.NoError(t, err)
	b := start(t, func(context.Context, []int) error { return errSink }, batcher.WithName("a"))
	_, err = telemetry.Watch(b)
	require.NoError(t, err)
	require.Error(t, b.AddWait(t.Context(), 1))

	r := &rig{t: t, reader: sdkmetric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader)))
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans)))
	require.Error(t, b.AddWait(t.Context(), 1))
	require.Len(t, r.spans.Ended(), 1, "of the second attempt")
	found := r.figures()
	assert.EqualValues(t, 2, found["batcher.added{name=a}"], "Stats knows what was before")
	assert.EqualValues(t, 2, found["batcher.flush.errors{class=other,name=a}"], "and so do these")
	assert.EqualValues(t, 1, found["batcher.flush.duration{name=a,result=error}"])

	require.NoError(t, telemetry.Close())
	found = r.figures()
	assert.NotContains(t, found, "batcher.added{name=a}")
	assert.NotContains(t, found, "batcher.flush.errors{class=other,name=a}")
}

func TestAMeterProviderThatIsShutDownEarlyIsNoFault(t *testing.T) {
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	telemetry, err := otelbatcher.New(otelbatcher.WithMeterProvider(meters))
	require.NoError(t, err)
	b := start(t, good, batcher.WithName("a"))
	stop, err := telemetry.Watch(b)
	require.NoError(t, err)
	require.NoError(t, meters.Shutdown(t.Context()))
	require.NoError(t, b.AddWait(t.Context(), 1))
	stop()
	_, err = telemetry.Watch(b)
	require.NoError(t, err)
	require.NoError(t, telemetry.Close())
	late, err := otelbatcher.New(otelbatcher.WithMeterProvider(meters))
	require.NoError(t, err)
	require.NoError(t, late.Close())
}

// overflown reports whether the SDK has put series together for want of room.
func (r *rig) overflown() bool {
	r.t.Helper()
	for series := range r.figures() {
		if strings.Contains(series, "otel.metric.overflow") {
			return true
		}
	}
	return false
}

func TestTheSDKHasRoomFor199BatchersAtOnce(t *testing.T) {
	r := newRig(t)
	watch := func(i int) (stop func()) { return r.watch(start(t, good, batcher.WithName(fmt.Sprint(i)))) }
	stop := watch(0)
	for i := range 198 {
		watch(i + 1)
	}
	assert.False(t, r.overflown())
	stop()
	stop = watch(199)
	assert.False(t, r.overflown(), "one for another")
	watch(200)
	assert.True(t, r.overflown())
	stop()
	assert.False(t, r.overflown())
}

func TestANameTakesTwoSetsOfTheSDKForGood(t *testing.T) {
	r := &rig{t: t, reader: sdkmetric.NewManualReader()}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader), sdkmetric.WithCardinalityLimit(101))
	telemetry, err := otelbatcher.New(otelbatcher.WithMeterProvider(meters))
	require.NoError(t, err)
	flush := func(i int) {
		b := start(t, func(_ context.Context, batch []int) error { return []error{nil, errSink}[batch[0]] },
			batcher.WithName(fmt.Sprint(i)), batcher.WithMaxSize(1))
		stop, err := telemetry.Watch(b)
		require.NoError(t, err)
		require.NoError(t, b.AddWait(t.Context(), 0))
		require.Error(t, b.AddWait(t.Context(), 1))
		require.NoError(t, b.Flush(t.Context()))
		stop()
	}
	for i := range 50 {
		flush(i)
	}
	flush(0)
	assert.False(t, r.overflown())
	flush(50)
	assert.True(t, r.overflown())
}

// byReason samples the batches that were sealed for one reason.
type byReason struct{ batcher.Reason }

func (s byReason) Description() string { return "by reason" }

func (s byReason) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	seen := attribute.NewSet(p.Attributes...)
	reason, _ := seen.Value("batcher.reason")
	name, _ := seen.Value("batcher.name")
	if p.Name == "flush "+name.AsString() && reason.AsString() == s.String() {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
	}
	return sdktrace.SamplingResult{Decision: sdktrace.Drop}
}

func TestASamplerMayGoByNameAndReason(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	telemetry, err := otelbatcher.New(otelbatcher.WithTracerProvider(sdktrace.NewTracerProvider(
		sdktrace.WithSampler(byReason{batcher.ReasonFlush}), sdktrace.WithSpanProcessor(spans))))
	require.NoError(t, err)
	defer func() { assert.NoError(t, telemetry.Close()) }()
	b := start(t, good, batcher.WithName("a"), batcher.WithMaxSize(2))
	_, err = telemetry.Watch(b)
	require.NoError(t, err)
	_, err = b.AddAll(t.Context(), []int{1, 2, 3})
	require.NoError(t, err)
	require.NoError(t, b.Flush(t.Context()))
	require.Len(t, spans.Ended(), 1)
	assert.Equal(t, "flush", attributes(spans.Ended()[0])["batcher.reason"])
}
