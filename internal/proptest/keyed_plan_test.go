package proptest

// Scripts for the front ends with keys. A script is data, drawn as a whole before it
// is played, so that the same one can be played with other options.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
	"pgregory.net/rapid"
)

// keyedConfig is the options of a batcher with keys.
type keyedConfig struct {
	Config
	Keys       int
	Shards     int // 0 is the default
	MaxPending int
	PerKey     int  // 0 is off
	FoldBack   bool // of a Combiner
	Spaced     bool // no two calls happen at the same instant
}

// keyedProfile says what kind of scripts to draw.
type keyedProfile struct {
	combined  bool
	workers   []int
	keys      []int
	sizes     []int
	pending   []int
	perKey    []int
	depths    []int // of a Combiner
	overflows []batcher.Overflow
	eager     []bool
	weighed   []bool
	foldBack  []bool
	spaced    []bool
	failing   int // of 10 items, how many have a plan for the calls that they lead
	ops       []OpKind
	endings   []ending
	calm      bool // no flush fails
}

// ending is how a script ends.
type ending int

const (
	endByClose ending = iota
	endByFlush        // and is then forgotten
	endGivingUp
	endByTime // everything is flushed when it is due, and Close has nothing to do
)

// The methods in the mix in which they are drawn.
var keyedOps = []OpKind{
	OpAdd, OpAdd, OpAdd, OpAdd, OpAdd, OpAdd, OpTryAdd, OpTryAdd, OpAddAll, OpAddAll, OpSubmit, OpSubmit,
	OpAddWait, OpFlush, OpFlush, OpClose,
}

func keyedProfiles() keyedProfile {
	return keyedProfile{
		workers: []int{1, 1, 2, 3},
		keys:    []int{1, 2, 3, 5},
		sizes:   []int{1, 2, 3, 3, 4, 7},
		pending: []int{1, 3, 5, 8, 30, 1000},
		perKey:  []int{0, 0, 1, 2, 4, 9},
		depths:  []int{1, 1, 2, 3},
		overflows: []batcher.Overflow{
			batcher.Block, batcher.Block, batcher.Reject, batcher.DropNewest, batcher.DropOldest,
		},
		eager:    []bool{false, false, false, true},
		weighed:  []bool{false, false, true},
		foldBack: []bool{false},
		spaced:   []bool{true, false},
		failing:  5,
		ops:      keyedOps,
		endings:  []ending{endByClose, endByClose, endByFlush, endGivingUp},
	}
}

// stepKind is a kind of step.
type stepKind int

const (
	stepCall    stepKind = iota
	stepRelease          // let a held flush go on
	stepCancel           // end the context of a call that has not returned
	stepAdvance
	stepNext // advance to when the next batch is due
	stepJustBefore
)

// keyedStep is a step of a script.
type keyedStep struct {
	kind  stepKind
	op    Op
	key   int
	limit time.Duration // of the context, from the call on; 0 is none
	which int           // of those that there are to choose from
	d     time.Duration
	plan  []Behaviour // of the calls that the first item leads
}

func (s keyedStep) String() string {
	switch s.kind {
	case stepCall:
		return fmt.Sprintf("%v key %d, limit %v; calls led by it: %v", s.op, s.key, s.limit, s.plan)
	case stepRelease:
		return fmt.Sprintf("release %d", s.which)
	case stepCancel:
		return fmt.Sprintf("cancel %d", s.which)
	case stepAdvance:
		return fmt.Sprintf("advance by %v", s.d)
	default:
		return [...]string{"advance to the next deadline", "advance to just before it"}[s.kind-stepNext]
	}
}

// script is a whole script.
type script struct {
	combined bool
	cfg      keyedConfig
	steps    []keyedStep
	end      ending
}

func (s *script) String() string {
	lines := []string{fmt.Sprintf("config: %+v", s.cfg)}
	for _, step := range s.steps {
		lines = append(lines, "  "+step.String())
	}
	return strings.Join(append(lines, fmt.Sprintf("  end %d", s.end)), "\n")
}

