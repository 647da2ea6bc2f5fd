package batcher_test

// Close, with keys: in every state that a key may be in.

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// keyedClosing is a state, and what Close does in it. The setup has submitted all items.
type keyedClosing struct {
	state string
	flush role
	opts  options // besides MaxSize 2, MaxDelay 10 ms
	setup func(s *keyedStage) []*call

	at        time.Duration // when Close returns, if its context does not end
	flushes   []string      // all calls of the flush function then, in any order
	unflushed string        // the leftovers of a Close whose context has ended: "a1 a2 b3"
	unknown   string
	failed    []int
}

// lettersOf writes entries for people: "a1 b2".
func lettersOf(entries []entry) string {
	var words []string
	for _, e := range entries {
		words = append(words, e.Key+string(rune('0'+e.Item)))
	}
	return strings.Join(words, " ")
}

var keyedClosings = []keyedClosing{
	{
		state: "never used",
		setup: func(*keyedStage) []*call { return nil },
	}, {
		state:   "filling, all workers busy",
		setup:   func(s *keyedStage) []*call { s.submit("w", 1, 2); synctest.Wait(); s.submit("a", 3); return nil },
		at:      2 * sec,
		flushes: []string{"0s size w[1 2]", "1s close a[3]"}, unflushed: "a3", unknown: "w1 w2",
	}, {
		state: "due, still filling in the queue",
		setup: func(s *keyedStage) []*call {
			s.submit("w", 1, 2)
			synctest.Wait()
			s.submit("a", 3)
			s.until(20 * ms)
			return nil
		},
		at:      2 * sec,
		flushes: []string{"0s size w[1 2]", "1s close a[3]"}, unflushed: "a3", unknown: "w1 w2",
	}, {
		state: "parked behind a flying batch, filling behind them",
		setup: func(s *keyedStage) []*call {
			s.submit("a", 1, 2, 3, 4, 5, 6, 7)
			synctest.Wait()
			return nil
		},
		at:      4 * sec,
		flushes: []string{"0s size a[1 2]", "1s size a[3 4]", "2s size a[5 6]", "3s close a[7]"},
		unknown: "a1 a2", unflushed: "a3 a4 a5 a6 a7",
	}, {
		state: "parked behind a queued batch, due behind them",
		setup: func(s *keyedStage) []*call {
			s.submit("w", 1, 2)
			synctest.Wait()
			s.submit("a", 3, 4, 5, 6, 7)
			s.until(20 * ms)
			return nil
		},
		at:      4 * sec,
		flushes: []string{"0s size w[1 2]", "1s size a[3 4]", "2s size a[5 6]", "3s close a[7]"},
		unknown: "w1 w2", unflushed: "a3 a4 a5 a6 a7",
	}, {
		state: "producers waiting for both budgets",
		opts:  pending(4, 2),
		setup: func(s *keyedStage) []*call {
			s.submit("a", 1, 2)
			synctest.Wait()
			s.submit("b", 3, 4)
			calls := []*call{s.addLater("a", 9), s.addLater("c", 9), s.addLater("b", 9), s.addLater("c", 9), s.addLater("c", 9)}
			s.settled(4, 5)
			return calls
		},
		at:      2 * sec,
		flushes: []string{"0s size a[1 2]", "1s size b[3 4]"}, unknown: "a1 a2", unflushed: "b3 b4",
	}, {
		state: "pause before a retry",
		flush: inTurn(fails(errSink), takes(sec)),
		opts:  options{batcher.WithRetry(2, constant(time.Minute))},
		setup: func(s *keyedStage) []*call {
			s.submit("a", 1, 2, 3)
			s.until(500 * ms)
			return nil
		},
		at:      62 * sec,
		flushes: []string{"0s size a[1 2]", "1m0s size a[1 2]", "1m1s close a[3]"}, unknown: "a1 a2", unflushed: "a3",
	}, {
		state: "rest of a batch after a partial failure",
		flush: inTurn(fails(&batcher.PartialError{Errs: map[int]error{0: errSink}}), takes(sec)),
		opts:  options{batcher.WithRetry(2, constant(time.Minute))},
		setup: func(s *keyedStage) []*call {
			s.submit("a", 1, 2, 3)
			s.until(500 * ms)
			return nil
		},
		at:      62 * sec,
		flushes: []string{"0s size a[1 2]", "1m0s size a[1]", "1m1s close a[3]"}, unknown: "a1", unflushed: "a3",
	}, {
		state: "dead letter handler running",
		flush: inTurn(fails(errSink), takes(sec)),
		opts: options{batcher.WithDeadLetter(func(ctx context.Context, _ batcher.DeadLetter[entry]) {
			_ = pause(ctx, sec)
		})},
		setup:   func(s *keyedStage) []*call { s.submit("a", 1, 2, 3); synctest.Wait(); return nil },
		at:      2 * sec,
		flushes: []string{"0s size a[1 2]", "1s close a[3]"}, unflushed: "a3", failed: []int{1, 2},
	},
}

