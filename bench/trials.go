package main

// The cells and trials that need a process of their own for each contender.

import (
	"context"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/idle"
	"github.com/seed-4c1eaf8a/batcher/bench/measure"
	"github.com/seed-4c1eaf8a/batcher/bench/report"
	"github.com/seed-4c1eaf8a/batcher/bench/safety"
)

// idleInstances is how many instances share the processor time that is measured, so that the process's own
// counts for little.
const idleInstances = 1000

// idleCells are the processor time and the goroutines of instances that have nothing to do.
func idleCells(cfg *config, l lab) ([]measure.Cell, error) {
	spell := cfg.speed.idle
	return instanceCells("Idle", l, idleInstances, spell, func(c idle.Cost) []measure.Value {
		return []measure.Value{{Value: c.CPU, Unit: "cpu-sec/inst-sec"}, {Value: c.Goroutines, Unit: "goroutines/inst"}}
	}), nil
}

// memoryCells are the memory of many instances.
func memoryCells(cfg *config, l lab) ([]measure.Cell, error) {
	return instanceCells("Memory", l, cfg.speed.instances, time.Millisecond, func(c idle.Cost) []measure.Value {
		return []measure.Value{{Value: c.Bytes, Unit: "B/inst"}, {Value: float64(c.Instances), Unit: "instances"}}
	}), nil
}

// instanceCells has a cell for each contender that is more than a limit.
func instanceCells(bench string, l lab, n int, spell time.Duration, values func(idle.Cost) []measure.Value) []measure.Cell {
	var cells []measure.Cell
	for _, c := range l.int64s {
		if c.Kind == contender.Limit {
			continue
		}
		cells = append(cells, measure.Cell{
			Name:   bench + "/impl=" + c.Name,
			Expect: 500*time.Millisecond + spell*3/2,
			Run: func(ctx context.Context) ([]measure.Reading, error) {
				cost, err := idle.Measure(ctx, c.Name, n, spell)
				if err != nil {
					return nil, err
				}
				return []measure.Reading{{Iters: cost.Instances, Values: values(cost)}}, nil
			},
		})
	}
	return cells
}

// safetyText tries each probe on each contender that is more than a limit.
func safetyText(ctx context.Context, _ *config, l lab, watch measure.Watcher) ([]string, error) {
	var lines []string
	for _, probe := range safety.Probes() {
		lines = append(lines, report.ProbeLine(probe.Name, probe.Description))
		for _, c := range l.int64s {
			if c.Kind == contender.Limit {
				continue
			}
			watch.Begin("safety, "+probe.Name+": "+c.Name, 1, 1)
			seen, err := safety.Run(ctx, probe, c.Name)
			if err != nil {
				return nil, err
			}
			lines = append(lines, report.Trial{Probe: probe.Name, Impl: c.Name, Verdict: string(seen.Verdict), Detail: seen.Detail}.Line())
			watch.End(safetyExpect)
		}
	}
	return lines, nil
}

// safetyExpect is about what a probe takes.
const safetyExpect = 2 * time.Second
