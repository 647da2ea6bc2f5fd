package report

// The third step: figures with their units.

import (
	"fmt"
	"math"
	"strings"

	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"
)

// shareUnit is the unit of shares of a limit, which are shown in percent.
const shareUnit = "share"

// kind is what a unit counts.
type kind int

const (
	countKind kind = iota
	timeKind
	bytesKind
	shareKind
)

func kindOf(unit string) kind {
	amount, _, _ := strings.Cut(unit, "/")
	switch {
	case unit == shareUnit:
		return shareKind
	case amount == "sec" || strings.HasSuffix(amount, "-sec"):
		return timeKind
	case benchunit.ClassOf(unit) == benchunit.Binary:
		return bytesKind
	}
	return countKind
}

// untidy is a unit as benchmarks print it, which is how people know it: "ns/op" for "sec/op".
func untidy(unit string) string {
	amount, per, found := strings.Cut(unit, "/")
	if kindOf(unit) == timeKind {
		amount = strings.TrimSuffix(amount, "sec") + "ns"
	}
	if !found {
		return amount
	}
	return amount + "/" + per
}

// Figure is a value with its prefix and what it counts: "33.6 ns", "1.50 KiB", "12 %", "3.20 M".
func Figure(v float64, unit string) string {
	switch kindOf(unit) {
	case timeKind:
		return scaled(v, benchunit.Decimal, "s")
	case bytesKind:
		return scaled(v, benchunit.Binary, "B")
	case shareKind:
		return fmt.Sprintf("%.1f %%", 100*v)
	}
	return strings.TrimSpace(scaled(v, benchunit.Decimal, ""))
}

// scaled formats v with three digits. Counts and bytes below a hundredth are "< 0.01": they are
// what a run costs as a whole, spread over its items.
func scaled(v float64, class benchunit.Class, base string) string {
	size := math.Abs(v)
	switch {
	case v == 0:
		return strings.TrimSpace("0 " + base)
	case base != "s" && size < 0.01:
		return strings.TrimSpace("< 0.01 " + base)
	case base != "s" && size < 1000:
		return strings.TrimSpace(digits3(v) + " " + base)
	}
	s := benchunit.CommonScale([]float64{v}, class)
	return digits3(v/s.Factor) + " " + s.Prefix + base
}

// digits3 formats with three significant digits, and without a fraction that is nothing but zeros.
func digits3(v float64) string {
	places := 2
	if size := math.Abs(v); size >= 99.95 {
		places = 0
	} else if size >= 9.995 {
		places = 1
	}
	s := fmt.Sprintf("%.*f", places, v)
	if whole, fraction, ok := strings.Cut(s, "."); ok && strings.Trim(fraction, "0") == "" && v == math.Trunc(v) {
		return whole
	}
	return s
}

// summary is a sample as it stands in a table: "33.6 ns ± 9 %".
func summary(s *benchmath.Sample, unit string) string {
	return strings.TrimSpace(Figure(median(s), unit) + " " + spread(s))
}
