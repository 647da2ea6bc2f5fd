package proptest

// Random scripts for a Combiner.

import (
	"slices"
	"testing"

	"github.com/seed-4c1eaf8a/batcher"
)

func combinedProfile() keyedProfile {
	p := keyedProfiles()
	p.combined = true
	p.weighed, p.pending, p.perKey = []bool{false}, []int{1000}, []int{0}
	p.keys = []int{1, 2, 3, 5, 9}
	p.foldBack = []bool{false, false, true}
	p.ops = append(slices.Repeat([]OpKind{OpAdd, OpAdd, OpAdd, OpTryAdd}, 4), OpFlush, OpFlush, OpClose)
	return p
}

func TestP1_ScriptsThatCombineLoseAndDoubleNothing(t *testing.T) {
	runKeyed(t, combinedProfile())
}

func TestP2_ScriptsThatCombineWithOneWorkerKeepTheOrderOfEachKey(t *testing.T) {
	p := combinedProfile()
	p.workers, p.failing = []int{1}, 9
	runKeyed(t, p)
}

func TestP2_ScriptsThatFoldBackLetNothingNewOvertakeTheOld(t *testing.T) {
	p := combinedProfile()
	p.workers, p.foldBack, p.failing = []int{1, 1, 2}, []bool{true}, 9
	p.ops = append(slices.Repeat([]OpKind{OpAdd, OpAdd, OpAdd, OpTryAdd}, 6), OpFlush)
	runKeyed(t, p)
}

func TestP4_ScriptsThatCombineFlushExactlyWhenDue(t *testing.T) {
	p := combinedProfile()
	p.sizes, p.eager, p.failing = []int{5, 9, 1000}, []bool{false}, 2
	p.ops = []OpKind{OpAdd, OpTryAdd}
	runKeyed(t, p)
}

func TestP5_ScriptsThatCombineInLittleRoomWakeWhoeverFits(t *testing.T) {
	p := combinedProfile()
	p.sizes, p.depths, p.overflows = []int{1, 1, 2, 3}, []int{1, 2}, []batcher.Overflow{batcher.Block}
	p.ops = append(slices.Repeat([]OpKind{OpAdd}, 12), OpTryAdd, OpFlush)
	p.keys = []int{3, 9, 20}
	runKeyed(t, p)
}

func TestP5_ScriptsThatCombineAndOverflowLoseNothingInSilence(t *testing.T) {
	p := combinedProfile()
	p.sizes, p.depths, p.keys = []int{1, 2, 3}, []int{1, 2}, []int{3, 9, 20}
	p.overflows = []batcher.Overflow{batcher.Reject, batcher.DropNewest, batcher.DropOldest, batcher.DropOldest}
	p.ops = append(slices.Repeat([]OpKind{OpAdd}, 12), OpTryAdd, OpFlush)
	runKeyed(t, p)
}

func TestP7_ScriptsThatCombineAndFoldBackKeepTheBarrierOfFlush(t *testing.T) {
	p := combinedProfile()
	p.foldBack, p.failing = []bool{true, false}, 9
	p.ops = []OpKind{OpAdd, OpAdd, OpTryAdd, OpFlush}
	runKeyed(t, p)
}

func TestP8_ScriptsThatCombineAndCloseAccountForAllValues(t *testing.T) {
	p := combinedProfile()
	p.ops = append(slices.Repeat([]OpKind{OpAdd, OpAdd, OpAdd, OpTryAdd}, 6), OpFlush, OpClose, OpClose)
	p.failing, p.endings = 9, []ending{endGivingUp, endGivingUp, endByClose}
	runKeyed(t, p)
}

// Which half of a map that is split comes first is open, as maps have no order.
func TestF42_TheNumberOfShardsChangesNothingOfWhatIsCombined(t *testing.T) {
	p := combinedProfile()
	p.calm = true
	p.workers, p.spaced = []int{1}, []bool{true}
	p.overflows = []batcher.Overflow{batcher.Block, batcher.Reject, batcher.DropNewest}
	compareShards(t, p)
}
