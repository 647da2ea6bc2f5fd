package main

// Second step: build the tests over a mutant through an overlay, run them, and see what they say.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A verdict is what became of one mutant.
type verdict int

const (
	notRun        verdict = iota // the run was stopped before its turn
	noticed                      // a test failed, panicked or crashed
	timedOut                     // the tests hung, which is noticed as well
	notCompilable                // the rest does not compile without the statement
	survived                     // all tests passed: nobody misses the statement
	verdictCount
)

var verdictNames = [verdictCount]string{
	"not run", "noticed", "timed out", "not compilable", "survived",
}

func (v verdict) String() string { return verdictNames[v] }

// A result is the verdict on a mutant, and the test that noticed it where one is known.
type result struct {
	*mutant
	verdict verdict
	by      string
}

// A testPackage is what go list says about a package whose tests are run.
type testPackage struct {
	Name         string
	ImportPath   string
	Dir          string
	GoFiles      []string
	CgoFiles     []string
	TestGoFiles  []string
	XTestGoFiles []string
}

// A runner tries mutants. It is not changed once the baseline has passed, so workers may share it.
type runner struct {
	dir        string        // where the go command runs
	name       string        // of the package whose statements are deleted
	tmp        string        // everything that is written goes here
	pkgs       []testPackage // the package itself first, then those of -also
	buildFlags []string
	testArgs   []string
	timeout    time.Duration     // of one package's tests; 0 until the baseline has set it
	memory     int               // MiB that a test process may take; 0 for no bound
	longest    time.Duration     // of one package's tests; measured while there is no timeout
	switched   map[string]string // import path -> test binary of the switched build
}

// goCommand prepares the go command. An interrupt lets it clean up after itself.
func (r *runner) goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+r.tmp)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// list asks the go command for the packages of the patterns.
func (r *runner) list(ctx context.Context, patterns ...string) ([]testPackage, error) {
	args := slices.Concat([]string{"list", "-json"}, r.buildFlags, []string{"--"}, patterns)
	cmd := r.goCommand(ctx, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", strings.Join(patterns, " "), err)
	}
	var pkgs []testPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p testPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
}

// baseline runs the tests as they are. They must pass, and how long they take sets the timeout if
// none was given: ten times as long, and not less than ten seconds.
func (r *runner) baseline(ctx context.Context) error {
	v, output, err := r.try(ctx, nil)
	if err != nil {
		return err
	}
	if v != survived {
		return fmt.Errorf("the tests must pass before a statement is deleted: %s\n%s", v, output)
	}
	if r.timeout == 0 {
		r.timeout = max(10*r.longest, 10*time.Second).Round(time.Second)
	}
	return nil
}

// runAll tries the mutants on as many workers as told and reports each as it is done. The results
// are in the order of the mutants. After an error or a cancellation the rest is notRun.
func (r *runner) runAll(
	ctx context.Context, workers int, mutants []*mutant, report func(result),
) ([]result, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	results := make([]result, len(mutants))
	next := make(chan int) // sent by this function, closed by it after the last index
	var mu sync.Mutex      // serializes report
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				v, output, err := r.try(ctx, mutants[i])
				if err != nil {
					stop(err) // the first error stays
					continue
				}
				results[i].verdict, results[i].by = v, firstFailure(v, output)
				mu.Lock()
				report(results[i])
				mu.Unlock()
			}
		})
	}
	for i, m := range mutants {
		results[i].mutant = m
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return results, context.Cause(ctx)
}

// try runs the tests over one mutant, or over the package as it is if m is nil. An error means
// that there is no verdict.
func (r *runner) try(ctx context.Context, m *mutant) (verdict, []byte, error) {
	if ctx.Err() != nil {
		return notRun, nil, context.Cause(ctx)
	}
	dir, err := os.MkdirTemp(r.tmp, "mutant")
	if err != nil {
		return notRun, nil, err
	}
	defer os.RemoveAll(dir)
	var overlay []string
	if m != nil && m.number == 0 {
		path, err := writeOverlay(dir, m)
		if err != nil {
			return notRun, nil, err
		}
		overlay = []string{"-overlay", path}
	}
	for _, pkg := range r.pkgs {
		if binary := r.switched[pkg.ImportPath]; binary != "" && (m == nil || m.number > 0) {
			v, output, err := r.runTests(ctx, pkg, binary, m)
			if err != nil || v != survived {
				return v, output, err
			}
			continue
		}
		v, output, err := r.tryPackage(ctx, dir, pkg, m, overlay)
		if err != nil || v != survived {
			return v, output, err
		}
	}
	return survived, nil, nil
}

