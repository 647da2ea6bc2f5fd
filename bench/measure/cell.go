// Package measure runs the cells of a comparison in rounds, and keeps what they measured.
//
// A round runs every cell once, in an order of its own, so that a slow spell of the machine falls
// on all contenders and on none by its place in a list. What comes out is text in the format of Go's
// benchmarks, one file for a section, under a header that says where, when and how it was
// measured: benchstat reads these files as well as this module's report does.
package measure

// The first step: what a cell is, and what it gives.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Value is one figure with its unit, such as 33.6 "ns/item". The unit is one of benchfmt's: lower
// is better, unless it ends in "/s".
type Value struct {
	Value float64
	Unit  string
}

// Reading is what one run of a cell measured. Iters is how many items or operations the figures are
// the mean of. Name is empty, except where one run measures several things: then it is the
// benchmark's name in full.
type Reading struct {
	Pkg    string // the package, where several of them are in one file, else empty
	Name   string
	Iters  int
	Values []Value
}

// Cell is one place in a table: one contender under one load.
type Cell struct {
	// Name is the benchmark's, without "Benchmark" in front and the number of processors behind:
	// "Throughput/payload=int64/producers=8/impl=batcher".
	Name string

	// Expect is about how long one Run takes, for the bar and for the estimate.
	Expect time.Duration

	// Prepare is called once before the first round: to verify and to calibrate. An error takes the
	// cell out of all rounds, and its text stands in the table instead of a figure. Nil: nothing
	// to prepare.
	Prepare func(ctx context.Context) error

	// Run measures once. An error takes the cell out of the remaining rounds, and what it has
	// measured so far does not count.
	Run func(ctx context.Context) ([]Reading, error)
}

// Failure is why a cell has no figures.
type Failure struct {
	Name   string // of the cell
	Reason string // one line
}

// errNoFigure is the fault of a reading that no table could hold.
var errNoFigure = errors.New("not a figure")

// check returns an error that wraps errNoFigure if r cannot be written down: without values, or
// with one that is not a finite number.
func (r Reading) check() error {
	if len(r.Values) == 0 || r.Iters < 1 {
		return fmt.Errorf("%w: %d values of %d iterations", errNoFigure, len(r.Values), r.Iters)
	}
	for _, v := range r.Values {
		if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
			return fmt.Errorf("%w: %v %s", errNoFigure, v.Value, v.Unit)
		}
	}
	return nil
}

// oneLine is what fits into a line of a results file, and into a cell of a table.
func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}
