package proptest

// Random scripts in virtual time, compared with the model after every step.

import (
	"fmt"
	"math"
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

// actions returns the steps of a script, some of them several times, so that
// they are drawn more often.
func (ma *machine) actions() map[string]func(*rapid.T) {
	base := map[string]struct {
		weight int
		do     func()
	}{
		"add":     {6, func() { ma.call(OpAdd, 1) }},
		"tryadd":  {3, func() { ma.call(OpTryAdd, 1) }},
		"addall":  {4, func() { ma.call(OpAddAll, ma.drawCount()) }},
		"addwait": {2, func() { ma.call(OpAddWait, 1) }},
		"submit":  {3, func() { ma.call(OpSubmit, 1) }},
		"flush":   {3, func() { ma.call(OpFlush, 0) }},
		"close":   {1, func() { ma.call(OpClose, 0) }},
		"release": {5, ma.release},
		"cancel":  {2, ma.cancel},
		"advance": {6, ma.advance},
		"next":    {8, ma.next},
		"burst":   {0, ma.burst},
	}
	all := map[string]func(*rapid.T){"": func(*rapid.T) {}}
	for name, a := range base {
		n := a.weight
		if w, ok := ma.prof.weights[name]; ok {
			n = w
		}
		for i := range n {
			all[fmt.Sprintf("%s/%d", name, i)] = func(*rapid.T) { a.do() }
		}
	}
	return all
}

// settleAndCheck waits until nothing moves and compares.
func (ma *machine) settleAndCheck() {
	synctest.Wait()
	ma.checks.all()
}

// call starts a method of the batcher.
func (ma *machine) call(kind OpKind, n int) {
	if kind == OpAdd || kind == OpAddAll || kind == OpAddWait || kind == OpSubmit {
		if ma.w.b.Stats().Waiting >= ma.prof.waiters {
			ma.rt.Skip("enough producers wait")
		}
	}
	ma.nextOp++
	op := Op{ID: ma.nextOp, Kind: kind}
	for range n {
		op.Items = append(op.Items, ma.drawItem(true))
	}
	if kind != OpTryAdd {
		switch rapid.IntRange(0, 11).Draw(ma.rt, "ctx") {
		case 0:
			op.Ended = true
		case 1, 2:
			ms := rapid.IntRange(0, 40).Draw(ma.rt, "deadline")
			op.Deadline = ma.w.now() + time.Duration(ms)*500*time.Microsecond + time.Duration(op.ID)*1009 + 7
		}
	}
	ma.logf("%v", op)
	ma.w.run(op)
	synctest.Wait()
	if ma.m.Weak == "" {
		ma.m.Start(op)
	}
	ma.settleAndCheck()
}

// burst makes several calls at once, in an order that nobody knows.
func (ma *machine) burst() {
	ma.m.weaken("a burst of calls")
	kinds := ma.prof.bursts
	if kinds == nil {
		kinds = []OpKind{OpAdd, OpAdd, OpTryAdd, OpAddAll, OpAddAll, OpAddWait, OpSubmit, OpFlush, OpFlush, OpClose}
	}
	for range rapid.IntRange(1, 6).Draw(ma.rt, "calls") {
		ma.nextOp++
		op := Op{ID: ma.nextOp, Kind: rapid.SampledFrom(kinds).Draw(ma.rt, "kind")}
		n := 1
		switch op.Kind {
		case OpFlush, OpClose:
			n = 0
		case OpAddAll:
			n = ma.drawCount()
		}
		for range n {
			op.Items = append(op.Items, ma.drawItem(true))
		}
		if rapid.IntRange(0, 3).Draw(ma.rt, "ctx") == 0 {
			op.Deadline = ma.w.now() + time.Duration(rapid.IntRange(1, 5).Draw(ma.rt, "deadline"))*time.Millisecond
		}
		if op.Kind == OpClose && op.Deadline == 0 && rapid.Bool().Draw(ma.rt, "ended") {
			op.Ended = true
		}
		ma.logf("at once: %v", op)
		ma.w.run(op)
	}
	for _, c := range ma.w.heldCalls() {
		if rapid.Bool().Draw(ma.rt, "release") {
			ma.logf("at once: release the call of %v", ids(c.items))
			ma.w.release(c)
		}
	}
	for _, o := range ma.waitingOps() {
		if rapid.IntRange(0, 3).Draw(ma.rt, "cancel") == 0 {
			ma.logf("at once: cancel #%d", o.op.ID)
			o.cancel(o.cause)
		}
	}
	ma.settleAndCheck()
}

// waitingOps returns the calls that have not returned.
func (ma *machine) waitingOps() (open []*opRecord) {
	ma.w.mu.Lock()
	defer ma.w.mu.Unlock()
	for _, o := range ma.w.ops {
		if !o.done {
			open = append(open, o)
		}
	}
	return open
}

// release lets a held flush go on.
func (ma *machine) release() {
	held := ma.w.heldCalls()
	if len(held) == 0 {
		ma.rt.Skip("nothing is held")
	}
	c := held[rapid.IntRange(0, len(held)-1).Draw(ma.rt, "held")]
	ma.releaseCall(c)
}

func (ma *machine) releaseCall(c *callRecord) {
	ma.logf("release the call of %v", ids(c.items))
	ma.w.release(c)
	synctest.Wait()
	if ma.m.Weak == "" {
		ma.m.Release(c.items[0].ID)
	}
	ma.settleAndCheck()
}

// cancel ends the context of a call.
func (ma *machine) cancel() {
	open := ma.waitingOps()
	if len(open) == 0 {
		ma.rt.Skip("no call is waiting")
	}
	o := open[rapid.IntRange(0, len(open)-1).Draw(ma.rt, "op")]
	ma.logf("cancel #%d", o.op.ID)
	o.cancel(o.cause)
	synctest.Wait()
	if ma.m.Weak == "" {
		ma.m.CtxEnds(o.op.ID)
	}
	ma.settleAndCheck()
}

// advance lets time pass.
func (ma *machine) advance() {
	unit := rapid.SampledFrom([]time.Duration{100 * time.Microsecond, time.Millisecond, 100 * time.Millisecond}).Draw(ma.rt, "unit")
	ma.sleep(time.Duration(rapid.IntRange(1, 30).Draw(ma.rt, "n"))*unit + 3)
}

// next lets time pass until just before, or exactly to, the next thing that
// the model knows to happen.
func (ma *machine) next() {
	if ma.m.Weak != "" {
		ma.advance()
		return
	}
	at, ok := ma.m.Next()
	if !ok {
		ma.rt.Skip("nothing will happen")
	}
	d := at - ma.m.Now
	if d > 1 && rapid.Bool().Draw(ma.rt, "just before") {
		ma.sleep(d - 1)
		return
	}
	ma.sleep(d)
}

func (ma *machine) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	ma.logf("advance by %v", d)
	time.Sleep(d)
	synctest.Wait()
	if ma.m.Weak == "" {
		ma.m.Advance(ma.w.now())
	}
	ma.m.Now = ma.w.now()
	ma.settleAndCheck()
}

