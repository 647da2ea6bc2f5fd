package main

// The third step: the cells of the sections.

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/measure"
	"github.com/seed-4c1eaf8a/batcher/bench/report"
	"github.com/seed-4c1eaf8a/batcher/bench/workload"
)

// section is a part of the program. Either cells or text is set.
type section struct {
	name  string
	cells func(*config, lab) ([]measure.Cell, error) // measured in rounds
	text  func(context.Context, *config, lab, measure.Watcher) ([]string, error)
	limit time.Duration // on one run of a cell
}

// sections are all of them, in the order of the report.
func sections() []section {
	return []section{
		{name: "throughput", cells: throughputCells, limit: 30 * time.Second},
		{name: "slow", cells: slowCells, limit: 15 * time.Second},
		{name: "delay", cells: delayCells, limit: 10 * time.Second},
		{name: "eager", cells: loneCells, limit: 5 * time.Second},
		{name: "idle", cells: idleCells, limit: time.Minute},
		{name: "memory", cells: memoryCells, limit: 3 * time.Minute},
		{name: "safety", text: safetyText, limit: time.Minute},
		{name: "exercises", cells: exerciseCells, limit: 3 * time.Minute},
		{name: "delays", text: delayLines},
	}
}

func sectionNames() []string {
	var names []string
	for _, s := range sections() {
		names = append(names, s.name)
	}
	return names
}

// throughputCells are those of all kinds of item.
func throughputCells(cfg *config, l lab) ([]measure.Cell, error) {
	p := cfg.speed
	cells := throughputOf(l.int64s, int64Payload, p)
	cells = append(cells, throughputOf(l.structs, structPayload, p)...)
	return append(cells, throughputOf(l.pointers, pointerPayload, p)...), nil
}

// bigNumber is the item's: Go need not allocate to put a small one into an interface, which would spare
// some rivals what real items cost them.
const bigNumber = 1 << 20

func throughputOf[T any](all []contender.Contender[T], payload workload.Payload[T], p *pace) []measure.Cell {
	var cells []measure.Cell
	for _, c := range all {
		for _, producers := range producerCounts {
			load := &workload.Throughput[T]{New: c.New, Settings: fast, Producers: producers,
				Item: payload.Make(bigNumber), Slice: p.throughput}
			cells = append(cells, measure.Cell{
				Name:   fmt.Sprintf("Throughput/payload=%s/producers=%d/impl=%s", payload.Name, producers, c.Name),
				Expect: p.throughput * 5 / 4, // collecting the rubbish before is not free
				Prepare: func(ctx context.Context) error {
					if err := workload.Verify(ctx, c.New, fast, producers, payload); err != nil {
						return err
					}
					return load.Calibrate(ctx)
				},
				Run: load.Run,
			})
		}
	}
	return cells
}

// slowCells are the contenders before a slow sink, and the sink alone.
func slowCells(cfg *config, l lab) ([]measure.Cell, error) {
	p := cfg.speed
	all := append([]contender.Contender[int64]{{Name: report.SinkLimit}}, l.int64s...)
	var cells []measure.Cell
	for _, c := range all {
		load := &workload.Slow{New: c.New, Settings: slow, Producers: slowProducers, Pause: slowPause,
			Items: workload.SlowItems(slow, slowPause, p.slow)}
		cells = append(cells, measure.Cell{
			Name:    "Slow/impl=" + c.Name,
			Expect:  p.slow * 5 / 4,
			Prepare: verified(c, slow, slowProducers),
			Run:     load.Run,
		})
	}
	return cells, nil
}

// verified is the preparation of a cell, if it is one of a contender.
func verified(c contender.Contender[int64], s contender.Settings, producers int) func(context.Context) error {
	if c.New == nil {
		return nil
	}
	return func(ctx context.Context) error { return workload.Verify(ctx, c.New, s, producers, int64Payload) }
}

// delayCells are the contenders and a bare timer, with dense and with sparse arrivals.
func delayCells(cfg *config, l lab) ([]measure.Cell, error) {
	p := cfg.speed
	all := append([]contender.Contender[int64]{{Name: report.TimerBase}}, l.int64s...)
	var cells []measure.Cell
	for _, arrivals := range []workload.Arrivals{workload.Dense, workload.Sparse} {
		for _, c := range all {
			load := &workload.Delay{New: c.New, Settings: patient, Arrivals: arrivals, Slice: p.delay, Seed: cfg.seed}
			cells = append(cells, measure.Cell{
				Name:    fmt.Sprintf("Delay/arrivals=%s/impl=%s", arrivals.Name, c.Name),
				Expect:  p.delay + 20*time.Millisecond,
				Prepare: verified(c, patient, 1),
				Run:     load.Run,
			})
		}
	}
	return cells, nil
}

// loneCells are the contenders with one caller, and the two ends: a goroutine for each call, and AddWait.
func loneCells(cfg *config, l lab) ([]measure.Cell, error) {
	p := cfg.speed
	cells := []measure.Cell{
		{Name: "Lone/impl=" + report.Goroutine, Expect: p.lone, Run: workload.Bare(p.lone).Run},
		{Name: "Lone/impl=" + report.EagerImpl, Expect: p.lone, Run: eager(p.lone).Run},
	}
	for _, c := range l.int64s {
		cells = append(cells, measure.Cell{
			Name:    "Lone/impl=" + c.Name,
			Expect:  p.lone + 20*time.Millisecond,
			Prepare: verified(c, patient, 1),
			Run:     workload.LoneOf(c.New, patient, p.lone).Run,
		})
	}
	return cells, nil
}

// eager is one caller of AddWait, with a worker that takes what there is.
func eager(slice time.Duration) *workload.Lone {
	return &workload.Lone{Slice: slice, Open: func() (func(context.Context) error, func(context.Context) error, error) {
		b, err := batcher.New(func(context.Context, []int64) error { return nil }, batcher.WithEager())
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context) error { return b.AddWait(ctx, 42) }, b.Close, nil
	}}
}