func TestP8_CloseInEveryStateOfAKey(t *testing.T) {
	for _, row := range keyedClosings {
		if row.flush == nil {
			row.flush = takes(sec)
		}
		opts := append(options{batcher.WithMaxSize(2), batcher.WithMaxDelay(10 * ms)}, row.opts...)
		t.Run(row.state+"/live", func(t *testing.T) {
			playKeyed(t, row.flush, opts, func(s *keyedStage) {
				calls := row.setup(s)
				began := s.now()
				require.NoError(s, s.b.Close(background))
				require.Equal(s, row.at, s.now(), "when Close returned")
				row.check(s, calls, began, nil)
				require.ElementsMatch(s, row.flushes, s.lines())
			})
		})
		t.Run(row.state+"/ended", func(t *testing.T) {
			playKeyed(t, row.flush, opts, func(s *keyedStage) {
				calls := row.setup(s)
				began := s.now()
				err := s.b.Close(endedContext())
				require.Equal(s, began, s.now(), "when Close returned")
				var left []entry
				if row.unflushed+row.unknown == "" {
					require.NoError(s, err)
				} else {
					var ce *batcher.CloseError[entry]
					require.ErrorAs(s, err, &ce)
					require.Equal(s, errEnded, ce.Err)
					require.Equal(s, row.unflushed, lettersOf(ce.Unflushed), "unflushed")
					require.Equal(s, row.unknown, lettersOf(ce.Unknown), "unknown")
					left = slices.Concat(ce.Unflushed, ce.Unknown)
				}
				row.check(s, calls, began, left)
				require.Equal(s, err, s.b.Close(background), "the same answer for all")
			})
		})
	}
}

// check checks what must hold after Close, which has handed back what is left.
func (row keyedClosing) check(s *keyedStage, calls []*call, began time.Duration, left []entry) {
	s.Helper()
	for _, c := range calls {
		s.returned(c, began, batcher.ErrClosed)
	}
	for item := range s.receipts {
		switch {
		case slices.ContainsFunc(left, func(e entry) bool { return e.Item == item }):
			s.receiptIs(item, batcher.ErrClosed)
		case slices.Contains(row.failed, item):
			s.receiptIs(item, errSink)
		default:
			s.receiptIs(item, nil)
		}
	}
	require.EqualValues(s, len(left), s.b.Stats().Returned)
	synctest.Wait()
	require.Zero(s, engineGoroutines(), "goroutines are left")
	books := s.b.Stats()
	time.Sleep(time.Hour)
	require.Equal(s, books, s.b.Stats())
	for _, ctx := range []context.Context{background, endedContext()} {
		require.Equal(s, batcher.ErrClosed, s.b.Add(ctx, "a", 0))
		require.Equal(s, batcher.ErrClosed, s.b.Flush(ctx))
	}
}

func TestP8_F10_CloseWhileASweepIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n := range 300 {
			s := startKeyed(t, discardKeyed[int, int],
				batcher.WithMaxDelay(ms), batcher.WithMaxSize(n%3+1), batcher.WithWorkers(2))
			for k := range n {
				require.NoError(t, s.Add(background, k, 1))
			}
			time.Sleep(ms)
			finishKeyed(t, s)
			synctest.Wait()
			require.Zero(t, engineGoroutines())
		}
	})
}

