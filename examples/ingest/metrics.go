package main

// What is counted, and /metrics.

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"sync/atomic"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// histogram counts values between fixed bounds. It is safe for concurrent use.
type histogram struct {
	bounds []float64       // ascending; a value belongs to the first bound that is not below it
	counts []atomic.Uint64 // one more than bounds, for the values above all
	sum    atomic.Uint64   // the bits of a float64
	most   atomic.Uint64   // the bits of a float64; as integers they compare alike, being positive
}

func newHistogram(bounds []float64) *histogram {
	return &histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// spread returns n+1 bounds from least on, each factor times the one before.
func spread(least, factor float64, n int) []float64 {
	bounds := make([]float64, n+1)
	for i := range bounds {
		bounds[i] = least * math.Pow(factor, float64(i))
	}
	return bounds
}

// newLatencies returns a histogram of seconds, from 1 us to some minutes, that is
// exact to 2 %.
func newLatencies() *histogram { return newHistogram(spread(1e-6, 1.02, 1000)) }

// observe adds a value, which must not be negative.
func (h *histogram) observe(v float64) {
	h.counts[sort.SearchFloat64s(h.bounds, v)].Add(1)
	for {
		old := h.sum.Load()
		if h.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			break
		}
	}
	for bits := math.Float64bits(v); ; {
		old := h.most.Load()
		if bits <= old || h.most.CompareAndSwap(old, bits) {
			return
		}
	}
}

func (h *histogram) count() (n uint64) {
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return n
}

func (h *histogram) total() float64 { return math.Float64frombits(h.sum.Load()) }
func (h *histogram) max() float64   { return math.Float64frombits(h.most.Load()) }

// quantile returns a bound that the share q of the values does not exceed, and never
// more than the greatest value. Without values it is 0.
func (h *histogram) quantile(q float64) float64 {
	rank := uint64(math.Ceil(q * float64(h.count())))
	var seen uint64
	for i := range h.counts {
		if seen += h.counts[i].Load(); seen >= rank && seen > 0 {
			if i == len(h.bounds) {
				break
			}
			return min(h.bounds[i], h.max())
		}
	}
	return h.max()
}

// summary is what is told of a histogram at the end.
type summary struct {
	count               uint64
	mean, p50, p99, max float64
}

func (h *histogram) summary() summary {
	s := summary{count: h.count(), p50: h.quantile(.5), p99: h.quantile(.99), max: h.max()}
	if s.count > 0 {
		s.mean = h.total() / float64(s.count)
	}
	return s
}

// recorder observes the batcher through its hooks.
type recorder struct {
	flushTime  *histogram // seconds, exact to 2 %, for the report
	batchSizes *histogram // events, exact to 2 % or better
	// For /metrics, with bounds as coarse as time series are dear.
	size          *histogram
	queueDelay    *histogram
	flushOK       *histogram
	flushFailures *histogram
}

func newRecorder() *recorder {
	seconds := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	return &recorder{
		flushTime:     newLatencies(),
		batchSizes:    newHistogram(spread(1, 1.02, 600)),
		size:          newHistogram([]float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000}),
		queueDelay:    newHistogram(seconds),
		flushOK:       newHistogram(seconds),
		flushFailures: newHistogram(seconds),
	}
}

func (r *recorder) hooks() batcher.Hooks {
	return batcher.Hooks{FlushStart: r.flushStart, FlushEnd: r.flushEnd}
}

func (r *recorder) flushStart(ctx context.Context, info batcher.Info) context.Context {
	if info.Attempt == 1 {
		r.queueDelay.observe(max(0, time.Since(info.Sealed).Seconds()))
		r.size.observe(float64(info.Size))
		r.batchSizes.observe(float64(info.Size))
	}
	return ctx
}

func (r *recorder) flushEnd(_ context.Context, _ batcher.Info, result batcher.FlushResult) {
	r.attempt(result.Duration, result.Err)
}

// attempt counts an attempt to store events.
func (r *recorder) attempt(took time.Duration, err error) {
	seconds := took.Seconds()
	r.flushTime.observe(seconds)
	if err != nil {
		r.flushFailures.observe(seconds)
	} else {
		r.flushOK.observe(seconds)
	}
}

// reasons are those that a batcher without WithEager can have.
var reasons = []batcher.Reason{
	batcher.ReasonSize, batcher.ReasonWeight, batcher.ReasonDelay,
	batcher.ReasonFlush, batcher.ReasonClose,
}

// label is the one that all samples have.
const label = `name="ingest"`

