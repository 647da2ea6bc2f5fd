package batcher_test

// Batches per key: how they are cut, and in which order they go.

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestP3_P4_EachKeyHasItsOwnSizeAndDelay(t *testing.T) {
	opts := options{batcher.WithMaxSize(3), batcher.WithMaxDelay(10 * ms), batcher.WithWorkers(4)}
	playKeyed(t, takes(0), opts, func(s *keyedStage) {
		s.add("a", 1)
		s.until(3*ms + 7)
		s.add("b", 2)
		s.until(4 * ms)
		s.add("a", 3, 4) // full
		s.until(5 * ms)
		s.add("a", 5)
		s.until(6 * ms)
		s.add("b", 6)
		s.until(13*ms + 6)
		s.saw("4ms size a[1 3 4]")
		s.until(13*ms + 7)
		s.saw("4ms size a[1 3 4]", "13.000007ms delay b[2 6]")
		s.until(sec)
		s.saw("4ms size a[1 3 4]", "13.000007ms delay b[2 6]", "15ms delay a[5]")
		info := s.seen()[1].info
		require.Equal(s, 3*ms+7, info.FirstAdded.Sub(s.opening))
		require.Equal(s, 13*ms+7, info.Sealed.Sub(s.opening))
	})
}

func TestP3_F36_EachKeyHasItsOwnWeight(t *testing.T) {
	opts := options{batcher.WithMaxWeight(10, func(n int) int { return n }), batcher.WithMaxDelay(time.Minute)}
	playKeyed(t, takes(0), opts, func(s *keyedStage) {
		s.add("a", 6)
		s.until(sec)
		s.add("b", 5)
		s.until(2 * sec)
		s.add("a", 5) // does not fit
		s.until(3 * sec)
		s.add("b", 5) // fits exactly
		s.until(4 * sec)
		n, err := s.b.AddAll(background, "c", []int{1, 11, 1})
		require.Equal(s, 1, n)
		require.Equal(s, batcher.ErrTooHeavy, err)
		require.Equal(s, batcher.ErrNegativeWeight, s.b.TryAdd("d", -1))
		s.until(time.Hour)
		s.saw("2s weight a[6]", "3s weight b[5 5]", "1m2s delay a[5]", "1m4s delay c[1]")
		require.Equal(s, 5, s.seen()[2].info.Weight)
	})
}

// All orders in which first items and deadlines of some keys may come.
func TestP4_F21_ManyKeysAreDueExactly(t *testing.T) {
	for _, shards := range []int{1, 64} {
		opts := options{batcher.WithMaxDelay(10 * ms), batcher.WithShards(shards), batcher.WithWorkers(8)}
		playKeyed(t, takes(ms/4), opts, func(s *keyedStage) {
			for n := range 200 {
				s.until(time.Duration(n) * ms / 2)
				s.add(string(rune('A'+n)), n)
			}
			s.until(sec)
			require.Len(s, s.seen(), 200)
			for _, v := range s.seen() {
				require.Equal(s, time.Duration(v.items[0])*ms/2+10*ms, v.at, "key %v", v.info.Key)
			}
		})
	}
}

// More keys in one instant than a sweep makes due under one hold of a lock.
func TestP4_ThousandsOfKeysDueInOneInstantAllAre(t *testing.T) {
	opts := options{batcher.WithMaxDelay(10 * ms), batcher.WithShards(1)}
	playKeyed(t, takes(0), opts, func(s *keyedStage) {
		for n := range 1025 {
			s.add(string(rune('A'+n)), n)
		}
		s.until(5 * ms)
		s.add("later", 1)
		s.until(10 * ms)
		synctest.Wait()
		require.Len(s, s.seen(), 1025)
		s.until(15*ms - 1)
		s.settled(1, 0)
		s.until(15 * ms)
		s.settled(0, 0)
	})
}

func TestP4_ADueBatchOfAKeyKeepsFillingWhileNoWorkerIsIdle(t *testing.T) {
	opts := options{batcher.WithMaxSize(4), batcher.WithMaxDelay(10 * ms)}
	playKeyed(t, takes(sec), opts, func(s *keyedStage) {
		s.add("a", 1, 2, 3, 4)
		synctest.Wait()
		s.add("b", 5)
		s.until(20 * ms)
		s.add("a", 6) // will be due behind its own key's first batch
		s.until(40 * ms)
		s.add("b", 7)
		s.add("a", 8)
		s.until(500 * ms)
		s.add("b", 9, 10, 11) // the last one opens another batch
		s.add("a", 12)
		s.until(sec - 1)
		s.add("a", 13, 14)
		s.until(10 * sec)
		s.saw("0s size a[1 2 3 4]", "1s size b[5 7 9 10]", "2s size a[6 8 12 13]", "3s delay b[11]", "4s delay a[14]")
	})
}

