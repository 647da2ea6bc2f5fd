package otelbatcher

// The instruments: those that are read from Stats at a collection, and those that hooks feed.

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-4c1eaf8a/batcher"
)

// instruments are those of all batchers.
type instruments struct {
	figures  []figure
	batches  metric.Int64ObservableCounter
	errors   metric.Int64ObservableCounter
	observed []metric.Observable // all of the above

	size            metric.Int64Histogram
	delay, duration metric.Float64Histogram
}

// figure is a number that is read from Stats or Config: a count, or seconds.
type figure struct {
	count        metric.Int64Observable
	countValue   func(*snapshot) int64
	seconds      metric.Float64Observable
	secondsValue func(*snapshot) time.Duration
}

// snapshot is a batcher at one moment.
type snapshot struct {
	batcher.Stats
	config batcher.Config
}

// The upper bounds of buckets, as in prombatcher. Views may change them.
var (
	sizeBounds     = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000}
	durationBounds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
)

// counters, gauges and durations are the figures. Names and units give those of prombatcher.
var (
	counters = []struct {
		name, unit, help string
		value            func(*snapshot) int64
	}{
		{"batcher.added", "{item}", "Items accepted.", func(s *snapshot) int64 { return s.Added }},
		{"batcher.flushed", "{item}", "Items that the flush function has taken.", func(s *snapshot) int64 { return s.Flushed }},
		{"batcher.failed", "{item}", "Items given up.", func(s *snapshot) int64 { return s.Failed }},
		{"batcher.dropped", "{item}", "Items dropped for lack of room.", func(s *snapshot) int64 { return s.Dropped }},
		{"batcher.returned", "{item}", "Items handed back by Close.", func(s *snapshot) int64 { return s.Returned }},
		{"batcher.folded", "{item}", "Entries that were put back and combined into newer ones.", func(s *snapshot) int64 { return s.Folded }},
		{"batcher.merged", "{item}", "Values that were combined into an entry that was there already.", func(s *snapshot) int64 { return s.Merged }},
		{"batcher.retries", "{attempt}", "Attempts that followed a failed one.", func(s *snapshot) int64 { return s.Retries }},
	}
	gauges = []struct {
		name, unit, help string
		value            func(*snapshot) int64
	}{
		{"batcher.pending.items", "{item}", "Items held.", func(s *snapshot) int64 { return s.Pending }},
		{"batcher.queue.depth", "{batch}", "Batches that wait for a worker.", func(s *snapshot) int64 { return int64(s.QueueDepth) }},
		{"batcher.running.batches", "{batch}", "Batches that a worker has taken, pauses between attempts included.", func(s *snapshot) int64 { return int64(s.Running) }},
		{"batcher.waiting.producers", "{producer}", "Producers that wait for room.", func(s *snapshot) int64 { return int64(s.Waiting) }},
		{"batcher.max.pending.items", "{item}", "How many items are held at most.", func(s *snapshot) int64 { return s.config.MaxHeld }},
		{"batcher.max.queue.depth", "{batch}", "How many batches may wait for a worker; 0 if only items are bounded.", func(s *snapshot) int64 { return int64(s.config.QueueDepth) }},
		{"batcher.max.batch.size.items", "{item}", "How many items a batch has at most.", func(s *snapshot) int64 { return int64(s.config.MaxSize) }},
		{"batcher.workers", "{worker}", "How many batches are flushed at once at most.", func(s *snapshot) int64 { return int64(s.config.Workers) }},
	}
	durations = []struct {
		name, help string
		value      func(*snapshot) time.Duration
	}{
		{"batcher.oldest.age", "Age of the oldest batch held, from its first item on.", func(s *snapshot) time.Duration { return s.OldestAge }},
		{"batcher.max.delay", "How long the first item of a batch waits at most; 0 if batches are due at once.", maxDelay},
	}
)

// maxDelay is the one in effect.
func maxDelay(s *snapshot) time.Duration {
	if s.config.Eager {
		return 0
	}
	return s.config.MaxDelay
}

// register creates all of them.
func (i *instruments) register(meter metric.Meter) error {
	return errors.Join(i.registerFigures(meter), i.registerLabelled(meter), i.registerRecorded(meter))
}

func (i *instruments) registerFigures(meter metric.Meter) error {
	var errs []error
	add := func(o metric.Observable, f figure, err error) {
		i.observed, i.figures, errs = append(i.observed, o), append(i.figures, f), append(errs, err)
	}
	for _, c := range counters {
		o, err := meter.Int64ObservableCounter(c.name, metric.WithUnit(c.unit), metric.WithDescription(c.help))
		add(o, figure{count: o, countValue: c.value}, err)
	}
	for _, g := range gauges {
		o, err := meter.Int64ObservableGauge(g.name, metric.WithUnit(g.unit), metric.WithDescription(g.help))
		add(o, figure{count: o, countValue: g.value}, err)
	}
	for _, d := range durations {
		o, err := meter.Float64ObservableGauge(d.name, metric.WithUnit("s"), metric.WithDescription(d.help))
		add(o, figure{seconds: o, secondsValue: d.value}, err)
	}
	return errors.Join(errs...)
}