// writeMetrics writes the text format of Prometheus.
func writeMetrics(text *bytes.Buffer, stats batcher.Stats, r *recorder, used usage) {
	for _, c := range []struct {
		name, help string
		value      int64
	}{
		{"batcher_added_total", "Events accepted.", stats.Added},
		{"batcher_flushed_total", "Events stored.", stats.Flushed},
		{"batcher_failed_total", "Events given up.", stats.Failed},
		{"batcher_dropped_total", "Events dropped for lack of room.", stats.Dropped},
		{"batcher_returned_total", "Events handed back by Close.", stats.Returned},
		{"batcher_retries_total", "Attempts that followed a failed one.", stats.Retries},
	} {
		family(text, c.name, "counter", c.help)
		fmt.Fprintf(text, "%s{%s} %d\n", c.name, label, c.value)
	}
	for _, g := range []struct {
		name, help string
		value      float64
	}{
		{"batcher_pending_items", "Events held now.", float64(stats.Pending)},
		{"batcher_queue_depth", "Batches that wait for a worker now.", float64(stats.QueueDepth)},
		{"batcher_oldest_age_seconds", "Age of the oldest event held.", stats.OldestAge.Seconds()},
	} {
		family(text, g.name, "gauge", g.help)
		fmt.Fprintf(text, "%s{%s} %v\n", g.name, label, g.value)
	}
	writeBatches(text, stats, r)
	writeCosts(text, r, used)
}

// writeBatches writes what is counted per batch.
func writeBatches(text *bytes.Buffer, stats batcher.Stats, r *recorder) {
	family(text, "batcher_batches_total", "counter", "Batches sealed.")
	for _, reason := range reasons {
		n := stats.Batches[reason]
		fmt.Fprintf(text, "batcher_batches_total{%s,reason=%q} %d\n", label, reason, n)
	}
	const size, delay, flush = "batcher_batch_size_items", "batcher_queue_delay_seconds",
		"batcher_flush_duration_seconds"
	family(text, size, "histogram", "Events in a batch.")
	r.size.write(text, size, label)
	family(text, delay, "histogram", "From a batch's sealing to its first attempt.")
	r.queueDelay.write(text, delay, label)
	family(text, flush, "histogram", "Duration of one attempt to store a batch.")
	r.flushOK.write(text, flush, label+`,result="ok"`)
	r.flushFailures.write(text, flush, label+`,result="error"`)
}

// The metrics that -split reads back.
const (
	metricCPU      = "process_cpu_seconds_total"
	metricMemory   = "process_resident_memory_max_bytes"
	metricObjects  = "go_heap_allocs_objects_total"
	metricBytes    = "go_heap_allocs_bytes_total"
	metricFlushes  = "batcher_flush_duration_quantile_seconds"
	metricBatches  = "batcher_batch_size_quantile_items"
	metricFlushed  = "batcher_flush_duration_seconds_count"
	metricMeanSize = "batcher_batch_size_mean_items"
)

// writeCosts writes what the process has used, and what the coarse histograms do not tell.
func writeCosts(text *bytes.Buffer, r *recorder, used usage) {
	for _, c := range []struct {
		name, kind, help string
		value            float64
	}{
		{metricCPU, "counter", "Processor time, user and system.", used.cpu},
		{metricMemory, "gauge", "The most memory that was resident.", used.memory},
		{metricObjects, "counter", "Objects allocated on the heap.", used.objects},
		{metricBytes, "counter", "Bytes allocated on the heap.", used.bytes},
		{metricMeanSize, "gauge", "Events in a batch, the mean.", r.batchSizes.summary().mean},
	} {
		family(text, c.name, c.kind, c.help)
		fmt.Fprintf(text, "%s{%s} %v\n", c.name, label, c.value)
	}
	family(text, metricFlushes, "gauge", "Duration of one attempt to store a batch, exact to 2 %.")
	writeQuantiles(text, metricFlushes, r.flushTime)
	family(text, metricBatches, "gauge", "Events in a batch, exact to 2 %.")
	writeQuantiles(text, metricBatches, r.batchSizes)
}

func writeQuantiles(text *bytes.Buffer, metric string, h *histogram) {
	s := h.summary()
	for _, q := range []struct {
		name  string
		value float64
	}{{"0.5", s.p50}, {"0.99", s.p99}, {"1", s.max}} {
		fmt.Fprintf(text, "%s{%s,quantile=%q} %v\n", metric, label, q.name, q.value)
	}
}

// family begins the samples of one metric.
func family(text *bytes.Buffer, name, kind, help string) {
	fmt.Fprintf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// write writes the histogram's samples. The count is that of the last bucket, so
// that they agree even while values come in.
func (h *histogram) write(text *bytes.Buffer, metric, labels string) {
	var below uint64
	for i, bound := range slices.Concat(h.bounds, []float64{math.Inf(1)}) {
		below += h.counts[i].Load()
		le := "+Inf"
		if !math.IsInf(bound, 1) {
			le = fmt.Sprint(bound)
		}
		fmt.Fprintf(text, "%s_bucket{%s,le=%q} %d\n", metric, labels, le, below)
	}
	fmt.Fprintf(text, "%s_sum{%s} %v\n", metric, labels, h.total())
	fmt.Fprintf(text, "%s_count{%s} %d\n", metric, labels, below)
}
