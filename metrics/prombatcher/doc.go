// Package prombatcher exposes batchers to Prometheus: one collector for any number of them,
// whichever of the three front ends they are.
//
//	metrics, err := prombatcher.New()
//	...
//	registry.MustRegister(metrics)
//	...
//	b, err := batcher.New(flush, batcher.WithName("orders"))
//	...
//	stop, err := metrics.Watch(b)
//	...
//	defer stop()
//
// The directory of this package also has dashboard.json for Grafana, alerts.yml for Prometheus, and
// alerts_test.yml, which shows by example when the alerts fire.
//
// # Metrics
//
// All have the label name. The first group are counters. They come from one Stats, so that within
// one scrape
//
//	added = flushed + failed + dropped + returned + folded + pending
//
// holds exactly, also under load:
//
//	batcher_added_total       items accepted
//	batcher_flushed_total     items that the flush function has taken
//	batcher_failed_total      items given up
//	batcher_dropped_total     items dropped for lack of room
//	batcher_returned_total    items handed back by Close
//	batcher_folded_total      entries of a Combiner that were put back and combined into newer ones
//	batcher_merged_total      values of a Combiner that were combined into an entry that was there
//	batcher_retries_total     attempts that followed a failed one, except those after a split
//	batcher_batches_total     batches sealed, by reason: size, weight, delay, eager, flush, close or
//	                          budget
//
// Counters and histograms that hooks feed; they count from Watch on:
//
//	batcher_flush_errors_total       attempts that failed, by class, see batcher.ErrorClass
//	batcher_batch_size_items         items in a batch at its first attempt; each batch counts once,
//	                                 however often it is tried or split, and not at all if it was
//	                                 dropped before its first attempt
//	batcher_flush_duration_seconds   how long the flush function ran: each attempt, by result, "ok" or
//	                                 "error"; one that fails for some of its items is an "error"
//	batcher_queue_delay_seconds      from the sealing of a batch to its first attempt
//
// Gauges, as they are at the scrape:
//
//	batcher_pending_items        items held
//	batcher_queue_depth          batches that wait for a worker; one that is due may still be filling
//	batcher_running_batches      batches that a worker has taken, pauses between attempts included
//	batcher_waiting_producers    producers that wait for room
//	batcher_oldest_age_seconds   age of the oldest batch held, from its first item on; 0 if there is none
//
// Gauges that do not change, to compare with:
//
//	batcher_max_pending_items      the bound of batcher_pending_items
//	batcher_max_queue_depth        the bound of batcher_queue_depth; 0 for a Sharded, whose bound is in
//	                               items
//	batcher_max_batch_size_items   WithMaxSize
//	batcher_max_delay_seconds      WithMaxDelay; 0 under WithEager
//	batcher_workers                WithWorkers
//
// Items that were refused, with ErrFull or the error of a context, were never the batcher's: no
// metric counts them. Count these errors where Add is called.
//
// All series of a batcher are there from the first scrape on, at zero, so that rate and increase
// see the first event of each kind. They go away when it is stopped.
//
// # Native histograms
//
// A server that scrapes native histograms ignores the classic ones where both are offered. But
// dashboard.json and alerts.yml query the classic ones. So with [WithNativeHistograms], configure
// the server to keep both: by always_scrape_classic_histograms, which was
// scrape_classic_histograms before Prometheus 3.
//
// # Cost
//
// Nothing is added to Add. The first attempt at a batch costs three histogram observations, each
// further attempt one, without allocation. An attempt that fails also costs a counter increment,
// and a few small allocations to find the class of its error. A scrape calls Stats once for each
// batcher, which holds the locks of its intake while it copies some counters. Watching a batcher
// takes some 15 KiB. See BenchmarkAdd and the benchmarks in the same file, and the README for
// figures.
//
// While the combine function of a batcher.Combiner hangs, its Stats blocks, and so does every
// scrape of the registry, with all its metrics: alert on the target that is down (up == 0).
package prombatcher
