// Command bench measures this library beside its rivals, runs the exercises, and writes the report.
//
//	go run ./bench                          all sections, ten rounds: about twenty minutes
//	go run ./bench -only throughput,slow    these sections; the others stay as they were
//	go run ./bench -quick -only throughput  a look, on standard output
//	go run ./bench -render                  the report again, from the results that are there
//
// It writes docs/results (what was measured, in the format of Go's benchmarks), docs/charts,
// docs/RESULTS.md, and the figures in the exercises' READMEs. Run it on a machine that does nothing
// else: the report says what other load there was.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/idle"
	"github.com/seed-4c1eaf8a/batcher/bench/safety"
)

func main() {
	jobs := safety.Jobs(contender.Find[int])
	maps.Copy(jobs, idle.Jobs(contender.Find[int]))
	jobs.Main() // does not return in a process that was started for one
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the program, from its arguments to its end.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stderr)
	if errors.Is(err, errHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if c.root, err = findRoot(); err != nil {
		return err
	}
	if c.quick {
		if c.out, err = os.MkdirTemp("", "bench-"); err != nil {
			return err
		}
		fmt.Fprintln(stderr, "a quick look; the results are in", c.out)
	}
	return c.perform(ctx, everyone(), stdout, stderr)
}

// perform measures, unless it is told to render only, and writes the report.
func (c *config) perform(ctx context.Context, l lab, stdout, stderr io.Writer) error {
	if !c.render {
		if err := c.measure(ctx, l, stderr); err != nil {
			return err
		}
	}
	page, err := c.write(l)
	if c.quick {
		fmt.Fprint(stdout, page)
	}
	return err
}
