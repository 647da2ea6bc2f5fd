package main

// The fourth step: measuring, section by section.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/measure"
)

// job is a section with its cells.
type job struct {
	section
	measure.Plan
}

// measure runs the sections that were asked for, and stores each as soon as it is done: who interrupts the
// program keeps the sections before.
func (c *config) measure(ctx context.Context, l lab, stderr io.Writer) error {
	jobs, total, err := c.jobs(l)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%d rounds, seed %d, about %v:", c.rounds, c.seed, total.Round(time.Second))
	for _, j := range jobs {
		fmt.Fprintf(stderr, " %s %v", j.section.name, j.Expect().Round(time.Second))
	}
	fmt.Fprintln(stderr)
	progress := measure.NewProgress(stderr, total)
	for _, j := range jobs {
		if err := c.one(ctx, l, j, progress); err != nil {
			return fmt.Errorf("%s: %w", j.section.name, err)
		}
	}
	progress.Done()
	return nil
}

// jobs makes the cells of all sections before any is measured, so that what is wrong shows at once.
func (c *config) jobs(l lab) (jobs []job, total time.Duration, err error) {
	for _, s := range sections() {
		if !slices.Contains(c.only, s.name) {
			continue
		}
		j := job{s, measure.Plan{Section: s.name, Rounds: c.rounds, Seed: c.seed, Limit: s.limit}}
		if s.cells != nil {
			if j.Cells, err = s.cells(c, l); c.all && errors.Is(err, errNoExercises) {
				continue
			} else if err != nil {
				return nil, 0, fmt.Errorf("%s: %w", s.name, err)
			}
		}
		total += j.Expect()
		jobs = append(jobs, j)
	}
	return jobs, total, nil
}

// one measures a section and stores it.
func (c *config) one(ctx context.Context, l lab, j job, watch measure.Watcher) error {
	load := measure.StartLoad()
	rec := &measure.Record{Header: append(measure.Header{{Key: "section", Value: j.section.name}},
		measure.Origin(ctx, c.root, c.line)...)}
	rec.Header = append(rec.Header, measure.Machine()...)
	rec.Header = append(rec.Header,
		measure.Fact{Key: "rounds", Value: strconv.Itoa(c.rounds)},
		measure.Fact{Key: "seed", Value: strconv.FormatUint(c.seed, 10)})
	if c.draft || c.quick {
		rec.Header = append(rec.Header, measure.Fact{Key: "draft", Value: "yes"})
	}
	var err error
	if j.text != nil {
		rec.Text, err = j.text(ctx, c, l, watch)
	} else {
		rec.Outcome, err = j.Plan.Run(ctx, watch)
	}
	if err != nil {
		return err
	}
	rec.Header = append(rec.Header, load.Facts()...)
	return rec.Write(c.results(j.section.name))
}

// results is the file of a section.
func (c *config) results(section string) string {
	return filepath.Join(c.docs(), "results", section+".txt")
}

// docs is the folder of the documents.
func (c *config) docs() string {
	if filepath.IsAbs(c.out) {
		return c.out
	}
	return filepath.Join(c.root, c.out)
}
