package report

// The fifth step: the page as a whole.

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
)

// Subject is what the report has to know of a contender.
type Subject struct {
	Name   string
	Kind   contender.Kind
	Richer string   // what it does more
	Unable []string // the settings it cannot honour
}

// SubjectOf takes it from the contender.
func SubjectOf[T any](c contender.Contender[T]) Subject {
	return Subject{Name: c.Name, Kind: c.Kind, Richer: c.Richer, Unable: c.Unable}
}

// Page is the report.
type Page struct {
	Subjects []Subject       // in the order of the contenders; the first one of Kind Ours is the one compared
	Sets     map[string]*Set // by section; those that are missing were not measured
	Charts   map[string]bool // the charts that there are, by their name

	notes  footnotes
	losses []lossRow
	weak   []weakRow
}

// column is one figure of all contenders.
type column struct {
	head    string                              // of the table
	cell    string                              // what it is in the list of what is not won; empty: not compared
	unit    string                              // tidy
	ours    string                              // the implementation that the others are compared with
	sample  func(impl string) *benchmath.Sample // nil if there is none
	failure func(impl string) string            // why there is none, or ""

	// contest is what is compared instead of the sample: a distance from the ideal, say. Nil: the
	// sample itself.
	contest func(impl string) *benchmath.Sample
}

// columnOf is the column of a unit of one benchmark.
func (p *Page) columnOf(s *Set, head, bench, params, unit string) column {
	key := func(impl string) Key { return Key{Bench: bench, Params: params, Impl: impl} }
	return column{
		head:    head,
		cell:    strings.TrimSpace(bench + ", " + strings.NewReplacer("=", " ", "/", ", ").Replace(params)),
		unit:    unit,
		ours:    p.ours(),
		sample:  func(impl string) *benchmath.Sample { return s.Sample(key(impl), unit) },
		failure: func(impl string) string { return s.failed[key(impl)] },
	}
}

// ours is the name of the contender that the others are compared with.
func (p *Page) ours() string {
	for _, s := range p.Subjects {
		if s.Kind == contender.Ours {
			return s.Name
		}
	}
	return ""
}

// subject finds a contender. What is none, such as a bare timer, is a limit.
func (p *Page) subject(name string) Subject {
	for _, s := range p.Subjects {
		if s.Name == name {
			return s
		}
	}
	return Subject{Name: name, Kind: contender.Limit}
}

// ranks is the order of the kinds in a table.
var ranks = map[contender.Kind]int{contender.Limit: 0, contender.Ours: 1, contender.ByHand: 2, contender.Library: 3}

// order sorts implementations by kind, and within a kind by the median of a column. Those without one
// come last.
func (p *Page) order(impls []string, by column) []string {
	value := func(impl string) float64 {
		s := by.sample(impl)
		if s == nil {
			return math.Inf(1)
		}
		if higherIsBetter(by.unit) {
			return -median(s)
		}
		return median(s)
	}
	slices.SortStableFunc(impls, func(a, b string) int {
		return cmp.Or(
			cmp.Compare(ranks[p.subject(a).Kind], ranks[p.subject(b).Kind]),
			cmp.Compare(value(a), value(b)),
			natural(a, b))
	})
	return impls
}

// label is a contender's name in a table, with the notes that belong to it.
func (p *Page) label(impl string) string {
	s := p.subject(impl)
	name := s.Name
	switch s.Kind {
	case contender.Ours:
		name = "**" + name + "**"
	case contender.Limit:
		name = "*" + name + "*"
	case contender.ByHand:
		name += " (by hand)"
	}
	if s.Richer != "" {
		name += p.notes.ref(fmt.Sprintf("%s does more than the others: %s.", s.Name, strings.TrimSuffix(s.Richer, ".")))
	}
	for _, u := range s.Unable {
		name += p.notes.ref(fmt.Sprintf("%s cannot do as it was told: %s.", s.Name, strings.TrimSuffix(u, ".")))
	}
	return name
}

// compare is a table of the columns, one row for each implementation, and enters into the list of
// what is not won what belongs there.
func (p *Page) compare(section string, impls []string, columns []column) string {
	t := table{head: []string{""}}
	for _, c := range columns {
		t.head = append(t.head, c.head)
	}
	for _, impl := range impls {
		row := []string{p.label(impl)}
		for _, c := range columns {
			row = append(row, p.entry(c, impl))
		}
		t.add(row...)
	}
	for _, c := range columns {
		p.judge(section, c, impls)
	}
	return t.String()
}

// entry is one cell: the figure, and its ratio to ours.
func (p *Page) entry(c column, impl string) string {
	s := c.sample(impl)
	if s == nil {
		if reason := c.failure(impl); reason != "" {
			return "none" + p.notes.ref("No figure for "+impl+": "+reason+".")
		}
		return ""
	}
	text := summary(s, c.unit)
	if impl == c.ours {
		return "**" + text + "**"
	}
	ours := c.sample(c.ours)
	if c.cell == "" || c.contest != nil || ours == nil {
		return text
	}
	switch cmp := Compare(ours, s, c.unit); {
	case cmp.Verdict == Equal:
		return text + ", equal"
	case cmp.Verdict == Tie:
		return text + ", tie"
	case math.IsNaN(cmp.Ratio):
		return text
	default:
		return fmt.Sprintf("%s, %s x", text, ratio(cmp.Ratio))
	}
}

// origin says when, where and how a section was measured.
func origin(s *Set) string {
	get := func(key string) string { return cmp.Or(s.Get(key), "unknown") }
	text := fmt.Sprintf("Measured on %s at commit %s with %s on %s/%s: %s cores of \"%s\", %s of memory, kernel %s. "+
		"Load average before: %s; processor time during: %s. %s rounds, seed %s.",
		get("date"), get("commit"), get("go"), get("goos"), get("goarch"), get("cores"), get("cpu"), get("memory"),
		get("kernel"), get("load-before"), get("load-during"), get("rounds"), get("seed"))
	if strings.HasSuffix(get("commit"), "-dirty") {
		text += " The tree had changes that were not committed."
	}
	if s.Get("draft") != "" {
		text = "**A draft, to be measured again.** " + text
	}
	return text + "\n\n    " + get("command") + "\n\n"
}
