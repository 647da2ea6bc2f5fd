package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/measure"
)

// rec is a record with ten rounds of each of the lines: name, unit, and the value of the first
// round, to which each further one adds a hundredth.
func rec(section string, lines ...string) *Set {
	r := &measure.Record{Header: measure.Header{
		{Key: "section", Value: section}, {Key: "date", Value: "2026-11-25T10:00Z"}, {Key: "commit", Value: "abc"},
		{Key: "command", Value: "go run ./bench -only " + section}, {Key: "go", Value: "go1.26.8"}, {Key: "goos", Value: "linux"},
		{Key: "goarch", Value: "amd64"}, {Key: "cpu", Value: "Abacus"}, {Key: "cores", Value: "2"}, {Key: "memory", Value: "1.0 GiB"},
		{Key: "kernel", Value: "6.1"}, {Key: "load-before", Value: "0.1 0.1 0.1"}, {Key: "load-during", Value: "others 1 %, stolen 0 %"},
		{Key: "rounds", Value: "10"}, {Key: "seed", Value: "42"},
	}}
	for _, line := range lines {
		var pkg, name, unit string
		var value float64
		_, err := fmt.Sscan(line, &pkg, &name, &unit, &value)
		if err != nil {
			panic(err)
		}
		for round := range 10 {
			r.Readings = append(r.Readings, measure.Reading{Pkg: strings.Trim(pkg, "-"), Name: name, Iters: 1,
				Values: []measure.Value{{Value: value * (1 + float64(round)/100), Unit: unit}}})
		}
	}
	return NewSet(r)
}

// subjects are one of each kind.
func subjects() []Subject {
	return []Subject{
		{Name: "batcher", Kind: contender.Ours},
		{Name: EagerImpl, Kind: contender.Ours},
		{Name: "rival", Kind: contender.Library, Richer: "a result for each item", Unable: []string{"MaxSize: it has none."}},
		{Name: "mutex", Kind: contender.ByHand},
		{Name: "lock", Kind: contender.Limit},
	}
}

// example is a page with some of everything.
func example() *Page {
	throughput := rec("throughput",
		"- Throughput/payload=int64/producers=8/impl=rival sec/item 100e-9",
		"- Throughput/payload=int64/producers=8/impl=batcher sec/item 30e-9",
		"- Throughput/payload=int64/producers=8/impl=mutex sec/item 20e-9",
		"- Throughput/payload=int64/producers=8/impl=lock sec/item 10e-9",
		"- Throughput/payload=int64/producers=1/impl=rival sec/item 9e-9",
		"- Throughput/payload=int64/producers=1/impl=batcher sec/item 9.0001e-9",
		"- Throughput/payload=int64/producers=8/impl=batcher allocs/item 0",
		"- Throughput/payload=int64/producers=8/impl=mutex allocs/item 1",
		"- Throughput/payload=int64/producers=8/impl=rival allocs/item 0",
	)
	throughput.failed[ParseKey("Throughput/payload=int64/producers=1/impl=mutex")] = "lost 3 of 10 items"
	safety := rec("safety")
	safety.Text = []string{
		ProbeLine("panic", "the sink panics once"),
		Trial{"panic", "batcher", Passed, ""}.Line(), Trial{"panic", "rival", Failed, "the process died"}.Line(),
		ProbeLine("late-add", "Add after Close"),
		Trial{"late-add", "batcher", Failed, "accepted | lost"}.Line(), Trial{"late-add", "rival", Passed, "refused"}.Line(),
		Trial{"late-add", "mutex", NotApplicable, "no Close"}.Line(),
	}
	return &Page{
		Subjects: subjects(),
		Charts:   map[string]bool{"throughput": true},
		Sets: map[string]*Set{
			"throughput": throughput,
			"slow": rec("slow", "- Slow/impl=sink-alone items/s 200000", "- Slow/impl=batcher items/s 196000", "- Slow/impl=rival items/s 50000",
				"- Slow/impl=batcher held-items 1300", "- Slow/impl=rival held-items 150000"),
			"delay": rec("delay", "- Delay/arrivals=dense/impl=bare-timer p50-sec 0.0101", "- Delay/arrivals=dense/impl=batcher p50-sec 0.0102",
				"- Delay/arrivals=dense/impl=rival p50-sec 0.0050"),
			"eager":  rec("eager", "- Lone/impl=batcher-eager p50-sec 2e-6", "- Lone/impl=rival p50-sec 1e-6", "- Lone/impl=batcher p50-sec 0.0101"),
			"safety": safety,
			"exercises": rec("exercises", "01_pool Add/n=10/slow sec/op 100e-9", "01_pool Add/n=10/fast sec/op 50e-9", "01_pool Add/n=10/pool sec/op 100.01e-9",
				"01_pool Add/n=10/slow allocs/op 1", "01_pool Add/n=10/fast allocs/op 0", "01_pool Add/n=9/slow sec/op 10e-9", "01_pool Add/n=9/fast sec/op 40e-9",
				"02_other Flush/slow items/s 100", "02_other Flush/fast items/s 100.001"),
		},
	}
}

// TestThePageIsAsInTheGoldenFile compares the whole page. Where it differs on purpose, run the test with
// UPDATE_GOLDEN=1, and read the difference.
func TestThePageIsAsInTheGoldenFile(t *testing.T) {
	path := filepath.Join("testdata", "page.md")
	got := example().Markdown()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o666))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

func TestAPageCanBeMadeTwice(t *testing.T) {
	p := example()
	assert.Equal(t, p.Markdown(), p.Markdown())
}

func TestAnEmptyPageSaysThatNothingWasMeasured(t *testing.T) {
	got := (&Page{}).Markdown()
	assert.Equal(t, len(sections), strings.Count(got, "Not measured yet."))
	assert.Contains(t, got, "Nothing, in what was measured so far.")
}

func TestALimitIsNoRival(t *testing.T) {
	got := example().Markdown()
	_, list, _ := strings.Cut(got, "## What this library does not win")
	assert.Contains(t, list, "mutex 20.9 ns (0.67 x, p=0.000)")
	assert.NotContains(t, list, "lock 10", "a limit is faster, which is no loss")
	assert.NotContains(t, list, "rival 104", "a slower rival is none either")
}

func TestOursWithoutAFigureIsNotWon(t *testing.T) {
	p := example()
	p.Sets = map[string]*Set{"throughput": p.Sets["throughput"]}
	s := p.Sets["throughput"]
	k := ParseKey("Throughput/payload=int64/producers=8/impl=batcher")
	delete(s.values, k)
	s.failed[k] = "lost everything"
	assert.Contains(t, p.Markdown(), "| none: lost everything |")
}

func TestADraftSaysSo(t *testing.T) {
	p := example()
	s := p.Sets["slow"]
	s.Header = append(s.Header, measure.Fact{Key: "draft", Value: "yes"})
	assert.Contains(t, p.Markdown(), "**A draft, to be measured again.**")
}

func TestTheFiguresOfAnExerciseNameTheirOrigin(t *testing.T) {
	got := example().Sets["exercises"].Figures("01_pool")
	assert.Contains(t, got, "Medians of 10 rounds, go1.26.8, 2 cores, commit abc, 2026-11-25T10:00Z; more in docs/RESULTS.md.")
	assert.Contains(t, got, "| Add n=10 | allocs/op |")
}

func TestTheSameNoteHasTheSameNumber(t *testing.T) {
	var f footnotes
	assert.Equal(t, "[^1][^2][^1]", f.ref("a")+f.ref("b")+f.ref("a"))
	assert.Equal(t, "[^1]: a\n[^2]: b\n", f.String())
}