// drawScript draws a script and numbers its items and calls.
func drawScript(rt *rapid.T, prof keyedProfile) *script {
	s := &script{combined: prof.combined, cfg: drawKeyedConfig(rt, prof)}
	s.end = rapid.SampledFrom(prof.endings).Draw(rt, "end")
	step := rapid.Custom(func(rt *rapid.T) keyedStep { return drawStep(rt, prof, s.cfg) })
	least := rapid.SampledFrom([]int{1, 20, 30, 45, 60}).Draw(rt, "least") // a slice is short by itself
	s.steps = rapid.SliceOfN(step, least, 80).Draw(rt, "steps")
	id := 0
	for i := range s.steps {
		st := &s.steps[i]
		st.op.ID = i + 1
		st.op.Items = slices.Clone(st.op.Items)
		for j := range st.op.Items {
			id++
			st.op.Items[j].ID = id
		}
		if len(st.op.Items) > 0 {
			st.plan = numbered(st.plan, st.op.Items[0].ID)
		}
	}
	return s
}

// numbered spreads the times of a plan, so that calls do not end at the same instant.
func numbered(plan []Behaviour, id int) []Behaviour {
	plan = slices.Clone(plan)
	for nth := range plan {
		plan[nth].Delay = Offset(id, nth)
		plan[nth].Work += Offset(nth, id)
	}
	return plan
}

func drawKeyedConfig(rt *rapid.T, p keyedProfile) keyedConfig {
	cfg := keyedConfig{
		Config: Config{
			MaxSize:  rapid.SampledFrom(p.sizes).Draw(rt, "max size"),
			MaxDelay: time.Duration(rapid.IntRange(1, 20).Draw(rt, "max delay")) * time.Millisecond,
			Eager:    rapid.SampledFrom(p.eager).Draw(rt, "eager"),
			Workers:  rapid.SampledFrom(p.workers).Draw(rt, "workers"),
			Depth:    rapid.SampledFrom(p.depths).Draw(rt, "depth"),
			Overflow: rapid.SampledFrom(p.overflows).Draw(rt, "overflow"),
			Attempts: rapid.IntRange(1, 3).Draw(rt, "attempts"),
			Backoff:  rapid.SampledFrom([]time.Duration{0, 130 * time.Microsecond, 3110 * time.Microsecond}).Draw(rt, "backoff"),
			RetryIf:  rapid.Bool().Draw(rt, "retry if"),
			Bisect:   rapid.Bool().Draw(rt, "bisect"),
			Keep:     rapid.Bool().Draw(rt, "without reuse"),
		},
		Keys:     rapid.SampledFrom(p.keys).Draw(rt, "keys"),
		Shards:   rapid.SampledFrom([]int{0, 1, 3, 8, 64}).Draw(rt, "shards"),
		FoldBack: rapid.SampledFrom(p.foldBack).Draw(rt, "fold back"),
		Spaced:   rapid.SampledFrom(p.spaced).Draw(rt, "spaced"),
	}
	if !p.calm {
		cfg.Timeout = rapid.SampledFrom([]time.Duration{0, 30*time.Second + 1, 2*time.Millisecond + 333}).Draw(rt, "timeout")
	}
	if rapid.SampledFrom(p.weighed).Draw(rt, "weighed") {
		cfg.MaxWeight = rapid.SampledFrom([]int{1, 4, 10}).Draw(rt, "max weight")
	}
	cfg.MaxPending = rapid.SampledFrom(p.pending).Draw(rt, "max pending")
	cfg.PerKey = min(rapid.SampledFrom(p.perKey).Draw(rt, "max pending per key"), cfg.MaxPending)
	return cfg
}

