package otelbatcher_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/otelbatcher"
)

func TestEachAttemptHasASpan(t *testing.T) {
	r := newRig(t)
	calls := 0
	b := start(t, func(ctx context.Context, _ []int) error {
		assert.True(t, trace.SpanFromContext(ctx).IsRecording())
		if calls++; calls == 1 {
			return errSink
		}
		return nil
	}, batcher.WithName("orders"), batcher.WithRetry(2, func(int) time.Duration { return 0 }))
	r.watch(b)
	require.NoError(t, b.AddWait(t.Context(), 1))
	require.NoError(t, b.Flush(t.Context()))

	spans := r.spans.Ended()
	require.Len(t, spans, 2)
	for i, span := range spans {
		assert.Equal(t, "flush orders", span.Name())
		assert.Equal(t, trace.SpanKindInternal, span.SpanKind())
		assert.False(t, span.Parent().IsValid(), "a root")
		assert.Equal(t, fmt.Sprint(i+1), attributes(span)["batcher.attempt"])
	}
	assert.NotEqual(t, spans[0].SpanContext().TraceID(), spans[1].SpanContext().TraceID())
	assert.Equal(t, codes.Error, spans[0].Status().Code)
	assert.Equal(t, "the sink is down", spans[0].Status().Description)
	assert.Equal(t, codes.Unset, spans[1].Status().Code)
	first := attributes(spans[0])
	number := first["batcher.batch.number"]
	assert.NotEmpty(t, number)
	assert.Equal(t, map[string]string{
		"batcher.name": "orders", "batcher.reason": "delay", "batcher.batch.size": "1", "batcher.batch.offset": "0",
		"batcher.attempt": "1", "batcher.batch.number": number, "error.type": "other",
	}, first)
}

func TestSpansOfAllFailuresEnd(t *testing.T) {
	for class, outcome := range outcomes {
		t.Run(class, func(t *testing.T) {
			r := newRig(t)
			b := start(t, func(context.Context, []int) error { return outcome() }, batcher.WithName("a"))
			r.watch(b)
			assert.Error(t, b.AddWait(t.Context(), 1))
			spans := r.spans.Ended()
			require.Len(t, spans, 1)
			assert.Equal(t, class, attributes(spans[0])["error.type"])
			assert.Equal(t, codes.Error, spans[0].Status().Code)
			if class == "other" {
				return // its Error panics: no event
			}
			require.Len(t, spans[0].Events(), 1)
			var exception []string
			for _, a := range spans[0].Events()[0].Attributes {
				exception = append(exception, string(a.Key))
				if a.Key == "exception.stacktrace" {
					assert.Contains(t, a.Value.String(), "kit_test.go")
				}
			}
			want := []string{"exception.type", "exception.message"}
			if class == "panic" {
				want = append(want, "exception.stacktrace")
			}
			assert.Equal(t, want, exception)
		})
	}
}

func TestHostileTextsAreMadeFitForExporters(t *testing.T) {
	r := newRig(t, otelbatcher.WithKey(func(key any) string { return key.(string) }))
	hostile := "<b>\n\xff" + strings.Repeat("é", 9000)
	s, err := batcher.NewSharded(func(context.Context, string, []int) error { return fmt.Errorf("%s", hostile) })
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close(context.Background())) }()
	stop, err := r.telemetry.WatchAs(hostile, s)
	require.NoError(t, err)
	defer stop()
	assert.Error(t, s.AddWait(t.Context(), hostile, 1))
	spans := r.spans.Ended()
	require.Len(t, spans, 1)
	texts := []string{spans[0].Name(), spans[0].Status().Description}
	for _, a := range spans[0].Events()[0].Attributes {
		texts = append(texts, a.Value.String())
	}
	for _, text := range attributes(spans[0]) {
		texts = append(texts, text)
	}
	for _, text := range texts {
		assert.True(t, utf8.ValidString(text), "%.20q", text)
		assert.LessOrEqual(t, len(text), len("flush ")+4097)
	}
	assert.True(t, strings.HasPrefix(attributes(spans[0])["batcher.key"], "<b>\n?é"))
}

func TestAKeyIsShownOnlyIfAsked(t *testing.T) {
	for name, test := range map[string]struct {
		opts []otelbatcher.Option
		key  string
	}{
		"not asked": {nil, ""},
		"asked":     {[]otelbatcher.Option{otelbatcher.WithKey(func(k any) string { return k.(string) })}, "secret"},
		"panic":     {[]otelbatcher.Option{otelbatcher.WithKey(func(any) string { panic("no") })}, "(panic in WithKey)"},
		"goexit":    {[]otelbatcher.Option{otelbatcher.WithKey(func(any) string { runtime.Goexit(); return "" })}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.opts...)
			s, err := batcher.NewSharded(func(context.Context, string, []int) error { return nil }, batcher.WithName("a"))
			require.NoError(t, err)
			r.watch(s)
			assert.Equal(t, name == "goexit", s.AddWait(t.Context(), "secret", 1) != nil, "as in any hook")
			require.NoError(t, s.Close(t.Context()))
			require.Len(t, r.spans.Ended(), 1, "it ends, whatever the user's function does")
			assert.Equal(t, test.key, attributes(r.spans.Ended()[0])["batcher.key"])
		})
	}
}

func TestAPanicInWithKeyDoesNotHideAFailure(t *testing.T) {
	r := newRig(t, otelbatcher.WithKey(func(any) string { panic("no") }))
	s, err := batcher.NewSharded(func(context.Context, string, []int) error { return errSink }, batcher.WithName("a"))
	require.NoError(t, err)
	r.watch(s)
	require.Error(t, s.AddWait(t.Context(), "k", 1))
	require.NoError(t, s.Close(t.Context()))
	require.Len(t, r.spans.Ended(), 1)
	assert.Equal(t, codes.Error, r.spans.Ended()[0].Status().Code)
}

