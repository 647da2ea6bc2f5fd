package batcher_test

// Close: against everything else that may go on, and against racing producers.

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// closing is a row of the table below: a state, and what Close does in it.
type closing struct {
	state string
	flush role
	opts  options // besides MaxSize 2, MaxDelay 10 ms, one worker, a queue for one batch
	setup func(s *stage)

	live  closed // with a context that does not end
	ended closed // with a context that has ended
	mid   closed // with a context that ends 500 ms after the call
}

// closed is what Close does, and what becomes of the items that were submitted:
// they are flushed unless named here.
type closed struct {
	at        time.Duration // when Close returns, on the clock of the stage
	gaveUp    bool          // it returns a *CloseError, with these lists
	unflushed []int
	unknown   []int
	either    []int // in one of the two lists: whether the worker comes first is open
	failed    []int
	dropped   []int
	others    int           // items accepted of which the setup has no receipt
	flushes   []string      // all calls of the flush function; not checked if either is set
	callsAt   time.Duration // when the calls return that the setup has made
	callsErr  error         // what they return
	lingers   time.Duration // how long user code that does not listen keeps its goroutine
}

// errSameAnswer stands for whatever the Close under test returned.
var errSameAnswer = errors.New("the same as the Close under test")

func TestP8_CloseAgainstEverything(t *testing.T) {
	oneTwo := []string{"0s [1 2]"}
	for _, row := range []closing{
		{
			state: "never used",
			flush: takes(sec),
			setup: func(*stage) {},
		}, {
			state: "idle",
			flush: takes(sec),
			setup: func(s *stage) { s.submit(1, 2); s.until(2 * sec) },
			live:  closed{at: 2 * sec, flushes: oneTwo},
			ended: closed{at: 2 * sec, flushes: oneTwo},
			mid:   closed{at: 2 * sec, flushes: oneTwo},
		}, {
			state: "partial batch open, worker idle",
			flush: takes(sec),
			setup: func(s *stage) { s.submit(1) },
			live:  closed{at: sec, flushes: []string{"0s [1]"}},
			ended: closed{at: 0, gaveUp: true, either: []int{1}},
			mid:   closed{at: 500 * ms, gaveUp: true, unknown: []int{1}, flushes: []string{"0s [1]"}},
		}, {
			state: "partial batch open, worker busy",
			flush: takes(sec),
			setup: func(s *stage) { s.submit(1, 2, 3) },
			live:  closed{at: 2 * sec, flushes: []string{"0s [1 2]", "1s [3]"}},
			ended: closed{at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo},
			mid:   closed{at: 500 * ms, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo},
		}, {
			state: "due batch still filling",
			flush: takes(sec),
			setup: func(s *stage) { s.submit(1, 2, 3); s.until(20 * ms) },
			live:  closed{at: 2 * sec, flushes: []string{"0s [1 2]", "1s [3]"}},
			ended: closed{at: 20 * ms, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo},
			mid:   closed{at: 520 * ms, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo},
		}, {
			state: "full queue",
			flush: takes(sec),
			setup: func(s *stage) { s.submit(1, 2, 3, 4) },
			live:  closed{at: 2 * sec, flushes: []string{"0s [1 2]", "1s [3 4]"}},
			ended: closed{at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3, 4}, flushes: oneTwo},
			mid:   closed{at: 500 * ms, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3, 4}, flushes: oneTwo},
		}, {
			state: "full queue, context ends while the second batch is flushed",
			flush: inTurn(takes(400*ms), takes(sec)),
			setup: func(s *stage) { s.submit(1, 2, 3, 4) },
			live:  closed{at: 1400 * ms, flushes: []string{"0s [1 2]", "400ms [3 4]"}},
			ended: closed{at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3, 4}, flushes: oneTwo},
			mid: closed{
				at: 500 * ms, gaveUp: true, unknown: []int{3, 4}, flushes: []string{"0s [1 2]", "400ms [3 4]"},
			},
		}, {
			state: "two workers busy, full queue",
			flush: takes(sec),
			opts:  options{batcher.WithWorkers(2), batcher.WithMaxSize(1)},
			setup: func(s *stage) { s.submit(1); synctest.Wait(); s.submit(2); synctest.Wait(); s.submit(3) },
			live:  closed{at: 2 * sec, flushes: []string{"0s [1]", "0s [2]", "1s [3]"}},
			ended: closed{
				at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: []string{"0s [1]", "0s [2]"},
			},
			mid: closed{
				at: 500 * ms, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: []string{"0s [1]", "0s [2]"},
			},
		}, {
			state: "producers waiting",
			flush: takes(sec),
			setup: func(s *stage) {
				s.submit(1, 2, 3, 4)
				one := []int{0}
				s.calls = []*call{
					s.call(func() error { return s.b.Add(background, 0) }),
					s.call(func() error { return s.b.AddWait(background, 0) }),
					s.call(func() error { _, err := s.b.Submit(background, 0); return err }),
					s.call(func() error { _, err := s.b.AddAll(background, one); return err }),
				}
				synctest.Wait()
				require.Equal(s, 4, s.b.Stats().Waiting)
			},
			live: closed{
				at: 2 * sec, flushes: []string{"0s [1 2]", "1s [3 4]"}, callsAt: 0, callsErr: batcher.ErrClosed,
			},
			ended: closed{
				at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3, 4}, flushes: oneTwo,
				callsAt: 0, callsErr: batcher.ErrClosed,
			},
			mid: closed{
				at: 500 * ms, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3, 4}, flushes: oneTwo,
				callsAt: 0, callsErr: batcher.ErrClosed,
			},
		}, {
			state: "flush running",
			flush: takes(sec),
			setup: func(s *stage) { s.submit(1, 2); s.until(100 * ms) },
			live:  closed{at: sec, flushes: oneTwo},
			ended: closed{at: 100 * ms, gaveUp: true, unknown: []int{1, 2}, flushes: oneTwo},
			mid:   closed{at: 600 * ms, gaveUp: true, unknown: []int{1, 2}, flushes: oneTwo},
		}, {
			state: "flush ends in the instant in which the context does",
			flush: takes(500 * ms),
			setup: func(s *stage) { s.submit(1, 2, 3, 4, 5) },
			opts:  options{batcher.WithQueueDepth(2)},
			live:  closed{at: 1500 * ms, flushes: []string{"0s [1 2]", "500ms [3 4]", "1s [5]"}},
			ended: closed{
				at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3, 4, 5}, flushes: oneTwo,
			},
			mid: closed{at: 500 * ms, gaveUp: true, either: []int{1, 2, 3, 4, 5}},
		}, {
			state: "flush running that ignores its context",
			flush: deaf(time.Hour),
			setup: func(s *stage) { s.submit(1, 2, 3) },
			live:  closed{at: 2 * time.Hour, flushes: []string{"0s [1 2]", "1h0m0s [3]"}},
			ended: closed{
				at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo, lingers: time.Hour,
			},
			mid: closed{
				at: 500 * ms, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo, lingers: time.Hour,
			},
		}, {
			state: "pause before a retry",
			flush: inTurn(fails(errSink), takes(sec)),
			opts:  options{batcher.WithRetry(2, constant(time.Minute))},
			setup: func(s *stage) { s.submit(1, 2, 3); s.until(sec) },
			live:  closed{at: 62 * sec, flushes: []string{"0s [1 2]", "1m0s [1 2]", "1m1s [3]"}},
			ended: closed{at: sec, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo},
			mid:   closed{at: 1500 * ms, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo},
		}, {
			state: "pause before the retry of what is left of a batch",
			flush: inTurn(fails(&batcher.PartialError{Errs: map[int]error{0: errSink}}), takes(sec)),
			opts:  options{batcher.WithRetry(2, constant(time.Minute))},
			setup: func(s *stage) { s.submit(1, 2); s.until(sec) },
			live:  closed{at: 61 * sec, flushes: []string{"0s [1 2]", "1m0s [1]"}},
			ended: closed{at: sec, gaveUp: true, unknown: []int{1}, flushes: oneTwo},
			mid:   closed{at: 1500 * ms, gaveUp: true, unknown: []int{1}, flushes: oneTwo},
		}, {
			state: "right half of a split batch outstanding",
			flush: inTurn(fails(batcher.TooLarge(errSink)), takes(sec)),
			setup: func(s *stage) { s.submit(1, 2); s.until(1200 * ms) },
			live:  closed{at: 2 * sec, flushes: []string{"0s [1 2]", "0s [1]", "1s [2]"}},
			ended: closed{
				at: 1200 * ms, gaveUp: true, unknown: []int{2}, flushes: []string{"0s [1 2]", "0s [1]", "1s [2]"},
			},
			mid: closed{
				at: 1700 * ms, gaveUp: true, unknown: []int{2}, flushes: []string{"0s [1 2]", "0s [1]", "1s [2]"},
			},
		}, {
			state: "dead letter handler blocking",
			flush: fails(errSink),
			opts: options{batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[int]) {
				time.Sleep(sec)
			})},
			setup: func(s *stage) { s.submit(1, 2) },
			live:  closed{at: sec, failed: []int{1, 2}, flushes: oneTwo},
			ended: closed{at: 0, gaveUp: true, failed: []int{1, 2}, flushes: oneTwo, lingers: sec},
			mid:   closed{at: 500 * ms, gaveUp: true, failed: []int{1, 2}, flushes: oneTwo, lingers: sec},
		}, {
			state: "dead letter handler that listens to its context",
			flush: fails(errSink),
			opts: options{batcher.WithDeadLetter(func(ctx context.Context, _ batcher.DeadLetter[int]) {
				_ = pause(ctx, sec)
			})},
			setup: func(s *stage) { s.submit(1, 2, 3) },
			live:  closed{at: 2 * sec, failed: []int{1, 2, 3}, flushes: []string{"0s [1 2]", "1s [3]"}},
			ended: closed{at: 0, gaveUp: true, failed: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo},
			mid:   closed{at: 500 * ms, gaveUp: true, failed: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo},
		}, {
			state: "producer blocked in the dead letter handler of a drop",
			flush: takes(sec),
			opts: options{
				batcher.WithOverflow(batcher.DropOldest),
				batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[int]) { time.Sleep(5 * sec) }),
			},
			setup: func(s *stage) {
				s.submit(1, 2)
				synctest.Wait()
				s.submit(3, 4)
				s.calls = []*call{s.call(func() error { return s.b.Add(background, 5) })}
				synctest.Wait()
			},
			live: closed{
				at: 2 * sec, dropped: []int{3, 4}, flushes: append(oneTwo[:1:1], "1s [5]"), callsAt: 5 * sec, others: 1,
			},
			ended: closed{
				at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{5}, dropped: []int{3, 4},
				flushes: oneTwo, callsAt: 5 * sec, others: 1,
			},
			mid: closed{
				at: 500 * ms, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{5}, dropped: []int{3, 4},
				flushes: oneTwo, callsAt: 5 * sec, others: 1,
			},
		}, {
			state: "Flush waiting",
			flush: takes(sec),
			setup: func(s *stage) {
				s.submit(1, 2, 3)
				for range 5 {
					s.calls = append(s.calls, s.call(func() error { return s.b.Flush(background) }))
				}
			},
			live: closed{at: 2 * sec, flushes: []string{"0s [1 2]", "1s [3]"}, callsAt: 2 * sec},
			ended: closed{
				at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo,
				callsAt: 0, callsErr: batcher.ErrClosed,
			},
			mid: closed{
				at: 500 * ms, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo,
				callsAt: 500 * ms, callsErr: batcher.ErrClosed,
			},
		}, {
			state: "receipt waiting for its item's fate",
			flush: takes(sec),
			setup: func(s *stage) {
				s.submit(1, 2, 3)
				s.calls = []*call{s.call(func() error { return s.receipt(1).Wait(background) })}
			},
			live: closed{at: 2 * sec, flushes: []string{"0s [1 2]", "1s [3]"}, callsAt: sec},
			ended: closed{
				at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo,
				callsAt: 0, callsErr: batcher.ErrClosed,
			},
			mid: closed{
				at: 500 * ms, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo,
				callsAt: 500 * ms, callsErr: batcher.ErrClosed,
			},
		}, {
			state: "timer firing in the same instant",
			flush: takes(sec),
			setup: func(s *stage) { s.submit(1); time.Sleep(10 * ms) },
			live:  closed{at: 1010 * ms, flushes: []string{"10ms [1]"}},
			ended: closed{at: 10 * ms, gaveUp: true, either: []int{1}},
			mid:   closed{at: 510 * ms, gaveUp: true, unknown: []int{1}, flushes: []string{"10ms [1]"}},
		}, {
			state: "timer of an earlier batch firing in the same instant, nothing held",
			flush: takes(0),
			setup: func(s *stage) { s.submit(1, 2); time.Sleep(10 * ms) },
			live:  closed{at: 10 * ms, flushes: oneTwo},
			ended: closed{at: 10 * ms, flushes: oneTwo},
			mid:   closed{at: 10 * ms, flushes: oneTwo},
		}, {
			state: "concurrent Close",
			flush: takes(sec),
			setup: func(s *stage) {
				s.submit(1, 2, 3, 4)
				synctest.Wait()
				for range 9 {
					s.calls = append(s.calls, s.call(func() error { return s.b.Close(background) }))
				}
			},
			live: closed{
				at: 2 * sec, flushes: []string{"0s [1 2]", "1s [3 4]"}, callsAt: 2 * sec, callsErr: errSameAnswer,
			},
			ended: closed{
				at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3, 4}, flushes: oneTwo,
				callsAt: 0, callsErr: errSameAnswer,
			},
			mid: closed{
				at: 500 * ms, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3, 4}, flushes: oneTwo,
				callsAt: 500 * ms, callsErr: errSameAnswer,
			},
		}, {
			state: "closed before",
			flush: takes(sec),
			setup: func(s *stage) { s.submit(1, 2); require.NoError(s, s.b.Close(background)) },
			live:  closed{at: sec, flushes: oneTwo},
			ended: closed{at: sec, flushes: oneTwo},
			mid:   closed{at: sec, flushes: oneTwo},
		}, {
			state: "given up before",
			flush: takes(sec),
			setup: func(s *stage) {
				s.submit(1, 2, 3)
				synctest.Wait()
				require.Error(s, s.b.Close(endedContext()))
			},
			live:  closed{at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo},
			ended: closed{at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo},
			mid:   closed{at: 0, gaveUp: true, unknown: []int{1, 2}, unflushed: []int{3}, flushes: oneTwo},
		},
	} {
		defaults := options{
			batcher.WithMaxSize(2), batcher.WithMaxDelay(10 * ms), batcher.WithQueueDepth(1), batcher.WithFlushTimeout(0),
		}
		for name, want := range map[string]closed{"live": row.live, "ended": row.ended, "mid": row.mid} {
			t.Run(row.state+"/"+name, func(t *testing.T) {
				play(t, row.flush, append(defaults, row.opts...), func(s *stage) {
					row.setup(s)
					if !slices.Contains([]string{
						"timer firing in the same instant",
						"timer of an earlier batch firing in the same instant, nothing held",
					}, row.state) {
						synctest.Wait()
					}
					ctx, cancel := background, context.CancelFunc(func() {})
					switch name {
					case "ended":
						ctx = endedContext()
					case "mid":
						ctx, cancel = context.WithTimeoutCause(background, 500*ms, errEnded)
					}
					defer cancel()
					want.check(s, s.b.Close(ctx))
				})
			})
		}
	}
}