// registerLabelled creates those that have another label beside the name.
func (i *instruments) registerLabelled(meter metric.Meter) error {
	errs := make([]error, 2)
	i.batches, errs[0] = meter.Int64ObservableCounter("batcher.batches",
		metric.WithUnit("{batch}"), metric.WithDescription("Batches sealed, by reason."))
	i.errors, errs[1] = meter.Int64ObservableCounter("batcher.flush.errors",
		metric.WithUnit("{attempt}"), metric.WithDescription("Attempts that failed, by class of the error."))
	i.observed = append(i.observed, i.batches, i.errors)
	return errors.Join(errs...)
}

func (i *instruments) registerRecorded(meter metric.Meter) error {
	errs := make([]error, 3)
	i.size, errs[0] = meter.Int64Histogram("batcher.batch.size.items", metric.WithUnit("{item}"),
		metric.WithDescription("Items in a batch at its first attempt."),
		metric.WithExplicitBucketBoundaries(sizeBounds...))
	i.delay, errs[1] = meter.Float64Histogram("batcher.queue.delay", metric.WithUnit("s"),
		metric.WithDescription("From the sealing of a batch to its first attempt."),
		metric.WithExplicitBucketBoundaries(durationBounds...))
	i.duration, errs[2] = meter.Float64Histogram("batcher.flush.duration", metric.WithUnit("s"),
		metric.WithDescription("How long the flush function ran, by result of the attempt."),
		metric.WithExplicitBucketBoundaries(durationBounds...))
	return errors.Join(errs...)
}

// observe is the callback. It calls Stats once for each batcher, so that its figures are
// consistent, and stops when the reader's context ends.
func (t *Telemetry) observe(ctx context.Context, o metric.Observer) error {
	for _, w := range t.all() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		now := snapshot{w.batcher.Stats(), w.batcher.Config()}
		attrs := metric.WithAttributeSet(w.attrs)
		for _, f := range t.instruments.figures {
			if f.seconds != nil {
				o.ObserveFloat64(f.seconds, f.secondsValue(&now).Seconds(), attrs)
			} else {
				o.ObserveInt64(f.count, f.countValue(&now), attrs)
			}
		}
		for reason := batcher.ReasonSize; int(reason) < len(now.Batches); reason++ {
			o.ObserveInt64(t.instruments.batches, now.Batches[reason], metric.WithAttributeSet(w.reasons[reason]))
		}
		for _, c := range w.classes {
			o.ObserveInt64(t.instruments.errors, c.count.Load(), metric.WithAttributeSet(c.attrs))
		}
	}
	return nil
}

// all returns those that are watched now.
func (t *Telemetry) all() []*watched {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*watched, 0, len(t.watched))
	for _, w := range t.watched {
		list = append(list, w)
	}
	return list
}

// class counts the errors of one class of one batcher, which Stats does not. The callback reads it
// like Stats. With a counter of the SDK, the series would not exist before the first error, would
// stay after stop, and would miss what came before a global provider that is set late.
type class struct {
	attrs attribute.Set
	count atomic.Int64
}

// newClasses returns a map that must not be changed, since hooks read it without a lock.
func newClasses(name string) map[string]*class {
	all := make(map[string]*class)
	for _, c := range batcher.ErrorClasses() {
		all[c] = &class{attrs: attribute.NewSet(attribute.String("name", name), attribute.String("class", c))}
	}
	return all
}

// recorder feeds the histograms and classes of one batcher. Its options are made only once, so that
// recording does not allocate on our side.
type recorder struct {
	to         *instruments
	named      []metric.RecordOption
	ok, failed []metric.RecordOption
	classes    map[string]*class
}

func newRecorder(to *instruments, w *watched) *recorder {
	set := func(more ...attribute.KeyValue) []metric.RecordOption {
		more = append(more, attribute.String("name", w.name))
		return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(more...))}
	}
	return &recorder{
		to:      to,
		named:   set(),
		ok:      set(attribute.String("result", "ok")),
		failed:  set(attribute.String("result", "error")),
		classes: w.classes,
	}
}

func (r *recorder) flushStart(ctx context.Context, info batcher.Info) context.Context {
	if info.First {
		r.to.size.Record(ctx, int64(info.Size), r.named...)
		r.to.delay.Record(ctx, max(0, time.Since(info.Sealed).Seconds()), r.named...)
	}
	return ctx
}

func (r *recorder) flushEnd(ctx context.Context, _ batcher.Info, result batcher.FlushResult) {
	if result.Err == nil {
		r.to.duration.Record(ctx, result.Duration.Seconds(), r.ok...)
		return
	}
	r.to.duration.Record(ctx, result.Duration.Seconds(), r.failed...)
	r.classes[classOf(result.Err)].count.Add(1)
}

// classOf is [batcher.ErrorClass], or "other" for an error whose methods panic.
func classOf(err error) (class string) {
	defer func() {
		if recover() != nil {
			class = "other"
		}
	}()
	return batcher.ErrorClass(err)
}
