package measure

// The third step: results in a file.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// Fact is one line of a header, "key: value". Keys are benchfmt's: lower case, no blanks.
type Fact struct{ Key, Value string }

// Header is how, where and when a section was measured, in the order of the file.
type Header []Fact

// Get returns the value of key, or "".
func (h Header) Get(key string) string {
	for _, f := range h {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// skipMark begins the line of a failure. benchfmt, and so benchstat, skips such lines.
const skipMark = "# skipped "

// Record is a section as it stands in a file.
type Record struct {
	Header
	Outcome
	Text []string // lines of a section whose results are not figures, each begun by textMark
}

// pkgKey is the key under which go test names the package of what follows.
const pkgKey = "pkg"

// textMark begins a line that is not a figure.
const textMark = "# "

// Write stores the record in path, whose folder it creates. The file is replaced in one step: who
// interrupts the program keeps the results that were there.
func (r *Record) Write(path string) error {
	var b bytes.Buffer
	if err := r.encode(&b); err != nil {
		return err
	}
	return Replace(path, b.Bytes())
}

func (r *Record) encode(w io.Writer) error {
	for _, f := range r.Header {
		fmt.Fprintf(w, "%s: %s\n", f.Key, oneLine(f.Value))
	}
	out := benchfmt.NewWriter(w)
	sorted := slices.Clone(r.Readings) // by package, so that each is named once; else as measured
	slices.SortStableFunc(sorted, func(a, b Reading) int { return strings.Compare(a.Pkg, b.Pkg) })
	for _, reading := range sorted {
		if err := out.Write(reading.result()); err != nil {
			return err
		}
	}
	for _, f := range r.Failures {
		fmt.Fprintf(w, "%s%s: %s\n", skipMark, f.Name, f.Reason)
	}
	for _, line := range r.Text {
		fmt.Fprintf(w, "%s%s\n", textMark, oneLine(line))
	}
	return nil
}

// result is the reading as benchfmt has it. The name ends in the number of processors, as always
// in Go: without it a contender's name that ends in a number would be misread.
func (r Reading) result() *benchfmt.Result {
	name := r.Name
	if _, parts := benchfmt.Name(name).Parts(); len(parts) == 0 || parts[len(parts)-1][0] != '-' {
		name = fmt.Sprintf("%s-%d", name, runtime.GOMAXPROCS(0))
	}
	res := &benchfmt.Result{Name: benchfmt.Name(name), Iters: r.Iters}
	if r.Pkg != "" {
		res.Config = []benchfmt.Config{{Key: pkgKey, Value: []byte(r.Pkg), File: true}}
	}
	for _, v := range r.Values {
		res.Values = append(res.Values, benchfmt.Value{Value: v.Value, Unit: v.Unit})
	}
	return res
}

// Replace writes data to path in one step, and creates its folder.
func Replace(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, data, 0o666); err != nil {
		return err
	}
	return errors.Join(os.Rename(tmp, path))
}

// Read returns the record stored in path. The readings' names come without the number of
// processors, and values in base units, as benchfmt tidies them: "ns/item" is "sec/item" then.
func Read(path string) (*Record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if r.Readings, err = Parse(bytes.NewReader(data), path); err != nil {
		return nil, err
	}
	r.readLines(data)
	if len(r.Header) == 0 {
		return nil, fmt.Errorf("%s: no header", path)
	}
	return r, nil
}

// readLines takes from a file what benchfmt does not give: the header in its order, the failures
// and the text.
func (r *Record) readLines(data []byte) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		line := lines.Text()
		if skipped, ok := strings.CutPrefix(line, skipMark); ok {
			name, reason, _ := strings.Cut(skipped, ": ")
			r.Failures = append(r.Failures, Failure{name, reason})
		} else if text, ok := strings.CutPrefix(line, textMark); ok {
			r.Text = append(r.Text, text)
		} else if key, value, ok := strings.Cut(line, ": "); ok && key != pkgKey && !strings.ContainsAny(key, " \t") {
			r.Header = append(r.Header, Fact{key, value})
		}
	}
}

// Parse reads the output of benchmarks. A line that begins like a benchmark and is none is an
// error; other lines are skipped.
func Parse(in io.Reader, name string) ([]Reading, error) {
	var readings []Reading
	reader := benchfmt.NewReader(in, name)
	for reader.Scan() {
		switch rec := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, rec
		case *benchfmt.Result:
			readings = append(readings, fromResult(rec))
		}
	}
	return readings, reader.Err()
}

func fromResult(res *benchfmt.Result) Reading {
	name, parts := res.Name.Parts()
	full := string(name)
	for _, part := range parts {
		if part[0] != '-' {
			full += string(part)
		}
	}
	r := Reading{Pkg: res.GetConfig(pkgKey), Name: full, Iters: res.Iters}
	for _, v := range res.Values {
		r.Values = append(r.Values, Value{v.Value, v.Unit})
	}
	return r
}
