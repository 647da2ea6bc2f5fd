package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/bench/measure"
	"github.com/seed-4c1eaf8a/batcher/bench/report"
)

// tiny is a pace for tests: as short as it goes.
var tiny = pace{
	throughput: 100 * time.Microsecond,
	slow:       2 * time.Millisecond,
	delay:      60 * time.Millisecond,
	lone:       time.Millisecond,
	benchtime:  time.Microsecond,
	idle:       time.Millisecond,
	instances:  3,
}

// scratch is a repository with nothing in it but one exercise.
func scratch(t *testing.T, args ...string) *config {
	t.Helper()
	c, err := parse(args, os.Stderr)
	require.NoError(t, err)
	c.root, c.speed = t.TempDir(), &tiny
	dir := filepath.Join(c.root, exercisesDir, "01_nothing")
	require.NoError(t, os.MkdirAll(dir, 0o777))
	for name, text := range map[string]string{
		"go.mod":    "module nothing\n\ngo 1.26\n",
		"README.md": "# Nothing\n\n" + report.FiguresBegin + "\n" + report.FiguresEnd + "\n",
		"bench_test.go": "package nothing\n\nimport \"testing\"\n\nfunc BenchmarkAdd(b *testing.B) {\n" +
			"for _, v := range []string{\"slow\", \"fast\"} {\nb.Run(\"n=1/\"+v, func(b *testing.B) {\n" +
			"for b.Loop() {\n}\nb.ReportMetric(7, \"cpu-ns/item\")\n})\n}\n}\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	return c
}

// read returns a file of the documents.
func read(t *testing.T, c *config, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.docs(), name))
	require.NoError(t, err)
	return string(data)
}

func TestARunWithTwoContendersWritesEverything(t *testing.T) {
	t.Setenv("GOWORK", "off")
	c := scratch(t, "-only", "throughput,slow,delay,eager,exercises", "-rounds", "2", "-draft", "-seed", "42")
	var stderr bytes.Buffer
	require.NoError(t, c.perform(t.Context(), twoFakes(), nil, &stderr))

	assert.Contains(t, stderr.String(), "2 rounds, seed 42, about ")
	assert.Contains(t, stderr.String(), "measured in ")
	page := read(t, c, "RESULTS.md")
	assert.Contains(t, page, "| **batcher** | **")
	assert.Contains(t, page, "No figure for leaky: lost ")
	assert.Contains(t, page, "leaky does more than the others: it forgets.")
	assert.Contains(t, page, "leaky cannot do as it was told: MaxDelay: there is no timer.")
	assert.Contains(t, page, "go run ./bench -only throughput,slow,delay,eager,exercises -rounds 2 -draft -seed 42")
	assert.Contains(t, page, "A draft, to be measured again.")
	for _, name := range []string{"throughput", "allocations"} {
		assert.Contains(t, page, "charts/"+name+"-dark.svg")
		assert.Contains(t, read(t, c, "charts/"+name+"-light.svg"), "</svg>")
	}
	readme, err := os.ReadFile(filepath.Join(c.root, exercisesDir, "01_nothing", "README.md"))
	require.NoError(t, err)
	assert.Contains(t, string(readme), "| Add n=1 | cpu-ns/item | 7 ns ± ∞ | 7 ns ± ∞ (equal) |")
}

func TestRenderingAgainGivesTheSame(t *testing.T) {
	c := scratch(t, "-only", "throughput,slow", "-rounds", "2", "-draft")
	require.NoError(t, c.perform(t.Context(), twoFakes(), nil, &bytes.Buffer{}))
	before := read(t, c, "RESULTS.md")
	again := *c
	again.render = true
	require.NoError(t, again.perform(t.Context(), twoFakes(), nil, &bytes.Buffer{}))
	assert.Equal(t, before, read(t, c, "RESULTS.md"))
}

