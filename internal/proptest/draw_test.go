package proptest

// What is random in a script.

import (
	"math"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
	"pgregory.net/rapid"
)

func (ma *machine) drawConfig() Config {
	rt, p := ma.rt, ma.prof
	cfg := Config{
		MaxSize:  rapid.SampledFrom(p.sizes).Draw(rt, "max size"),
		MaxDelay: time.Duration(rapid.IntRange(1, 20).Draw(rt, "max delay")) * time.Millisecond,
		Eager:    rapid.SampledFrom(p.eager).Draw(rt, "eager"),
		Workers:  rapid.SampledFrom(p.workers).Draw(rt, "workers"),
		Depth:    rapid.SampledFrom(p.depths).Draw(rt, "depth"),
		Overflow: rapid.SampledFrom(p.overflows).Draw(rt, "overflow"),
		Attempts: rapid.SampledFrom([]int{1, 2, 3}).Draw(rt, "attempts"),
		Backoff:  rapid.SampledFrom([]time.Duration{0, -1, 130 * time.Microsecond, 3110 * time.Microsecond}).Draw(rt, "backoff"),
		RetryIf:  rapid.Bool().Draw(rt, "retry if"),
		Bisect:   rapid.Bool().Draw(rt, "bisect"),
		Timeout:  rapid.SampledFrom([]time.Duration{0, 30*time.Second + 1, 2*time.Millisecond + 333}).Draw(rt, "timeout"),
		Keep:     rapid.Bool().Draw(rt, "without reuse"),
		Hooks:    rapid.Bool().Draw(rt, "hooks"),
		Evil:     rapid.IntRange(0, 3).Draw(rt, "evil") == 3,
	}
	if rapid.SampledFrom(p.weighed).Draw(rt, "weighed") {
		cfg.MaxWeight = rapid.SampledFrom([]int{1, 4, 10}).Draw(rt, "max weight")
	}
	if p.aligned {
		cfg.MaxDelay = time.Duration(rapid.IntRange(1, 2).Draw(rt, "aligned delay")) * time.Millisecond
		cfg.Timeout = rapid.SampledFrom([]time.Duration{0, time.Millisecond, 3 * time.Millisecond}).Draw(rt, "aligned timeout")
		cfg.Backoff = rapid.SampledFrom([]time.Duration{0, time.Millisecond}).Draw(rt, "aligned backoff")
	}
	if rapid.IntRange(0, 19).Draw(rt, "endless") == 0 {
		cfg.MaxDelay = math.MaxInt64
	}
	return cfg
}

// drawCount says how many items AddAll gets. With DropOldest and an idle worker
// it is not so many that batches are dropped while the worker takes one, since
// it is open then which batch is the oldest one that waits.
func (ma *machine) drawCount() int {
	cfg := ma.w.cfg
	n := min(2*cfg.MaxSize+3, 15)
	if cfg.Overflow == batcher.DropOldest && ma.w.b.Stats().Running < cfg.Workers {
		n = min(n, cfg.MaxSize)
	}
	return rapid.IntRange(1, n).Draw(ma.rt, "n")
}

// drawItem makes a new item, and what the calls do that it is the first item of.
func (ma *machine) drawItem(outer bool) Item {
	rt := ma.rt
	ma.nextID++
	it := Item{ID: ma.nextID}
	if max := ma.w.cfg.MaxWeight; max > 0 {
		it.Weight = rapid.IntRange(0, max).Draw(rt, "weight")
		switch rapid.IntRange(0, 19).Draw(rt, "bad weight") {
		case 18:
			it.Weight = max + 1
		case 19:
			it.Weight = -1
		}
	}
	if !outer || rapid.IntRange(0, 9).Draw(rt, "planned") >= ma.prof.failing {
		return it
	}
	n := rapid.IntRange(1, 3).Draw(rt, "behaviours")
	var list []Behaviour
	for nth := range n {
		list = append(list, ma.drawBehaviour(it.ID, nth))
	}
	ma.w.mu.Lock()
	ma.w.plans[it.ID] = list
	ma.w.mu.Unlock()
	ma.logf("calls led by %d: %v", it.ID, list)
	return it
}

