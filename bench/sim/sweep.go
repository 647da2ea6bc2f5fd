package main

// The seventh step: the same with several values of one setting, as a table.

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// sweepable are the flags that can be given several values.
var sweepable = []string{"rate", "size", "delay", "workers", "queue"}

// titles are what the flags stand for, in tables and pictures.
var titles = map[string]string{
	"rate": "items/s", "size": "MaxSize", "delay": "MaxDelay", "workers": "Workers", "queue": "QueueDepth",
}

// sweep is one flag with several values.
type sweep struct {
	name   string
	values []string
	x      []float64 // the values as numbers, of milliseconds for times
}

// maxSteps is how many values there may be.
const maxSteps = 50

// parseSweep reads "delay=10ms,20ms"; nil for "".
func parseSweep(text string) (*sweep, error) {
	if text == "" {
		return nil, nil
	}
	name, list, _ := strings.Cut(text, "=")
	if !slices.Contains(sweepable, name) || list == "" {
		return nil, fmt.Errorf("must be one of %s with its values, such as delay=10ms,20ms,50ms", strings.Join(sweepable, ", "))
	}
	s := &sweep{name: name, values: strings.Split(list, ",")}
	if len(s.values) < 2 || len(s.values) > maxSteps {
		return nil, fmt.Errorf("has %d values, must have from 2 to %d", len(s.values), maxSteps)
	}
	for i, v := range s.values {
		x, err := (&config{}).set(name, v)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q: %w", v, err)
		case i > 0 && x <= s.x[i-1]:
			return nil, fmt.Errorf("%q: the values must ascend", v)
		}
		s.x = append(s.x, x)
	}
	return s, nil
}

// set gives the flag that is swept one of its values, and returns it as a number.
func (c *config) set(name, value string) (x float64, err error) {
	switch name {
	case "rate":
		c.rate, err = strconv.ParseFloat(value, 64)
		return c.rate, wrong(err, "no number")
	case "delay":
		c.delay, err = time.ParseDuration(value)
		return float64(c.delay) / float64(time.Millisecond), wrong(err, "no time such as 10ms")
	}
	n, err := strconv.Atoi(value)
	switch name {
	case "size":
		c.size = n
	case "workers":
		c.workers = n
	case "queue":
		c.queue, c.queueGiven = n, true
	}
	return float64(n), wrong(err, "no whole number")
}

// wrong says in short what err says at length.
func wrong(err error, short string) error {
	if err == nil {
		return nil
	}
	return errors.New(short)
}

// steps returns the configurations of the sweep, all of them checked before any is run.
func (c *config) steps() (all []*config, err error) {
	var faults []error
	for _, v := range c.sweep.values {
		step := *c
		step.sweep = nil
		if _, err := step.set(c.sweep.name, v); err != nil {
			return nil, err
		}
		for _, fault := range step.check() {
			faults = append(faults, fmt.Errorf("-sweep %s=%s: %w", c.sweep.name, v, fault))
		}
		all = append(all, &step)
	}
	return all, errors.Join(faults...)
}

// runSweep runs all steps, and prints the table.
func (c *config) runSweep(w io.Writer) error {
	steps, err := c.steps()
	if err != nil {
		return err
	}
	var all []figures
	for i, step := range steps {
		f, err := step.simulate(step.settings)
		if err != nil {
			return fmt.Errorf("-sweep %s=%s: %w", c.sweep.name, c.sweep.values[i], err)
		}
		all = append(all, f)
	}
	c.printTable(w, all)
	if c.plot == "" {
		return nil
	}
	return c.drawSweep(w, steps, all)
}

// printTable prints a row for each step, as Markdown.
func (c *config) printTable(w io.Writer, all []figures) {
	last := "waited for room"
	switch c.overflow {
	case batcher.Reject:
		last = "refused"
	case batcher.DropNewest, batcher.DropOldest:
		last = "dropped"
	}
	table := [][]string{{titles[c.sweep.name], "batch mean", "p99", "calls/s", "workers busy",
		"Add to flush p50", "p99", "Add to written p50", "p99", "max", "most held", last}}
	for i, f := range all {
		n := f.waited
		if c.overflow != batcher.Block {
			n = f.lost()
		}
		table = append(table, []string{c.sweep.values[i], count(f.size.mean), strconv.Itoa(f.size.p99),
			count(f.calls()), percent(f.busy), pretty(f.toBegin.p50), pretty(f.toBegin.p99),
			pretty(f.toEnd.p50), pretty(f.toEnd.p99), pretty(f.toEnd.max), strconv.Itoa(f.mostHeld), percent(f.share(n))})
	}
	printMarkdown(w, table)
}

// printMarkdown prints rows under a head, all columns to the right.
func printMarkdown(w io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(w, "| %*s ", widths[i], cell)
		}
		fmt.Fprintln(w, "|")
		if n == 0 {
			for _, width := range widths {
				fmt.Fprintf(w, "|%s:", strings.Repeat("-", width+1))
			}
			fmt.Fprintln(w, "|")
		}
	}
}
