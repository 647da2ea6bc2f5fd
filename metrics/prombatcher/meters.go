package prombatcher

// The figures that batchers do not keep: distributions, and errors by class. Hooks feed them.

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-4c1eaf8a/batcher"
)

// The values of the label result.
const (
	resultOK    = "ok"
	resultError = "error"
)

// meters are the histograms and counters of one batcher. Each batcher has its own, so that a hook
// that still runs after stop feeds meters that are not collected any more, and brings no series
// back.
type meters struct {
	sizes, delays, durations *prometheus.HistogramVec
	errors                   *prometheus.CounterVec

	// Set by begin.
	size, delay, ok, failed prometheus.Observer
	classes                 map[string]prometheus.Counter // read-only after begin
}

func newMeters(c config) *meters {
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name, Help: help, Buckets: buckets,
			NativeHistogramBucketFactor:     c.nativeFactor,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, append([]string{"name"}, labels...))
	}
	return &meters{
		sizes: histogram("batcher_batch_size_items", "Items in a batch at its first attempt.", c.sizes),
		delays: histogram("batcher_queue_delay_seconds",
			"From the sealing of a batch to its first attempt.", c.durations),
		durations: histogram("batcher_flush_duration_seconds",
			"How long the flush function ran, by result of the attempt.", c.durations, "result"),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "batcher_flush_errors_total", Help: "Attempts that failed, by class of the error.",
		}, []string{"name", "class"}),
	}
}

// begin makes all series of a batcher, at zero.
func (m *meters) begin(name string) {
	m.size, m.delay = m.sizes.WithLabelValues(name), m.delays.WithLabelValues(name)
	m.ok = m.durations.WithLabelValues(name, resultOK)
	m.failed = m.durations.WithLabelValues(name, resultError)
	m.classes = make(map[string]prometheus.Counter)
	for _, class := range batcher.ErrorClasses() { // also "dropped", by another batcher that the flush feeds
		m.classes[class] = m.errors.WithLabelValues(name, class)
	}
}

func (m *meters) describe(descs chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(descs)
	}
}

func (m *meters) collect(metrics chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(metrics)
	}
}

func (m *meters) all() []prometheus.Collector {
	return []prometheus.Collector{m.sizes, m.delays, m.durations, m.errors}
}

func (m *meters) hooks() batcher.Hooks {
	return batcher.Hooks{FlushStart: m.flushStart, FlushEnd: m.flushEnd}
}

func (m *meters) flushStart(ctx context.Context, info batcher.Info) context.Context {
	if info.First {
		m.size.Observe(float64(info.Size))
		m.delay.Observe(max(0, time.Since(info.Sealed).Seconds()))
	}
	return ctx
}

func (m *meters) flushEnd(_ context.Context, _ batcher.Info, result batcher.FlushResult) {
	if result.Err == nil {
		m.ok.Observe(result.Duration.Seconds())
		return
	}
	m.failed.Observe(result.Duration.Seconds())
	m.classes[classOf(result.Err)].Inc()
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