func TestP4_EagerSealsAKeysBatchWhenAWorkerIsIdle(t *testing.T) {
	opts := options{batcher.WithEager(), batcher.WithMaxSize(3), batcher.WithWorkers(2)}
	playKeyed(t, takes(sec), opts, func(s *keyedStage) {
		s.add("a", 1)
		synctest.Wait()
		s.add("b", 2)
		synctest.Wait()
		s.until(100 * ms)
		s.add("c", 3)
		s.add("a", 4, 5)
		s.add("c", 6)
		s.until(sec - 1)
		s.saw("0s eager a[1]", "0s eager b[2]")
		s.until(2 * sec)
		s.sawOf("a", "0s eager a[1]", "1s eager a[4 5]")
		s.sawOf("c", "1s eager c[3 6]")
	})
}

// One batch of a key in flight, the others behind it without a worker.
func TestP2_F41_AKeyWhoseFlushHangsHoldsOneWorkerAndDelaysItselfOnly(t *testing.T) {
	opts := options{batcher.WithMaxSize(2), batcher.WithWorkers(2)}
	playKeyed(t, forKey("hot", deaf(time.Hour), takes(sec)), opts, func(s *keyedStage) {
		s.add("hot", 1, 2, 3, 4, 5, 6, 7)
		synctest.Wait()
		s.add("b", 10, 11)
		s.add("c", 12, 13)
		s.add("b", 14, 15)
		s.add("b", 16)
		flushed := s.call(func() error { return s.b.Flush(background) })
		s.until(30 * time.Minute)
		s.saw("0s size hot[1 2]", "0s size b[10 11]", "1s size c[12 13]", "2s size b[14 15]", "3s flush b[16]")
		stats := s.b.Stats()
		require.Equal(s, 1, stats.Running)
		require.Equal(s, 2, stats.QueueDepth, "parked batches wait for a worker too")
		require.Equal(s, 30*time.Minute, stats.OldestAge)
		s.returned(flushed, 4*time.Hour, nil)
		s.sawOf("hot", "0s size hot[1 2]", "1h0m0s size hot[3 4]", "2h0m0s size hot[5 6]", "3h0m0s flush hot[7]")
	})
}

// strict is a sink that fails in all the ways there are, by turns. It checks that a key's
// batches come one at a time and in order. The items of key k are 1000k, 1000k+1, and so on.
func strict(t *testing.T) role {
	var (
		flying = map[int]bool{}
		begun  = map[int]int{} // the first item of the key's last batch
		next   = map[int]int{} // the item after the last one of that
		guard  sync.Mutex
	)
	enter := func(items []int) (key int) {
		guard.Lock()
		defer guard.Unlock()
		key = items[0] / 1000
		first, last := items[0]%1000, items[len(items)-1]%1000
		switch {
		case flying[key]:
			t.Errorf("key %d has two batches in flight", key)
		case first == next[key]: // a new batch
			begun[key], next[key] = first, first+len(items)
		}
		if first < begun[key] || last >= next[key] || !slices.IsSorted(items) {
			t.Errorf("key %d: %v after %d to %d", key, items, begun[key], next[key]-1)
		}
		flying[key] = true
		return key
	}
	return func(ctx context.Context, nth int, items []int) (err error) {
		key := enter(items)
		_ = pause(ctx, time.Duration(nth%7)*ms)
		guard.Lock()
		delete(flying, key)
		guard.Unlock()
		switch nth % 6 {
		case 0:
			return errSink
		case 1:
			return batcher.TooLarge(errSink)
		case 2:
			return &batcher.PartialError{Errs: map[int]error{0: errSink, len(items) - 1: batcher.Permanent(errSink)}}
		case 3:
			runtime.Goexit()
		case 4:
			panic("boom")
		}
		return nil
	}
}

func TestP1_P2_OrderPerKeyAcrossFailuresOfAllKindsWithAnyNumberOfWorkers(t *testing.T) {
	for _, workers := range []int{1, 2, 8} {
		for _, shards := range []int{1, 8} {
			opts := options{
				batcher.WithMaxSize(4), batcher.WithWorkers(workers), batcher.WithShards(shards), batcher.WithBisect(),
				batcher.WithRetry(3, constant(ms)), batcher.WithMaxPending(37), batcher.WithMaxPendingPerKey(9),
			}
			sink := strict(t)
			playKeyed(t, sink, opts, func(s *keyedStage) {
				calls := []*call{}
				for k := range 6 {
					calls = append(calls, s.call(func() error {
						items := ints(100)
						for i := range items {
							items[i] += 1000 * k
						}
						_, err := s.b.AddAll(background, string(rune('a'+k)), items)
						return err
					}))
				}
				for _, c := range calls {
					<-c.done
					require.NoError(s, c.err)
				}
				require.NoError(s, s.b.Close(background))
				stats := s.b.Stats()
				require.EqualValues(s, 600, stats.Added)
				require.EqualValues(s, 600, stats.Flushed+stats.Failed)
				require.Len(s, s.mail.items(), int(stats.Failed))
			})
		}
	}
}

