// Package report turns results into tables, and says which differences are none.
//
// It reads what package measure has stored, so that the report can be made again without
// measuring again. The statistics are those of benchstat: medians with the interval that holds the
// true one with 95 % confidence, and the Mann-Whitney U test.
package report

// The first step: results by benchmark, parameters and implementation.

import (
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"

	"github.com/seed-4c1eaf8a/batcher/bench/measure"
)

// Key names a sample. Pkg is the package of an exercise, else empty. From "Throughput/payload=int64/producers=8/impl=batcher" it has Bench
// "Throughput", Params "payload=int64/producers=8", Impl "batcher". The last part is the
// implementation with "impl=" as well as without, as the exercises have it: ".../slow".
type Key struct{ Pkg, Bench, Params, Impl string }

// ParseKey takes a name apart. A name of one part has no implementation.
func ParseKey(name string) Key {
	bench, rest, _ := strings.Cut(name, "/")
	k := Key{Bench: bench}
	if i := strings.LastIndexByte(rest, '/'); i >= 0 {
		k.Params, rest = rest[:i], rest[i+1:]
	}
	k.Impl = strings.TrimPrefix(rest, "impl=")
	return k
}

// Set is the results of one section.
type Set struct {
	*measure.Record

	keys   []Key                        // in the order of their first appearance
	units  map[Key][]string             // likewise
	values map[Key]map[string][]float64 // by unit, a value for each round, in their order
	failed map[Key]string               // why there are none
}

// NewSet sorts the readings of a record.
func NewSet(rec *measure.Record) *Set {
	s := &Set{
		Record: rec,
		units:  map[Key][]string{},
		values: map[Key]map[string][]float64{},
		failed: map[Key]string{},
	}
	for _, r := range rec.Readings {
		k := ParseKey(r.Name)
		k.Pkg = r.Pkg
		s.add(k, r.Values)
	}
	for _, f := range rec.Failures {
		s.failed[ParseKey(f.Name)] = f.Reason
	}
	return s
}

func (s *Set) add(k Key, values []measure.Value) {
	if s.values[k] == nil {
		s.keys = append(s.keys, k)
		s.values[k] = map[string][]float64{}
	}
	for _, v := range values {
		if s.values[k][v.Unit] == nil {
			s.units[k] = append(s.units[k], v.Unit)
		}
		s.values[k][v.Unit] = append(s.values[k][v.Unit], v.Value)
	}
}

// Sample returns the values of a unit, or nil if there are none. The unit is a tidy one: "sec/item".
func (s *Set) Sample(k Key, unit string) *benchmath.Sample {
	return sample(s.values[k][unit])
}

func sample(values []float64) *benchmath.Sample {
	if len(values) == 0 {
		return nil
	}
	return benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
}

// paired returns the sample of f over the rounds that a and b have in common. Within a round both saw the
// same machine, so what it did to both goes out.
func paired(a, b []float64, f func(a, b float64) float64) *benchmath.Sample {
	var out []float64
	for i := range min(len(a), len(b)) {
		out = append(out, f(a[i], b[i]))
	}
	return sample(out)
}

// impls returns the implementations for which a filter holds, in the order of their first
// appearance, those without figures at the end.
func (s *Set) impls(in func(Key) bool) []string {
	var names []string
	note := func(k Key) {
		if in(k) && !slices.Contains(names, k.Impl) {
			names = append(names, k.Impl)
		}
	}
	for _, k := range s.keys {
		note(k)
	}
	for _, f := range s.Failures {
		note(ParseKey(f.Name))
	}
	return names
}

// params returns the parameters that a benchmark was run with, in the order of numbers where they
// have any: producers=8 before producers=64.
func (s *Set) params(bench string) []string {
	var all []string
	for _, k := range s.keys {
		if k.Bench == bench && !slices.Contains(all, k.Params) {
			all = append(all, k.Params)
		}
	}
	slices.SortFunc(all, natural)
	return all
}

// natural compares strings, and runs of digits in them by their value.
func natural(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		x, y := a[:max(na, 1)], b[:max(nb, 1)]
		if na > 0 && nb > 0 && len(x) != len(y) {
			return len(x) - len(y)
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
		a, b = a[len(x):], b[len(y):]
	}
	return len(a) - len(b)
}

// digits is how many digits s begins with.
func digits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}

// Median returns the median of a sample, if there is one.
func (s *Set) Median(k Key, unit string) (float64, bool) {
	if sample := s.Sample(k, unit); sample != nil {
		return median(sample), true
	}
	return 0, false
}
