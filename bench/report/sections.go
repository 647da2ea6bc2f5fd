package report

// The tables of the sections.

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"
)

// throughput is a table for each payload, a column for each number of producers; then what is
// allocated.
func (p *Page) throughput(s *Set) string {
	const bench, unit = "Throughput", "sec/item"
	var b strings.Builder
	b.WriteString("ns per item end to end, from the first Add to the arrival of the last item, Close included, " +
		"before a sink that only counts. Behind each figure is its ratio to ours; below 1 it is better than ours.\n\n" +
		origin(s) + p.picture("throughput", "ns per item by number of producers"))
	byPayload := map[string][]string{}
	var payloads []string
	for _, params := range s.params(bench) {
		payload, _, _ := strings.Cut(params, "/")
		if byPayload[payload] == nil {
			payloads = append(payloads, payload)
		}
		byPayload[payload] = append(byPayload[payload], params)
	}
	impls := s.impls(func(k Key) bool { return k.Bench == bench })
	for _, payload := range payloads {
		var columns []column
		for _, params := range byPayload[payload] {
			c := p.columnOf(s, producersOf(params), bench, params, unit)
			c.cell = lastValue(payload) + ", " + c.head
			columns = append(columns, c)
		}
		fmt.Fprintf(&b, "Items: %s.\n\n%s", lastValue(payload), p.compare("throughput", p.order(impls, columns[0]), columns))
	}
	return b.String() + p.allocations(s, impls)
}

// allocations are those of the middle number of producers.
func (p *Page) allocations(s *Set, impls []string) string {
	const bench, producers = "Throughput", "/producers=8"
	var columns []column
	for _, params := range s.params(bench) {
		payload, found := strings.CutSuffix(params, producers)
		if !found {
			continue
		}
		name := lastValue(payload)
		allocs := p.columnOf(s, name+": allocations", bench, params, "allocs/item")
		bytes := p.columnOf(s, name+": bytes", bench, params, "B/item")
		allocs.cell, bytes.cell = "allocations per item, "+name, "bytes per item, "+name
		allocs.contest, bytes.contest = rounded(allocs, 0.01), rounded(bytes, 1)
		columns = append(columns, allocs, bytes)
	}
	if len(columns) == 0 {
		return ""
	}
	return "Allocations and bytes allocated per item, with 8 producers. Making the queue costs some of both, which a run " +
		"spreads over its items; so allocations are compared to a hundredth, and bytes to a whole one.\n\n" +
		p.picture("allocations", "allocations per item") +
		p.compare("throughput", p.order(impls, columns[0]), columns)
}

// rounded is what is compared of a column: its values in whole steps.
func rounded(c column, step float64) func(impl string) *benchmath.Sample {
	return func(impl string) *benchmath.Sample {
		s := c.sample(impl)
		if s == nil {
			return nil
		}
		values := slices.Clone(s.Values)
		for i, v := range values {
			values[i] = math.Round(v/step) * step
		}
		return sample(values)
	}
}

// lastValue is the value of the last parameter: "8" of "payload=int64/producers=8".
func lastValue(params string) string {
	return params[strings.LastIndexAny(params, "=/")+1:]
}

// producersOf is the head of a column: "1 producer", "8 producers".
func producersOf(params string) string {
	n := lastValue(params)
	if n == "1" {
		return "1 producer"
	}
	return n + " producers"
}

// The names of the baselines that belong to a section, and are no contenders.
const (
	SinkLimit = "sink-alone"
	TimerBase = "bare-timer"
	Goroutine = "goroutine"
)

