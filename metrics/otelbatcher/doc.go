// Package otelbatcher exposes batchers to OpenTelemetry: metrics, and a span for each attempt to
// flush, with links to the spans in which its items were added.
//
//	telemetry, err := otelbatcher.New(otelbatcher.WithTracerProvider(otel.GetTracerProvider()))
//	...
//	b, err := batcher.New(flush, batcher.WithName("orders"))
//	...
//	stop, err := telemetry.Watch(b)
//	...
//	defer stop()
//
// # Metrics
//
// They are those of package prombatcher, whose documentation says what each one counts. The
// instruments are named so that OpenTelemetry's default translation for Prometheus, which turns
// dots into underscores and appends units and _total, yields exactly its names: batcher.added
// becomes batcher_added_total, batcher.oldest.age with the unit s becomes
// batcher_oldest_age_seconds. For the same reason the attributes are called name, reason, result
// and class, and not batcher.name and error.type. So the dashboard and the alerts of prombatcher
// work for both.
//
//	batcher.added, .flushed, .failed, .dropped, .returned, .folded, .merged    {item}    name
//	batcher.retries                                                         {attempt}   name
//	batcher.batches                                                         {batch}     name, reason
//	batcher.flush.errors                                                    {attempt}   name, class
//	batcher.batch.size.items                                                {item}      name
//	batcher.flush.duration                                                  s           name, result
//	batcher.queue.delay                                                     s           name
//	batcher.pending.items, batcher.max.pending.items                        {item}      name
//	batcher.queue.depth, batcher.max.queue.depth, batcher.running.batches   {batch}     name
//	batcher.waiting.producers                                               {producer}  name
//	batcher.max.batch.size.items                                            {item}      name
//	batcher.oldest.age, batcher.max.delay                                   s           name
//	batcher.workers                                                         {worker}    name
//
// As in prombatcher, the counters and gauges of a batcher exist from the first collection on, until
// it is stopped. Unlike there, a series of a histogram appears with its first value, and stays for
// good: with cumulative temporality, the default, the SDK never forgets one.
//
// The SDK keeps at most 2000 sets of attributes for an instrument, unless its provider was made
// with WithCardinalityLimit, and merges all others into one, which has the attribute
// otel.metric.overflow. batcher.flush.errors has ten sets for each batcher, so 199 can be watched
// at once; batcher.flush.duration has two for each name that was ever used, so a process can use
// 999 names. If batchers come and go, reuse their names, or raise the limit.
//
// batcher.flush.duration is recorded with the context of the attempt, so that its exemplars lead to
// the span.
//
// # Spans
//
// With a tracer provider, each attempt has a span "flush <name>". Its kind is internal: a call
// over the network is made by the client of the sink, whose own spans become its children, since
// the flush function receives the span in its context. It is the root of a new trace, because a
// batch comes from many requests and is the child of none. Its attributes are
//
//	batcher.name, batcher.reason, batcher.batch.size, batcher.batch.number, batcher.batch.offset,
//	batcher.attempt, and batcher.key if WithKey says how a key is to be written
//
// Samplers see the name of the span and the first two attributes; the others are set only on spans
// that are recorded.
//
// None of them is from the semantic conventions for messaging, although
// messaging.batch.message_count would fit: these require a messaging.system and an operation, and a
// batcher is no broker.
//
// The span of a failed attempt has the status Error, the attribute error.type with the
// [batcher.ErrorClass], and the event exception with the error's type and text and, after a panic,
// the stack. Texts are made valid UTF-8, as otherwise an exporter would lose the whole request that
// they are part of, and cut at 4096 bytes. A retry is another span, with the same number and offset
// and the next attempt. The wait between two attempts is in neither of their spans.
//
// # Links
//
// Only the items themselves can tell in which spans they were added: a batch may be split, tried
// again, or put off, and its pieces must link to their own producers only. So an item carries its
// [Origin], 25 bytes without a pointer:
//
//	type order struct {
//		...
//		origin otelbatcher.Origin
//	}
//
//	b.Add(ctx, order{..., origin: otelbatcher.OriginOf(ctx)})
//
// and [Linked] adds links to these origins to the span of each attempt. For [batcher.Sharded]
// there is [LinkedByKey], for [batcher.Combiner] [LinkedValues]; or call [Link] in the flush
// function. At most [MaxLinks] different spans are linked.
//
// # Cost
//
// Nothing is added to Add; for links, OriginOf takes some tens of nanoseconds and does not
// allocate. What metrics and spans add to each batch is in the README. Nothing is gathered for a
// span that is not recorded.
//
// A collection calls Stats once for each batcher. While the combine function of a
// [batcher.Combiner] hangs, its Stats blocks, and so do the collection, with all metrics of that
// reader, and [Telemetry.Close]: alert on metrics that are absent.
package otelbatcher
