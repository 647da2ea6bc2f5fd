package measure

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// silent is a Watcher that counts.
type silent struct {
	begun []string
	over  time.Duration
}

func (s *silent) Begin(name string, _, _ int) { s.begun = append(s.begun, name) }
func (s *silent) End(d time.Duration)         { s.over += d }

// cellOf is a cell that notes its runs and measures their number.
func cellOf(name string, log *[]string) Cell {
	n := 0
	return Cell{Name: name, Expect: time.Second, Run: func(context.Context) ([]Reading, error) {
		n++
		*log = append(*log, name)
		return []Reading{{Iters: 1, Values: []Value{{float64(n), "ns/op"}}}}, nil
	}}
}

func TestEveryRoundRunsEachCellOnceInAnOrderOfItsOwn(t *testing.T) {
	var log []string
	var cells []Cell
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for _, name := range names {
		cells = append(cells, cellOf(name, &log))
	}
	watch := &silent{}
	p := Plan{Cells: cells, Rounds: 10, Seed: 1, Limit: time.Minute}
	out, err := p.Run(t.Context(), watch)
	require.NoError(t, err)
	require.Len(t, log, 80)
	orders := map[string]bool{}
	for round := range slices.Chunk(log, 8) {
		assert.ElementsMatch(t, names, round)
		orders[string(slices.Concat([]byte(round[0]), []byte(round[1]), []byte(round[2])))] = true
	}
	assert.Greater(t, len(orders), 5, "the rounds have nearly all another order")
	assert.Len(t, out.Readings, 80)
	assert.Equal(t, p.Expect(), watch.over, "at the end, all that was expected is over")
	assert.Equal(t, log, watch.begun)
}

func TestTheSameSeedGivesTheSameOrders(t *testing.T) {
	p, q := Plan{Cells: make([]Cell, 20), Seed: 7}, Plan{Cells: make([]Cell, 20), Seed: 7}
	assert.Equal(t, p.order(3), q.order(3))
	assert.NotEqual(t, p.order(3), p.order(4))
	q.Seed = 8
	assert.NotEqual(t, p.order(3), q.order(3))
}

func TestACellWhosePreparationFailsIsNotRun(t *testing.T) {
	var log []string
	bad := cellOf("bad", &log)
	bad.Prepare = func(context.Context) error { return errors.New("loses\nitems") }
	out, err := Plan{Cells: []Cell{bad, cellOf("good", &log)}, Rounds: 2, Limit: time.Minute}.Run(t.Context(), &silent{})
	require.NoError(t, err)
	assert.Equal(t, []string{"good", "good"}, log)
	assert.Equal(t, []Failure{{"bad", "loses items"}}, out.Failures)
}

func TestWhatACellMeasuredBeforeItFailedDoesNotCount(t *testing.T) {
	for name, fault := range map[string]func() ([]Reading, error){
		"an error":        func() ([]Reading, error) { return nil, errors.New("lost 3 of 10 items") },
		"a panic":         func() ([]Reading, error) { panic("at the disco") },
		"not a number":    func() ([]Reading, error) { return []Reading{{Iters: 1, Values: []Value{{math.NaN(), "ns/op"}}}}, nil },
		"no values":       func() ([]Reading, error) { return []Reading{{Iters: 1}}, nil },
		"no iterations":   func() ([]Reading, error) { return []Reading{{Values: []Value{{1, "ns/op"}}}}, nil },
		"an infinite one": func() ([]Reading, error) { return []Reading{{Iters: 1, Values: []Value{{math.Inf(1), "s"}}}}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			cell := Cell{Name: "late", Run: func(context.Context) ([]Reading, error) {
				if n++; n == 3 {
					return fault()
				}
				return []Reading{{Name: "named/otherwise", Iters: 1, Values: []Value{{1, "ns/op"}}}}, nil
			}}
			out, err := Plan{Cells: []Cell{cell}, Rounds: 5, Limit: time.Minute}.Run(t.Context(), &silent{})
			require.NoError(t, err)
			assert.Empty(t, out.Readings)
			require.Len(t, out.Failures, 1)
			assert.Equal(t, "late", out.Failures[0].Name)
			assert.Equal(t, 3, n, "it is not run again")
		})
	}
}

func TestACellThatHangsIsGivenUpAfterTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hang := Cell{Name: "hang", Run: func(context.Context) ([]Reading, error) { <-release; return nil, nil }}
		began := time.Now()
		out, err := Plan{Cells: []Cell{hang}, Rounds: 3, Limit: 10 * time.Second}.Run(t.Context(), &silent{})
		require.NoError(t, err)
		assert.Equal(t, 10*time.Second, time.Since(began))
		assert.Equal(t, []Failure{{"hang", "has not returned within 10s"}}, out.Failures)
		close(release)
	})
}

func TestAnInterruptedPlanGivesNothing(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	var runs atomic.Int64
	cell := Cell{Name: "a", Run: func(context.Context) ([]Reading, error) {
		if runs.Add(1) == 3 {
			cancel(why)
		}
		return []Reading{{Iters: 1, Values: []Value{{1, "ns/op"}}}}, nil
	}}
	out, err := Plan{Cells: []Cell{cell}, Rounds: 10, Limit: time.Minute}.Run(ctx, &silent{})
	assert.ErrorIs(t, err, why)
	assert.Empty(t, out)
	assert.EqualValues(t, 3, runs.Load())
}