func TestP7_FlushIsABarrierOverAllKeys(t *testing.T) {
	playKeyed(t, takes(sec), options{batcher.WithMaxSize(2)}, func(s *keyedStage) {
		require.NoError(s, s.b.Flush(endedContext()), "with nothing held")
		s.add("a", 1, 2, 3)
		synctest.Wait()
		s.add("b", 4)
		flushed := s.call(func() error { return s.b.Flush(background) })
		synctest.Wait()
		s.add("c", 5) // not waited for
		s.until(500 * ms)
		given := s.call(func() error {
			ctx, cancel := context.WithTimeoutCause(background, 10*ms, errEnded)
			defer cancel()
			return s.b.Flush(ctx)
		})
		synctest.Wait()
		s.add("d", 6)
		s.returned(given, 510*ms, errEnded)
		s.returned(flushed, 4*sec, nil)
		s.saw("0s size a[1 2]", "1s flush b[4]", "2s flush c[5]", "3s flush a[3]")
		s.settled(1, 0)
	})
}

func TestP7_FlushReportsTheFailuresOfItsOwnBatches(t *testing.T) {
	playKeyed(t, forKey("bad", fails(errSink), takes(0)), nil, func(s *keyedStage) {
		s.add("bad", 1, 2)
		s.add("good", 3)
		failures := failuresIn(s.b.Flush(background))
		require.Len(s, failures, 1)
		require.Equal(s, 2, failures[0].Items)
		s.add("good", 4)
		require.NoError(s, s.b.Flush(background))
		require.Equal(s, []entry{{Key: "bad", Item: 1}, {Key: "bad", Item: 2}}, s.mail.items())
	})
}

func TestEachWayToAdd(t *testing.T) {
	playKeyed(t, forKey("bad", fails(errSink), takes(sec)), options{batcher.WithMaxSize(3)}, func(s *keyedStage) {
		s.add("a", 1)
		require.NoError(s, s.b.TryAdd("a", 2))
		waited := s.call(func() error { return s.b.AddWait(background, "a", 3) })
		s.returned(waited, sec, nil)
		n, err := s.b.AddAll(background, "b", []int{4, 5, 6, 7})
		require.NoError(s, err)
		require.Equal(s, 4, n)
		s.submit("bad", 8, 9, 10)
		s.until(2 * sec)
		synctest.Wait()
		for _, item := range []int{8, 9, 10} {
			s.receiptIs(item, errSink)
		}
		s.saw("0s size a[1 2 3]", "1s size b[4 5 6]", "2s size bad[8 9 10]")
		for _, ended := range []error{
			s.b.Add(endedContext(), "a", 0), s.b.AddWait(endedContext(), "a", 0),
			second(s.b.Submit(endedContext(), "a", 0)), second(s.b.AddAll(endedContext(), "a", []int{0})),
			second(s.b.AddAll(endedContext(), "a", nil)),
		} {
			require.Equal(s, errEnded, ended)
		}
		n, err = s.b.AddAll(background, "a", nil)
		require.NoError(s, err)
		require.Zero(s, n)
		s.settled(1, 0)
	})
}

// second returns the second of two results, an error.
func second[A any](_ A, err error) error { return err }

func TestAReceiptFollowsItsOwnItemThroughAPartialFailureBehindAnotherBatch(t *testing.T) {
	partial := fails(&batcher.PartialError{Errs: map[int]error{0: batcher.Permanent(errEnded), 2: errSink}})
	opts := options{batcher.WithMaxSize(3), batcher.WithRetry(2, constant(time.Minute))}
	playKeyed(t, inTurn(takes(sec), partial, fails(errSink)), opts, func(s *keyedStage) {
		s.submit("a", 1, 2, 3, 4, 5, 6)
		s.until(30 * sec)
		s.receiptIs(1, nil)
		s.receiptIs(4, errEnded)
		s.receiptIs(5, nil)
		select {
		case <-s.receipt(6).Done():
			require.Fail(s, "item 6 is to be tried again")
		default:
		}
		require.NoError(s, s.b.Close(background))
		s.receiptIs(6, errSink)
	})
}
