package batcher_test

// Room for one key: WithMaxPendingPerKey, alone and together with the budget of all.

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestP5_F41_AHotKeyWaitsAloneAndTheOthersFlow(t *testing.T) {
	for _, shards := range []int{1, 8} {
		opts := append(pending(100, 3), batcher.WithMaxSize(2), batcher.WithWorkers(2), batcher.WithShards(shards))
		playKeyed(t, forKey("hot", deaf(time.Hour), takes(sec)), opts, func(s *keyedStage) {
			s.add("hot", 1, 2, 3)
			require.Equal(s, batcher.ErrFull, s.b.TryAdd("hot", 4))
			first := s.addLater("hot", 4)
			second := s.addLater("hot", 5)
			third := s.addLater("hot", 6)
			s.settled(3, 3)
			s.add("b", 10, 11)
			s.add("c", 12, 13)
			s.settled(7, 3)
			s.until(2 * sec)
			s.settled(3, 3)
			s.returned(first, time.Hour, nil)
			s.returned(second, time.Hour, nil)
			s.settled(3, 1)
			s.until(90 * time.Minute)
			s.waiting(third)
			s.returned(third, 2*time.Hour, nil)
			require.NoError(s, s.b.Close(background))
		})
	}
}

// MaxDelay is an hour, and the batch can never be full: it must not be waited for.
func TestP5_F41_AKeyWhoseOwnBudgetIsHeldByItsFillingBatchIsNotStalled(t *testing.T) {
	playKeyed(t, takes(sec), pending(100, 2), func(s *keyedStage) {
		s.add("a", 1, 2)
		s.until(ms)
		s.add("b", 3)
		s.returned(s.addLater("a", 4), sec+ms, nil)
		s.saw("1ms budget a[1 2]")
		s.settled(2, 0)
		s.until(time.Minute)
		s.saw("1ms budget a[1 2]") // nobody waits for item 4
	})
	// A single one at a time, with many who wait.
	playKeyed(t, takes(sec), pending(100, 1), func(s *keyedStage) {
		var calls []*call
		for i := range 5 {
			calls = append(calls, s.addLater("a", i))
		}
		s.settled(1, 4)
		for i, c := range calls {
			s.returned(c, time.Duration(i)*sec, nil)
		}
		s.saw("0s budget a[0]", "1s budget a[1]", "2s budget a[2]", "3s budget a[3]")
	})
}

func TestP5_AddAllOfMoreThanTheKeysBudget(t *testing.T) {
	for _, size := range []int{1, 2, 3, 100} {
		for _, perKey := range []int{1, 2, 3, 5} {
			opts := append(pending(6, perKey), batcher.WithMaxSize(size))
			playKeyed(t, takes(sec), opts, func(s *keyedStage) {
				n, err := s.b.AddAll(background, "a", ints(20))
				require.NoError(s, err)
				require.Equal(s, 20, n)
				require.NoError(s, s.b.Close(background))
				next := 0
				for _, v := range s.seen() {
					require.LessOrEqual(s, len(v.items), min(size, perKey))
					for _, item := range v.items {
						require.Equal(s, next, item)
						next++
					}
				}
				require.Equal(s, 20, next)
			})
		}
	}
}

func TestP5_WaitingForAKeyIsFirstComeFirstServedAlsoForAddAll(t *testing.T) {
	opts := append(pending(100, 2), batcher.WithMaxSize(2))
	playKeyed(t, takes(sec), opts, func(s *keyedStage) {
		s.add("a", 1, 2)
		all := s.call(func() error { return second(s.b.AddAll(background, "a", []int{3, 4, 5})) })
		synctest.Wait()
		one := s.addLater("a", 6)
		s.settled(2, 2)
		s.until(sec)
		s.settled(2, 2) // 5 goes to the end of the line
		require.Equal(s, batcher.ErrFull, s.b.TryAdd("a", 7))
		s.returned(one, 2*sec, nil)
		s.returned(all, 2*sec, nil)
		s.until(10 * sec)
		require.ElementsMatch(s, ints(7)[1:], s.flushedItems())
	})
}

// Both budgets are full. Who waits for the key does not stand in the line of all.
func TestP5_BothBudgetsAtOnce(t *testing.T) {
	opts := append(pending(4, 2), batcher.WithMaxSize(2))
	playKeyed(t, takes(sec), opts, func(s *keyedStage) {
		s.add("a", 1, 2)
		synctest.Wait()
		s.add("b", 3, 4)
		hot := s.addLater("a", 5)   // both are full; waits for its key
		other := s.addLater("c", 6) // waits for the budget of all
		s.settled(4, 2)
		s.until(sec) // a's batch is done: both have room now
		s.settled(4, 0)
		s.returned(hot, sec, nil)
		s.returned(other, sec, nil)
		last := s.addLater("d", 7)
		s.returned(last, 2*sec, nil)
		s.saw("0s size a[1 2]", "1s size b[3 4]")
		s.settled(3, 0)
	})
}