func drawStep(rt *rapid.T, p keyedProfile, cfg keyedConfig) keyedStep {
	s := keyedStep{kind: rapid.SampledFrom([]stepKind{
		stepCall, stepCall, stepCall, stepCall, stepCall, stepCall, stepCall, stepRelease, stepRelease, stepCancel,
		stepAdvance, stepAdvance, stepNext, stepNext, stepJustBefore,
	}).Draw(rt, "step")}
	switch s.kind {
	case stepCall:
		drawKeyedCall(rt, p, cfg, &s)
	case stepRelease, stepCancel:
		s.which = rapid.IntRange(0, 5).Draw(rt, "which")
	case stepAdvance:
		unit := rapid.SampledFrom([]time.Duration{100 * time.Microsecond, time.Millisecond, 100 * time.Millisecond}).Draw(rt, "unit")
		s.d = time.Duration(rapid.IntRange(1, 30).Draw(rt, "n"))*unit + 3
	}
	return s
}

func drawKeyedCall(rt *rapid.T, p keyedProfile, cfg keyedConfig, s *keyedStep) {
	s.op.Kind = rapid.SampledFrom(p.ops).Draw(rt, "method")
	// The lower key of two is the hot one.
	s.key = min(rapid.IntRange(0, cfg.Keys-1).Draw(rt, "key"), rapid.IntRange(0, cfg.Keys-1).Draw(rt, "hot key"))
	n := 1
	switch s.op.Kind {
	case OpFlush, OpClose:
		n = 0
	case OpAddAll:
		n = rapid.IntRange(1, min(2*cfg.MaxSize+3, 12)).Draw(rt, "n")
	}
	for range n {
		s.op.Items = append(s.op.Items, Item{Weight: drawWeight(rt, cfg.MaxWeight)})
	}
	if s.op.Kind != OpTryAdd {
		switch rapid.IntRange(0, 15).Draw(rt, "ctx") {
		case 0:
			s.op.Ended = true
		case 1, 2:
			s.limit = time.Duration(rapid.IntRange(1, 40).Draw(rt, "limit"))*500*time.Microsecond + 7
		}
	}
	if n == 0 || rapid.IntRange(0, 9).Draw(rt, "planned") >= p.failing {
		return
	}
	for range rapid.IntRange(1, 3).Draw(rt, "behaviours") {
		s.plan = append(s.plan, drawKeyedBehaviour(rt, p))
	}
}

func drawWeight(rt *rapid.T, most int) int {
	if most == 0 {
		return 0
	}
	w := rapid.IntRange(0, most).Draw(rt, "weight")
	switch rapid.IntRange(0, 19).Draw(rt, "bad weight") {
	case 18:
		w = most + 1
	case 19:
		w = -1
	}
	return w
}

func drawKeyedBehaviour(rt *rapid.T, p keyedProfile) Behaviour {
	b := Behaviour{
		Hold:     rapid.Bool().Draw(rt, "hold"),
		Honour:   rapid.Bool().Draw(rt, "honour"),
		Work:     time.Duration(rapid.IntRange(0, 60).Draw(rt, "work")) * 50 * time.Microsecond,
		Scribble: rapid.SampledFrom([]Scribble{ScribbleNone, ScribbleSort, ScribbleZero, ScribbleTail}).Draw(rt, "scribble"),
	}
	if rapid.IntRange(0, 5).Draw(rt, "calls back") == 0 {
		b.Inner = rapid.SampledFrom([]InnerKind{InnerAdd, InnerTryAdd, InnerForbidden}).Draw(rt, "inner")
	}
	if p.calm {
		return b
	}
	switch rapid.IntRange(0, 9).Draw(rt, "outcome") {
	case 0, 1, 2:
	case 3:
		b.End = EndPanic
	case 4:
		b.End = EndGoexit
	default:
		b.Tree = drawTree(rt, 3, true)
	}
	if (b.Tree != nil || b.End != EndReturn) && rapid.IntRange(0, 3).Draw(rt, "slow handler") == 0 {
		b.Letter = time.Duration(rapid.IntRange(1, 9).Draw(rt, "letter")) * 70 * time.Microsecond
	}
	return b
}
