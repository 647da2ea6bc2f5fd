package otelbatcher_test

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/otelbatcher"
)

type item struct {
	n      int
	origin otelbatcher.Origin
}

func originOf(i item) otelbatcher.Origin { return i.origin }

// request is a producer's span, and its id.
func (r *rig) request() (context.Context, trace.SpanID) {
	ctx, span := r.tracers.Tracer("producer").Start(context.Background(), "request")
	defer span.End()
	return ctx, span.SpanContext().SpanID()
}

// flushes are the spans of attempts.
func (r *rig) flushes() (spans []sdktrace.ReadOnlySpan) {
	for _, span := range r.spans.Ended() {
		if span.Name() == "flush a" {
			spans = append(spans, span)
		}
	}
	return spans
}

func linked(span sdktrace.ReadOnlySpan) (ids []trace.SpanID) {
	for _, l := range span.Links() {
		ids = append(ids, l.SpanContext.SpanID())
	}
	return ids
}

func TestThePiecesOfASplitBatchLinkTheirOwnProducersOnly(t *testing.T) {
	r := newRig(t)
	b := start(t, otelbatcher.Linked(func(_ context.Context, batch []item) error {
		if len(batch) > 2 {
			return batcher.TooLarge(errSink)
		}
		return nil
	}, originOf), batcher.WithName("a"), batcher.WithMaxSize(4))
	r.watch(b)
	var ids []trace.SpanID
	for n := range 4 {
		ctx, id := r.request()
		ids = append(ids, id)
		require.NoError(t, b.Add(ctx, item{n, otelbatcher.OriginOf(ctx)}))
	}
	require.NoError(t, b.Flush(t.Context()))
	spans := r.flushes()
	require.Len(t, spans, 3)
	assert.Equal(t, ids, linked(spans[0]))
	assert.Equal(t, ids[:2], linked(spans[1]))
	assert.Equal(t, ids[2:], linked(spans[2]))
}

func TestKeysAndCombinedValuesAreLinked(t *testing.T) {
	r := newRig(t)
	sharded, err := batcher.NewSharded(otelbatcher.LinkedByKey(
		func(context.Context, string, []item) error { return nil }, originOf), batcher.WithName("a"))
	require.NoError(t, err)
	r.watch(sharded)
	ctx, id := r.request()
	require.NoError(t, sharded.Add(ctx, "k", item{1, otelbatcher.OriginOf(ctx)}))
	require.NoError(t, sharded.Close(t.Context()))
	assert.Equal(t, []trace.SpanID{id}, linked(r.flushes()[0]))

	r = newRig(t)
	combiner, err := batcher.NewCombiner(func(old, new item) item { return item{old.n + new.n, old.origin} },
		otelbatcher.LinkedValues(func(context.Context, map[string]item) error { return nil }, originOf), batcher.WithName("a"))
	require.NoError(t, err)
	r.watch(combiner)
	ctx, id = r.request()
	require.NoError(t, combiner.Add(ctx, "k", item{1, otelbatcher.OriginOf(ctx)}))
	other, _ := r.request()
	require.NoError(t, combiner.Add(other, "k", item{1, otelbatcher.OriginOf(other)}))
	require.NoError(t, combiner.Close(t.Context()))
	assert.Equal(t, []trace.SpanID{id}, linked(r.flushes()[0]))
}

func TestLinksAreDistinctAndBounded(t *testing.T) {
	r := newRig(t)
	b := start(t, otelbatcher.Linked(func(context.Context, []item) error { return nil }, originOf),
		batcher.WithName("a"), batcher.WithMaxSize(1000))
	r.watch(b)
	same, _ := r.request()
	for range 300 {
		require.NoError(t, b.Add(same, item{origin: otelbatcher.OriginOf(same)}))
	}
	require.NoError(t, b.Add(t.Context(), item{origin: otelbatcher.OriginOf(t.Context())}))
	require.NoError(t, b.Flush(t.Context()))
	for range otelbatcher.MaxLinks + 7 {
		ctx, _ := r.request()
		require.NoError(t, b.Add(ctx, item{origin: otelbatcher.OriginOf(ctx)}))
	}
	require.NoError(t, b.Add(same, item{origin: otelbatcher.OriginOf(same)}))
	require.NoError(t, b.Flush(t.Context()))
	spans := r.flushes()
	require.Len(t, spans, 2)
	assert.Len(t, spans[0].Links(), 1)
	assert.NotContains(t, attributes(spans[0]), "batcher.links.dropped")
	assert.Len(t, spans[1].Links(), otelbatcher.MaxLinks)
	assert.Equal(t, "8", attributes(spans[1])["batcher.links.dropped"])
	assert.Zero(t, spans[1].DroppedLinks(), "not more than the SDK takes")
}

func TestAnOriginIsASampledSpan(t *testing.T) {
	assert.EqualValues(t, 25, reflect.TypeFor[otelbatcher.Origin]().Size(), "as documented")
	assert.Zero(t, otelbatcher.OriginOf(context.Background()))
	config := trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}
	assert.Zero(t, otelbatcher.OriginOf(trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(config))))
	config.TraceFlags = trace.FlagsSampled
	whole := trace.NewSpanContext(config)
	origin := otelbatcher.OriginOf(trace.ContextWithSpanContext(context.Background(), whole))
	assert.NotZero(t, origin)
	assert.Equal(t, whole, origin.SpanContext())
	assert.False(t, otelbatcher.Origin{}.SpanContext().IsValid())
}

func TestLinkOutsideOfASpanDoesNothing(t *testing.T) {
	assert.NotPanics(t, func() { otelbatcher.Link(context.Background(), slices.Values([]otelbatcher.Origin{{}})) })
}

func TestOnlySpansOfAttemptsAreLinked(t *testing.T) {
	r := newRig(t)
	program, of := r.tracers.Tracer("").Start(t.Context(), "program")
	flush := otelbatcher.Linked(func(ctx context.Context, _ []item) error {
		below, span := r.tracers.Tracer("").Start(ctx, "below")
		defer span.End()
		otelbatcher.Link(below, slices.Values([]otelbatcher.Origin{otelbatcher.OriginOf(ctx)}))
		return nil
	}, originOf)
	for name, watched := range map[string]bool{"not watched": false, "watched": true} {
		b := start(t, flush, batcher.WithName(name), batcher.WithBaseContext(program))
		if watched {
			r.watch(b)
		}
		ctx, _ := r.request()
		require.NoError(t, b.AddWait(t.Context(), item{origin: otelbatcher.OriginOf(ctx)}))
	}
	of.End()
	links := map[string]int{}
	for _, span := range r.spans.Ended() {
		links[span.Name()] += len(span.Links())
	}
	assert.Equal(t, map[string]int{"program": 0, "request": 0, "below": 1, "flush watched": 1}, links)
}

func TestMissingFunctionsAreRefused(t *testing.T) {
	assert.PanicsWithValue(t, "otelbatcher: Linked: flush is nil", func() { otelbatcher.Linked(nil, originOf) })
	assert.PanicsWithValue(t, "otelbatcher: LinkedByKey: flush is nil", func() { otelbatcher.LinkedByKey[string](nil, originOf) })
	assert.PanicsWithValue(t, "otelbatcher: LinkedValues: origin is nil", func() {
		otelbatcher.LinkedValues[string, int](func(context.Context, map[string]int) error { return nil }, nil)
	})
}