// A place in the key's budget that was reserved goes on to the next one, when its owner
// gives up while it waits for the budget of all.
func TestP5_F18_AReservationThatIsNotUsedGoesOn(t *testing.T) {
	opts := append(pending(2, 1), batcher.WithMaxSize(1))
	playKeyed(t, takes(10*sec), opts, func(s *keyedStage) {
		s.add("x", 1)
		s.add("y", 2)
		ctx, cancel := context.WithCancelCause(background)
		owner := s.call(func() error { return s.b.Add(ctx, "a", 3) }) // has a's only place
		synctest.Wait()
		heir := s.addLater("a", 4)
		other := s.addLater("b", 5)
		s.settled(2, 3)
		s.until(sec)
		cancel(errEnded)
		s.returned(owner, sec, errEnded)
		s.settled(2, 2)
		s.returned(other, 10*sec, nil)
		s.returned(heir, 20*sec, nil)
		require.NoError(s, s.b.Close(background))
		s.saw("0s size x[1]", "10s size y[2]", "20s size b[5]", "30s size a[4]")
	})
}

func TestP5_F18_TheEndOfAContextEndsTheWaitForAKey(t *testing.T) {
	opts := append(pending(10, 2), batcher.WithMaxSize(2))
	playKeyed(t, takes(10*sec), opts, func(s *keyedStage) {
		s.add("a", 1, 2)
		ctx, cancel := context.WithTimeoutCause(background, sec, errEnded)
		defer cancel()
		gone := s.call(func() error { return second(s.b.AddAll(ctx, "a", []int{3, 4, 5})) })
		synctest.Wait()
		stays := s.addLater("a", 6)
		s.returned(gone, sec, errEnded)
		s.settled(2, 1)
		s.returned(stays, 10*sec, nil)
		s.add("a", 7)
		s.settled(2, 0)
	})
}

func TestPerKeyOverflowConcernsThatKeyAlone(t *testing.T) {
	for _, c := range []struct {
		policy batcher.Overflow
		err    error
		lost   []entry
		saw    []string
	}{
		{batcher.Reject, batcher.ErrFull, nil, []string{"0s size a[1 2]", "1s size b[5 6]", "2s size a[3 4]"}},
		{batcher.DropNewest, nil, []entry{{Key: "a", Item: 9}},
			[]string{"0s size a[1 2]", "1s size b[5 6]", "2s size a[3 4]"}},
		{batcher.DropOldest, nil, []entry{{Key: "a", Item: 3}, {Key: "a", Item: 4}},
			[]string{"0s size a[1 2]", "1s size b[5 6]", "2s close a[9]"}},
	} {
		t.Run(c.policy.String(), func(t *testing.T) {
			opts := append(pending(100, 4), batcher.WithMaxSize(2), batcher.WithOverflow(c.policy))
			playKeyed(t, takes(sec), opts, func(s *keyedStage) {
				s.add("a", 1, 2)
				synctest.Wait()
				s.add("a", 3, 4)
				s.until(ms)
				s.add("b", 5)
				require.Equal(s, c.err, s.b.Add(background, "a", 9))
				require.Equal(s, c.lost, s.mail.items())
				s.add("b", 6)
				require.NoError(s, s.b.Close(background))
				s.saw(c.saw...)
			})
		})
	}
}

// DropOldest cannot drop what a worker has, so it drops the new item.
func TestDropOldestOfAKeyWhoseBatchesAreAllInFlight(t *testing.T) {
	opts := append(pending(100, 2), batcher.WithMaxSize(2), batcher.WithOverflow(batcher.DropOldest))
	playKeyed(t, takes(sec), opts, func(s *keyedStage) {
		s.add("a", 1, 2)
		synctest.Wait()
		s.submit("a", 3)
		s.receiptIs(3, batcher.ErrDropped)
		require.Equal(s, []entry{{Key: "a", Item: 3}}, s.mail.items())
		s.settled(2, 0)
	})
}

func TestDropOldestOfAKeyDropsItsQueuedBatch(t *testing.T) {
	opts := append(pending(100, 2), batcher.WithMaxSize(2), batcher.WithOverflow(batcher.DropOldest))
	playKeyed(t, takes(sec), opts, func(s *keyedStage) {
		s.add("w", 0)
		flushed := s.call(func() error { return s.b.Flush(background) })
		synctest.Wait()
		s.add("a", 1, 2)
		s.add("a", 3)
		require.Equal(s, []entry{{Key: "a", Item: 1}, {Key: "a", Item: 2}}, s.mail.items())
		s.settled(2, 0)
		s.returned(flushed, sec, nil)
		require.NoError(s, s.b.Close(background))
		s.saw("0s flush w[0]", "1s close a[3]")
	})
	// The same for one that is due and goes on filling, for which an idle worker is on its way.
	opts = append(pending(100, 2), batcher.WithEager(), batcher.WithOverflow(batcher.DropOldest))
	playKeyed(t, takes(sec), opts, func(s *keyedStage) {
		s.add("w", 0)
		synctest.Wait()
		s.add("a", 1, 2, 3)
		require.Equal(s, []entry{{Key: "a", Item: 1}, {Key: "a", Item: 2}}, s.mail.items())
		s.until(sec)
		synctest.Wait()
		s.saw("0s eager w[0]", "1s eager a[3]")
		s.until(2 * sec)
		synctest.Wait()
		s.add("a", 4, 5, 6)
		require.Equal(s, entry{Key: "a", Item: 6}, s.mail.items()[2])
		s.sawOf("a", "1s eager a[3]", "2s eager a[4 5]")
	})
}