func TestSectionsMeasuredApartCombine(t *testing.T) {
	c := scratch(t, "-only", "throughput", "-rounds", "1", "-draft")
	require.NoError(t, c.perform(t.Context(), twoFakes(), nil, &bytes.Buffer{}))
	first := read(t, c, "results/throughput.txt")
	c.only, c.line = []string{"slow"}, "go run ./bench -only slow"
	require.NoError(t, c.perform(t.Context(), twoFakes(), nil, &bytes.Buffer{}))
	assert.Equal(t, first, read(t, c, "results/throughput.txt"), "the other section stays as it was")
	page := read(t, c, "RESULTS.md")
	assert.Contains(t, page, "    go run ./bench -only throughput ")
	assert.Contains(t, page, "    go run ./bench -only slow\n")
}

func TestAnInterruptedRunLeavesTheResultsAsTheyWere(t *testing.T) {
	c := scratch(t, "-only", "throughput", "-rounds", "1", "-draft")
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	assert.ErrorIs(t, c.perform(ctx, twoFakes(), nil, &bytes.Buffer{}), enough)
	assert.NoFileExists(t, c.results("throughput"))
	assert.NoFileExists(t, filepath.Join(c.docs(), "RESULTS.md"))
}

func TestALookWritesToStandardOutputOnly(t *testing.T) {
	c := scratch(t, "-only", "slow", "-quick")
	c.out = t.TempDir()
	var stdout bytes.Buffer
	require.NoError(t, c.perform(t.Context(), twoFakes(), &stdout, &bytes.Buffer{}))
	assert.True(t, strings.HasPrefix(stdout.String(), "# Results\n"))
	assert.NoDirExists(t, filepath.Join(c.root, "docs"))
}

func TestAReadmeWithoutMarksIsToldAndTheRestIsWritten(t *testing.T) {
	t.Setenv("GOWORK", "off")
	c := scratch(t, "-only", "exercises", "-rounds", "1", "-draft")
	readme := filepath.Join(c.root, exercisesDir, "01_nothing", "README.md")
	require.NoError(t, os.WriteFile(readme, []byte("# Nothing\n"), 0o666))
	err := c.perform(t.Context(), twoFakes(), nil, &bytes.Buffer{})
	assert.ErrorContains(t, err, "01_nothing")
	assert.ErrorContains(t, err, "0 times")
	assert.Contains(t, read(t, c, "RESULTS.md"), "### 01 nothing")
	left, err := os.ReadFile(readme)
	require.NoError(t, err)
	assert.Equal(t, "# Nothing\n", string(left))
}

func TestAnExerciseThatDoesNotCompileIsTold(t *testing.T) {
	t.Setenv("GOWORK", "off")
	c := scratch(t, "-only", "exercises", "-rounds", "1", "-draft")
	broken := filepath.Join(c.root, exercisesDir, "01_nothing", "broken.go")
	require.NoError(t, os.WriteFile(broken, []byte("package nothing\n\nvar x int = \"\"\n"), 0o666))
	require.NoError(t, c.perform(t.Context(), twoFakes(), nil, &bytes.Buffer{}))
	assert.Contains(t, read(t, c, "RESULTS.md"), "No figures for 01_nothing: go: exit status 1: ")
}

func TestWithoutExercisesTheSectionIsRefused(t *testing.T) {
	c := scratch(t, "-only", "exercises", "-rounds", "1", "-draft")
	require.NoError(t, os.RemoveAll(filepath.Join(c.root, exercisesDir)))
	assert.ErrorContains(t, c.perform(t.Context(), twoFakes(), nil, &bytes.Buffer{}), "no exercise with a bench_test.go")
}

func TestADamagedResultIsAnError(t *testing.T) {
	c := scratch(t, "-render")
	require.NoError(t, measure.Replace(c.results("slow"), []byte("section: slow\nBenchmarkSlow/impl=x 1 two items/s\n")))
	assert.ErrorContains(t, c.perform(t.Context(), twoFakes(), nil, &bytes.Buffer{}), "parsing")
}

func TestAllSectionsAreThoseThatThereAre(t *testing.T) {
	c := scratch(t, "-rounds", "1", "-draft")
	require.NoError(t, os.RemoveAll(filepath.Join(c.root, exercisesDir)))
	jobs, _, err := c.jobs(twoFakes())
	require.NoError(t, err)
	assert.Len(t, jobs, len(sections())-1)
}
