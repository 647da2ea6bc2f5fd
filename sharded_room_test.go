package batcher_test

// Room for batches per key: the budget of all keys, and what is done without room.

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// pending is the options of the budgets, without the second if it is 0.
func pending(all, perKey int) options {
	opts := options{batcher.WithMaxPending(all)}
	if perKey > 0 {
		opts = append(opts, batcher.WithMaxPendingPerKey(perKey))
	}
	return opts
}

func TestP5_TheBudgetIsExactAndCoversItemsUntilTheirFate(t *testing.T) {
	playKeyed(t, takes(sec), append(pending(3, 0), batcher.WithMaxSize(2)), func(s *keyedStage) {
		s.add("a", 1, 2)
		s.until(ms)
		s.add("b", 3)
		require.Equal(s, batcher.ErrFull, s.b.TryAdd("c", 4), "the one that is flushed counts")
		s.settled(3, 0)
		s.until(sec)
		s.settled(1, 0)
		s.add("c", 4)
		s.add("d", 5)
		require.Equal(s, batcher.ErrFull, s.b.TryAdd("c", 6))
		s.settled(3, 0)
	})
}

// "Partial batches of many keys hold the whole budget: stall."
func TestP5_F41_WhenTheBudgetIsFullTheOldestFillingBatchesAreSealedAsWorkersBecomeFree(t *testing.T) {
	opts := append(pending(5, 0), batcher.WithWorkers(2))
	playKeyed(t, takes(sec), opts, func(s *keyedStage) {
		for i, key := range []string{"a", "b", "c", "d", "e"} {
			s.until(time.Duration(i) * ms)
			s.add(key, i)
		}
		s.until(100 * ms)
		s.settled(5, 0)
		s.saw()
		first := s.addLater("f", 5)
		second := s.addLater("a", 6)
		third := s.addLater("g", 7)
		s.settled(5, 3)
		require.Len(s, s.seen(), 2, "only as many as there are idle workers: %v", s.lines())
		s.sawOf("a", "100ms budget a[0]")
		s.sawOf("b", "100ms budget b[1]")
		s.returned(first, 1100*ms, nil)
		s.returned(second, 1100*ms, nil)
		s.returned(third, 2100*ms, nil)
		s.settled(4, 0)
		s.sawOf("c", "1.1s budget c[2]")
		s.sawOf("d", "1.1s budget d[3]")
		s.until(time.Hour)
		require.Len(s, s.seen(), 4, "who does not wait any more, makes nothing due: %v", s.lines())
	})
}

func TestP5_WaitingForTheBudgetIsFirstComeFirstServed(t *testing.T) {
	playKeyed(t, takes(sec), append(pending(1, 0), batcher.WithMaxSize(7)), func(s *keyedStage) {
		s.add("a", 0)
		var calls []*call
		for i := range 6 {
			calls = append(calls, s.addLater(string(rune('a'+i%3)), i+1))
		}
		require.Equal(s, batcher.ErrFull, s.b.TryAdd("z", 9))
		s.settled(1, 6)
		for i, c := range calls {
			s.returned(c, time.Duration(i+1)*sec, nil)
			require.Equal(s, batcher.ErrFull, s.b.TryAdd("z", 9), "nobody passes those who wait")
			s.settled(1, 5-i)
		}
		s.until(10 * sec)
		s.saw("0s budget a[0]", "1s budget a[1]", "2s budget b[2]", "3s budget c[3]", "4s budget a[4]", "5s budget b[5]",
			"6s budget c[6]")
	})
}

func TestP5_F18_TheEndOfAContextEndsTheWaitForTheBudget(t *testing.T) {
	for _, perKey := range []int{0, 2} {
		playKeyed(t, takes(10*sec), pending(2, perKey), func(s *keyedStage) {
			s.add("a", 1, 2)
			ctx, cancel := context.WithCancelCause(background)
			gone := s.call(func() error { return s.b.Add(ctx, "b", 3) })
			synctest.Wait()
			n := 0
			goneAll := s.call(func() (err error) { n, err = s.b.AddAll(ctx, "c", []int{4, 5, 6}); return err })
			synctest.Wait()
			stays := s.addLater("d", 7)
			s.settled(2, 3)
			cancel(errEnded)
			s.settled(2, 1)
			s.returned(gone, 0, errEnded)
			s.returned(goneAll, 0, errEnded)
			require.Zero(s, n)
			s.returned(stays, 10*sec, nil)
			require.NoError(s, s.b.Close(background))
			require.Equal(s, tally{Added: 3, Flushed: 3}, tallyOf(s.b.Stats()))
		})
	}
}

