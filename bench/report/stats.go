package report

// The second step: whether two samples differ.

import (
	"fmt"
	"math"
	"strings"

	"golang.org/x/perf/benchmath"
)

// confidence is that of the intervals; alpha is the p-value from which on a difference is none.
const (
	confidence = 0.95
	alpha      = 0.05
)

// Verdict is how one sample stands to another.
type Verdict int

// The verdicts. Tie: no difference was found (p >= 0.05), which does not prove that there is
// none. Equal: all values of both are the same.
const (
	Tie Verdict = iota
	Equal
	Better
	Worse
)

// Comparison is how a sample stands to a baseline.
type Comparison struct {
	Verdict
	Ratio float64 // the sample's median by the baseline's; NaN if that is 0
	P     float64
}

// Compare compares a sample with a baseline.
func Compare(base, other *benchmath.Sample, unit string) Comparison {
	from, to := median(base), median(other)
	c := Comparison{Ratio: math.NaN(), P: benchmath.AssumeNothing.Compare(base, other).P}
	if from != 0 {
		c.Ratio = to / from
	}
	switch {
	case constant(base) && constant(other) && from == to:
		c.Verdict, c.P = Equal, 1
	case c.P >= alpha || from == to:
		c.Verdict = Tie
	case (to > from) == higherIsBetter(unit):
		c.Verdict = Better
	default:
		c.Verdict = Worse
	}
	return c
}

// String is the comparison as it stands in a table: "0.53 x, p=0.000", "no difference, p=0.481",
// "equal".
func (c Comparison) String() string {
	switch {
	case c.Verdict == Equal:
		return "equal"
	case c.Verdict == Tie:
		return fmt.Sprintf("no difference, p=%.3f", c.P)
	case math.IsNaN(c.Ratio):
		return fmt.Sprintf("p=%.3f", c.P)
	}
	return fmt.Sprintf("%s x, p=%.3f", ratio(c.Ratio), c.P)
}

// ratio formats a ratio with two digits or more.
func ratio(r float64) string {
	switch {
	case r >= 9.95:
		return fmt.Sprintf("%.0f", r)
	case r >= 1.995:
		return fmt.Sprintf("%.1f", r)
	case r >= 0.0095:
		return fmt.Sprintf("%.2f", r)
	case r == 0:
		return "0"
	}
	return fmt.Sprintf("%.0e", r)
}

func median(s *benchmath.Sample) float64 {
	return benchmath.AssumeNothing.Summary(s, confidence).Center
}

func constant(s *benchmath.Sample) bool {
	return s.Values[0] == s.Values[len(s.Values)-1] // they are sorted
}

// higherIsBetter holds for rates and shares. Everything else is a cost.
func higherIsBetter(unit string) bool {
	return strings.HasSuffix(unit, "/s") || strings.HasSuffix(unit, "/sec") || unit == shareUnit
}

// spread is the half width of the interval in percent of the median, "∞" if there are too few
// values for one, "" if all are the same.
func spread(s *benchmath.Sample) string {
	sum := benchmath.AssumeNothing.Summary(s, confidence)
	switch {
	case math.IsInf(sum.Lo, 0) || math.IsInf(sum.Hi, 0):
		return "± ∞"
	case sum.Lo == sum.Hi || sum.Center == 0:
		return ""
	}
	return fmt.Sprintf("± %.0f %%", 100*max(sum.Hi-sum.Center, sum.Center-sum.Lo)/math.Abs(sum.Center))
}