// check checks everything that can be seen after Close has returned err.
func (want closed) check(s *stage, err error) {
	s.Helper()
	require.Equal(s, want.at, s.now(), "when Close returned")
	unflushed, unknown := want.checkAnswer(s, err)
	want.checkFates(s, slices.Concat(unflushed, unknown))
	books := s.b.Stats()
	require.Equal(s, tally{
		Added:    int64(len(s.receipts) + want.others),
		Flushed:  int64(len(s.receipts) + want.others - len(want.failed) - len(want.dropped) - len(unflushed) - len(unknown)),
		Failed:   int64(len(want.failed)),
		Dropped:  int64(len(want.dropped)),
		Returned: int64(len(unflushed) + len(unknown)),
	}, tallyOf(books))

	synctest.Wait()
	if want.lingers > 0 {
		require.Equal(s, 1, engineGoroutines(), "only the one that user code holds is left")
		s.until(want.lingers)
		synctest.Wait()
	}
	require.Zero(s, engineGoroutines(), "goroutines are left")

	if want.callsErr == errSameAnswer {
		want.callsErr = err
	}
	for _, c := range s.calls {
		s.returned(c, want.callsAt, want.callsErr)
	}
	time.Sleep(time.Hour) // whatever comes late must not count, nor reach the flush function
	require.Equal(s, books, s.b.Stats())
	for _, item := range unflushed {
		for _, v := range s.seen() {
			require.NotContains(s, v.items, item, "said to be unflushed, but the flush function got it")
		}
	}
	if want.either == nil {
		require.Equal(s, append([]string{}, want.flushes...), s.flushes())
	}
	for _, v := range s.seen() {
		require.Error(s, v.ctx.Err(), "the context of a flush is alive after Close")
	}
	for _, ctx := range []context.Context{background, endedContext()} {
		require.Same(s, answerOf(err), answerOf(s.b.Close(ctx)), "all calls of Close return the same answer")
		require.ErrorIs(s, s.b.Add(ctx, 0), batcher.ErrClosed)
		require.ErrorIs(s, s.b.Flush(ctx), batcher.ErrClosed)
	}
}