// end drains the batcher in one of several ways and checks what is left.
func (ma *machine) end() {
	ma.logf("end of the script")
	closing := rapid.SampledFrom([]string{"close", "close", "flush", "give up"}).Draw(ma.rt, "end")
	switch closing {
	case "give up":
		ma.call(OpClose, 0)
	case "flush":
		ma.nextOp++
		ma.start(Op{ID: ma.nextOp, Kind: OpFlush})
	}
	for range 2000 {
		if !ma.goOn() {
			break
		}
	}
	if closing != "flush" || ma.w.cfg.MaxDelay == math.MaxInt64 {
		ma.nextOp++
		ma.start(Op{ID: ma.nextOp, Kind: OpClose})
		for range 2000 {
			if !ma.goOn() {
				break
			}
		}
	}
	ma.checks.final()
}

// start is call without random parts.
func (ma *machine) start(op Op) {
	ma.logf("%v", op)
	ma.w.run(op)
	synctest.Wait()
	if ma.m.Weak == "" {
		ma.m.Start(op)
	}
	ma.settleAndCheck()
}

// goOn moves the batcher towards its end: it reports false when that is reached.
func (ma *machine) goOn() bool {
	if held := ma.w.heldCalls(); len(held) > 0 {
		ma.releaseCall(held[0])
		return true
	}
	if ma.m.Weak == "" {
		if at, ok := ma.m.Next(); ok {
			ma.sleep(at - ma.m.Now)
			return true
		}
		if !ma.m.Gone {
			return false
		}
	}
	before := ma.w.b.Stats()
	for range 3 {
		ma.sleep(2 * time.Hour)
		if len(ma.w.heldCalls()) > 0 {
			return true
		}
	}
	after := ma.w.b.Stats()
	before.OldestAge, after.OldestAge = 0, 0
	return before != after
}
