package main

// What is counted, and /metrics.

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/prombatcher"
)

// recorder keeps what the report tells at the end, more exactly than metrics are worth: also of
// the ways that do without the batcher.
type recorder struct {
	flushTime  *histogram // seconds
	batchSizes *histogram // events
}

func newRecorder() *recorder {
	return &recorder{flushTime: newLatencies(), batchSizes: newHistogram(spread(1, 1.02, 600))}
}

func (r *recorder) hooks() batcher.Hooks {
	return batcher.Hooks{FlushEnd: func(_ context.Context, info batcher.Info, result batcher.FlushResult) {
		if info.First {
			r.batchSizes.observe(float64(info.Size))
		}
		r.attempt(result.Duration)
	}}
}

// attempt counts an attempt to store events.
func (r *recorder) attempt(took time.Duration) { r.flushTime.observe(took.Seconds()) }

// newMetrics returns the handler of /metrics: the batcher's figures, those of the process, and those
// of the recorder.
func newMetrics(b batcher.Observed, r *recorder) (http.Handler, error) {
	batchers, err := prombatcher.New()
	if err != nil {
		return nil, err
	}
	if _, err := batchers.Watch(b); err != nil { // to the end of the process
		return nil, err
	}
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		batchers, costsCollector{r}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), nil
}

// The metrics that -split reads back.
const (
	metricCPU     = "ingest_cpu_seconds_total"
	metricMemory  = "ingest_resident_memory_max_bytes"
	metricObjects = "ingest_heap_allocs_objects_total"
	metricBytes   = "ingest_heap_allocs_bytes_total"
	metricFlushes = "ingest_flush_duration_seconds"
	metricBatches = "ingest_batch_size_events"
)

var (
	descCPU     = prometheus.NewDesc(metricCPU, "Processor time, user and system.", nil, nil)
	descMemory  = prometheus.NewDesc(metricMemory, "The most memory that was resident.", nil, nil)
	descObjects = prometheus.NewDesc(metricObjects, "Objects allocated on the heap.", nil, nil)
	descBytes   = prometheus.NewDesc(metricBytes, "Bytes allocated on the heap.", nil, nil)
	descFlushes = prometheus.NewDesc(metricFlushes, "Duration of one attempt to store events, exact to 2 %.", nil, nil)
	descBatches = prometheus.NewDesc(metricBatches, "Events in a batch, exact to 2 %.", nil, nil)
)

// costsCollector shows what the process has used, and what the recorder has seen.
type costsCollector struct{ *recorder }

// Describe implements prometheus.Collector.
func (costsCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descCPU, descMemory, descObjects, descBytes, descFlushes, descBatches} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c costsCollector) Collect(metrics chan<- prometheus.Metric) {
	used := currentUsage()
	metrics <- prometheus.MustNewConstMetric(descCPU, prometheus.CounterValue, used.cpu)
	metrics <- prometheus.MustNewConstMetric(descMemory, prometheus.GaugeValue, used.memory)
	metrics <- prometheus.MustNewConstMetric(descObjects, prometheus.CounterValue, used.objects)
	metrics <- prometheus.MustNewConstMetric(descBytes, prometheus.CounterValue, used.bytes)
	metrics <- c.flushTime.metric(descFlushes)
	metrics <- c.batchSizes.metric(descBatches)
}

// metric is the histogram as a summary, which is what its exactness is for.
func (h *histogram) metric(desc *prometheus.Desc) prometheus.Metric {
	s := h.summary()
	return prometheus.MustNewConstSummary(desc, s.count, h.total(), map[float64]float64{.5: s.p50, .99: s.p99, 1: s.max})
}
