package contender

// The batch span processor of OpenTelemetry's SDK. It takes spans, so an item travels as one.

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"
)

// carrier is an item that looks like a span.
type carrier[T any] struct {
	trace.ReadOnlySpan
	item T
}

// sampled is the span that all carriers show: the processor takes sampled ones only.
var sampled = tracetest.SpanStub{SpanContext: api.NewSpanContext(api.SpanContextConfig{
	TraceID: api.TraceID{1}, SpanID: api.SpanID{1}, TraceFlags: api.FlagsSampled,
})}.Snapshot()

// exporter takes the items out of the spans.
type exporter[T any] struct{ sink Sink[T] }

func (e exporter[T]) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	batch := make([]T, len(spans))
	for i, span := range spans {
		batch[i] = span.(*carrier[T]).item
	}
	return e.sink(ctx, batch)
}

func (e exporter[T]) Shutdown(context.Context) error { return nil }

type otelQueue[T any] struct{ p trace.SpanProcessor }

func openTelemetry[T any]() Contender[T] {
	return Contender[T]{
		Name: "otel-bsp", Module: "go.opentelemetry.io/otel/sdk/trace", Kind: Library,
		Richer:       "the items are spans; the adapter allocates one that carries the item",
		Unable:       []string{"MaxDelay: from the export before", oneWorker},
		CloseContext: true,
		Reports:      "the error handler of the process",
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			if s.Report != nil {
				otel.SetErrorHandler(otel.ErrorHandlerFunc(s.Report))
			}
			return otelQueue[T]{trace.NewBatchSpanProcessor(exporter[T]{sink}, trace.WithBlocking(),
				trace.WithMaxExportBatchSize(s.MaxSize), trace.WithMaxQueueSize(s.MaxSize*s.Queue),
				trace.WithBatchTimeout(s.MaxDelay))}, nil
		},
	}
}

func (q otelQueue[T]) Add(_ context.Context, item T) error {
	q.p.OnEnd(&carrier[T]{sampled, item})
	return nil
}

func (q otelQueue[T]) Close(ctx context.Context) error { return q.p.Shutdown(ctx) }
