package batcher_test

// User code that panics, leaves, blocks and misuses its slice: faults 20 and 27 to 33.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// calamities are the ways in which a user's function may fail to return.
var calamities = map[string]func(){
	"panic(value)": func() { panic("boom") },
	"panic(error)": func() { panic(errSink) },
	"panic(nil)":   func() { panic(nil) },
	"Goexit":       func() { runtime.Goexit() },
}

func TestP9_F27_PanicAndGoexitFailOneBatchAndNothingElse(t *testing.T) {
	for name, calamity := range calamities {
		t.Run(name, func(t *testing.T) {
			var sink script[int]
			var box mailbox[int]
			sink.answer(func([]int) error { calamity(); return nil })
			b := start(t, sink.flush, batcher.WithMaxSize(2), batcher.WithRetry(5, constant(0)),
				batcher.WithDeadLetter(box.handle))
			r, err := b.Submit(context.Background(), 0)
			require.NoError(t, err)
			require.NoError(t, b.Add(context.Background(), 1))
			require.NoError(t, b.AddWait(context.Background(), 2), "the next batch is unaffected")
			require.Error(t, r.Wait(context.Background()))

			assert.Equal(t, [][]int{{0, 1}, {2}}, sink.seen(), "no retry")
			requireCalamity(t, name, box.letters[0].Err)
			assert.Equal(t, []int{0, 1}, box.items())
			assert.EqualValues(t, 2, finish(t, b).Failed)
		})
	}
}

func requireCalamity(t *testing.T, name string, err error) {
	t.Helper()
	var panicErr *batcher.PanicError
	if name == "Goexit" {
		require.ErrorIs(t, err, batcher.ErrGoexit)
		require.NotErrorAs(t, err, &panicErr)
		return
	}
	require.ErrorAs(t, err, &panicErr)
	assert.Contains(t, string(panicErr.Stack), "failure_test.go", "the stack of the panic itself")
	switch name {
	case "panic(value)":
		assert.Equal(t, "boom", panicErr.Value)
		require.NoError(t, panicErr.Unwrap())
	case "panic(error)":
		require.ErrorIs(t, err, errSink)
	case "panic(nil)":
		var nilError *runtime.PanicNilError
		require.ErrorAs(t, err, &nilError)
	}
}

func TestP9_GoexitDoesNotCostAWorker(t *testing.T) {
	const batches = 100
	for _, workers := range []int{1, 3} {
		b := start(t, func(_ context.Context, batch []int) error {
			if batch[0]%2 == 0 {
				runtime.Goexit()
			}
			return nil
		}, batcher.WithMaxSize(1), batcher.WithWorkers(workers), batcher.WithDeadLetter((&mailbox[int]{}).handle))
		addInts(t, b, batches)
		_ = b.Flush(context.Background())
		s := finish(t, b)
		assert.EqualValues(t, batches/2, s.Flushed)
		assert.EqualValues(t, batches/2, s.Failed)
	}
}

func TestPanicsAreSplitByBisect(t *testing.T) {
	for name, calamity := range calamities {
		var box mailbox[int]
		b := start(t, func(_ context.Context, batch []int) error {
			if slices.Contains(batch, 5) {
				calamity()
			}
			return nil
		}, batcher.WithMaxSize(17), batcher.WithBisect(), batcher.WithDeadLetter(box.handle))
		addInts(t, b, 16)
		require.Error(t, b.Flush(context.Background()))
		assert.EqualValues(t, 15, finish(t, b).Flushed, name)
		assert.Equal(t, []int{5}, box.items(), name)
	}
}

func TestF28_AddTryAddSubmitAndStatsWorkInsideAFlush(t *testing.T) {
	var b *batcher.Batcher[int]
	b = start(t, func(ctx context.Context, batch []int) error {
		if batch[0] != 0 {
			return nil
		}
		receipt, err := b.Submit(ctx, 1)
		return errors.Join(err, b.Add(ctx, 2), b.TryAdd(3), func() error {
			if s := b.Stats(); s.Added != 4 || s.Pending != 4 {
				return fmt.Errorf("stats: %+v", s)
			}
			if err := receipt.Wait(ctx); !errors.Is(err, batcher.ErrReentrant) {
				return fmt.Errorf("Wait: %w", err)
			}
			return nil
		}())
	})
	require.NoError(t, b.AddWait(context.Background(), 0))
	assert.EqualValues(t, 4, finish(t, b).Flushed)
}

