// Package otelbatcher shows batchers to OpenTelemetry: metrics, and a span for each attempt to
// flush with links to the spans of those who added the items.
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
// They are those of package prombatcher: its documentation says when each moves. The instruments
// are named so that OpenTelemetry's usual translation for Prometheus, which puts underscores for
// dots and appends units and _total, gives exactly its names: batcher.added becomes
// batcher_added_total, batcher.oldest.age with the unit s becomes batcher_oldest_age_seconds. For
// the same reason the attributes are called name, reason, result and class, and not batcher.name
// and error.type. So one dashboard serves both: that of prombatcher.
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
// As there, the counters and gauges of a batcher are there from the first collection on, and until
// it is stopped; but a histogram appears with its first value, and stays, as the SDK forgets nothing.
//
// The SDK keeps at most 2000 sets of attributes for an instrument, unless its provider was made with
// WithCardinalityLimit, and puts what comes after these together, under the attribute
// otel.metric.overflow. batcher.flush.errors has ten sets for each batcher, so 199 can be watched at
// once; batcher.flush.duration has two for each name that there ever was, so a process has 999 names
// to give. Let batchers that come and go take the names of those before them, or raise the limit.
//
// Durations are recorded with the context of the attempt, so that exemplars lead to its span.
//
// # Spans
//
// With a tracer provider, each attempt has a span "flush <name>" of kind internal: what crosses the
// network is the sink's, whose client may have spans of its own below it, since the flush function
// receives the span in its context. It is the root of a trace of its own, because a batch comes from
// many requests and is the child of none. Its attributes are
//
//	batcher.name, batcher.reason, batcher.batch.size, batcher.batch.number, batcher.batch.offset,
//	batcher.attempt, and batcher.key if WithKey says how a key is to be written
//
// Samplers see the first two and the name of the span; the others are set when it is recorded.
//
// None of them is of the semantic conventions for messaging, whose messaging.batch.message_count
// would fit: these ask for a messaging.system and an operation, and a batcher is no broker.
//
// A failed attempt sets the status, the attribute error.type, which is [batcher.ErrorClass], and
// has the event exception with the error's type and text, of a panic also the stack. Texts are made
// valid UTF-8, without which an exporter would lose all that it sends together, and cut at 4096
// bytes. A retry is another span with the same number and offset and the next attempt. Time spent
// waiting between attempts is between the spans.
//
// # Links
//
// Which spans the items of a batch come from, only the items can tell: a batch may be split, tried
// again, or put off, and its pieces must lead to their own producers only. So an item carries its
// [Origin], 25 bytes without a pointer:
//
//	type order struct {
//		...
//		origin otelbatcher.Origin
//	}
//
//	b.Add(ctx, order{..., origin: otelbatcher.OriginOf(ctx)})
//
// and [Linked] tells the span of each attempt of the origins of its items. For [batcher.Sharded]
// there is [LinkedByKey], for [batcher.Combiner] [LinkedValues]; or call [Link] in the flush
// function. At most [MaxLinks] different spans are linked.
//
// # Cost
//
// None for Add without links; OriginOf takes some nanoseconds and no allocation. For figures of the
// metrics and the spans, a batch at a time, see the README. Where the span is not recorded nothing
// is gathered for it.
//
// A collection takes one Stats of each batcher. A [batcher.Combiner] whose combine function hangs
// cannot give one, so it holds up the collection, and with it [Telemetry.Close] and all metrics of that
// reader, until the function returns: alert on metrics that are absent.
package otelbatcher
