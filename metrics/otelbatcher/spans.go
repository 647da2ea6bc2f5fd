package otelbatcher

// A span for each attempt.

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-4c1eaf8a/batcher"
)

// spanner makes the spans of one batcher. Its address is the key under which a context carries its
// span: others may have put theirs into the same context.
type spanner struct {
	tracer trace.Tracer
	title  string
	starts [len(batcher.BatchCounts{})][]trace.SpanStartOption // by reason
	key    func(any) string
}

// newSpanner makes the options of all spans once. With name and reason among them, a sampler can go
// by these, and yet nothing is gathered for what it does not take.
func newSpanner(tracer trace.Tracer, name string, key func(any) string) *spanner {
	s := &spanner{tracer: tracer, title: "flush " + name, key: key}
	for reason := range s.starts {
		s.starts[reason] = []trace.SpanStartOption{
			trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindInternal),
			trace.WithAttributes(attribute.String("batcher.name", name),
				attribute.String("batcher.reason", batcher.Reason(reason).String())),
		}
	}
	return s
}

func (s *spanner) flushStart(ctx context.Context, info batcher.Info) context.Context {
	ctx, span := s.tracer.Start(ctx, s.title, s.starts[info.Reason]...)
	if !span.IsRecording() {
		return ctx // with its context: what is below it is not recorded either
	}
	ended := false
	defer func() {
		if !ended { // the user's function has ended the goroutine
			span.End()
		}
	}()
	span.SetAttributes(
		attribute.Int("batcher.batch.size", info.Size),
		attribute.Int64("batcher.batch.number", int64(info.Batch)),
		attribute.Int("batcher.batch.offset", info.Offset),
		attribute.Int("batcher.attempt", info.Attempt))
	if info.Key != nil && s.key != nil {
		span.SetAttributes(attribute.String("batcher.key", s.shown(info.Key)))
	}
	ended = true
	return &flushContext{ctx, s, span}
}

// flushContext is the context of an attempt whose span is recorded.
type flushContext struct {
	context.Context
	spanner *spanner
	span    trace.Span
}

// inFlush is a key for which such a context, and any made from it, has a value.
type inFlush struct{}

func (c *flushContext) Value(key any) any {
	if key == c.spanner || key == (inFlush{}) {
		return c.span
	}
	return c.Context.Value(key)
}

func (s *spanner) flushEnd(ctx context.Context, result batcher.FlushResult) {
	span, ok := ctx.Value(s).(trace.Span)
	if !ok {
		return
	}
	defer span.End()
	if result.Err == nil {
		return
	}
	span.SetAttributes(attribute.String("error.type", classOf(result.Err)))
	span.SetStatus(codes.Error, "") // in case that the next line panics
	message := text(result.Err.Error())
	span.SetStatus(codes.Error, message)
	exception := []attribute.KeyValue{
		attribute.String("exception.type", fmt.Sprintf("%T", result.Err)),
		attribute.String("exception.message", message),
	}
	var panicked *batcher.PanicError
	if errors.As(result.Err, &panicked) {
		exception = append(exception, attribute.String("exception.stacktrace", text(string(panicked.Stack))))
	}
	span.AddEvent("exception", trace.WithAttributes(exception...))
}

// shown is key as the user's function writes it. Its panic must not cost the span, or an attempt
// that fails would look like one that did not.
func (s *spanner) shown(key any) (shown string) {
	defer func() {
		if recover() != nil {
			shown = "(panic in WithKey)"
		}
	}()
	return text(s.key(key))
}

// maxText is how many bytes of a text are shown.
const maxText = 4096

// text makes s fit for an exporter: short, and valid UTF-8.
func text(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "?")
}
