package proptest

import (
	"testing"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestP2_ScriptsWithOneWorkerMatchTheModelCallByCall(t *testing.T) {
	runScripts(t, anyProfile())
}

func TestP1_ScriptsWithSeveralWorkersMatchTheModel(t *testing.T) {
	p := anyProfile()
	p.workers = []int{2, 3, 4}
	runScripts(t, p)
}

func TestP3_ScriptsWithWeightsMatchTheModel(t *testing.T) {
	p := anyProfile()
	p.workers = []int{1, 1, 2}
	p.weighed = []bool{true}
	p.sizes = []int{2, 3, 7, 1000}
	p.failing = 3
	runScripts(t, p)
}

func TestP4_ScriptsOfLoneItemsAreFlushedExactlyWhenDue(t *testing.T) {
	p := anyProfile()
	p.workers = []int{1, 2}
	p.sizes = []int{3, 7, 1000}
	p.eager = []bool{false}
	p.failing = 3
	p.weights = map[string]int{"addall": 1, "flush": 1, "next": 16, "close": 0}
	runScripts(t, p)
}

func TestP5_ScriptsWithFullQueuesAndWaitingProducersMatchTheModel(t *testing.T) {
	p := anyProfile()
	p.depths = []int{1, 1, 2}
	p.sizes = []int{1, 1, 2, 3}
	p.overflows = []batcher.Overflow{batcher.Block}
	p.weighed = []bool{false}
	p.waiters = 6
	p.weights = map[string]int{"add": 12, "addwait": 0, "addall": 1, "close": 0, "cancel": 4}
	runScripts(t, p)
}

func TestP5_ScriptsThatOverflowMatchTheModel(t *testing.T) {
	p := anyProfile()
	p.workers = []int{1, 2}
	p.depths = []int{1, 2}
	p.sizes = []int{1, 2, 3}
	p.overflows = []batcher.Overflow{batcher.Reject, batcher.DropNewest, batcher.DropOldest, batcher.DropOldest}
	p.failing = 8
	p.weights = map[string]int{"add": 12, "addall": 6, "close": 0, "next": 4}
	runScripts(t, p)
}

func TestP7_ScriptsWithManyFlushesMatchTheModel(t *testing.T) {
	p := anyProfile()
	p.workers = []int{1, 1, 3}
	p.weights = map[string]int{"flush": 14, "close": 0, "cancel": 4}
	runScripts(t, p)
}

func TestP8_ScriptsWithManyClosesMatchTheModel(t *testing.T) {
	p := anyProfile()
	p.workers = []int{1, 1, 3}
	p.failing = 9
	p.weights = map[string]int{"close": 6, "cancel": 6, "add": 12, "addall": 8}
	runScripts(t, p)
}

func TestP9_ScriptsOfFailuresMatchTheModel(t *testing.T) {
	p := anyProfile()
	p.workers = []int{1, 1, 2}
	p.sizes = []int{3, 5, 8}
	p.failing = 10
	p.weights = map[string]int{"close": 0, "next": 24, "release": 10, "addall": 6, "submit": 12}
	runScripts(t, p)
}

func TestP1_BurstsOfCallsAtTheSameInstantKeepEveryPromise(t *testing.T) {
	p := anyProfile()
	p.workers = []int{1, 1, 2, 4}
	p.aligned = true
	p.waiters = 100
	p.weights = map[string]int{"burst": 30, "close": 0, "release": 3, "cancel": 5}
	runScripts(t, p)
}

func TestP5_BurstsOfWaitingProducersLoseNoWakeUp(t *testing.T) {
	p := anyProfile()
	p.workers = []int{1, 2}
	p.depths = []int{1, 2}
	p.sizes = []int{1, 1, 2}
	p.overflows = []batcher.Overflow{batcher.Block}
	p.failing = 10
	p.aligned = true
	p.waiters = 100
	p.bursts = []OpKind{OpAdd, OpAdd, OpAdd, OpSubmit, OpAddAll}
	p.weights = map[string]int{"burst": 30, "close": 0, "flush": 1, "next": 0, "advance": 3, "tryadd": 0}
	runScripts(t, p)
}