func TestF29_AKeptSliceIsClearedAndWithoutReuseItIsNot(t *testing.T) {
	for _, reuse := range []bool{true, false} {
		opts := []batcher.Option{batcher.WithMaxSize(3)}
		if !reuse {
			opts = append(opts, batcher.WithoutReuse())
		}
		var kept [][]int
		b := start(t, func(_ context.Context, batch []int) error {
			assert.Equal(t, len(batch), cap(batch), "P10: an append must not reach the pool's memory")
			kept = append(kept, batch)
			return nil
		}, opts...)
		addInts(t, b, 3)
		require.NoError(t, b.Flush(context.Background()))
		require.NoError(t, b.Add(context.Background(), 7))
		finish(t, b)
		want := [][]int{{0, 0, 0}, {0}}
		if !reuse {
			want = [][]int{{0, 1, 2}, {7}}
		}
		if reuse { // the pool may or may not have lent the same memory twice
			assert.NotContains(t, slices.Concat(kept...), 7)
		}
		assert.Equal(t, want, kept, "reuse %v", reuse)
	}
}

func TestP10_F31_WhatTheFunctionDoesToItsSliceReachesNobodyElse(t *testing.T) {
	vandal := func(batch []int) error {
		slices.Reverse(batch)
		batch[0] = -1
		_ = append(batch[:1], -2, -3)
		clear(batch[:2])
		return errSink
	}
	t.Run("retry and dead letter", func(t *testing.T) {
		var sink script[int]
		var box mailbox[int]
		b := start(t, sink.answer(vandal, vandal).flush, batcher.WithMaxSize(5),
			batcher.WithRetry(2, constant(0)), batcher.WithDeadLetter(box.handle))
		addInts(t, b, 4)
		require.Error(t, b.Flush(context.Background()))
		assert.Equal(t, [][]int{ints(4), ints(4)}, sink.seen())
		assert.Equal(t, ints(4), box.items())
		finish(t, b)
	})
	synctest.Test(t, func(t *testing.T) { // what Close hands back, while the function still writes
		b := start(t, func(ctx context.Context, batch []int) error {
			_ = vandal(batch)
			<-ctx.Done()
			return vandal(batch)
		}, batcher.WithMaxSize(4))
		addInts(t, b, 4)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var closeErr *batcher.CloseError[int]
		require.ErrorAs(t, b.Close(ctx), &closeErr)
		assert.Equal(t, ints(4), closeErr.Unknown)
	})
}

func TestF32_CallbacksThatPanicOrLeaveAreIsolated(t *testing.T) {
	for name, calamity := range calamities {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			var sink script[int]
			sink.fail(errSink, errSink)
			info := func(context.Context, batcher.Info) { calamity() }
			b := start(t, sink.flush, batcher.WithMaxSize(1), batcher.WithWorkers(1), batcher.WithQueueDepth(10),
				batcher.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
				batcher.WithRetry(2, func(int) time.Duration { calamity(); return time.Hour }),
				batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[int]) { calamity() }),
				batcher.WithHooks(batcher.Hooks{
					FlushEnd:   func(ctx context.Context, i batcher.Info, _ batcher.FlushResult) { info(ctx, i) },
					Retry:      func(ctx context.Context, i batcher.Info, _ time.Duration, _ error) { info(ctx, i) },
					DeadLetter: func(ctx context.Context, i batcher.Info, _ *batcher.FlushError) { info(ctx, i) },
				}))
			addInts(t, b, 5)
			_ = b.Flush(context.Background())
			s := finish(t, b)
			assert.EqualValues(t, 1, s.Failed)
			assert.EqualValues(t, 4, s.Flushed)
			if name != "Goexit" {
				assert.Contains(t, log.String(), "panic in user code")
				assert.Contains(t, log.String(), "failure_test.go", "with the stack")
			}
		})
	}
}

func TestF32_ARetryIfThatPanicsOrLeavesRefuses(t *testing.T) {
	for name, calamity := range calamities {
		for _, err := range []error{errSink, &batcher.PartialError{Errs: map[int]error{1: errSink}}} {
			var sink script[int]
			b := start(t, sink.fail(err).flush, batcher.WithMaxSize(3), batcher.WithRetry(5, constant(0)),
				batcher.WithRetryIf(func(error) bool { calamity(); return true }),
				batcher.WithDeadLetter((&mailbox[int]{}).handle), silent())
			addInts(t, b, 2)
			require.Error(t, b.Flush(context.Background()), name)
			assert.Len(t, sink.seen(), 1, name)
			s := finish(t, b)
			if errors.Is(err, errSink) {
				assert.EqualValues(t, 2, s.Failed, name)
			} else {
				assert.EqualValues(t, 1, s.Failed, "%s: the item that was flushed stays flushed", name)
			}
		}
	}
}

