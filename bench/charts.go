package main

// The charts: which figures of the results they show.

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/chart"
	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/measure"
	"github.com/seed-4c1eaf8a/batcher/bench/report"
)

// drawing is a chart of any kind.
type drawing interface {
	SVG(chart.Theme) ([]byte, error)
}

// drawCharts writes the charts for which there are figures, and tells the page.
func (c *config) drawCharts(page *report.Page) error {
	charts := map[string]drawing{}
	if s := page.Sets["throughput"]; s != nil {
		charts["throughput"], charts["allocations"] = throughputChart(page, s), allocationChart(page, s)
	}
	if s := page.Sets["exercises"]; s != nil {
		for _, name := range s.Exercises() {
			if strings.HasPrefix(name, "20_") {
				charts[name] = cpuChart(s, name)
			}
		}
	}
	if s := page.Sets["delays"]; s != nil {
		charts[delaysExercise] = delayChart(s)
	}
	var errs []error
	for name, d := range charts {
		if d == nil {
			continue
		}
		if err := c.drawChart(name, d); err != nil {
			errs = append(errs, fmt.Errorf("chart %s: %w", name, err))
			continue
		}
		page.Charts[name] = true
	}
	return errors.Join(errs...)
}

// drawChart writes one in both versions.
func (c *config) drawChart(name string, d drawing) error {
	for _, theme := range chart.Themes {
		svg, err := d.SVG(theme)
		if err != nil {
			return err
		}
		if err := measure.Replace(filepath.Join(c.docs(), "charts", name+"-"+theme.Name+".svg"), svg); err != nil {
			return err
		}
	}
	return nil
}

// roles is how the kinds of contender are drawn.
var roles = map[contender.Kind]chart.Role{
	contender.Ours: chart.Ours, contender.Library: chart.Rival, contender.ByHand: chart.ByHand, contender.Limit: chart.Limit,
}

// throughputChart is ns per item of all who have figures for each number of producers.
func throughputChart(page *report.Page, s *report.Set) drawing {
	c := chart.Lines{Title: "Cost of an item, by number of producers", X: "producers", Y: "time per item (less is better)",
		YTick: func(ns float64) string { return time.Duration(ns).String() }}
	for _, subject := range page.Subjects {
		line := chart.Line{Name: subject.Name, Role: roles[subject.Kind]}
		for _, producers := range producerCounts {
			k := report.Key{Bench: "Throughput", Params: "payload=int64/producers=" + strconv.Itoa(producers), Impl: subject.Name}
			if v, ok := s.Median(k, "sec/item"); ok {
				line.X, line.Y = append(line.X, float64(producers)), append(line.Y, v*1e9)
			}
		}
		if len(line.X) > 0 {
			c.Lines = append(c.Lines, line)
		}
	}
	if len(c.Lines) == 0 {
		return nil
	}
	return c
}

// allocationChart is allocations per item with 8 producers, the fewest first.
func allocationChart(page *report.Page, s *report.Set) drawing {
	c := chart.Bars{Title: "Allocations per item", X: "allocations per item (int64, 8 producers; less is better)"}
	for _, subject := range page.Subjects {
		k := report.Key{Bench: "Throughput", Params: "payload=int64/producers=8", Impl: subject.Name}
		v, ok := s.Median(k, "allocs/item")
		if !ok || subject.Kind == contender.Limit {
			continue
		}
		c.Bars = append(c.Bars, chart.Bar{Name: subject.Name, Role: roles[subject.Kind], Value: v, Label: report.Figure(v, "allocs/item")})
	}
	if len(c.Bars) == 0 {
		return nil
	}
	slices.SortStableFunc(c.Bars, func(a, b chart.Bar) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(a.Value, b.Value))
	})
	return c
}

// last is 0 for this library's bars, which come first, and 1 for the others.
func last(b chart.Bar) int {
	if b.Role == chart.Ours {
		return 0
	}
	return 1
}

// cpuChart is the processor time of the variants of the end-to-end exercise.
func cpuChart(s *report.Set, exercise string) drawing {
	c := chart.Bars{Title: "Processor time of the service for each request"}
	for _, f := range s.Variants(exercise, func(unit string) bool { return strings.HasPrefix(unit, "cpu-sec") }) {
		role := chart.Rival
		if f.Variant == report.Answer {
			role = chart.Ours
		}
		c.X = "processor time, µs (less is better)"
		c.Bars = append(c.Bars, chart.Bar{Name: f.Variant, Role: role, Value: f.Median * 1e6, Label: report.Figure(f.Median, f.Unit)})
	}
	if len(c.Bars) == 0 {
		return nil
	}
	return c
}

// delayChart is the distribution of the delays of the variants of the exercise on timers.
func delayChart(s *report.Set) drawing {
	c := chart.Histograms{Title: "How long the first item of a batch waits, MaxDelay 5 ms",
		X: "wait, ms", Y: "batches, %", Low: 0, High: 8, Bins: 80}
	byVariant := map[string][]float64{}
	for _, line := range s.Text {
		variant, ns, _ := strings.Cut(line, " ")
		v, err := strconv.ParseFloat(ns, 64)
		if err != nil {
			continue
		}
		byVariant[variant] = append(byVariant[variant], v/1e6)
	}
	for _, variant := range []string{report.Baseline, report.Answer, "library"} {
		values := slices.Sorted(slices.Values(byVariant[variant]))
		if len(values) == 0 {
			continue
		}
		role := map[string]chart.Role{report.Baseline: chart.Slow, report.Answer: chart.ByHand, "library": chart.Ours}[variant]
		at := func(p int) float64 { return values[(len(values)-1)*p/100] }
		c.Panels = append(c.Panels, chart.Panel{Name: variant, Role: role, Values: values,
			Note: fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, longest %.1f ms", at(50), at(99), at(100))})
	}
	if len(c.Panels) == 0 {
		return nil
	}
	return c
}
