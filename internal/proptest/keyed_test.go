package proptest

// Random scripts for a Sharded.

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-4c1eaf8a/batcher"
	"pgregory.net/rapid"
)

func TestP1_ScriptsWithKeysKeepEveryPromise(t *testing.T) {
	runKeyed(t, keyedProfiles())
}

func TestP2_ScriptsWithHotKeysAndManyWorkersKeepTheOrderOfEachKey(t *testing.T) {
	p := keyedProfiles()
	p.workers, p.keys, p.sizes = []int{2, 3, 8}, []int{1, 2, 3}, []int{1, 2, 3}
	p.pending, p.perKey = []int{30, 1000}, []int{0, 9}
	p.failing = 9
	runKeyed(t, p)
}

func TestP4_ScriptsOfLoneItemsOfManyKeysAreFlushedExactlyWhenDue(t *testing.T) {
	p := keyedProfiles()
	p.workers, p.keys, p.sizes = []int{1, 2, 64}, []int{5, 20, 50}, []int{3, 7, 1000}
	p.pending, p.perKey, p.eager, p.failing = []int{1000}, []int{0}, []bool{false}, 2
	p.ops = []OpKind{OpAdd, OpAdd, OpAdd, OpTryAdd, OpSubmit, OpAddAll}
	runKeyed(t, p)
}

func TestP5_ScriptsWithSmallBudgetsWakeWhoeverFits(t *testing.T) {
	p := keyedProfiles()
	p.workers, p.overflows = []int{1, 2, 3}, []batcher.Overflow{batcher.Block}
	p.pending, p.perKey, p.weighed = []int{1, 2, 3, 5, 8}, []int{0, 1, 2, 3}, []bool{false}
	p.ops = append(slices.Repeat([]OpKind{OpAdd, OpAdd, OpAddAll, OpSubmit}, 4), OpFlush)
	runKeyed(t, p)
}

func TestP5_ScriptsWithSmallBudgetsThatOverflowLoseNothingInSilence(t *testing.T) {
	p := keyedProfiles()
	p.workers = []int{1, 2, 3}
	p.overflows = []batcher.Overflow{batcher.Reject, batcher.DropNewest, batcher.DropOldest, batcher.DropOldest}
	p.pending, p.perKey = []int{1, 2, 3, 5, 8}, []int{0, 1, 2, 3}
	p.ops = append(slices.Repeat(keyedOps[:12], 3), OpFlush)
	runKeyed(t, p)
}

func TestP7_ScriptsWithKeysAndManyFlushesKeepTheBarrier(t *testing.T) {
	p := keyedProfiles()
	p.ops = []OpKind{OpAdd, OpAdd, OpAdd, OpAddAll, OpSubmit, OpFlush, OpFlush}
	p.pending, p.failing = []int{5, 30, 1000}, 8
	runKeyed(t, p)
}

func TestP8_ScriptsWithKeysAndManyClosesAccountForAllItems(t *testing.T) {
	p := keyedProfiles()
	p.ops = append(slices.Repeat(keyedOps, 3), OpClose, OpClose, OpClose)
	p.failing, p.endings = 9, []ending{endGivingUp, endGivingUp, endByClose}
	runKeyed(t, p)
}

// With one worker, as long as no two batches become due at the same instant, and an Add
// does not race the worker that it has just given something to do, everything is
// determined; and how keys are spread over locks must not be seen. Between batches of
// the same age, and those that Flush and Close make due at once, there is no order.
func TestF42_TheNumberOfShardsChangesNothing(t *testing.T) {
	p := keyedProfiles()
	p.workers, p.spaced, p.keys = []int{1}, []bool{true}, []int{2, 5, 9}
	p.ops = []OpKind{OpAdd, OpAdd, OpAdd, OpTryAdd, OpSubmit, OpAddWait} // all at once: a worker cannot come between
	p.eager = []bool{false}
	p.endings = []ending{endByTime}
	p.overflows = []batcher.Overflow{batcher.Reject, batcher.DropNewest} // nobody waits
	compareShards(t, p)
}

// compareShards plays scripts with several numbers of shards and compares the calls of
// the flush function.
func compareShards(t *testing.T, p keyedProfile) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScript(rt, p)
		var one []string
		for _, shards := range []int{1, 3, 8, 64} {
			s.cfg.Shards = shards
			w, problem := s.play(t)
			if problem != "" {
				rt.Fatal(problem)
			}
			got := w.callStrings()
			if one == nil {
				one = got
			}
			if !slices.Equal(one, got) {
				rt.Fatalf("with %d shards the calls are\n%s\nand with 1\n%s\n%v",
					shards, strings.Join(got, "\n"), strings.Join(one, "\n"), s)
			}
		}
	})
}

func (w *keyedWorld) callStrings() []string {
	list := []string{"the calls:"}
	for _, c := range w.calls {
		list = append(list, c.String())
	}
	return list
}