// hostileError is an error whose methods do what they should not.
type hostileError struct{ calamity func() }

func (e hostileError) Error() string { return "hostile" }
func (e hostileError) As(any) bool   { e.calamity(); return false }

func TestErrorsWithHostileMethodsEndOneBatchOnly(t *testing.T) {
	for name, calamity := range calamities {
		var sink script[int]
		b := start(t, sink.fail(hostileError{calamity}).flush, batcher.WithMaxSize(2), batcher.WithRetry(5, constant(0)),
			batcher.WithDeadLetter((&mailbox[int]{}).handle), silent())
		addInts(t, b, 3)
		_ = b.Flush(context.Background())
		s := finish(t, b)
		assert.EqualValues(t, 2, s.Failed, name)
		assert.EqualValues(t, 1, s.Flushed, name)
	}
}

func TestF32_AStartHookThatLeavesFailsTheAttempt(t *testing.T) {
	for name, calamity := range calamities {
		var sink script[int]
		first := true
		b := start(t, sink.flush, batcher.WithDeadLetter((&mailbox[int]{}).handle), silent(),
			batcher.WithHooks(batcher.Hooks{FlushStart: func(context.Context, batcher.Info) context.Context {
				if first {
					first = false
					calamity()
				}
				return nil
			}}))
		addInts(t, b, 1)
		err := b.Flush(context.Background())
		if name == "Goexit" {
			require.ErrorIs(t, err, batcher.ErrGoexit)
		} else {
			require.NoError(t, err, name)
		}
		finish(t, b)
	}
}

// silent discards the batcher's log.
func silent() batcher.Option { return batcher.WithLogger(slog.New(slog.DiscardHandler)) }

type panickyHandler struct{ slog.Handler }

func (panickyHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (panickyHandler) Handle(context.Context, slog.Record) error { panic("log") }

func TestF32_ALoggerThatPanicsIsIgnored(t *testing.T) {
	var sink script[int]
	b := start(t, sink.fail(errSink).flush, batcher.WithLogger(slog.New(panickyHandler{slog.DiscardHandler})))
	addInts(t, b, 1)
	require.ErrorIs(t, b.Flush(context.Background()), errSink)
	finish(t, b)
}

func TestF32_AHandlerThatBlocksHoldsNoLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var sink script[int]
		b := start(t, sink.fail(errSink).flush, batcher.WithMaxSize(1), batcher.WithWorkers(2),
			batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[int]) { <-release }))
		addInts(t, b, 1)
		synctest.Wait()
		s := b.Stats()
		assert.EqualValues(t, 1, s.Failed, "accounted for before the handler runs")
		assert.Zero(t, s.Pending)
		require.NoError(t, b.AddWait(context.Background(), 2), "others go on")
		close(release)
		finish(t, b)
	})
}

func TestP9_F27_PanicOfNilFailsTheBatchAlsoWhereRecoverSaysNil(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	b := start(t, func(context.Context, []int) error { panic(nil) }, silent())
	var panicErr *batcher.PanicError
	require.ErrorAs(t, b.AddWait(context.Background(), 1), &panicErr)
	assert.EqualValues(t, 1, finish(t, b).Failed)
}

// requestContext is a context of the user's own, with methods that do too much.
type requestContext struct {
	context.Context
	spy func()
}

func (c *requestContext) Err() error        { c.spy(); return c.Context.Err() }
func (c *requestContext) Value(key any) any { c.spy(); return c.Context.Value(key) }

