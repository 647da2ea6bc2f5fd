package proptest

// Random scripts in virtual time, compared with the model after every step.

import (
	"fmt"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
	"pgregory.net/rapid"
)

// profile says what kind of scripts to draw.
type profile struct {
	workers   []int
	depths    []int
	sizes     []int
	overflows []batcher.Overflow
	failing   int            // of 10 flushes, how many have a plan
	waiters   int            // how many producers may wait at once
	weights   map[string]int // of the actions, relative to the default
	weighed   []bool
	eager     []bool
	bursts    []OpKind
	aligned   bool // many things happen at the same instant
}

func anyProfile() profile {
	return profile{
		workers:   []int{1},
		depths:    []int{1, 1, 2, 3},
		sizes:     []int{1, 2, 3, 3, 4, 7},
		overflows: []batcher.Overflow{batcher.Block, batcher.Block, batcher.Reject, batcher.DropNewest, batcher.DropOldest},
		failing:   6,
		waiters:   1,
		weighed:   []bool{false, false, true},
		eager:     []bool{false, false, true},
	}
}

var digits = regexp.MustCompile(`[0-9][0-9.a-zµ]*`)

// machine is a run of one script.
type machine struct {
	rt     *rapid.T
	prof   profile
	w      *world
	m      *Model
	nextID int
	nextOp int
	log    []func() string
	checks checker
}

// failure is how a check ends a run.
type failure struct{ msg string }

func (ma *machine) failf(format string, args ...any) {
	panic(failure{fmt.Sprintf(format, args...)})
}

func (ma *machine) logf(format string, args ...any) {
	at := ma.w.now()
	ma.log = append(ma.log, func() string { return fmt.Sprintf("%12v ", at) + fmt.Sprintf(format, args...) })
}

// report is what a failing run prints.
func (ma *machine) report(msg string) string {
	s := fmt.Sprintf("%s\n\nconfig: %+v\nscript:\n", msg, ma.w.cfg)
	for _, line := range ma.log {
		s += "  " + line() + "\n"
	}
	if ma.m.Weak != "" {
		s += "the model was not exact any more: " + ma.m.Weak + "\n"
	}
	s += ma.checks.dump()
	return s
}

// runScripts checks the property for scripts of one profile.
func runScripts(t *testing.T, prof profile) {
	t.Helper()
	exact, total := 0, 0
	why := make(map[string]int)
	rapid.Check(t, func(rt *rapid.T) {
		weak := runScript(t, rt, prof)
		total++
		if weak == "" {
			exact++
		} else {
			why[digits.ReplaceAllString(weak, "#")]++
		}
	})
	for reason, n := range why {
		t.Logf("%5d times not exact: %s", n, reason)
	}
	t.Logf("%d of %d scripts were predicted exactly to the end", exact, total)
	if !prof.aligned && exact < total/2 {
		t.Errorf("the model was exact for %d of %d scripts only: the test has lost its strength", exact, total)
	}
}

// runScript checks one script. It returns why the model was not exact to the
// end, if so.
func runScript(t *testing.T, rt *rapid.T, prof profile) (weak string) {
	var problem string
	var other any
	ma := &machine{rt: rt, prof: prof}
	func() {
		defer func() {
			if p := recover(); p != nil { // leaked goroutines, by synctest
				problem += fmt.Sprintf("\nP13: %v\n", p)
			}
		}()
		synctest.Test(t, func(*testing.T) { problem, other = ma.bubble() })
	}()
	if problem != "" {
		if ma.m != nil {
			problem = ma.report(problem)
		}
		rt.Fatal(problem)
	}
	if other != nil {
		panic(other) // rapid's own
	}
	return ma.m.Weak
}

// bubble runs the script. It returns what went wrong, or a panic of rapid's.
func (ma *machine) bubble() (problem string, other any) {
	defer func() {
		p := recover()
		switch p := p.(type) {
		case nil:
			return
		case failure:
			problem = p.msg
		case modelError:
			problem = string(p)
		default:
			if s := fmt.Sprintf("%T", p); strings.HasPrefix(s, "rapid.") {
				other = p
			} else {
				problem = fmt.Sprintf("panic: %v\n%s", p, debug.Stack())
			}
		}
		if ma.w != nil {
			ma.w.abandon()
		}
	}()
	ma.open(ma.drawConfig())
	if ma.prof.aligned {
		ma.m.weaken("everything may happen at the same instant")
	}
	ma.rt.Repeat(ma.actions())
	ma.end()
	return "", nil
}

// open makes the batcher and its model.
func (ma *machine) open(cfg Config) {
	ma.w = newWorld(cfg)
	ma.m = NewModel(cfg, ma.w.plans)
	ma.m.ObservedCall = ma.w.observedCall
	ma.m.ObservedReturn = ma.w.observedReturn
	ma.checks = newChecker(ma)
}

// abandon ends a batcher whose run has failed, so that the bubble can end.
func (w *world) abandon() {
	w.letGo(true)
	go func() {
		for range 50 {
			time.Sleep(2 * time.Hour)
			w.letGo(true)
		}
		rec := w.run(Op{Kind: OpClose, Ended: true})
		time.Sleep(2 * time.Hour)
		_ = rec
		w.letGo(true)
	}()
	w.run(Op{Kind: OpClose, Ended: true})
	time.Sleep(200 * time.Hour)
}

func (w *world) observedCall(nth int) []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if nth >= len(w.calls) {
		return nil
	}
	return ids(w.calls[nth].items)
}

func (w *world) observedReturn(op int) (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.ops {
		if o.op.ID == op && o.done {
			return o.at, true
		}
	}
	return 0, false
}

func ids(items []Item) []int {
	out := make([]int, len(items))
	for i, it := range items {
		out[i] = it.ID
	}
	return out
}
