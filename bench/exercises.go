package main

// The cells of the exercises: the benchmarks of each in a program of its own.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/measure"
	"github.com/seed-4c1eaf8a/batcher/bench/report"
)

// exercisesDir is where they are, from the root.
const exercisesDir = "examples/exercises"

var errNoExercises = fmt.Errorf("no exercise with a bench_test.go in %s", exercisesDir)

// exercise is one folder.
type exercise struct {
	dir       string
	program   string // the test binary, once it is built
	benchtime time.Duration
}

// exerciseExpect is about what the benchmarks of one exercise take at 100 ms each.
const exerciseExpect = 2 * time.Second

// exerciseCells has a cell for each folder with benchmarks. Their programs are built in a temporary folder,
// which is left to the system.
func exerciseCells(c *config, _ lab) ([]measure.Cell, error) {
	p := c.speed
	files, err := filepath.Glob(filepath.Join(c.root, exercisesDir, "*", "bench_test.go"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(err, errNoExercises)
	}
	tmp, err := os.MkdirTemp("", "exercises-")
	if err != nil {
		return nil, err
	}
	var cells []measure.Cell
	for _, file := range files {
		dir := filepath.Dir(file)
		e := &exercise{dir: dir, program: filepath.Join(tmp, filepath.Base(dir)+".test"), benchtime: p.benchtime}
		cells = append(cells, measure.Cell{
			Name:    report.ExerciseCell + filepath.Base(dir),
			Expect:  exerciseExpect * p.benchtime / full.benchtime,
			Prepare: e.build,
			Run:     e.run,
		})
	}
	return cells, nil
}

// build compiles the tests.
func (e *exercise) build(ctx context.Context) error {
	_, err := e.command(ctx, "go", "test", "-c", "-o", e.program, ".")
	return err
}

// run runs all benchmarks once.
func (e *exercise) run(ctx context.Context) ([]measure.Reading, error) {
	out, err := e.command(ctx, e.program, "-test.run", "^$", "-test.bench", ".", "-test.benchmem",
		"-test.benchtime", e.benchtime.String(), "-test.count", "1", "-test.timeout", "0")
	if err != nil {
		return nil, err
	}
	readings, err := measure.Parse(bytes.NewReader(out), filepath.Base(e.dir))
	if err != nil {
		return nil, err
	}
	if len(readings) == 0 {
		return nil, fmt.Errorf("its benchmarks printed no figures: %s", tail(out))
	}
	for i := range readings {
		readings[i].Pkg = filepath.Base(e.dir)
	}
	return readings, nil
}

// command runs a program in the exercise's folder and returns what it printed. An error has the end of
// that.
func (e *exercise) command(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = e.dir
	cmd.WaitDelay = 5 * time.Second
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(name), err, tail(append(out.Bytes(), errOut.Bytes()...)))
	}
	return out.Bytes(), nil
}

// tail is the last lines of an output.
func tail(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], " / ")
}

// delaysExercise is the exercise on timers, whose delays are drawn one by one.
const delaysExercise = "03_timer_drift"

// delayLines has a line for each batch: the variant and the delay in nanoseconds.
func delayLines(ctx context.Context, c *config, _ lab, watch measure.Watcher) ([]string, error) {
	watch.Begin(delaysExercise+": the delays of single batches", 1, 1)
	cmd := exec.CommandContext(ctx, "go", "run", "./"+exercisesDir+"/"+delaysExercise+"/delays")
	cmd.Dir = c.root
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, complaints.String())
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"), nil
}
