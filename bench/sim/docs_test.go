package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const docs = "../../docs"

// block is a command with its output, as it stands in docs/choosing.md and in testdata.
var block = regexp.MustCompile("(?s)```console\n\\$ go run ./bench/sim ([^\n]*)\n(.*?)```\n")

// printed is what the command prints. Pictures go to a folder that is thrown away; their names,
// without the ends, are returned.
func printed(t *testing.T, line string) (output string, pictures []string) {
	t.Helper()
	args := strings.Fields(line)
	if i := slices.Index(args, "-plot"); i >= 0 {
		name := filepath.Base(args[i+1])
		args[i+1] = filepath.Join(t.TempDir(), name)
		pictures = append(pictures, args[i+1])
	}
	var out strings.Builder
	require.NoError(t, run(args, &out, io.Discard), line)
	return out.String(), pictures
}

// figuresHold skips where output is not compared. A processor that fuses multiplications and additions
// may draw an arrival a nanosecond later, so the figures are those of amd64. The race
// detector has nothing to find in one goroutine, and takes ten times as long for it.
func figuresHold(t *testing.T) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the figures in the documents are those of amd64")
	}
	if raced {
		t.Skip("the simulation is one goroutine; the run without the race detector compares its output")
	}
}

func TestEveryFigureInTheDocumentIsWhatItsCommandPrints(t *testing.T) {
	figuresHold(t)
	file := filepath.Join(docs, "choosing.md")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	found := 0
	fresh := block.ReplaceAllFunc(text, func(old []byte) []byte {
		found++
		parts := block.FindSubmatch(old)
		line, want := string(parts[1]), string(parts[2])
		got, pictures := printed(t, line)
		for _, p := range pictures {
			comparePictures(t, p)
		}
		if !*update {
			assert.Equal(t, want, got, line)
		}
		return []byte("```console\n$ go run ./bench/sim " + line + "\n" + got + "```\n")
	})
	assert.Greater(t, found, 5, "the commands were not found")
	if *update {
		require.NoError(t, os.WriteFile(file, fresh, 0o644))
	}
}

// comparePictures compares what is written in the committed pictures with those just drawn. The
// drawing itself is the affair of package chart.
func comparePictures(t *testing.T, drawn string) {
	t.Helper()
	for _, end := range []string{"-light.svg", "-dark.svg"} {
		committed := filepath.Join(docs, "charts", filepath.Base(drawn)+end)
		now, err := os.ReadFile(drawn + end)
		require.NoError(t, err)
		if *update {
			require.NoError(t, os.WriteFile(committed, now, 0o644))
		}
		before, err := os.ReadFile(committed)
		require.NoError(t, err)
		assert.Equal(t, textsOf(t, now), textsOf(t, before), committed)
	}
}

// textsOf reads the whole picture and returns what stands in it.
func textsOf(t *testing.T, svg []byte) (texts []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for inText := false; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			inText = token.Name.Local == "text"
		case xml.EndElement:
			inText = false
		case xml.CharData:
			if inText {
				texts = append(texts, string(token))
			}
		}
	}
}

// Each file of testdata is a command and what it prints.
func TestTheCommandsPrintWhatTheyPrinted(t *testing.T) {
	figuresHold(t)
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		line, want, _ := strings.Cut(strings.TrimPrefix(string(text), "$ go run ./bench/sim "), "\n")
		got, _ := printed(t, line)
		if *update {
			require.NoError(t, os.WriteFile(file, []byte("$ go run ./bench/sim "+line+"\n"+got), 0o644))
			continue
		}
		assert.Equal(t, want, got, file)
	}
}

func TestAPictureHasItsAxesItsUnitsAndItsLines(t *testing.T) {
	drawn := filepath.Join(t.TempDir(), "p")
	var out strings.Builder
	require.NoError(t, run(strings.Fields("-rate 500 -for 10s -sweep delay=10ms,100ms -plot "+drawn), &out, io.Discard))
	for _, end := range []string{"-light.svg", "-dark.svg"} {
		svg, err := os.ReadFile(drawn + end)
		require.NoError(t, err)
		texts := textsOf(t, svg)
		for _, want := range []string{"From Add to written", "ms", "p99", "p50", "the sink's part", "Size of the batches", "items",
			"mean", "MaxSize", "MaxDelay, ms", "10", "100"} {
			assert.Contains(t, texts, want, end)
		}
	}
	assert.NotContains(t, out.String(), "not drawn")
}

func TestALineThatIsNothingIsSaidNotToBeDrawn(t *testing.T) {
	drawn := filepath.Join(t.TempDir(), "p")
	var out strings.Builder
	require.NoError(t, run(strings.Fields("-rate 500 -for 10s -sink 0s -eager -sweep size=10,100 -plot "+drawn), &out, io.Discard))
	for _, name := range []string{"p99", "p50", "the sink's part"} {
		assert.Contains(t, out.String(), "not drawn: "+name+", which is 0 somewhere")
	}
	svg, err := os.ReadFile(drawn + "-light.svg")
	require.NoError(t, err)
	assert.NotContains(t, textsOf(t, svg), "From Add to written")
	assert.Contains(t, textsOf(t, svg), "Size of the batches")
}