// answerOf returns err as a *CloseError, nil if it is nil.
func answerOf(err error) *batcher.CloseError[int] {
	var answer *batcher.CloseError[int]
	_ = errors.As(err, &answer)
	return answer
}

// checkAnswer checks the error itself and returns its lists.
func (want closed) checkAnswer(s *stage, err error) (unflushed, unknown []int) {
	s.Helper()
	if !want.gaveUp {
		require.NoError(s, err)
		return nil, nil
	}
	var answer *batcher.CloseError[int]
	require.ErrorAs(s, err, &answer)
	require.Equal(s, errEnded, answer.Err)
	require.ErrorIs(s, err, errEnded, "the cause of the context")
	if want.either != nil {
		// What a worker had taken comes before what it had not.
		left := slices.Concat(answer.Unknown, answer.Unflushed)
		require.Equal(s, want.either[len(want.either)-len(left):], left)
		return answer.Unflushed, answer.Unknown
	}
	require.Equal(s, want.unflushed, answer.Unflushed)
	require.Equal(s, want.unknown, answer.Unknown)
	return answer.Unflushed, answer.Unknown
}

// checkFates checks the receipts, which must all have resolved.
func (want closed) checkFates(s *stage, returned []int) {
	s.Helper()
	for item, r := range s.receipts {
		select {
		case <-r.Done():
		default:
			require.Fail(s, "a receipt is open after Close", "item %d", item)
		}
		err := r.Wait(endedContext())
		switch {
		case slices.Contains(returned, item):
			require.ErrorIs(s, err, batcher.ErrClosed, "item %d", item)
		case slices.Contains(want.failed, item):
			require.ErrorIs(s, err, errSink, "item %d", item)
		case slices.Contains(want.dropped, item):
			require.ErrorIs(s, err, batcher.ErrDropped, "item %d", item)
		default:
			require.NoError(s, err, "item %d", item)
		}
	}
}