func TestP12_NoMethodOfACallersContextRunsUnderALock(t *testing.T) {
	release := make(chan struct{})
	b := start(t, func(context.Context, []int) error { <-release; return nil }, batcher.WithMaxSize(1), batcher.WithQueueDepth(1))
	calls := map[string]func(context.Context){
		"Add":     func(ctx context.Context) { _ = b.Add(ctx, 1) },
		"AddAll":  func(ctx context.Context) { _, _ = b.AddAll(ctx, []int{1}) },
		"AddWait": func(ctx context.Context) { _ = b.AddWait(ctx, 1) },
		"Submit":  func(ctx context.Context) { _, _ = b.Submit(ctx, 1) },
		"Flush":   func(ctx context.Context) { _ = b.Flush(ctx) },
	}
	addInts(t, b, 2) // no room is left: all have to wait
	for name, call := range calls {
		for _, d := range []time.Duration{0, time.Millisecond} { // ended before, and while it waits
			ctx, cancel := context.WithTimeout(context.Background(), d)
			call(&requestContext{ctx, func() { _ = b.Stats() }})
			cancel()
		}
		var none *requestContext
		assert.Panics(t, func() { call(none) }, name)
		requireBalanced(t, b.Stats()) // no lock was left behind
	}
	close(release)
	finish(t, b)
}

func TestTheDurationOfAFlushIsThatOfTheFunction(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var results []batcher.FlushResult
			b := start(t, func(context.Context, []int) error { time.Sleep(time.Second); return nil }, silent(),
				batcher.WithHooks(batcher.Hooks{
					FlushStart: func(context.Context, batcher.Info) context.Context {
						time.Sleep(time.Minute)
						if leaves {
							runtime.Goexit()
						}
						return nil
					},
					FlushEnd: func(_ context.Context, _ batcher.Info, r batcher.FlushResult) { results = append(results, r) },
				}))
			addInts(t, b, 1)
			finish(t, b)
			want := batcher.FlushResult{Duration: time.Second}
			if leaves { // the function was not called: what there is, is the hook's time
				want = batcher.FlushResult{Duration: time.Minute, Err: batcher.ErrGoexit}
			}
			assert.Equal(t, []batcher.FlushResult{want}, results)
		})
	}
}

func TestF33_AfterASlowSpellBatchesStayFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink script[int]
		slow := func([]int) error { time.Sleep(time.Minute); return nil }
		b := start(t, sink.answer(slow).flush, batcher.WithMaxSize(10), batcher.WithMaxDelay(time.Second))
		var wg sync.WaitGroup
		wg.Go(func() { addInts(t, b, 105) })
		time.Sleep(2 * time.Minute)
		wg.Wait()
		finish(t, b)
		sizes := map[int]int{}
		for _, batch := range sink.seen() {
			sizes[len(batch)]++
		}
		assert.Equal(t, map[int]int{10: 10, 5: 1}, sizes)
	})
}

func TestF20_AFlushThatIgnoresItsDeadlineCostsItsWorkerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		b := start(t, func(_ context.Context, batch []int) error {
			if batch[0] == 0 {
				<-stuck
			}
			return nil
		}, batcher.WithMaxSize(1), batcher.WithWorkers(2), batcher.WithFlushTimeout(time.Second))
		addInts(t, b, 10)
		synctest.Wait()
		assert.EqualValues(t, 9, b.Stats().Flushed)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		var closeErr *batcher.CloseError[int]
		begin := time.Now()
		require.ErrorAs(t, b.Close(ctx), &closeErr)
		assert.Equal(t, time.Hour, time.Since(begin))
		assert.Equal(t, []int{0}, closeErr.Unknown)
		close(stuck)
	})
}

func TestHooksSeeEveryAttemptAndCarryTheirContext(t *testing.T) {
	type key struct{}
	var events []string
	note := func(format string, args ...any) { events = append(events, fmt.Sprintf(format, args...)) }
	hooks := func(id string) batcher.Hooks {
		return batcher.Hooks{
			FlushStart: func(ctx context.Context, i batcher.Info) context.Context {
				note("%s start %d/%d %v", id, i.Attempt, i.Size, i.Reason)
				return context.WithValue(ctx, key{}, id)
			},
			FlushEnd: func(ctx context.Context, i batcher.Info, r batcher.FlushResult) {
				note("%s end %d %v in %v", id, i.Attempt, r.Err, ctx.Value(key{}))
				assert.GreaterOrEqual(t, r.Duration, time.Duration(0))
			},
			Retry: func(_ context.Context, i batcher.Info, wait time.Duration, err error) {
				note("%s retry %d %v %v", id, i.Attempt, wait, err)
			},
			DeadLetter: func(_ context.Context, i batcher.Info, err *batcher.FlushError) {
				note("%s dead %d %d", id, i.Size, err.Attempts)
			},
		}
	}
	var sink script[int]
	b := start(t, func(ctx context.Context, batch []int) error {
		note("flush in %v", ctx.Value(key{}))
		return sink.flush(ctx, batch)
	}, batcher.WithRetry(2, constant(1)), batcher.WithHooks(hooks("a")), batcher.WithHooks(hooks("b")), silent())
	sink.fail(errSink, errSink)
	addInts(t, b, 1)
	require.Error(t, b.Flush(context.Background()))
	finish(t, b)
	assert.Equal(t, []string{
		"a start 1/1 flush", "b start 1/1 flush", "flush in b", "b end 1 sink is down in b", "a end 1 sink is down in b",
		"a retry 1 1ns sink is down", "b retry 1 1ns sink is down",
		"a start 2/1 flush", "b start 2/1 flush", "flush in b", "b end 2 sink is down in b", "a end 2 sink is down in b",
		"a dead 1 2", "b dead 1 2",
	}, events)
}

func TestInfoDescribesTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink script[string]
		b := start(t, sink.flush, batcher.WithName("words"), batcher.WithMaxDelay(time.Second),
			batcher.WithMaxWeight(100, func(s string) int { return len(s) }))
		begin := time.Now()
		require.NoError(t, b.Add(context.Background(), "seven"))
		time.Sleep(time.Millisecond)
		require.NoError(t, b.AddWait(context.Background(), "four"))
		assert.NotZero(t, sink.infos[0].Batch)
		assert.Equal(t, batcher.Info{Name: "words", Reason: batcher.ReasonDelay, Size: 2, Weight: 9, Attempt: 1,
			FirstAdded: begin, Sealed: begin.Add(time.Second), Batch: sink.infos[0].Batch, First: true}, sink.infos[0])
		_, ok := batcher.InfoFrom(context.Background())
		assert.False(t, ok)
		finish(t, b)
	})
}

func TestBaseContextGivesValuesAndNoEnd(t *testing.T) {
	type key struct{}
	base, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "v"))
	cancel()
	b := start(t, func(ctx context.Context, _ []int) error {
		if ctx.Err() != nil || ctx.Value(key{}) != "v" {
			return errors.New("wrong context")
		}
		return nil
	}, batcher.WithBaseContext(base))
	require.NoError(t, b.AddWait(context.Background(), 1))
	finish(t, b)
}

// Batch, Offset and Size name a piece: the same for all attempts at it, another for any other piece,
// that of another batcher included.
func TestInfoNamesThePiece(t *testing.T) {
	type name struct {
		Batch  uint64
		Offset int
		Size   int
	}
	var numbers []uint64
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			var names []name
			outcomes := []error{
				errors.New("once more"),
				batcher.TooLarge(errors.New("split")), // 8 items into 4 and 4
				&batcher.PartialError{Errs: map[int]error{1: errors.New("again"), 3: errors.New("again")}},
				errors.New("the two, once more"),
			}
			b := start(t, func(ctx context.Context, _ []int) (err error) {
				info, _ := batcher.InfoFrom(ctx)
				names = append(names, name{info.Batch, info.Offset, info.Size})
				if len(outcomes) > 0 {
					err, outcomes = outcomes[0], outcomes[1:]
				}
				return err
			}, batcher.WithMaxSize(8), batcher.WithRetry(9, batcher.ExponentialBackoff(0, 0)))
			for i := range 9 {
				require.NoError(t, b.Add(context.Background(), i))
			}
			finish(t, b)
			first, second := names[0].Batch, names[len(names)-1].Batch
			assert.Equal(t, []name{{first, 0, 8}, {first, 0, 8}, {first, 0, 4}, {first, 2, 2}, {first, 2, 2},
				{first, 4, 4}, {second, 0, 1}}, names)
			numbers = append(numbers, first, second)
		})
	}
	for i, number := range numbers {
		assert.NotZero(t, number)
		assert.NotContains(t, numbers[:i], number)
	}
}

func TestTheErrDroppedOfAnotherBatcherIsAFailure(t *testing.T) {
	var lines strings.Builder
	b := start(t, func(context.Context, []int) error { return batcher.ErrDropped }, batcher.WithMaxSize(1),
		batcher.WithLogger(slog.New(slog.NewTextHandler(&lines, nil))))
	addInts(t, b, 1)
	require.Error(t, b.Flush(context.Background()))
	finish(t, b)
	s := b.Stats()
	assert.EqualValues(t, 1, s.Failed)
	assert.Zero(t, s.Dropped)
	assert.Contains(t, lines.String(), "batcher: batch failed")
}