func (ma *machine) drawBehaviour(id, nth int) Behaviour {
	rt := ma.rt
	b := Behaviour{
		Delay:    Offset(id, nth),
		Hold:     rapid.Bool().Draw(rt, "hold"),
		Honour:   rapid.Bool().Draw(rt, "honour"),
		Work:     time.Duration(rapid.IntRange(0, 60).Draw(rt, "work"))*50*time.Microsecond + Offset(nth, id),
		Scribble: rapid.SampledFrom([]Scribble{ScribbleNone, ScribbleSort, ScribbleZero, ScribbleTail}).Draw(rt, "scribble"),
	}
	if ma.prof.aligned {
		b.Delay = time.Duration(rapid.IntRange(0, 1).Draw(rt, "aligned delay")) * time.Millisecond
		b.Work = time.Duration(rapid.IntRange(0, 2).Draw(rt, "aligned work")) * time.Millisecond
	}
	if rapid.IntRange(0, 4).Draw(rt, "calls back") == 0 {
		b.Inner = rapid.SampledFrom([]InnerKind{InnerAdd, InnerTryAdd, InnerSubmit, InnerAddAll, InnerForbidden}).Draw(rt, "inner")
		n := 1
		if b.Inner == InnerAddAll {
			n = rapid.IntRange(1, min(ma.w.cfg.MaxSize+2, 10)).Draw(rt, "n")
		}
		if b.Inner != InnerForbidden {
			for range n {
				b.Items = append(b.Items, ma.drawItem(false))
			}
		}
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
		b.Letter = time.Duration(rapid.IntRange(0, 9).Draw(rt, "letter"))*70*time.Microsecond + Offset(id+1, nth)
	}
	return b
}

// drawTree makes an error: mostly a simple one.
func drawTree(rt *rapid.T, depth int, partial bool) *Tree {
	kinds := []TreeKind{TreePlain, TreePlain, TreePlain, TreeRefused}
	if depth > 0 {
		kinds = append(kinds, TreePermanent, TreePermanent, TreeRetryAfter, TreeTooLarge, TreeWrap, TreeJoin)
		if partial {
			kinds = append(kinds, TreePartial, TreePartial, TreePartial, TreeNilPartial)
		}
	}
	t := &Tree{Kind: rapid.SampledFrom(kinds).Draw(rt, "error")}
	kids := 0
	switch t.Kind {
	case TreePermanent, TreeTooLarge, TreeWrap:
		kids = 1
	case TreeRetryAfter:
		kids = 1
		t.Wait = rapid.SampledFrom([]time.Duration{-time.Second, 0, 410 * time.Microsecond, 5310 * time.Microsecond, 3 * time.Hour}).Draw(rt, "retry after")
	case TreeJoin:
		kids = rapid.IntRange(1, 3).Draw(rt, "kids")
	case TreePartial:
		kids = rapid.IntRange(0, 4).Draw(rt, "entries")
		t.Wild = rapid.IntRange(0, 5).Draw(rt, "wild") == 0
		for range kids {
			t.Keys = append(t.Keys, rapid.IntRange(-1, 6).Draw(rt, "key"))
		}
	}
	for range kids {
		if t.Kind == TreePartial && rapid.IntRange(0, 4).Draw(rt, "nil entry") == 0 {
			t.Kids = append(t.Kids, &Tree{Kind: TreeNil})
			continue
		}
		t.Kids = append(t.Kids, drawTree(rt, depth-1, partial && t.Kind != TreePartial && (t.Kind == TreeWrap || t.Kind == TreePermanent || t.Kind == TreeRetryAfter)))
	}
	return t
}