// tryPackage builds the tests of one package and runs them.
func (r *runner) tryPackage(
	ctx context.Context, dir string, pkg testPackage, m *mutant, overlay []string,
) (verdict, []byte, error) {
	binary := filepath.Join(dir, "package.test")
	output, err := r.build(ctx, binary, pkg, overlay)
	switch {
	case ctx.Err() != nil:
		return notRun, nil, context.Cause(ctx)
	case err == nil:
		return r.runTests(ctx, pkg, binary, nil)
	case m != nil && bytes.Contains(output, []byte(filepath.Base(m.file)+":")):
		return notCompilable, nil, nil
	}
	return notRun, nil, fmt.Errorf("%w\n%s", err, output)
}

// build builds the test binary of one package. It returns what the compiler said.
func (r *runner) build(ctx context.Context, binary string, pkg testPackage, overlay []string) ([]byte, error) {
	args := slices.Concat([]string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", binary},
		overlay, r.buildFlags, []string{pkg.ImportPath})
	output, err := r.goCommand(ctx, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return output, err
}

// runTests runs a test binary in the folder of its package, as go test would, with m switched off if
// it is numbered.
func (r *runner) runTests(
	ctx context.Context, pkg testPackage, binary string, m *mutant,
) (verdict, []byte, error) {
	args := append([]string{binary, "-test.paniconexit0", "-test.failfast"}, r.testArgs...)
	cmdCtx := ctx
	if r.timeout > 0 {
		args = append(args, "-test.timeout="+r.timeout.String())
		// The binary ends itself at its timeout; this is for one that is past doing so.
		var cancel context.CancelFunc
		cmdCtx, cancel = context.WithTimeout(ctx, r.timeout+5*time.Second)
		defer cancel()
	}
	args = r.bounded(args)
	cmd := exec.CommandContext(cmdCtx, args[0], args[1:]...)
	cmd.Dir = pkg.Dir
	cmd.Env = append(os.Environ(), "TMPDIR="+r.tmp, "PWD="+pkg.Dir)
	if m != nil && m.number > 0 {
		cmd.Env = append(cmd.Env, switchVar+"="+strconv.Itoa(m.number))
	}
	cmd.WaitDelay = 5 * time.Second
	var output head
	cmd.Stdout, cmd.Stderr = &output, &output
	start := time.Now()
	err := cmd.Run()
	elapsed := time.Since(start)
	if r.timeout == 0 {
		r.longest = max(r.longest, elapsed)
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return notRun, nil, context.Cause(ctx)
	case err == nil:
		return survived, nil, nil
	case r.timeout > 0 && elapsed >= r.timeout:
		return timedOut, output.kept, nil
	case errors.As(err, &exit), errors.Is(err, exec.ErrWaitDelay):
		return noticed, output.kept, nil
	}
	return notRun, nil, err
}

// bounded puts a limit on the memory of a command: without the statement that ends it, a loop that
// appends would take the machine down. The race detector and its like map far more than they use
// and run without the limit.
func (r *runner) bounded(args []string) []string {
	sh, err := exec.LookPath("sh")
	if r.memory <= 0 || err != nil {
		return args
	}
	for _, flag := range r.buildFlags {
		switch strings.TrimLeft(flag, "-") {
		case "race", "msan", "asan":
			return args
		}
	}
	script := fmt.Sprintf(`ulimit -d %d; exec "$0" "$@"`, r.memory<<10)
	return append([]string{sh, "-c", script}, args...)
}

// writeOverlay writes the mutant and the file that tells the go command to read it in the place of
// the original. It returns the latter's path.
func writeOverlay(dir string, m *mutant) (string, error) {
	source := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(source, m.mutated(), 0o600); err != nil {
		return "", err
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": {m.file: source}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, data, 0o600)
}

var failLine = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// firstFailure names the first test that failed, or says what else ended the process.
func firstFailure(v verdict, output []byte) string {
	if v != noticed {
		return ""
	}
	if match := failLine.FindSubmatch(output); match != nil {
		return string(match[1])
	}
	for line := range strings.Lines(string(output)) {
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			return strings.TrimSpace(line)
		}
	}
	return "exit status"
}

// head is a writer that keeps the beginning and forgets the rest: a mutant may print for ever.
type head struct{ kept []byte }

func (h *head) Write(p []byte) (int, error) {
	const limit = 1 << 18
	h.kept = append(h.kept, p[:min(len(p), limit-len(h.kept))]...)
	return len(p), nil
}