// The instant between the last settling and the end of the worker's goroutine is
// no reason to give up: nothing is left that Close could hand back.
func TestP8_CloseWithNothingLeftReturnsNilEvenIfItsContextHasEnded(t *testing.T) {
	const rounds = 3000
	ended := endedContext()
	for name, drain := range map[string]func(b *batcher.Batcher[int]) error{
		"after AddWait": func(b *batcher.Batcher[int]) error { return b.AddWait(background, 1) },
		"after Flush": func(b *batcher.Batcher[int]) error {
			return errors.Join(b.Add(background, 1), b.Flush(background))
		},
		"after a receipt resolved": func(b *batcher.Batcher[int]) error {
			r, err := b.Submit(background, 1)
			<-r.Done()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			gaveUp := 0
			for range rounds {
				b := start(t, func(context.Context, []int) error { return nil }, batcher.WithMaxDelay(time.Nanosecond))
				require.NoError(t, drain(b))
				if b.Close(ended) != nil {
					gaveUp++
				}
				require.EqualValues(t, 1, b.Stats().Flushed)
			}
			assert.Zero(t, gaveUp, "of %d calls of Close returned an error with nothing in it", rounds)
		})
	}
}

func TestP8_CloseWithNothingLeftReturnsNilWhenATimerFiresInTheSameInstant(t *testing.T) {
	const rounds = 2000
	synctest.Test(t, func(t *testing.T) {
		ended := endedContext()
		gaveUp := 0
		for range rounds {
			b := start(t, func(context.Context, []int) error { return nil },
				batcher.WithMaxSize(1000), batcher.WithMaxDelay(10*ms))
			require.NoError(t, b.Add(background, 1)) // arms the timer
			require.NoError(t, b.Flush(background))
			synctest.Wait()
			time.Sleep(10 * ms) // and the timer fires
			if b.Close(ended) != nil {
				gaveUp++
			}
			synctest.Wait()
			require.Zero(t, b.Stats().Returned)
		}
		assert.Zero(t, gaveUp, "of %d calls of Close returned an error with nothing in it", rounds)
	})
}

