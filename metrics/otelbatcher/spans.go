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
// span, since other hooks may put their own spans into the same context.
type spanner struct {
	tracer trace.Tracer
	title  string
	starts [len(batcher.BatchCounts{})][]trace.SpanStartOption // by reason
	key    func(any) string
}

// newSpanner makes the options of all spans once. They have only the attributes name and reason,
// for samplers; the others are gathered if the span is recorded.
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
		return ctx // with the span in it, so that its children are not recorded either
	}
	done := false
	defer func() {
		if !done { // the function of WithKey has called runtime.Goexit, which fails the attempt
			span.SetAttributes(attribute.String("error.type", classOf(batcher.ErrGoexit)))
			span.SetStatus(codes.Error, batcher.ErrGoexit.Error())
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
	done = true
	return &flushContext{ctx, s, span}
}

// flushContext is the context of an attempt whose span is recorded.
type flushContext struct {
	context.Context
	spanner *spanner
	span    trace.Span
}

// inFlush is a key for which a flushContext, and any context derived from it, has a value.
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
	span.SetStatus(codes.Error, "") // in case the next line panics
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

// shown returns key as the function of WithKey formats it. If that panicked through flushStart, its
// span would be lost to flushEnd, and a failed attempt would look like a good one.
func (s *spanner) shown(key any) (shown string) {
	defer func() {
		if recover() != nil {
			shown = "(panic in WithKey)"
		}
	}()
	return text(s.key(key))
}

// maxText is where texts are cut, in bytes.
const maxText = 4096

// text makes s fit for an exporter: short, and valid UTF-8.
func text(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "?")
}
