package report

// The exercises: the slow variant against the others.

import (
	"fmt"
	"slices"
	"strings"
)

// Baseline and Answer are the variants that every exercise has.
const (
	Baseline = "slow"
	Answer   = "fast"
)

// ExerciseCell is the name of the cell that runs an exercise's benchmarks.
const ExerciseCell = "Exercise/"

// exercises is a table for each.
func (p *Page) exercises(s *Set) string {
	var b strings.Builder
	b.WriteString("The twenty exercises, each in `examples/exercises`: medians of all rounds, with the ratio to the variant " +
		"`" + Baseline + "` and the p-value. From p = 0.05 on there is no difference to speak of.\n\n" + origin(s))
	for _, name := range s.Exercises() {
		fmt.Fprintf(&b, "### %s\n\n%s%s", title(name), p.picture(name, title(name)), s.Exercise(name))
		p.findWeak(s, name)
	}
	for _, f := range s.Failures {
		fmt.Fprintf(&b, "No figures for %s: %s.\n\n", strings.TrimPrefix(f.Name, ExerciseCell), f.Reason)
	}
	return b.String()
}

// Exercises returns the names of the exercises' folders for which there are figures.
func (s *Set) Exercises() []string {
	var names []string
	for _, k := range s.keys {
		if k.Pkg != "" && !slices.Contains(names, k.Pkg) {
			names = append(names, k.Pkg)
		}
	}
	slices.Sort(names)
	return names
}

// title is the name of an exercise for people: "01 allocation per flush".
func title(name string) string { return strings.ReplaceAll(name, "_", " ") }

// line is one row of an exercise: a figure of one benchmark under one set of parameters.
type line struct{ bench, params, unit string }

func (l line) String() string {
	return strings.TrimSpace(l.bench + " " + strings.ReplaceAll(l.params, "/", " "))
}

// Exercise is the table of one exercise: a row for each figure, a column for each variant.
func (s *Set) Exercise(name string) string {
	lines, variants := s.shape(name)
	t := table{head: append([]string{"benchmark", "figure"}, variants...)}
	for _, l := range lines {
		row := []string{l.String(), untidy(l.unit)}
		for _, v := range variants {
			row = append(row, s.variant(name, l, v))
		}
		t.add(row...)
	}
	return t.String()
}

// shape returns the rows of an exercise's table and its columns: slow, fast, and the others in the
// order of their benchmarks.
func (s *Set) shape(name string) (lines []line, variants []string) {
	variants = []string{Baseline, Answer}
	for _, k := range s.keys {
		if k.Pkg != name {
			continue
		}
		if !slices.Contains(variants, k.Impl) {
			variants = append(variants, k.Impl)
		}
		for _, unit := range s.units[k] {
			if l := (line{k.Bench, k.Params, unit}); !slices.Contains(lines, l) {
				lines = append(lines, l)
			}
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		if a.bench != b.bench {
			return 0 // as they stand in the program
		}
		return natural(a.params, b.params)
	})
	return lines, variants
}

func (l line) key(exercise, variant string) Key { return Key{exercise, l.bench, l.params, variant} }

// variant is one cell of the table.
func (s *Set) variant(exercise string, l line, variant string) string {
	own := s.Sample(l.key(exercise, variant), l.unit)
	if own == nil {
		return ""
	}
	text := summary(own, l.unit)
	base := s.Sample(l.key(exercise, Baseline), l.unit)
	if base == nil || variant == Baseline {
		return text
	}
	return fmt.Sprintf("%s (%v)", text, Compare(base, own, l.unit))
}

// findWeak notes the figures in which an exercise's answer is not better than the slow variant. Where both
// are the same exactly, such as 0 allocations, there was nothing to gain.
func (p *Page) findWeak(s *Set, name string) {
	lines, _ := s.shape(name)
	for _, l := range lines {
		slow, fast := s.Sample(l.key(name, Baseline), l.unit), s.Sample(l.key(name, Answer), l.unit)
		if slow == nil || fast == nil {
			continue
		}
		if c := Compare(slow, fast, l.unit); c.Verdict == Tie || c.Verdict == Worse {
			p.weak = append(p.weak, weakRow{title(name), l.String() + ", " + untidy(l.unit),
				summary(slow, l.unit), summary(fast, l.unit), c.String()})
		}
	}
}

// Figures is what stands in the README of an exercise: its table, and where it comes from.
func (s *Set) Figures(name string) string {
	return s.Exercise(name) + fmt.Sprintf("Medians of %s rounds, %s, %s cores, commit %s, %s; more in docs/RESULTS.md.\n",
		s.Get("rounds"), s.Get("go"), s.Get("cores"), s.Get("commit"), s.Get("date"))
}

// VariantFigure is the median of one figure of an exercise's variant.
type VariantFigure struct {
	Variant, Unit string
	Median        float64
}

// Variants returns, for the first figure of an exercise whose unit is wanted, the medians of all
// variants.
func (s *Set) Variants(exercise string, wanted func(unit string) bool) []VariantFigure {
	lines, variants := s.shape(exercise)
	for _, l := range lines {
		if !wanted(l.unit) {
			continue
		}
		var all []VariantFigure
		for _, v := range variants {
			if m, ok := s.Median(l.key(exercise, v), l.unit); ok {
				all = append(all, VariantFigure{v, l.unit, m})
			}
		}
		return all
	}
	return nil
}