// The context of Close bounds the drain; it has no part in the flushes of the drain.
func TestP8_TheLastDrainRunsUnderALiveContextWithTheFullTimeout(t *testing.T) {
	type key struct{}
	flush := func(ctx context.Context, _ int, _ []int) error {
		if err := pause(ctx, sec); err != nil {
			return err
		}
		deadline, ok := ctx.Deadline()
		if left := time.Until(deadline); !ok || left != 29*sec || ctx.Value(key{}) != nil {
			return errors.New("the context of Close got into the flush")
		}
		return nil
	}
	play(t, flush, options{batcher.WithMaxSize(2)}, func(s *stage) {
		s.add(1, 2, 3, 4, 5)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.WithValue(background, key{}, "value"), 3*sec+1)
		defer cancel()
		require.NoError(s, s.b.Close(ctx))
		require.Equal(s, 3*sec, s.now())
		s.saw("0s size [1 2]", "1s size [3 4]", "2s close [5]")
		require.Equal(s, tally{Added: 5, Flushed: 5}, tallyOf(s.b.Stats()))
	})
}

func TestP8_GivingUpEndsTheFlushContextWithErrClosedAsItsCause(t *testing.T) {
	play(t, takes(time.Hour), options{batcher.WithMaxSize(1)}, func(s *stage) {
		s.add(1)
		synctest.Wait()
		require.Error(s, s.b.Close(endedContext()))
		require.ErrorIs(s, context.Cause(s.seen()[0].ctx), batcher.ErrClosed)
	})
}

