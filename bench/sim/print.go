package main

// The sixth step: the figures for people.

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// print writes what was simulated and what came of it.
func (c *config) print(w io.Writer, f figures) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-15s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("arrivals", "%s", c.described(f))
	line("sink", "%s", c.sinkDescribed())
	line("settings", "%s", c.settings.described())
	fmt.Fprintln(w)
	line("batch size", "mean %s, p50 %d, p99 %d, max %d items; %d batches, %s",
		count(f.size.mean), f.size.p50, f.size.p99, f.size.max, f.batches, perSecond(f.calls()))
	line("sealed by", "%s", f.sealedBy())
	line("Add to flush", "%s", f.toBegin.times())
	line("Add to written", "%s", f.toEnd.times())
	line("workers busy", "%s", percent(f.busy))
	line("most held", "%d items, of %d that may be", f.mostHeld, c.mayHold(c.settings.queue))
	line("without room", "%s", c.withoutRoom(f))
}

// mayHold is how many items are held at most, with this QueueDepth.
func (c *config) mayHold(queue int) int64 { return int64(c.size) * int64(queue+c.workers) }

// described says when items came.
func (c *config) described(f figures) string {
	if c.file != "" {
		return fmt.Sprintf("%d items from %s, in %s: %s", f.items, c.file, pretty(f.span), perSecond(f.rate()))
	}
	return fmt.Sprintf("%s for %s, %s, seed %d: %d items", perSecond(c.rate), pretty(c.length), c.pattern, c.seed, f.items)
}

// sinkDescribed says how long the sink took.
func (c *config) sinkDescribed() string {
	full := c.latency.of(c.size)
	s := fmt.Sprintf("%s per item: %s for a full batch, %s with %d at once",
		strings.Replace(c.latency.String(), "+", " and ", 1), pretty(full), perSecond(c.capacity()), c.workers)
	if c.latency.perItem == 0 {
		s = fmt.Sprintf("%s for any batch: %s of full ones with %d at once", pretty(full), perSecond(c.capacity()), c.workers)
	}
	if c.spread.kind != constant {
		s += "; spread " + c.spread.String()
	}
	if c.stall.length > 0 {
		s += fmt.Sprintf("; no answer for %s after %s", pretty(c.stall.length), pretty(c.stall.at))
	}
	return s
}

// described names the settings.
func (s settings) described() string {
	text := fmt.Sprintf("MaxSize %d, MaxDelay %s, Workers %d, QueueDepth %d, %v", s.size, pretty(s.delay), s.workers, s.queue, s.overflow)
	if s.eager {
		text += ", eager (MaxDelay has no effect)"
	}
	if s.patience > 0 {
		text += fmt.Sprintf(", Add waits up to %s", pretty(s.patience))
	}
	return text
}

// sealedBy names the reasons, in their own order.
func (f figures) sealedBy() string {
	var parts []string
	for r := batcher.ReasonSize; r <= batcher.ReasonBudget; r++ {
		if n := f.reasons[r]; n > 0 {
			parts = append(parts, fmt.Sprintf("%v %s", r, percent(float64(n)/float64(f.batches))))
		}
	}
	return strings.Join(parts, ", ")
}

// withoutRoom says what became of items for which there was no room.
func (c *config) withoutRoom(f figures) string {
	var parts []string
	if f.waited > 0 {
		parts = append(parts, fmt.Sprintf("%s of the items waited, p50 %s, p99 %s, max %s; %d at once at most",
			percent(f.share(f.waited)), pretty(f.inLine.p50), pretty(f.inLine.p99), pretty(f.inLine.max), f.mostLine))
	}
	if f.refused > 0 {
		parts = append(parts, percent(f.share(f.refused))+" of the items were refused")
	}
	if f.dropped > 0 {
		parts = append(parts, percent(f.share(f.dropped))+" of the items were dropped")
	}
	if len(parts) == 0 {
		return "never"
	}
	return strings.Join(parts, "; ")
}

// times formats a distribution of times.
func (s spans[T]) times() string {
	return fmt.Sprintf("p50 %s, p99 %s, max %s",
		pretty(time.Duration(s.p50)), pretty(time.Duration(s.p99)), pretty(time.Duration(s.max)))
}

// pretty formats a time with three digits.
func pretty(d time.Duration) string {
	unit := time.Duration(1)
	for d >= 1000*unit {
		unit *= 10
	}
	text := d.Round(unit).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// percent formats a share. What is not nothing does not look like nothing, and what is not all not
// like all.
func percent(share float64) string {
	switch v := 100 * share; {
	case v == 0:
		return "0 %"
	case v > 0 && v < 0.01:
		return "< 0.01 %"
	case v < 100 && v > 99.95:
		return "> 99.9 %"
	case v < 0.995:
		return fmt.Sprintf("%.2f %%", v)
	case v == math.Trunc(v):
		return fmt.Sprintf("%.0f %%", v)
	default:
		return fmt.Sprintf("%.1f %%", v)
	}
}
