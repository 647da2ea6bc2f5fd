package proptest

// Random scripts for a Combiner.

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

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

// Which half of a map that is split comes first is open, as maps have no order; and so is
// whether a Close that gives up at once finds a flush begun.
func TestF42_TheNumberOfShardsChangesNothingOfWhatIsCombined(t *testing.T) {
	p := combinedProfile()
	p.calm = true
	p.workers, p.spaced = []int{1}, []bool{true}
	p.ops, p.endings = []OpKind{OpAdd, OpAdd, OpAdd, OpTryAdd, OpFlush}, []ending{endByTime}
	p.overflows = []batcher.Overflow{batcher.Reject, batcher.DropNewest} // nobody waits
	compareShards(t, p)
}

// What was folded back has been tried: Close must not hand it back as if it had not.
func TestP8_CloseDoesNotCallUnflushedWhatWasFoldedBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := batcher.NewCombiner(appended, func(context.Context, map[int][]int) error {
			time.Sleep(time.Second)
			return errors.New("the sink is down")
		}, batcher.WithFoldBack(), batcher.WithRetry(1, func(int) time.Duration { return time.Second }),
			batcher.WithMaxDelay(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer time.Sleep(time.Hour)
		for key := range 2 { // the first one is tried from 10 s to 11 s, and folded back at 12 s
			if err := c.Add(ctx, key, []int{key}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10*time.Second + time.Millisecond - time.Duration(key)*5*time.Second)
		}
		cancel()
		var ce *batcher.CloseError[batcher.Entry[int, []int]]
		if err := c.Close(ctx); !errors.As(err, &ce) {
			t.Fatal(err)
		}
		for _, e := range ce.Unflushed {
			if e.Key == 0 {
				t.Errorf("P8: %v was passed to the flush function, and is handed back as unflushed: %v", e, ce)
			}
		}
	})
}