func TestP8_LeftoversAreAsAcceptedThoughTheFlushFunctionOverwritesItsSlice(t *testing.T) {
	scribble := func(ctx context.Context, _ int, items []int) error {
		slices.Reverse(items)
		items[0] = -1
		_ = append(items, -2)
		return pause(ctx, sec)
	}
	play(t, scribble, options{batcher.WithMaxSize(3), batcher.WithQueueDepth(2)}, func(s *stage) {
		s.add(1, 2, 3, 4, 5, 6, 7)
		synctest.Wait()
		answer := answerOf(s.b.Close(endedContext()))
		require.NotNil(s, answer)
		require.Equal(s, []int{1, 2, 3}, answer.Unknown)
		require.Equal(s, []int{4, 5, 6, 7}, answer.Unflushed)
		clear(answer.Unknown) // the caller's own: nobody else looks at it
		clear(answer.Unflushed)
	})
}

// "Flush, Shutdown: a lock held while the flush calls back."
func TestP8_P12_CloseWaitsWithNoLockHeldWhileTheFlushCallsBack(t *testing.T) {
	var b *batcher.Batcher[int]
	closing := make(chan struct{})
	b = start(t, func(ctx context.Context, _ []int) error {
		<-closing
		for b.TryAdd(0) == nil { // until Close has been called
			runtime.Gosched()
		}
		_ = b.Stats()
		return errors.Join(
			mustBe(b.Add(ctx, 1), batcher.ErrClosed),
			mustBe(b.Close(ctx), batcher.ErrReentrant),
			mustBe(b.Flush(ctx), batcher.ErrClosed))
	}, batcher.WithMaxSize(1<<20), batcher.WithMaxDelay(time.Nanosecond), batcher.WithQueueDepth(1<<20))
	r, err := b.Submit(background, 1)
	require.NoError(t, err)
	close(closing)
	require.NoError(t, b.Close(background))
	require.NoError(t, r.Wait(background))
}

// mustBe returns an error unless err is target.
func mustBe(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return errors.New("expected " + target.Error())
}

// refusals are all the ways in which an item can be handed over.
func refusals(b *batcher.Batcher[int], ctx context.Context) map[string]error {
	n, addAll := b.AddAll(ctx, []int{1, 2, 3})
	if n != 0 {
		addAll = errors.New("AddAll accepted items")
	}
	_, none := b.AddAll(ctx, nil)
	r, submit := b.Submit(ctx, 1)
	if r != (batcher.Receipt{}) {
		submit = errors.New("Submit made out a receipt")
	}
	return map[string]error{
		"Add":               b.Add(ctx, 1),
		"TryAdd":            b.TryAdd(1),
		"AddAll":            addAll,
		"AddAll of nothing": none,
		"Submit":            submit,
		"AddWait":           b.AddWait(ctx, 1),
		"Flush":             b.Flush(ctx),
	}
}

func TestP6_F3_AfterCloseEverythingIsRefusedWithErrClosedWhateverElseIsWrong(t *testing.T) {
	weights := batcher.WithMaxWeight(10, func(int) int { return 11 })
	negative := batcher.WithMaxWeight(10, func(int) int { return -1 })
	for name, opt := range map[string]batcher.Option{
		"Block": batcher.WithOverflow(batcher.Block), "Reject": batcher.WithOverflow(batcher.Reject),
		"DropNewest": batcher.WithOverflow(batcher.DropNewest), "DropOldest": batcher.WithOverflow(batcher.DropOldest),
		"eager": batcher.WithEager(), "too heavy": weights, "negative weight": negative,
	} {
		for _, ctx := range []context.Context{background, endedContext()} {
			b := start(t, func(context.Context, []int) error { return nil }, opt)
			require.NoError(t, b.Close(background))
			for method, err := range refusals(b, ctx) {
				assert.Equal(t, batcher.ErrClosed, err, "%s: %s", name, method)
			}
			require.Equal(t, tally{}, tallyOf(b.Stats()))
		}
	}
}