func TestP5_AddAllAcrossTheBudget(t *testing.T) {
	for _, perKey := range []int{0, 2} {
		opts := append(pending(3, perKey), batcher.WithMaxSize(2))
		playKeyed(t, takes(sec), opts, func(s *keyedStage) {
			n, err := 0, error(nil)
			c := s.call(func() error { n, err = s.b.AddAll(background, "a", ints(9)); return err })
			<-c.done
			require.NoError(s, err)
			require.Equal(s, 9, n)
			require.NoError(s, s.b.Close(background))
			require.Equal(s, ints(9), s.flushedItems())
		})
		playKeyed(t, takes(sec), append(opts, batcher.WithOverflow(batcher.Reject)), func(s *keyedStage) {
			n, err := s.b.AddAll(background, "a", ints(9))
			require.Equal(s, batcher.ErrFull, err)
			want := 3
			if perKey > 0 {
				want = perKey
			}
			require.Equal(s, want, n)
			s.settled(want, 0)
		})
	}
}

// A prefix is in when the context of its AddAll ends; the number says so.
func TestP5_F18_AddAllThatIsCutShortCountsWhatIsIn(t *testing.T) {
	playKeyed(t, takes(sec), append(pending(2, 0), batcher.WithMaxSize(3)), func(s *keyedStage) {
		ctx, cancel := context.WithTimeoutCause(background, 2500*ms, errEnded)
		defer cancel()
		n, err := s.b.AddAll(ctx, "a", ints(9))
		require.Equal(s, errEnded, err)
		require.Equal(s, 2500*ms, s.now())
		require.Equal(s, 6, n)
		require.EqualValues(s, 6, s.b.Stats().Added)
		s.settled(2, 0)
	})
}

func TestP6_F5_CloseEndsTheWaitForBothBudgets(t *testing.T) {
	playKeyed(t, takes(sec), append(pending(3, 2), batcher.WithMaxSize(2)), func(s *keyedStage) {
		s.add("a", 1, 2)
		s.add("b", 3)
		var calls []*call
		for i, key := range []string{"a", "a", "c", "b", "d"} {
			calls = append(calls, s.addLater(key, 4+i))
		}
		calls = append(calls, s.call(func() error { return s.b.AddWait(background, "a", 9) }),
			s.call(func() error { return second(s.b.AddAll(background, "a", ints(9))) }),
			s.call(func() error { return second(s.b.Submit(background, "c", 9)) }))
		s.settled(3, 8)
		s.until(ms)
		require.NoError(s, s.b.Close(background))
		for _, c := range calls {
			s.returned(c, ms, batcher.ErrClosed)
		}
		s.saw("0s size a[1 2]", "1s close b[3]")
	})
}

func TestP5_RejectAndTryAddMakeRoomForLater(t *testing.T) {
	for _, perKey := range []int{0, 2} {
		opts := append(pending(2, perKey), batcher.WithOverflow(batcher.Reject))
		playKeyed(t, takes(sec), opts, func(s *keyedStage) {
			s.add("a", 1, 2)
			for range 3 {
				require.Equal(s, batcher.ErrFull, s.b.Add(background, "a", 3))
				require.Equal(s, batcher.ErrFull, second(s.b.Submit(background, "a", 3)))
				require.Equal(s, batcher.ErrFull, s.b.AddWait(background, "a", 3))
			}
			s.until(sec)
			synctest.Wait()
			s.saw("0s budget a[1 2]")
			s.add("a", 3)
			require.EqualValues(s, 3, s.b.Stats().Added)
		})
	}
}

// What an idle worker could flush is not left to hold the budget while others are dropped.
func TestF41_DropNewestSendsWhatHoldsTheBudgetOnItsWay(t *testing.T) {
	for _, perKey := range []int{0, 2} {
		opts := append(pending(2, perKey), batcher.WithOverflow(batcher.DropNewest))
		playKeyed(t, takes(sec), opts, func(s *keyedStage) {
			s.add("a", 1, 2)
			s.submit("a", 3)
			s.receiptIs(3, batcher.ErrDropped)
			n, err := s.b.AddAll(background, "a", []int{4, 5})
			require.NoError(s, err)
			require.Equal(s, 2, n)
			s.until(sec)
			synctest.Wait()
			s.saw("0s budget a[1 2]")
			s.add("a", 6)
			require.Equal(s, tally{Added: 6, Flushed: 2, Dropped: 3, Pending: 1}, tallyOf(s.b.Stats()))
			require.Equal(s, []entry{{Key: "a", Item: 3}, {Key: "a", Item: 4}, {Key: "a", Item: 5}}, s.mail.items())
			require.Len(s, s.mail.letters, 2, "the items of one AddAll share a letter")
			for _, l := range s.mail.letters {
				require.Equal(s, "a", l.Info.Key)
				require.Equal(s, len(l.Items), l.Info.Size)
				require.Equal(s, batcher.ErrDropped, l.Err)
			}
		})
	}
}

