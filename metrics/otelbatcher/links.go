package otelbatcher

// Links from the span of an attempt to the spans in which its items were added.

import (
	"context"
	"iter"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-4c1eaf8a/batcher"
)

// Origin is the span in which an item was added: 25 bytes, no pointer. Put it into your item. The
// zero Origin is none.
type Origin struct {
	trace trace.TraceID
	span  trace.SpanID
	flags trace.TraceFlags
}

// OriginOf returns the span in ctx if it is sampled, or else the zero Origin: what is not recorded
// cannot be linked to. It does not allocate.
func OriginOf(ctx context.Context) Origin {
	c := trace.SpanContextFromContext(ctx)
	if !c.IsValid() || !c.IsSampled() {
		return Origin{}
	}
	return Origin{c.TraceID(), c.SpanID(), c.TraceFlags()}
}

// SpanContext returns the origin as a link needs it. The trace state is not kept.
func (o Origin) SpanContext() trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: o.trace, SpanID: o.span, TraceFlags: o.flags})
}

// MaxLinks is how many spans are linked to one attempt at most. It is the SDK's default limit.
const MaxLinks = 128

// Link adds links from the span in ctx to the origins: to each span once, to [MaxLinks] spans at
// most. The attribute batcher.links.dropped counts the origins, not the spans, that are left out.
// Call it once for a span, since a second call knows nothing of the first, and in a flush function,
// with the context that it received or one derived from it. It does nothing unless the span of the
// attempt is recorded, even if [batcher.WithBaseContext] has put another span into ctx. If two
// Telemetries with tracers watch the batcher, the span is that of the one that began later.
func Link(ctx context.Context, origins iter.Seq[Origin]) {
	if l, ok := newLinker(ctx); ok {
		for o := range origins {
			l.add(o)
		}
		l.end()
	}
}

// linker links a span to origins.
type linker struct {
	span    trace.Span
	linked  map[Origin]struct{}
	last    Origin // the last one linked, since items of one producer often come in a row
	dropped int
}

// newLinker reports false if ctx is not that of an attempt whose span is recorded.
func newLinker(ctx context.Context) (linker, bool) {
	span := trace.SpanFromContext(ctx)
	if ctx.Value(inFlush{}) == nil || !span.IsRecording() {
		return linker{}, false
	}
	return linker{span: span, linked: make(map[Origin]struct{})}, true
}

func (l *linker) add(o Origin) {
	if o == (Origin{}) || o == l.last {
		return
	}
	if _, ok := l.linked[o]; ok {
		return
	}
	if len(l.linked) == MaxLinks {
		l.dropped++
		return
	}
	l.linked[o] = struct{}{}
	l.last = o
	l.span.AddLink(trace.Link{SpanContext: o.SpanContext()})
}

func (l *linker) end() {
	if l.dropped > 0 {
		l.span.SetAttributes(attribute.Int("batcher.links.dropped", l.dropped))
	}
}

// Linked returns a function that calls Link with the origins of the batch, and then flush. origin
// returns the origin of an item; it runs on the worker's goroutine, for recorded attempts only,
// and a panic in it fails the batch as one in flush does. Linked panics if flush or origin is nil.
func Linked[T any](flush batcher.FlushFunc[T], origin func(T) Origin) batcher.FlushFunc[T] {
	mustHave("Linked", flush == nil, origin == nil)
	return func(ctx context.Context, batch []T) error {
		linkSlice(ctx, batch, origin)
		return flush(ctx, batch)
	}
}

// LinkedByKey is [Linked] for a [batcher.Sharded].
func LinkedByKey[K comparable, T any](flush batcher.KeyedFlushFunc[K, T], origin func(T) Origin) batcher.KeyedFlushFunc[K, T] {
	mustHave("LinkedByKey", flush == nil, origin == nil)
	return func(ctx context.Context, key K, batch []T) error {
		linkSlice(ctx, batch, origin)
		return flush(ctx, key, batch)
	}
}

// LinkedValues is [Linked] for a [batcher.Combiner]. The combine function decides which origin a
// combined value has: usually that of the older value, which has waited longest.
func LinkedValues[K comparable, V any](flush batcher.CombinedFlushFunc[K, V], origin func(V) Origin) batcher.CombinedFlushFunc[K, V] {
	mustHave("LinkedValues", flush == nil, origin == nil)
	return func(ctx context.Context, batch map[K]V) error {
		if l, ok := newLinker(ctx); ok {
			for _, value := range batch {
				l.add(origin(value))
			}
			l.end()
		}
		return flush(ctx, batch)
	}
}

func mustHave(function string, noFlush, noOrigin bool) {
	if noFlush {
		panic("otelbatcher: " + function + ": flush is nil")
	}
	if noOrigin {
		panic("otelbatcher: " + function + ": origin is nil")
	}
}

// linkSlice is Link for a slice: an iterator would cost an allocation for each batch.
func linkSlice[T any](ctx context.Context, batch []T, origin func(T) Origin) {
	if l, ok := newLinker(ctx); ok {
		for _, item := range batch {
			l.add(origin(item))
		}
		l.end()
	}
}
