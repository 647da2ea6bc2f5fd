package proptest

// The steps of a script.

import (
	"fmt"
	"math"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

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
