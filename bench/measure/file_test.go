package measure

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results", "x.txt")
	rec := &Record{
		Header: Header{{"section", "throughput"}, {"commit", "abc"}, {"load-before", "0.1 0.2 0.3"}},
		Outcome: Outcome{
			Readings: []Reading{
				{Name: "T/producers=8/impl=a-2", Iters: 100, Values: []Value{{33.5, "ns/item"}, {0, "allocs/item"}}},
				{Name: "T/producers=8/impl=b", Iters: 7, Values: []Value{{12, "B/item"}}},
			},
			Failures: []Failure{{"T/producers=8/impl=c", "lost 3 of 10: sorry"}},
		},
		Text: []string{"trial | a | b"},
	}
	require.NoError(t, rec.Write(path))
	got, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, rec.Header, got.Header)
	assert.Equal(t, rec.Failures, got.Failures)
	assert.Equal(t, rec.Text, got.Text)
	require.Len(t, got.Readings, 2)
	assert.Equal(t, "T/producers=8/impl=b", got.Readings[1].Name, "the number of processors was added, and is taken off")
	assert.InDelta(t, 33.5e-9, got.Readings[0].Values[0].Value, 1e-15)
	assert.Equal(t, "sec/item", got.Readings[0].Values[0].Unit, "units are tidy")
}

func TestReadingsOfSeveralPackagesStandTogether(t *testing.T) {
	one := []Value{{1, "ns/op"}}
	rec := &Record{Header: Header{{"section", "exercises"}}, Outcome: Outcome{Readings: []Reading{
		{Pkg: "02_b", Name: "Add/slow", Iters: 1, Values: one},
		{Pkg: "01_a", Name: "Add/slow", Iters: 2, Values: one},
		{Pkg: "02_b", Name: "Add/slow", Iters: 3, Values: one},
	}}}
	path := filepath.Join(t.TempDir(), "x.txt")
	require.NoError(t, rec.Write(path))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(string(data), "pkg: "))
	got, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, Header{{"section", "exercises"}}, got.Header, "the packages are not part of it")
	var iters []int
	for _, r := range got.Readings {
		iters = append(iters, r.Iters)
	}
	assert.Equal(t, []int{2, 1, 3}, iters)
	assert.Equal(t, "01_a", got.Readings[0].Pkg)
}

func TestABenchmarksOutputIsParsed(t *testing.T) {
	const out = `goos: linux
pkg: example.com/x
BenchmarkAdd/goroutines=8/slow-2         	  123456	        81.5 ns/op	      12 p99-ns	       0 B/op	       0 allocs/op
BenchmarkAdd/goroutines=8/fast           	  200000	        40 ns/op
some line of a log
PASS
`
	got, err := Parse(strings.NewReader(out), "x")
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Equal(t, "Add/goroutines=8/slow", got[0].Name)
	assert.Equal(t, "example.com/x", got[0].Pkg)
	assert.Equal(t, "p99-sec", got[0].Values[1].Unit)
	assert.Equal(t, "Add/goroutines=8/fast", got[1].Name)
}

func TestABrokenLineIsAnErrorWithItsPlace(t *testing.T) {
	_, err := Parse(strings.NewReader("BenchmarkAdd/slow 12 fast ns/op\n"), "file.txt")
	assert.ErrorContains(t, err, "parsing")
}

func TestAFileWithoutAHeaderIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.txt")
	require.NoError(t, os.WriteFile(path, []byte("BenchmarkAdd 1 2 ns/op\n"), 0o666))
	_, err := Read(path)
	assert.ErrorContains(t, err, "no header")
}

func TestTheMachineIsDescribed(t *testing.T) {
	m := Machine()
	for _, key := range []string{"go", "goos", "goarch", "cpu", "cores", "gomaxprocs", "memory", "kernel"} {
		assert.NotEmpty(t, m.Get(key), key)
	}
	assert.Empty(t, m.Get("colour"))
}

func TestTheOriginOfATreeWithoutGitIsUnknown(t *testing.T) {
	h := Origin(t.Context(), t.TempDir(), "go run ./bench")
	assert.Equal(t, "unknown", h.Get("commit"))
	assert.Equal(t, "go run ./bench", h.Get("command"))
	assert.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\dZ$`, h.Get("date"))
}

func TestTheLoadIsToldOrUnknown(t *testing.T) {
	l := StartLoad()
	h := l.Facts()
	assert.NotEmpty(t, h.Get("load-before"))
	assert.Regexp(t, `^(unknown|others \d+ %, stolen \d+ %)$`, h.Get("load-during"))
}