// slow is the share of the sink's own speed in the same round, and what was held.
func (p *Page) slow(s *Set) string {
	const bench = "Slow"
	key := func(impl string) Key { return Key{Bench: bench, Impl: impl} }
	rates := p.columnOf(s, "items per second", bench, "", "items/s")
	rates.cell = ""
	share := p.columnOf(s, "share of the sink's limit", bench, "", shareUnit)
	share.cell = "share of the sink's limit"
	share.sample = func(impl string) *benchmath.Sample {
		return paired(s.values[key(impl)]["items/s"], s.values[key(SinkLimit)]["items/s"], quotient)
	}
	held := p.columnOf(s, "most items held", bench, "", "held-items")
	held.cell = "most items held"
	impls := p.order(s.impls(func(k Key) bool { return k.Bench == bench }), share)
	return "Producers that could add faster than the sink takes: 2 ms for each batch, batches of 100, 4 workers. " +
		"`" + SinkLimit + "` is these workers without a batcher, always with a full batch. Items held were " +
		"accepted and not yet written. A share above 100 % is of a library that does not keep to 4 workers.\n\n" +
		origin(s) + p.compare("slow sink", impls, []column{share, rates, held})
}

func quotient(a, b float64) float64 { return a / b }

// delay shows the waits. What is compared is how far they are from the bare timer's in the same round.
func (p *Page) delay(s *Set) string {
	const bench = "Delay"
	var b strings.Builder
	b.WriteString("How long the first item of a batch waited for the sink, with a MaxDelay of 10 ms and arrivals at " +
		"random: on average one a millisecond (dense), or one in 20 ms (sparse, so every item is a batch). " +
		"`" + TimerBase + "` is a `time.Timer` that the first item starts. Less than 10 ms is not better: the batch " +
		"was cut before its time. The maximum is the median of the rounds' maxima.\n\n" + origin(s))
	impls := s.impls(func(k Key) bool { return k.Bench == bench })
	for _, params := range s.params(bench) {
		var columns []column
		for _, unit := range []string{"p1-sec", "p50-sec", "p99-sec", "max-sec"} {
			columns = append(columns, p.waits(s, bench, params, unit))
		}
		fmt.Fprintf(&b, "Arrivals: %s.\n\n%s", lastValue(params), p.compare("delay", p.order(impls, distance(columns[1])), columns))
	}
	return b.String()
}

// waits is a column of waits, compared by their distance from the timer's.
func (p *Page) waits(s *Set, bench, params, unit string) column {
	name := strings.TrimSuffix(unit, "-sec")
	c := p.columnOf(s, name, bench, params, unit)
	timer := s.values[Key{Bench: bench, Params: params, Impl: TimerBase}][unit]
	c.contest = func(impl string) *benchmath.Sample {
		return paired(s.values[Key{Bench: bench, Params: params, Impl: impl}][unit], timer, func(a, b float64) float64 { return math.Abs(a - b) })
	}
	c.cell = fmt.Sprintf("%s arrivals, distance of the %s from the timer's", lastValue(params), name)
	if name == "p1" || name == "max" { // to look at, not to be won
		c.cell = ""
	}
	return c
}

// distance is a column with what it is compared by in place of its figures.
func distance(c column) column {
	c.sample = c.contest
	return c
}

// eager is the time of a call.
func (p *Page) eager(s *Set) string {
	const bench = "Lone"
	median50 := p.columnOf(s, "p50", bench, "", "p50-sec")
	median50.cell = "p50 of a call"
	high := p.columnOf(s, "p99", bench, "", "p99-sec")
	high.cell = ""
	median50.ours, high.ours = EagerImpl, EagerImpl
	impls := p.order(s.impls(func(k Key) bool { return k.Bench == bench }), median50)
	return "One caller, who adds an item and waits until the sink has it, with a MaxDelay of 10 ms: what a lone item costs " +
		"in time. `" + EagerImpl + "` is this library's AddWait under WithEager. `" + Goroutine + "` starts a goroutine for " +
		"each call, and is the limit.\n\n" + origin(s) + p.compare("lone item", impls, []column{median50, high})
}

// EagerImpl is this library's own way for a lone item.
const EagerImpl = "batcher-eager"