func TestP6_ErrClosedWinsInsideAFlushToo(t *testing.T) {
	var s *stage
	var got map[string]error
	flush := func(ctx context.Context, nth int, _ []int) error {
		time.Sleep(sec)
		if nth == 1 {
			got = refusals(s.b, ctx)
		}
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		s = open(t, flush, batcher.WithMaxSize(1), batcher.WithQueueDepth(1))
		s.add(1, 2) // no room is left: ErrReentrant would be the answer if it were open
		synctest.Wait()
		require.NoError(t, s.b.Close(background))
		for method, err := range got {
			assert.Equal(t, batcher.ErrClosed, err, method)
		}
		s.end()
	})
}

func TestP8_F4_CloseFromTenGoroutinesIsOneDrainWithOneAnswer(t *testing.T) {
	play(t, takes(sec), options{batcher.WithMaxSize(2)}, func(s *stage) {
		s.add(1, 2, 3)
		var calls []*call
		for range 10 {
			calls = append(calls, s.call(func() error { return s.b.Close(background) }))
		}
		for _, c := range calls {
			s.returned(c, 2*sec, nil)
		}
		require.NoError(s, s.b.Close(background))
		require.NoError(s, s.b.Close(endedContext()))
		s.saw("0s size [1 2]", "1s close [3]")
	})
}

func TestP8_F4_AnyCloseWhoseContextEndsGivesUpForAllOthers(t *testing.T) {
	play(t, takes(time.Hour), options{batcher.WithMaxSize(2)}, func(s *stage) {
		s.add(1, 2, 3)
		synctest.Wait()
		var calls []*call
		for i := range 10 {
			calls = append(calls, s.call(func() error {
				ctx, cancel := context.WithTimeout(background, time.Duration(10-i)*sec)
				defer cancel()
				return s.b.Close(ctx)
			}))
		}
		answer := answerOf(s.b.Close(background))
		require.NotNil(s, answer)
		require.Equal(s, sec, s.now(), "the shortest one")
		require.Equal(s, context.DeadlineExceeded, answer.Err)
		require.Equal(s, []int{1, 2}, answer.Unknown)
		require.Equal(s, []int{3}, answer.Unflushed)
		for _, c := range calls {
			s.returned(c, sec, context.DeadlineExceeded)
			require.Same(s, answer, answerOf(c.err))
		}
	})
}

func TestP3_P8_F6_CloseFlushesThePartialBatchOnceAndWithinTheBounds(t *testing.T) {
	play(t, takes(0), options{batcher.WithMaxSize(3), batcher.WithMaxDelay(time.Hour)}, func(s *stage) {
		s.add(1, 2, 3, 4, 5, 6, 7)
		require.NoError(s, s.b.Close(background))
		s.saw("0s size [1 2 3]", "0s size [4 5 6]", "0s close [7]")
		time.Sleep(2 * time.Hour)
		s.saw("0s size [1 2 3]", "0s size [4 5 6]", "0s close [7]")
	})
	weight := batcher.WithMaxWeight(10, func(item int) int { return item })
	play(t, takes(0), options{weight, batcher.WithMaxDelay(time.Hour)}, func(s *stage) {
		s.add(4, 5, 6, 3, 2)
		require.NoError(s, s.b.Close(background))
		s.saw("0s weight [4 5]", "0s weight [6 3]", "0s close [2]")
	})
}

