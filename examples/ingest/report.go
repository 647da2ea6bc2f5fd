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

// costs is what the service has used, and how its batches fared.
type costs struct {
	used         usage
	whose        string // whose they are, in brackets, if not the service's alone
	flush, batch summary
}

// writeReport prints what the clients have seen, and what it took.
func writeReport(w io.Writer, d *driver, took time.Duration, c costs) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	accepted, stored := d.answered[0].summary(), d.answered[1].summary()
	answers := float64(accepted.count + stored.count)
	seconds := took.Seconds()
	fmt.Fprintf(t, "requests\t%d answered 202, %d answered 201, %d times 503 and sent again\n",
		accepted.count, stored.count, d.retried.Load())
	fmt.Fprintf(t, "throughput\t%.0f req/s over %d connections in %s\n",
		answers/seconds, d.conns, short(seconds))
	writeLatency(t, "API latency, 202", accepted)
	writeLatency(t, "API latency, 201", stored)
	writeLatency(t, "flush", c.flush)
	if c.batch.count > 0 {
		fmt.Fprintf(t, "batch size\tmean %.0f, p50 %.0f, max %.0f\n", c.batch.mean, c.batch.p50, c.batch.max)
	}
	if answers > 0 {
		writeCostsPer(t, c, answers)
	}
}

// writeCostsPer prints what each of n requests took.
func writeCostsPer(w io.Writer, c costs, n float64) {
	if c.used.cpu > 0 {
		fmt.Fprintf(w, "CPU per request\t%s %s\n", short(c.used.cpu/n), c.whose)
	}
	if c.used.objects > 0 {
		fmt.Fprintf(w, "allocations per request\t%.0f, %.1f KiB %s\n",
			c.used.objects/n, c.used.bytes/n/1024, c.whose)
	}
	if c.used.memory > 0 {
		fmt.Fprintf(w, "memory\tat most %.1f MiB resident %s\n", c.used.memory/(1<<20), c.whose)
	}
}

func writeLatency(w io.Writer, what string, s summary) {
	if s.count > 0 {
		fmt.Fprintf(w, "%s\tp50 %s, p99 %s, max %s\n", what, short(s.p50), short(s.p99), short(s.max))
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
