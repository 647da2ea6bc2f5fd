package main

// What the program prints at the end.

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// writeStats prints the final counters.
func writeStats(w io.Writer, stats batcher.Stats) {
	fmt.Fprintf(w, "stats: added %d = flushed %d + failed %d + dropped %d + returned %d + "+
		"pending %d; retries %d; batches %s\n",
		stats.Added, stats.Flushed, stats.Failed, stats.Dropped, stats.Returned,
		stats.Pending, stats.Retries, batchesByReason(stats))
}

// batchesByReason lists the reasons that occurred, as "100 (size 98, delay 1, close 1)".
func batchesByReason(stats batcher.Stats) string {
	var all int64
	var parts []string
	for reason, n := range stats.Batches {
		if all += n; n > 0 {
			parts = append(parts, fmt.Sprintf("%v %d", batcher.Reason(reason), n))
		}
	}
	if all == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", all, strings.Join(parts, ", "))
}

// writeReport prints what the clients have seen, and what it took.
func writeReport(w io.Writer, d *driver, r *recorder, took time.Duration, used usage) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	accepted, stored := d.answered[0].count(), d.answered[1].count()
	answers := accepted + stored
	seconds := took.Seconds()
	fmt.Fprintf(t, "requests\t%d answered 202, %d answered 201, %d times 503 and sent again\n",
		accepted, stored, d.retried.Load())
	fmt.Fprintf(t, "throughput\t%.0f req/s over %d connections in %s\n",
		float64(answers)/seconds, d.conns, short(seconds))
	writeLatency(t, "API latency, 202", d.answered[0])
	writeLatency(t, "API latency, 201", d.answered[1])
	writeLatency(t, "flush", r.flushTime)
	if r.batchSizes.count() > 0 {
		sizes := r.batchSizes
		fmt.Fprintf(t, "batch size\tmean %.0f, p50 %.0f, max %.0f\n",
			sizes.total()/float64(sizes.count()), sizes.quantile(.5), sizes.max())
	}
	if answers == 0 {
		return
	}
	const note = "(clients and server share this process)"
	n := float64(answers)
	if used.cpu > 0 {
		fmt.Fprintf(t, "CPU per request\t%s %s\n", short(used.cpu/n), note)
	}
	fmt.Fprintf(t, "allocations per request\t%.0f, %.1f KiB %s\n",
		float64(used.objects)/n, float64(used.bytes)/n/1024, note)
}

func writeLatency(w io.Writer, what string, h *histogram) {
	if h.count() > 0 {
		fmt.Fprintf(w, "%s\tp50 %s, p99 %s, max %s\n",
			what, short(h.quantile(.5)), short(h.quantile(.99)), short(h.max()))
	}
}

// writeTroubles lists what went wrong between clients and service, the commonest first.
func writeTroubles(w io.Writer, d *driver) (all int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var whats []string
	for what, n := range d.troubles {
		whats, all = append(whats, what), all+n
	}
	slices.SortFunc(whats, func(a, b string) int {
		if n := d.troubles[b] - d.troubles[a]; n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	for _, what := range whats {
		fmt.Fprintf(w, "trouble: %d times: %s\n", d.troubles[what], what)
	}
	return all
}

// short prints seconds with three digits: 1.23s, 45.6ms, 789µs.
func short(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
}
