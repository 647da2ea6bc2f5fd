package main

import (
	"bytes"
	"context"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// toy has a statement for each verdict.
const toy = `package toy

import "os"

type Sum struct {
	total int
	last  []int
}

// Add adds up.
func (s *Sum) Add(values []int) {
	rest := values
	for len(rest) > 0 {
		s.total += rest[0]
		rest = rest[1:]
	}
	s.last = values
	defer os.Getenv("HOME")
}
`

const toyTest = `package toy

import "testing"

func TestAdd(t *testing.T) {
	var s Sum
	s.Add([]int{1, 2})
	if s.total != 3 {
		t.Fatal(s.total)
	}
}
`

// writeModule makes a module of its own from the files.
func writeModule(t *testing.T, files map[string]string) string {
	t.Helper()
	t.Setenv("GOWORK", "off")
	dir := t.TempDir()
	files["go.mod"] = "module toy\n\ngo 1.25.0\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// execute runs the command and returns its exit status and what it printed. It checks that nothing
// is left in the folder for temporary files.
func execute(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return status, out.String(), errs.String()
}

func TestEachStatementGetsItsVerdict(t *testing.T) {
	dir := writeModule(t, map[string]string{"toy.go": toy, "toy_test.go": toyTest})
	status, out, stderr := execute(t, "-timeout", "2s", dir)
	if status != 1 {
		t.Fatalf("status %d, want 1\n%s%s", status, out, stderr)
	}
	want := `toy.go:12  rest := values            not compilable
toy.go:13  for len(rest) > 0 {...}   noticed by TestAdd
toy.go:14  s.total += rest[0]        noticed by TestAdd
toy.go:15  rest = rest[1:]           timed out
toy.go:17  s.last = values           survived
toy.go:18  defer os.Getenv("HOME")   survived

6 statements: 2 noticed 1 timed out 1 not compilable 2 survived

Survivors without an excuse:
toy.go: Sum.Add: s.last = values
toy.go: Sum.Add: defer os.Getenv("HOME")
`
	if squeeze(out) != squeeze(want) {
		t.Errorf("got:\n%s\nwant:\n%s", out, want)
	}
	if !strings.Contains(stderr, "6 of 6 statements") || !strings.Contains(stderr, "[6/6]") {
		t.Errorf("progress:\n%s", stderr)
	}
}

// squeeze makes tables comparable whatever the widths of their columns.
func squeeze(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestExcusedSurvivorsPassAndStaleExcusesDoNot(t *testing.T) {
	dir := writeModule(t, map[string]string{"toy.go": toy, "toy_test.go": toyTest})
	list := filepath.Join(dir, "allow")
	excuse := "# kept for its effect\ntoy.go: Sum.Add: s.last = values # for a debugger\n"
	if err := os.WriteFile(list, []byte(excuse), 0o600); err != nil {
		t.Fatal(err)
	}
	// Of 6 statements the 2nd of 3 parts is the 2nd and the 5th.
	status, out, stderr := execute(t, "-allow", list, "-shard", "2/3", dir, "toy.go")
	if status != 0 || !strings.Contains(out, "2 statements: 1 noticed") {
		t.Errorf("status %d, want 0\n%s%s", status, out, stderr)
	}
}

func TestTestsElsewhereMayNotice(t *testing.T) {
	const elsewhere = `package prop

import (
	"testing"
	"toy"
)

func TestLast(t *testing.T) {
	if last := toy.AddLast(1); last != 1 {
		t.Fatal(last)
	}
}
`
	const addLast = `package toy

func AddLast(x int) int {
	var s Sum
	s.Add([]int{x})
	return s.last[0]
}
`
	dir := writeModule(t, map[string]string{
		"toy.go": toy, "last.go": addLast, "toy_test.go": toyTest,
		"prop/prop_test.go": elsewhere,
	})
	t.Chdir(dir)
	status, out, stderr := execute(t, "-also", "./prop", "-run-file", "^toy", "-shard", "5/6")
	if status != 0 || !strings.Contains(out, "s.last = values  noticed by TestLast") {
		t.Errorf("status %d, want 0\n%s%s", status, out, stderr)
	}
}

func TestTheTestsMustPassBeforehand(t *testing.T) {
	failing := strings.Replace(toyTest, "!= 3", "!= 4", 1)
	dir := writeModule(t, map[string]string{"toy.go": toy, "toy_test.go": failing})
	status, out, stderr := execute(t, dir)
	if status != 2 || out != "" || !strings.Contains(stderr, "must pass") {
		t.Errorf("status %d, want 2\n%s%s", status, out, stderr)
	}
}

func TestAnInterruptStopsTheRun(t *testing.T) {
	hanging := strings.Replace(toyTest, "var s Sum", "time.Sleep(time.Hour)\n\tvar s Sum", 1)
	hanging = strings.Replace(hanging, `"testing"`, "(\n\t\"testing\"\n\t\"time\"\n)", 1)
	dir := writeModule(t, map[string]string{"toy.go": toy, "toy_test.go": hanging})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	if status := run(ctx, []string{"-timeout", "1h", dir}, &out, &errs); status != 130 {
		t.Errorf("status %d, want 130\n%s%s", status, &out, &errs)
	}
}

func TestMutantsKeepTheirLinesAndParse(t *testing.T) {
	const src = `package p

var hook = func() { println("hook") }

func (b *Box[T]) Run(x int) (err error) {
	defer b.mu.Unlock()
	if x < 0 {
		return nil
	} else if x == b.next() {
		x++
	} else {
		x--
	}
	if x > 9 {
		x = 9
	}
	select {
	case b.in <- x:
	case <-b.done: // closed
		return b.err
	}
	switch {
	case x > 1:
		fallthrough
	default:
		x = f(x,
			2)
	}
	x++
	return nil
}
`
	got := keysOf(t, src)
	want := []string{
		`p.go: hook: println("hook")`,
		`p.go: Box.Run: defer b.mu.Unlock()`,
		`p.go: Box.Run: if x < 0 {...}`,
		`p.go: Box.Run: return nil`,
		`p.go: Box.Run: if x == b.next() {...}`,
		`p.go: Box.Run: x++`,
		`p.go: Box.Run: x--`,
		`p.go: Box.Run: if x > 9 {...}`,
		`p.go: Box.Run: select {...}`,
		`p.go: Box.Run: case b.in <- x: ...`,
		`p.go: Box.Run: case <-b.done: ...`,
		`p.go: Box.Run: return b.err`,
		`p.go: Box.Run: switch {...}`,
		`p.go: Box.Run: case x > 1: ...`,
		`p.go: Box.Run: fallthrough`,
		`p.go: Box.Run: default: ...`,
		`p.go: Box.Run: x = f(x, 2)`,
		`p.go: Box.Run: x++ (2)`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// keysOf returns the keys of the mutants of a source, having checked the mutants themselves.
func keysOf(t *testing.T, src string) (keys []string) {
	t.Helper()
	mutants, err := findMutants("p.go", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		keys = append(keys, m.key)
		text := m.mutated()
		if _, err := format.Source(text); err != nil {
			t.Errorf("%s: %v\n%s", m.key, err, text)
		}
		if bytes.Equal(text, m.src) || bytes.Count(text, []byte("\n")) != strings.Count(src, "\n") {
			t.Errorf("%s: lines have moved:\n%s", m.key, text)
		}
	}
	return keys
}

func TestGeneratedFilesAreLeftOut(t *testing.T) {
	const src = "// Code generated by hand. DO NOT EDIT.\n\npackage p\n\nfunc f() { g(); h() }\n"
	if keys := keysOf(t, src); len(keys) > 0 {
		t.Errorf("got %v", keys)
	}
}

func TestAnExcuseIsStaleOnlyIfItsMutantSaysSo(t *testing.T) {
	mutants := []*mutant{{key: "lives"}, {key: "dies"}, {key: "untried"}}
	results := []result{
		{mutant: mutants[0], verdict: survived},
		{mutant: mutants[1], verdict: noticed},
	}
	allowed := []*allowance{{key: "lives"}, {key: "dies"}, {key: "untried"}, {key: "gone"}}
	unexcused, stale := judge(results, allowed, mutants)
	if len(unexcused) != 0 || len(stale) != 2 ||
		stale[0].why != "noticed" || stale[1].why != "no such statement" {
		t.Errorf("unexcused %v, stale %v", unexcused, stale)
	}
}

func TestAnExcuseNeedsAReason(t *testing.T) {
	for text, want := range map[string]string{
		"a.go: f: x = 1\n":                           "no reason",
		"a.go: f: x # one\n\na.go: f: x # another\n": ":3: excused twice",
	} {
		path := filepath.Join(t.TempDir(), "allow")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readAllowed(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestFiltersShardsAndTheLimitChoose(t *testing.T) {
	var all []*mutant
	for _, fn := range []string{"A", "B"} {
		for _, file := range []string{"x.go", "y.go"} {
			for range 4 {
				all = append(all, &mutant{file: "/p/" + file, fn: fn})
			}
		}
	}
	for want, args := range map[int][]string{
		16: nil,
		8:  {"-func", "^A$"},
		4:  {"-func", "B", "-run-file", "^x"},
		5:  {"-shard", "2/3"},
		3:  {"-n", "3", ".", "y.go"},
	} {
		o, err := parseOptions(args, os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(o.choose(all)); got != want {
			t.Errorf("%v chose %d of %d, want %d", args, got, len(all), want)
		}
	}
}

func TestTheCommandLineIsChecked(t *testing.T) {
	for _, args := range [][]string{
		{"-p", "0"}, {"-shard", "3/2"}, {"-shard", "x"}, {"-func", "("}, {"-nope"},
	} {
		if status, _, stderr := execute(t, args...); status != 2 || stderr == "" {
			t.Errorf("%v: status %d, said %q", args, status, stderr)
		}
	}
}
