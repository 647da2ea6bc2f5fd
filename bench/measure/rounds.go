package measure

// The second step: the rounds.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Plan is what one section measures.
type Plan struct {
	Section string // its name, as in -only
	Cells   []Cell
	Rounds  int
	Seed    uint64 // of the order within the rounds
	Limit   time.Duration
}

// Expect is about how long the plan takes, the preparation included, which costs as much as
// a round or two.
func (p Plan) Expect() time.Duration {
	var round time.Duration
	for _, c := range p.Cells {
		round += c.Expect
	}
	return round * time.Duration(p.Rounds+1)
}

// Watcher is told what runs, and what part of the plan is over.
type Watcher interface {
	// Begin says that name runs now.
	Begin(name string, round, rounds int)

	// End says that something of that length, as it was expected, is over.
	End(expected time.Duration)
}

// Outcome is what the rounds of a section gave.
type Outcome struct {
	Readings []Reading // in the order in which they were measured
	Failures []Failure
}

// runner is the state of a plan that is being run.
type runner struct {
	Plan
	watch  Watcher
	failed map[string]bool // by the cell's name
	kept   []kept
	out    Outcome
}

// kept is a reading and the name of the cell that gave it.
type kept struct {
	cell string
	Reading
}

// Run prepares all cells and runs the rounds. It returns an error only if ctx has ended, without
// what was measured until then: half of the rounds is not a result.
func (p Plan) Run(ctx context.Context, watch Watcher) (Outcome, error) {
	r := &runner{Plan: p, watch: watch, failed: map[string]bool{}}
	for round := 0; round <= p.Rounds; round++ { // round 0 prepares
		for _, i := range p.order(round) {
			if ctx.Err() != nil {
				return Outcome{}, context.Cause(ctx)
			}
			r.step(ctx, p.Cells[i], round)
		}
	}
	return r.outcome(), nil
}

// order is the shuffled order of a round. It depends on the seed and the round alone.
func (p Plan) order(round int) []int {
	return rand.New(rand.NewPCG(p.Seed, uint64(round))).Perm(len(p.Cells))
}

// step prepares a cell (round 0), or runs it.
func (r *runner) step(ctx context.Context, c Cell, round int) {
	defer r.watch.End(c.Expect)
	if r.failed[c.Name] || (round == 0 && c.Prepare == nil) {
		return
	}
	r.watch.Begin(c.Name, round, r.Rounds)
	err := r.guarded(ctx, c, round)
	if err != nil && ctx.Err() == nil {
		r.failed[c.Name] = true
		r.out.Failures = append(r.out.Failures, Failure{c.Name, oneLine(err.Error())})
	}
}

// guarded does the work of a step, and gives up waiting for it after the plan's limit: a library
// that hangs must not take the whole comparison with it. What hangs then goes on hanging, and
// whatever it costs, it costs all others alike.
func (r *runner) guarded(ctx context.Context, c Cell, round int) error {
	type answer struct {
		readings []Reading
		err      error
	}
	ctx, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	done := make(chan answer, 1) // sent to once, by the goroutine below, which never waits for us
	go func() {
		readings, err := c.do(ctx, round)
		done <- answer{readings, err}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			return a.err
		}
		return r.keep(c, a.readings)
	case <-ctx.Done():
		return fmt.Errorf("has not returned within %v", r.Limit)
	}
}

// do prepares the cell in round 0, and runs it in the others. A panic is a failure of this cell.
func (c Cell) do(ctx context.Context, round int) (readings []Reading, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panicked: %v", p)
		}
	}()
	if round == 0 {
		return nil, c.Prepare(ctx)
	}
	return c.Run(ctx)
}

// keep takes what a run has measured, under the cell's name where it has no other.
func (r *runner) keep(c Cell, readings []Reading) error {
	for _, reading := range readings {
		if err := reading.check(); err != nil {
			return err
		}
		if reading.Name == "" {
			reading.Name = c.Name
		}
		r.kept = append(r.kept, kept{c.Name, reading})
	}
	return nil
}

// outcome is what was measured, without the cells that failed in a later round.
func (r *runner) outcome() Outcome {
	for _, k := range r.kept {
		if !r.failed[k.cell] {
			r.out.Readings = append(r.out.Readings, k.Reading)
		}
	}
	return r.out
}
