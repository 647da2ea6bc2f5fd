// Package prombatcher shows batchers to Prometheus: one collector for any number of them, of all
// three front ends.
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
// Beside this file lie dashboard.json for Grafana, alerts.yml for Prometheus, and alerts_test.yml,
// which shows by examples when the alerts fire.
//
// # Metrics
//
// All have the label name. Counters, from Stats, so that within one scrape
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
//	batcher_retries_total     attempts that followed a failed one
//	batcher_batches_total     batches sealed, by reason: size, weight, delay, eager, flush, close or
//	                          budget
//
// Counters and histograms that are fed by hooks, from Watch on:
//
//	batcher_flush_errors_total       attempts that failed, by class, see batcher.ErrorClass
//	batcher_batch_size_items         items in a batch at its first attempt; each batch counts once,
//	                                 however often it is tried or split; batches dropped before are not
//	                                 in it
//	batcher_flush_duration_seconds   how long the flush function ran: each attempt, by result, "ok" or
//	                                 "error"; one that fails for some of its items is an "error"
//	batcher_queue_delay_seconds      from the sealing of a batch to its first attempt
//
// Gauges, as they are at the scrape:
//
//	batcher_pending_items        items held
//	batcher_queue_depth          batches that wait for a worker
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
// All series of a batcher are there from the first scrape on, at zero, so that rate and increase
// see the first event of each kind. They go away when it is stopped.
//
// # Native histograms
//
// A server that scrapes native histograms leaves the classic ones out where both are offered, and
// with them what dashboard.json and alerts.yml ask for. So with [WithNativeHistograms] let it keep
// both: always_scrape_classic_histograms in its configuration, scrape_classic_histograms before
// Prometheus 3.
//
// # Cost
//
// None for Add. A batch costs three observations of histograms and, for each further attempt, one,
// without allocation. An attempt that fails costs a counter, and a few small allocations to find
// its class. A scrape takes one Stats of each batcher, which takes the locks of its intake for as
// long as it takes to copy some counters. A batcher that is watched holds some 15 KiB. See
// BenchmarkAdd and the benchmarks beside it, and the README for figures.
//
// A batcher.Combiner whose combine function hangs cannot give its Stats, so it holds up the scrape of
// all metrics of the registry until the function returns: alert on the target that is down (up == 0).
package prombatcher