func TestP6_F2_AddOfManyKeysRacingCloseIsDeliveredOrRefused(t *testing.T) {
	for n := range 60 {
		var mu sync.Mutex
		flushed, accepted := map[int]int{}, map[int]int{}
		opts := append(pending(n%20+5, n%3*2), batcher.WithMaxSize(n%4+1), batcher.WithWorkers(n%3+1))
		if n%3 == 0 {
			opts = append(pending(n%20+5, 0), batcher.WithMaxDelay(1), batcher.WithShards(n%5+1))
		}
		s := startKeyed(t, func(_ context.Context, key int, batch []int) error {
			mu.Lock()
			defer mu.Unlock()
			flushed[key] += len(batch)
			return nil
		}, opts...)
		var wg sync.WaitGroup
		for p := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					runtime.Gosched() // a single processor has much else to do
					key := (p + i) % 3
					got, err := s.AddAll(background, key, []int{1, 2, 3}[:i%4])
					mu.Lock()
					accepted[key] += got
					mu.Unlock()
					if err != nil {
						assert.Equal(t, batcher.ErrClosed, err)
						return
					}
				}
			})
		}
		for range n {
			runtime.Gosched()
		}
		stats := finishKeyed(t, s)
		wg.Wait()
		for key, n := range accepted {
			assert.Equal(t, n, flushed[key], "key %d", key)
		}
		assert.Equal(t, stats, s.Stats())
	}
}

func TestP8_F4_CloseFromManyGoroutinesIsOneDrainOfAllKeys(t *testing.T) {
	playKeyed(t, takes(sec), options{batcher.WithWorkers(3)}, func(s *keyedStage) {
		for i, key := range []string{"a", "b", "c", "d"} {
			s.add(key, i)
		}
		var calls []*call
		for range 10 {
			calls = append(calls, s.call(func() error { return s.b.Close(background) }))
		}
		for _, c := range calls {
			s.returned(c, 2*sec, nil)
		}
		require.Len(s, s.seen(), 4)
	})
}

func TestP11_CallsFromInsideAFlushOfAKey(t *testing.T) {
	var s *keyedStage
	results := map[string]error{}
	inside := func(ctx context.Context, nth int, _ []int) error {
		if nth > 1 {
			return nil
		}
		results["other key"] = s.b.Add(ctx, "b", 10)
		results["TryAdd"] = s.b.TryAdd("c", 11)
		results["own key"] = s.b.Add(ctx, "a", 12)
		results["no room of the key"] = s.b.Add(ctx, "a", 13)
		results["no room of all"] = s.b.Add(ctx, "d", 14)
		results["AddAll"] = second(s.b.AddAll(ctx, "d", []int{14}))
		results["Submit"] = second(s.b.Submit(ctx, "d", 14))
		results["AddWait"] = s.b.AddWait(ctx, "d", 14)
		results["TryAdd without room"] = s.b.TryAdd("d", 14)
		results["Flush"] = s.b.Flush(ctx)
		results["Close"] = s.b.Close(ctx)
		results["Wait"] = s.receipt(1).Wait(ctx)
		if pending := s.b.Stats().Pending; pending != 5 {
			s.Errorf("%d items pending", pending)
		}
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		s = openKeyed(t, inside, append(pending(5, 3), batcher.WithMaxSize(2))...)
		s.submit("a", 1, 2)
		synctest.Wait()
		require.Equal(t, map[string]error{
			"other key": nil, "TryAdd": nil, "own key": nil,
			"no room of the key": batcher.ErrReentrant, "no room of all": batcher.ErrReentrant,
			"AddAll": batcher.ErrReentrant, "Submit": batcher.ErrReentrant, "AddWait": batcher.ErrReentrant,
			"TryAdd without room": batcher.ErrFull,
			"Flush":               batcher.ErrReentrant, "Close": batcher.ErrReentrant, "Wait": batcher.ErrReentrant,
		}, results)
		require.NoError(t, s.b.Close(background))
		require.EqualValues(t, 5, s.b.Stats().Flushed)
		s.ended(s.b)
	})
}
