package prombatcher

// The figures that batchers keep themselves: a scrape reads them from Stats and Config.

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-4c1eaf8a/batcher"
)

// snapshot is a batcher at one moment.
type snapshot struct {
	stats  batcher.Stats
	config batcher.Config
}

// figure is a metric that is computed from a snapshot.
type figure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*snapshot) float64
}

func counter(name, help string, value func(*batcher.Stats) int64) figure {
	return figure{describe(name, help), prometheus.CounterValue,
		func(s *snapshot) float64 { return float64(value(&s.stats)) }}
}

func gauge(name, help string, value func(*snapshot) float64) figure {
	return figure{describe(name, help), prometheus.GaugeValue, value}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"name"}, labels...), nil)
}

// figures are all of them but batches, which has the label reason.
var figures = []figure{
	counter("batcher_added_total", "Items accepted.",
		func(s *batcher.Stats) int64 { return s.Added }),
	counter("batcher_flushed_total", "Items that the flush function has taken.",
		func(s *batcher.Stats) int64 { return s.Flushed }),
	counter("batcher_failed_total", "Items given up.",
		func(s *batcher.Stats) int64 { return s.Failed }),
	counter("batcher_dropped_total", "Items dropped for lack of room.",
		func(s *batcher.Stats) int64 { return s.Dropped }),
	counter("batcher_returned_total", "Items handed back by Close.",
		func(s *batcher.Stats) int64 { return s.Returned }),
	counter("batcher_folded_total", "Entries that were put back and combined into newer ones.",
		func(s *batcher.Stats) int64 { return s.Folded }),
	counter("batcher_merged_total", "Values that were combined into an entry that was there already.",
		func(s *batcher.Stats) int64 { return s.Merged }),
	counter("batcher_retries_total", "Attempts that followed a failed one.",
		func(s *batcher.Stats) int64 { return s.Retries }),

	gauge("batcher_pending_items", "Items held.",
		func(s *snapshot) float64 { return float64(s.stats.Pending) }),
	gauge("batcher_queue_depth", "Batches that wait for a worker.",
		func(s *snapshot) float64 { return float64(s.stats.QueueDepth) }),
	gauge("batcher_running_batches", "Batches that a worker has taken, pauses between attempts included.",
		func(s *snapshot) float64 { return float64(s.stats.Running) }),
	gauge("batcher_waiting_producers", "Producers that wait for room.",
		func(s *snapshot) float64 { return float64(s.stats.Waiting) }),
	gauge("batcher_oldest_age_seconds", "Age of the oldest batch held, from its first item on.",
		func(s *snapshot) float64 { return s.stats.OldestAge.Seconds() }),

	gauge("batcher_max_pending_items", "How many items are held at most.",
		func(s *snapshot) float64 { return float64(s.config.MaxHeld) }),
	gauge("batcher_max_queue_depth", "How many batches may wait for a worker; 0 if only items are bounded.",
		func(s *snapshot) float64 { return float64(s.config.QueueDepth) }),
	gauge("batcher_max_batch_size_items", "How many items a batch has at most.",
		func(s *snapshot) float64 { return float64(s.config.MaxSize) }),
	gauge("batcher_max_delay_seconds",
		"How long the first item of a batch waits at most; 0 if batches are due at once.", maxDelay),
	gauge("batcher_workers", "How many batches are flushed at once at most.",
		func(s *snapshot) float64 { return float64(s.config.Workers) }),
}

// maxDelay is the one in effect.
func maxDelay(s *snapshot) float64 {
	if s.config.Eager {
		return 0
	}
	return s.config.MaxDelay.Seconds()
}

// batches is batcher_batches_total.
var batches = describe("batcher_batches_total", "Batches sealed, by reason.", "reason")