func TestP8_F7_CloseReturnsAtOnceWhenItsContextEndsWhateverTheFlushFunctionDoes(t *testing.T) {
	for name, flush := range map[string]role{"listens": takes(time.Hour), "deaf": deaf(time.Hour)} {
		t.Run(name, func(t *testing.T) {
			play(t, flush, options{batcher.WithMaxSize(2), batcher.WithWorkers(3)}, func(s *stage) {
				s.add(1, 2)
				synctest.Wait()
				s.add(3, 4)
				synctest.Wait()
				s.add(5)
				ctx, cancel := context.WithTimeoutCause(background, sec, errEnded)
				defer cancel()
				err := s.b.Close(ctx)
				require.Equal(s, sec, s.now())
				require.ErrorIs(s, err, errEnded)
				require.Equal(s, []int{1, 2, 3, 4, 5}, answerOf(err).Unknown)
				require.Empty(s, answerOf(err).Unflushed)
				synctest.Wait()
				for _, v := range s.seen() {
					require.Error(s, v.ctx.Err(), "its context has ended")
				}
				if name == "deaf" {
					require.Equal(s, 3, engineGoroutines())
					s.until(time.Hour)
					synctest.Wait()
				}
				require.Zero(s, engineGoroutines(), "none is left once the flush function has returned")
				require.Equal(s, tally{Added: 5, Returned: 5}, tallyOf(s.b.Stats()), "what returns late counts no more")
			})
		})
	}
}

func TestP8_F8_ACloseWhoseContextEndsWakesARetryThatSleeps(t *testing.T) {
	opts := options{batcher.WithMaxSize(1), batcher.WithRetry(2, constant(time.Hour))}
	play(t, fails(errSink), opts, func(s *stage) {
		s.add(1)
		s.until(sec)
		ctx, cancel := context.WithTimeout(background, sec)
		defer cancel()
		require.ErrorIs(s, s.b.Close(ctx), context.DeadlineExceeded)
		require.Equal(s, 2*sec, s.now())
		synctest.Wait()
		require.Zero(s, engineGoroutines(), "the worker sleeps on")
		time.Sleep(2 * time.Hour)
		s.saw("0s size [1]")
		require.Equal(s, tally{Added: 1, Returned: 1}, tallyOf(s.b.Stats()))
	})
	play(t, inTurn(fails(errSink), takes(0)), opts, func(s *stage) {
		s.add(1)
		s.until(sec)
		require.NoError(s, s.b.Close(background), "a Close that has time lets the retry sleep")
		s.saw("0s size [1]", "1h0m0s size [1]")
		require.Equal(s, time.Hour, s.now())
	})
}

func TestP13_P14_F9_ABatcherNeverUsedHasNoGoroutineAndClosesAtOnce(t *testing.T) {
	flush := func(context.Context, []int) error { return nil }
	all := options{
		batcher.WithEager(), batcher.WithWorkers(8), batcher.WithRetry(3, constant(sec)),
		batcher.WithMaxWeight(10, func(int) int { return 1 }),
	}
	synctest.Test(t, func(t *testing.T) {
		for range 1000 {
			b := start(t, flush, all...)
			require.NoError(t, b.Close(endedContext()))
			_, err := batcher.New(flush, batcher.WithWorkers(0))
			require.ErrorIs(t, err, batcher.ErrConfig)
			start(t, flush) // forgotten
		}
		require.Zero(t, engineGoroutines())
	})
}

func TestP8_F9_CloseHasEndedTheGoroutinesWhenItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 200 {
			b := start(t, func(context.Context, []int) error { return nil }, batcher.WithMaxSize(1), batcher.WithWorkers(4))
			for item := range 8 {
				require.NoError(t, b.Add(background, item))
			}
			require.NoError(t, b.Close(background))
			synctest.Wait()
			require.Zero(t, engineGoroutines())
		}
	})
}

func TestP8_F10_CloseWhileTheTimerFiresDoesNotDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for round := range 1000 {
			s := open(t, takes(0), batcher.WithMaxDelay(10*ms))
			s.add(1)
			if round%2 == 1 { // the timer must be armed again for a younger batch
				require.NoError(t, s.b.Flush(background))
				s.until(5 * ms)
				s.add(2)
				s.until(10 * ms)
			} else {
				s.until(10 * ms)
			}
			require.NoError(t, s.b.Close(background))
			require.Equal(t, 10*ms, s.now())
			synctest.Wait()
			require.Zero(t, s.b.Stats().Pending)
			s.end()
		}
		require.Zero(t, engineGoroutines())
	})
}

func TestP8_F10_CloseRacingARealTimer(t *testing.T) {
	for round := range 3000 {
		delivered := 0 // by the worker; read after Close
		b := start(t, func(_ context.Context, items []int) error { delivered += len(items); return nil },
			batcher.WithMaxDelay(time.Duration(1+round%200)*time.Microsecond/4))
		require.NoError(t, b.Add(background, 1))
		for range round % 50 {
			runtime.Gosched()
		}
		require.NoError(t, b.Close(background))
		require.Equal(t, 1, delivered)
	}
}