func TestASpanEndsAlthoughCloseHasGivenUp(t *testing.T) {
	r := newRig(t)
	begun := make(chan struct{})
	b, err := batcher.New(func(ctx context.Context, _ []int) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}, batcher.WithName("a"), batcher.WithMaxSize(1))
	require.NoError(t, err)
	r.watch(b)
	require.NoError(t, b.Add(t.Context(), 1))
	<-begun
	over, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Error(t, b.Close(over))
	require.Eventually(t, func() bool { return len(r.spans.Ended()) == 1 }, time.Minute, time.Millisecond)
	assert.Equal(t, "canceled", attributes(r.spans.Ended()[0])["error.type"])
}

func TestASpanEndsAlthoughAnotherHookHasEndedTheGoroutine(t *testing.T) {
	r := newRig(t)
	b := start(t, good, batcher.WithName("a"))
	r.watch(b)
	defer b.Observe(batcher.Hooks{FlushStart: func(context.Context, batcher.Info) context.Context {
		runtime.Goexit()
		return nil
	}})()
	assert.ErrorIs(t, b.AddWait(t.Context(), 1), batcher.ErrGoexit)
	require.Len(t, r.spans.Ended(), 1)
	assert.Equal(t, "goexit", attributes(r.spans.Ended()[0])["error.type"])
}

func TestASpanWhoseKeyEndsTheGoroutineHasFailed(t *testing.T) {
	r := newRig(t, otelbatcher.WithKey(func(any) string {
		runtime.Goexit()
		return ""
	}))
	b, err := batcher.NewSharded(func(context.Context, string, []int) error { return nil }, batcher.WithName("a"))
	require.NoError(t, err)
	r.watch(b)
	assert.ErrorIs(t, b.AddWait(t.Context(), "k", 1), batcher.ErrGoexit)
	require.NoError(t, b.Close(t.Context()))
	require.Len(t, r.spans.Ended(), 1)
	span := r.spans.Ended()[0]
	assert.Equal(t, "goexit", attributes(span)["error.type"])
	assert.Equal(t, codes.Error, span.Status().Code)
}

func TestASpanEndsAlthoughItsBatcherIsNotWatchedAnyMore(t *testing.T) {
	r := newRig(t)
	begun, end := make(chan struct{}), make(chan struct{})
	b := start(t, func(context.Context, []int) error {
		close(begun)
		<-end
		return nil
	}, batcher.WithName("a"), batcher.WithMaxSize(1))
	stop := r.watch(b)
	require.NoError(t, b.Add(t.Context(), 1))
	<-begun
	stop()
	close(end)
	require.NoError(t, b.Flush(t.Context()))
	assert.Len(t, r.spans.Ended(), 1)
}

func TestTwoTelemetriesAndOtherHooksKeepTheirSpansApart(t *testing.T) {
	one, two := newRig(t), newRig(t)
	tracer := one.tracers.Tracer("user")
	b := start(t, good, batcher.WithName("a"))
	one.watch(b)
	two.watch(b)
	remove := b.Observe(batcher.Hooks{FlushStart: func(ctx context.Context, _ batcher.Info) context.Context {
		ctx, _ = tracer.Start(ctx, "never ended")
		return ctx
	}})
	defer remove()
	require.NoError(t, b.AddWait(t.Context(), 1))
	require.Len(t, one.spans.Ended(), 1)
	require.Len(t, two.spans.Ended(), 1)
	assert.Equal(t, "flush a", one.spans.Ended()[0].Name())
}

func TestAProviderThatIsShutDownEarlyIsNoFault(t *testing.T) {
	r := newRig(t)
	b := start(t, good, batcher.WithName("a"))
	r.watch(b)
	require.NoError(t, r.tracers.Shutdown(t.Context()))
	assert.NoError(t, b.AddWait(t.Context(), 1))
}

func TestWhatIsNotSampledHasNoSpan(t *testing.T) {
	r := newRig(t)
	never := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()), sdktrace.WithSpanProcessor(r.spans))
	telemetry, err := otelbatcher.New(otelbatcher.WithTracerProvider(never),
		otelbatcher.WithKey(func(any) string { panic("asked for a key") }))
	require.NoError(t, err)
	asked := false
	b := start(t, otelbatcher.Linked(good, func(int) otelbatcher.Origin { asked = true; return otelbatcher.Origin{} }), batcher.WithName("a"))
	stop, err := telemetry.Watch(b)
	require.NoError(t, err)
	defer stop()
	require.NoError(t, b.AddWait(t.Context(), 1))
	assert.Empty(t, r.spans.Started())
	assert.False(t, asked)
}

func TestSpansOfManyWorkers(t *testing.T) {
	r := newRig(t)
	b := start(t, good, batcher.WithName("a"), batcher.WithWorkers(4), batcher.WithMaxSize(3))
	r.watch(b)
	var producers sync.WaitGroup
	for range 4 {
		producers.Go(func() {
			for range 300 {
				assert.NoError(t, b.Add(context.Background(), 1))
			}
		})
	}
	producers.Wait()
	require.NoError(t, b.Flush(t.Context()))
	assert.Len(t, r.spans.Ended(), len(r.spans.Started()))
	items := 0
	for _, span := range r.spans.Ended() {
		var n int
		_, err := fmt.Sscan(attributes(span)["batcher.batch.size"], &n)
		assert.NoError(t, err)
		items += n
	}
	assert.Equal(t, 1200, items)
}