// The same for DropOldest: what an idle worker is about to take does not wait.
func TestF41_DropOldestDropsNothingThatAnIdleWorkerCouldFlush(t *testing.T) {
	for _, perKey := range []int{0, 2} {
		opts := append(pending(2, perKey), batcher.WithOverflow(batcher.DropOldest))
		playKeyed(t, takes(sec), opts, func(s *keyedStage) {
			s.add("a", 1, 2)
			s.add("a", 3)
			s.until(sec)
			synctest.Wait()
			s.saw("0s budget a[1 2]")
			require.Equal(s, []entry{{Key: "a", Item: 3}}, s.mail.items(), "only it had no room")
		})
	}
}

func TestDropOldestDropsTheOldestBatchThatWaits(t *testing.T) {
	for _, c := range []struct {
		name  string
		add   func(s *keyedStage) // 6 items, the worker has "w", 0 and 1
		lost  []entry
		rest  []string // what is flushed of the others
		queue int
	}{
		{
			"queued", func(s *keyedStage) { s.add("a", 2, 3); s.until(ms); s.add("b", 4, 5) },
			[]entry{{Key: "a", Item: 2}, {Key: "a", Item: 3}}, []string{"b[4 5]", "z[9]"}, 1,
		}, {
			"parked", func(s *keyedStage) { s.add("w", 2, 3); s.until(ms); s.add("b", 4, 5) },
			[]entry{{Key: "w", Item: 2}, {Key: "w", Item: 3}}, []string{"b[4 5]", "z[9]"}, 1,
		}, {
			"queued before parked", func(s *keyedStage) { s.add("b", 2, 3); s.until(ms); s.add("w", 4, 5) },
			[]entry{{Key: "b", Item: 2}, {Key: "b", Item: 3}}, []string{"w[4 5]", "z[9]"}, 1,
		}, {
			"filling", func(s *keyedStage) {
				s.add("a", 2)
				s.until(ms)
				s.add("b", 3)
				s.until(2 * ms)
				s.add("w", 4)
				s.until(3 * ms)
				s.add("c", 5)
			},
			[]entry{{Key: "a", Item: 2}}, []string{"b[3]", "w[4]", "c[5]", "z[9]"}, 0,
		}, {
			"filling behind its own key", func(s *keyedStage) {
				s.add("w", 2)
				s.until(ms)
				s.add("b", 3)
				s.until(2 * ms)
				s.add("c", 4, 5)
			},
			[]entry{{Key: "c", Item: 4}, {Key: "c", Item: 5}}, []string{"w[2]", "b[3]", "z[9]"}, 0,
		}, {
			"due behind its own key", func(s *keyedStage) {
				s.add("w", 2)
				s.call(func() error { return s.b.Flush(background) })
				synctest.Wait()
				s.until(ms)
				s.add("b", 3)
				s.until(2 * ms)
				s.add("c", 4)
				s.until(3 * ms)
				s.add("d", 5)
			},
			[]entry{{Key: "w", Item: 2}}, []string{"b[3]", "c[4]", "d[5]", "z[9]"}, 0,
		}, {
			"due and filling in the queue", func(s *keyedStage) {
				s.add("a", 2)
				s.call(func() error { return s.b.Flush(background) })
				synctest.Wait()
				s.until(ms)
				s.add("b", 3)
				s.until(2 * ms)
				s.add("c", 4)
				s.until(3 * ms)
				s.add("d", 5)
			},
			[]entry{{Key: "a", Item: 2}}, []string{"b[3]", "c[4]", "d[5]", "z[9]"}, 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := append(pending(6, 0), batcher.WithMaxSize(2), batcher.WithOverflow(batcher.DropOldest))
			playKeyed(t, takes(sec), opts, func(s *keyedStage) {
				s.add("w", 0, 1)
				synctest.Wait()
				c.add(s)
				s.settled(6, 0)
				s.until(10 * ms)
				s.add("z", 9)
				require.Equal(s, c.lost, s.mail.items())
				require.Equal(s, c.lost[0].Key, s.mail.letters[0].Info.Key)
				s.settled(7-len(c.lost), 0)
				require.Equal(s, c.queue, s.b.Stats().QueueDepth)
				require.NoError(s, s.b.Close(background))
				var rest []string
				for _, v := range s.seen()[1:] {
					rest = append(rest, fmt.Sprint(v.info.Key, v.items))
				}
				require.ElementsMatch(s, c.rest, rest)
			})
		})
	}
}
